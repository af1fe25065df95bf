package io.github.commandway.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.manager.RecordId;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** The Python client that users of the task API have: as it is, but for the address of the server. Needs python3 and its package requests. */
@Timeout(60)
class TaskClientTest {
    private static final String SERVER_URL = "SERVER_URL = \"http://172.16.11.130:8090\"";

    @RegisterExtension
    final FacadeFixture server = new FacadeFixture(options -> options.token("robot", "s3cret"));

    @TempDir
    Path folder;

    @BeforeAll
    static void requirePythonWithRequests() throws IOException, InterruptedException {
        Process python = new ProcessBuilder("python3", "-c", "import requests")
                .redirectErrorStream(true)
                .start();
        String output = new String(python.getInputStream().readAllBytes(), UTF_8);
        assertThat(python.waitFor())
                .as("python3 has the package requests (Debian: apt-get install python3-requests): %s", output)
                .isZero();
    }

    private BufferedReader outputOf(Process client) {
        return new BufferedReader(new InputStreamReader(client.getInputStream(), UTF_8));
    }

    private Process startClient(String command) throws IOException {
        String code;
        try (InputStream resource = TaskClientTest.class.getResourceAsStream("/task_client.py")) {
            code = new String(resource.readAllBytes(), UTF_8);
        }
        assertThat(code).contains(SERVER_URL);
        String url = "http://robot:s3cret@127.0.0.1:" + server.facade.address().getPort();
        Path script = Files.writeString(
                folder.resolve("task_client.py"), code.replace(SERVER_URL, "SERVER_URL = \"" + url + "\""));
        Files.writeString(folder.resolve("SCAN_QR_CODE_command.json"), command);
        ProcessBuilder python = new ProcessBuilder("python3", "-u", script.toString())
                .directory(folder.toFile())
                .redirectErrorStream(true);
        python.environment().putAll(Map.of("PYTHONIOENCODING", "utf-8", "NO_PROXY", "127.0.0.1"));
        return python.start();
    }

    private static List<String> remainingLines(BufferedReader output) throws IOException {
        List<String> lines = new ArrayList<>();
        for (String line = output.readLine(); line != null; line = output.readLine()) {
            lines.add(line);
        }
        return lines;
    }

    @Test
    void submitsATaskPollsItAndPrintsItsResult() throws IOException, InterruptedException {
        Process client =
                startClient("{\"cmd_type\": \"SCAN_QRCODE\", \"cmd_id\": \"SCAN_001\", \"params\": {\"pool\": 2}}");
        try (BufferedReader output = outputOf(client)) {
            String submitted = output.readLine();
            assertThat(submitted).startsWith("✓ 任务已提交: task_");
            String id = submitted.substring(submitted.indexOf("task_"));
            assertThat(output.readLine()).isEqualTo("任务状态: running");

            server.running(id)
                    .complete(
                            "{\"success\":true,\"message\":\"SCAN_QRCODE完成\",\"scanned_count\":3,\"scanned_bottles\":[1,2,3]}");

            assertThat(remainingLines(output)).endsWith("任务状态: completed", "✓ 任务完成", "扫描完成，数量: 3");
            assertThat(client.waitFor(10, TimeUnit.SECONDS)).isTrue();
            assertThat(client.exitValue()).isZero();
        }
    }

    @Test
    void printsThatATaskFailed() throws IOException {
        Process client = startClient(
                "{\"params\": {\"pool\": 2}, \"data\": {\"cmd_type\": \"SCAN_QRCODE\", \"cmd_id\": \"SCAN_001\"}}");
        try (BufferedReader output = outputOf(client)) {
            await().until(() -> !server.edge.running.isEmpty());
            RecordId id = server.edge.running.keySet().iterator().next();
            server.running(id.toString()).fail("EXECUTOR_ERROR");

            assertThat(remainingLines(output)).endsWith("任务状态: failed", "✗ 任务失败", "任务失败");
        }
    }

    @Test
    void printsWhyATaskWasNotTaken() throws IOException {
        Process client = startClient("{\"params\": {}}");
        try (BufferedReader output = outputOf(client)) {
            assertThat(remainingLines(output)).singleElement().asString().startsWith("✗ 提交失败: 'cmd_type' is required");
        }
    }
}
