package io.github.commandway.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

/** A server with real tools that runs them by a schedule, tells of their ends, and counts them. */
class ToolWatchTest {
    @TempDir
    Path folder;

    private final List<String> told = new CopyOnWriteArrayList<>();
    private HttpServer chat;

    @BeforeEach
    void start() throws IOException {
        chat = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        chat.createContext("/services/x", exchange -> {
            told.add(JsonMapper.builder()
                    .build()
                    .readTree(exchange.getRequestBody().readAllBytes())
                    .get("text")
                    .asString());
            exchange.sendResponseHeaders(200, -1);
            exchange.close();
        });
        chat.start();
        write("tools/brittle/1.4.2/brittle", "#!/bin/sh\necho trying\necho no luck >&2\nexit 7\n");
        write("schedules/often.yaml", "cron: '* * * * * *'\ncmd: brittle\n");
        write(
                "notify.yaml",
                "link: https://commandway.example\nreceivers:\n  ops: {kind: slack, output_lines: 2, url: 'http://127.0.0.1:"
                        + chat.getAddress().getPort() + "/services/x'}\n");
    }

    @AfterEach
    void stop() {
        chat.stop(0);
    }

    @Test
    void aScheduledRunThatFailsIsToldAndCounted() throws Exception {
        Settings settings = Settings.load(
                Map.of(),
                Map.of(
                        "COMMANDWAY_QUIC_PORT",
                        "0",
                        "COMMANDWAY_HTTP_PORT",
                        "0",
                        "COMMANDWAY_TOOLS_FOLDER",
                        folder.toString(),
                        "COMMANDWAY_NOTIFY_FILE",
                        folder.resolve("notify.yaml").toString()),
                null,
                folder);
        try (ServerProcess server = ServerProcess.start(settings, folder)) {
            await().atMost(Duration.ofSeconds(30)).until(() -> told.size() > 1);
            assertThat(told.get(0))
                    .startsWith("*tool:brittle 1.4.2 failed*\nexecutor_error: exit code 7, exit code 7\n")
                    .contains(", on tool:brittle, for schedule:often\n<https://commandway.example/result/")
                    .contains("trying")
                    .contains("no luck");

            String metrics = scrape(server);
            assertThat(metrics)
                    .contains(
                            "commandway_tool_runs_total{reason=\"executor_error\",result=\"failed\",tool=\"brittle\",version=\"1.4.2\"} ")
                    .contains(
                            "commandway_tool_run_seconds_bucket{result=\"failed\",tool=\"brittle\",version=\"1.4.2\",le=\"1.0\"} ")
                    .contains("commandway_tool_output_bytes_total{tool=\"brittle\",version=\"1.4.2\"} ")
                    .contains("commandway_tool_output_dropped_bytes_total{tool=\"brittle\",version=\"1.4.2\"} 0.0")
                    .contains("commandway_tool_running ")
                    .contains("commandway_tool_waiting ");
        }
        assertThat(folder.resolve("commandway-data/schedules.json")).content().contains("\"often\"");
    }

    @Test
    void whatTheCatalogueDoesNotKnowIsCountedAsOther() throws Exception {
        Settings settings =
                Settings.load(Map.of(), Map.of("COMMANDWAY_QUIC_PORT", "0", "COMMANDWAY_HTTP_PORT", "0"), null, folder);
        try (ServerProcess server = ServerProcess.start(settings, folder)) {
            HttpResponse<String> answer = HttpClient.newHttpClient()
                    .send(
                            HttpRequest.newBuilder(api(server, "/commands"))
                                    .header("content-type", "application/json")
                                    .POST(HttpRequest.BodyPublishers.ofString(
                                            "{\"cmd_type\": \"tool:made-up\", \"ttl\": 1}", StandardCharsets.UTF_8))
                                    .build(),
                            HttpResponse.BodyHandlers.ofString());
            assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
            await().untilAsserted(() -> assertThat(scrape(server))
                    .contains(
                            "commandway_tool_runs_total{reason=\"queue_timeout\",result=\"timeout\",tool=\"other\",version=\"\"} 1.0")
                    .doesNotContain("made-up"));
        }
    }

    private static String scrape(ServerProcess server) throws IOException, InterruptedException {
        return HttpClient.newHttpClient()
                .send(HttpRequest.newBuilder(api(server, "/metrics")).build(), HttpResponse.BodyHandlers.ofString())
                .body();
    }

    private static URI api(ServerProcess server, String path) {
        return URI.create("http://127.0.0.1:" + server.httpAddress().getPort() + path);
    }

    private void write(String path, String content) throws IOException {
        Path file = folder.resolve(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, content);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwx------"));
    }
}
