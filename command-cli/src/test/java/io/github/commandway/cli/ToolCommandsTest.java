package io.github.commandway.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Tools of a real server, run from the command line. */
class ToolCommandsTest {
    private static final Duration LONGEST = Duration.ofSeconds(60);

    @TempDir
    static Path folder;

    private static Run server;
    private static Thread serverThread;

    @BeforeAll
    static void startServer() throws IOException {
        script("greet", "echo \"hello $*\"\necho oops >&2\nexit 3");
        script("ok", "echo fine");
        script("copy", "cat");
        script("env", "echo \"$FOO\"; cat in.txt");
        script("bytes", "printf '\\377\\000\\001'");
        script("wait", "echo started\nwhile [ ! -e \"$1\" ]; do sleep 0.05; done\necho ended");
        script("make", "mkdir sub; echo content > sub/out.txt");
        write("tools/make/1.0.0/tool.yaml", "command: [make.sh]\nkeep: always\n");
        script("slow", "sleep 60");
        write("tools/slow/1.0.0/tool.yaml", "command: [slow.sh]\ntimeout: 1s\n");
        script("named", "echo \"$1\"");
        write(
                "tools/named/1.0.0/tool.yaml",
                "command: [named.sh, '${name}']\nparameters:\n  - {name: name, required: true}\n");
        write("tools/broken/1.0.0/tool.yaml", "command: [broken.sh]\ncolour: red\n");
        write("toolchains/exportjob.yaml", """
                parameters:
                  - {name: name, default: nobody}
                toolchain:
                  - first:
                      cmd: named
                      params: {name: '${params.name}'}
                  - second:
                      cmd: copy
                      stdin: 'for ${steps.first.stdout}'
                """);
        write("schedules/yearly.yaml", "cron: '0 0 1 1 *'\nzone: Asia/Shanghai\ncmd: greet\n");
        write("schedules/resting.yaml", "cron: '0 0 1 1 *'\ntoolchain: exportjob\non: queue:default\nenabled: false\n");
        server = new Run(folder);
        serverThread = server.start(
                "-p",
                "0",
                "--quic-port",
                "0",
                "--shutdown-grace",
                "1s",
                "--log-file",
                "server.log",
                "--log-format",
                "json");
        await().atMost(LONGEST).until(() -> server.out().contains("an agent elsewhere") || server.exitCode() >= 0);
    }

    @AfterAll
    static void stopServer() throws InterruptedException {
        server.stop();
        serverThread.join();
        assertThat(server.exitCode()).as(server.err()).isZero();
    }

    private static void write(String path, String content) throws IOException {
        Path file = folder.resolve("commandway-data/tools").resolve(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, content);
    }

    private static void script(String tool, String script) throws IOException {
        String path = "tools/" + tool + "/1.0.0/" + tool + ".sh";
        write(path, "#!/bin/sh\n" + script + "\n");
        Files.setPosixFilePermissions(
                folder.resolve("commandway-data/tools").resolve(path), PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private static Run client(String... args) {
        return new Run(folder).run(args);
    }

    private static JsonNode json(Run run) {
        assertThat(run.out()).as(run.err()).isNotBlank();
        return ApiClient.JSON.readTree(run.out());
    }

    private static String detached(String... words) {
        List<String> args = new ArrayList<>(List.of("cmd", "--detach"));
        args.addAll(List.of(words));
        Run run = client(args.toArray(String[]::new));
        assertThat(run.exitCode()).as(run.err()).isZero();
        return run.out().strip();
    }

    private static String statusOf(String id) {
        return json(client("result", id, "--json")).path("status").asString();
    }

    @Test
    void theServerSaysWhatToolsThereAreAndWhatIsWrongWithOne() {
        assertThat(server.out())
                .contains("9 tools in 9 versions, 1 toolchain, in " + folder.resolve("commandway-data/tools"))
                .contains("processes are ended by ")
                .contains("not usable: tools/broken/1.0.0/tool.yaml:2:1: 'colour' is not known here");
    }

    @Test
    void whatAToolWritesComesOutOfTheSameStreamAndItsExitCodeIsOurs() {
        Run run = client("cmd", "greet", "you");

        assertThat(run.out()).isEqualTo("hello you\n");
        assertThat(run.err()).isEqualTo("oops\n");
        assertThat(run.exitCode()).isEqualTo(3);
    }

    @Test
    void whatFollowsTheToolIsItsOwn() {
        Run run = client("cmd", "greet", "-c", "3", "--json", "--timeout", "@file", "host");

        assertThat(run.out()).isEqualTo("hello -c 3 --json --timeout @file host\n");
    }

    @Test
    void aToolGetsTheInputTheEnvironmentFilesAndParametersThatAreGiven() throws IOException {
        Files.writeString(folder.resolve("here.txt"), "from a file\n");
        Run copied = new Run(folder).input("one\ntwo\n").run("cmd", "--stdin", "copy");
        Run env = client("cmd", "--env", "FOO=a=b", "--input", "in.txt=@here.txt", "env");
        Run named = client("cmd", "--param", "name=it is me", "--tool-version", "^1", "named");
        Run missing = client("cmd", "--input", "in.txt=@nowhere.txt", "env");

        assertThat(copied.out()).isEqualTo("one\ntwo\n");
        assertThat(env.out()).isEqualTo("a=b\nfrom a file\n");
        assertThat(named.out()).isEqualTo("it is me\n");
        assertThat(missing.exitCode()).isEqualTo(ExitCode.USAGE.code());
        assertThat(missing.err()).contains("nowhere.txt does not exist");
    }

    @Test
    void aToolchainIsNamedInTwoWays() {
        Run one = client("cmd", "toolchain=exportjob");
        Run other = client("cmd", "--toolchain", "exportjob", "--param", "name=you", "--progress");
        Run plan = client("cmd", "--toolchain", "exportjob", "--dry-run", "--json");

        assertThat(one.exitCode()).as(one.err()).isZero();
        assertThat(one.out()).isEqualTo("nobody\nfor nobody");
        assertThat(other.out()).isEqualTo("you\nfor you");
        assertThat(other.err()).contains("commandway cmd: ", " completed, ok");
        assertThat(plan.exitCode()).as(plan.err()).isZero();
        assertThat(plan.out()).contains("\"first\"", "\"named\"");
    }

    @Test
    void whatCannotBeRunIsRefusedWithTheReason() {
        Run unknown = client("cmd", "nosuchtool");
        Run missing = client("cmd");
        Run parameter = client("cmd", "named");

        assertThat(unknown.exitCode()).isEqualTo(ExitCode.REFUSED.code());
        assertThat(unknown.err()).contains("no tool nosuchtool");
        assertThat(missing.exitCode()).isEqualTo(ExitCode.USAGE.code());
        assertThat(missing.err()).contains("what to run is missing");
        assertThat(parameter.exitCode()).isEqualTo(ExitCode.USAGE.code());
        assertThat(parameter.err()).contains("name");
    }

    @Test
    void aRunThatTakesTooLongEndsWithTheExitCodeForThat() {
        Run run = client("cmd", "slow");

        assertThat(run.exitCode()).isEqualTo(ExitCode.TIMEOUT.code());
        assertThat(run.err()).contains("timeout");
    }

    @Test
    void askedToStopItCancelsTheRunAndWaitsForItsEnd() throws InterruptedException {
        Run run = new Run(folder);
        Thread thread = run.start("cmd", "wait", "/never");
        await().atMost(LONGEST).until(() -> run.out().contains("started"));

        run.stop();
        thread.join();

        assertThat(run.exitCode()).as(run.err()).isEqualTo(ExitCode.CANCELLED.code());
        assertThat(run.err()).contains("cancelling ", "cancelled_while_running");
        String id = run.err().lines().findFirst().orElseThrow().replaceFirst(".* ", "");
        assertThat(statusOf(id)).isEqualTo("cancelled");
    }

    @Test
    void theResultOfARunCanBeHadLater() throws IOException {
        Path go = folder.resolve("go-later");
        String id = detached("wait", go.toString());
        await().atMost(LONGEST).until(() -> statusOf(id).equals("executing"));

        Run early = client("result", id);
        Files.createFile(go);
        Run followed = client("result", id, "--follow");
        Run late = client("result", id);

        assertThat(early.exitCode()).isEqualTo(ExitCode.STILL_OPEN.code());
        assertThat(followed.exitCode()).as(followed.err()).isZero();
        assertThat(followed.out()).isEqualTo("started\nended\n");
        assertThat(late.exitCode()).as(late.err()).isZero();
        assertThat(late.out()).isEqualTo("started\nended\n");
        assertThat(client("result", "01a1fbe0-0000-7000-8000-000000000000").exitCode())
                .isEqualTo(ExitCode.REFUSED.code());
    }

    @Test
    void aLostConnectionCostsNothingAndDoublesNothing() throws IOException {
        Path go = folder.resolve("go-cut");
        String id = detached("wait", go.toString());
        await().atMost(LONGEST).until(() -> statusOf(id).equals("executing"));
        try (CuttingProxy proxy = new CuttingProxy(
                ApiClient.JSON
                        .readTree(Files.readString(folder.resolve("commandway-data/server.json")))
                        .path("http")
                        .asString(),
                2)) {
            Run run = new Run(folder);
            Thread thread = run.start("result", id, "--follow", "--server", proxy.address());
            await().atMost(LONGEST).until(() -> run.out().contains("started") && proxy.connections() > 1);
            Files.createFile(go);
            thread.join();

            assertThat(run.exitCode()).as(run.err()).isZero();
            assertThat(run.out()).isEqualTo("started\nended\n");
            assertThat(run.err()).contains("trying again");
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void outputThatIsNoTextComesOutByteForByte() {
        String id = detached("bytes");
        await().atMost(LONGEST).until(() -> statusOf(id).equals("completed"));

        assertThat(client("result", id).bytes()).containsExactly(0xFF, 0, 1);
    }

    @Test
    void theFilesOfARunCanBeHad() throws IOException {
        String id = detached("make");
        await().atMost(LONGEST).until(() -> statusOf(id).equals("completed"));

        Run listed = client("result", id, "--files");
        Run shown = client("result", id, "--download", "sub/out.txt", "-o", "-");
        Run saved = client("result", id, "--download", "sub/out.txt");
        Run again = client("result", id, "--download", "sub/out.txt");
        Run none = client("result", id, "--download", "sub/none.txt");

        assertThat(listed.out()).contains("sub/out.txt", "8");
        assertThat(shown.out()).isEqualTo("content\n");
        assertThat(saved.exitCode()).as(saved.err()).isZero();
        assertThat(folder.resolve("out.txt")).hasContent("content");
        assertThat(again.exitCode()).isEqualTo(ExitCode.USAGE.code());
        assertThat(again.err()).contains("is there already");
        assertThat(none.exitCode()).isEqualTo(ExitCode.REFUSED.code());
        assertThat(folder.resolve("none.txt")).doesNotExist();
        try (var files = Files.list(folder)) {
            assertThat(files).noneMatch(file -> file.toString().endsWith(".part"));
        }
    }

    @Test
    void schedulesAreListedWithTheirNextTimes() {
        assertThat(client("schedules").out().lines())
                .anyMatch(line -> line.matches("yearly +greet +\\d{4}-12-31T16:00:00Z *"))
                .anyMatch(line -> line.matches("resting +toolchain=exportjob +queue:default +not enabled *"));
        assertThat(json(client("schedules", "--json"))
                        .path("schedules")
                        .path(1)
                        .path("next")
                        .size())
                .isEqualTo(3);
    }

    @Test
    void theHistoryHasTheRunsThatAreAskedFor() {
        String failed = detached("greet");
        String completed = detached("ok");
        await().atMost(LONGEST)
                .until(() ->
                        statusOf(failed).equals("failed") && statusOf(completed).equals("completed"));

        assertThat(client("history").out()).contains(failed, completed, "greet", "RUN");
        assertThat(client("history", "--tool", "greet", "--result", "failed", "--from", "2020-01-01T00:00:00Z")
                        .out())
                .contains(failed)
                .doesNotContain(completed);
        assertThat(client("history", "--until", "2020-01-01T00:00:00Z").out()).doesNotContain(failed, completed);
        assertThat(json(client("history", "--limit", "1", "--json"))
                        .path("runs")
                        .size())
                .isEqualTo(1);
        assertThat(client("history", "--from", "yesterday").exitCode()).isEqualTo(ExitCode.USAGE.code());
    }

    @Test
    void aFolderOfToolsThatIsNotThereIsNoEmptyOne() {
        Run checked = client("tools", "check", "--tools-folder", "nowhere");

        assertThat(checked.exitCode()).isEqualTo(ExitCode.USAGE.code());
        assertThat(checked.err()).contains("nowhere is no folder");
    }

    @Test
    void toolsAreListedByTheServerAndCheckedInTheFolder() {
        Run listed = client("tools", "list");
        Run checked = client("tools", "check");

        assertThat(listed.exitCode()).as(listed.err()).isZero();
        assertThat(listed.out()).contains("greet", "1.0.0", "toolchain=exportjob");
        assertThat(listed.err()).contains("broken");
        assertThat(checked.exitCode()).isEqualTo(ExitCode.FAILED.code());
        assertThat(checked.out()).contains("greet", "toolchain=exportjob", "tools/broken/1.0.0/tool.yaml:2:1: ");
    }

    @Test
    void theLogHasALineForTheBeginningAndTheEndOfARunWithItsId() throws IOException {
        String id = detached("greet");
        await().atMost(LONGEST).until(() -> statusOf(id).equals("failed"));

        List<JsonNode> lines = Files.readAllLines(folder.resolve("server.log")).stream()
                .map(ApiClient.JSON::readTree)
                .filter(line -> line.at("/mdc/run").asString("").equals(id))
                .toList();

        assertThat(lines.stream().map(line -> line.path("formattedMessage").asString()))
                .containsExactly(
                        "tool:greet for tool:greet was handed over by anybody",
                        "tool:greet began",
                        "tool:greet ended: failed, executor_error");
    }

    @Test
    void theHelpOfTheServerHasThatOfTheCommandLine() throws IOException, InterruptedException {
        String address = ApiClient.JSON
                .readTree(Files.readString(folder.resolve("commandway-data/server.json")))
                .path("http")
                .asString();

        try (InputStream page = new ApiClient(address, null).download("/result/help")) {
            assertThat(new String(page.readAllBytes(), StandardCharsets.UTF_8))
                    .contains("commandway cmd", "--toolchain", "commandway result", "commandway history");
        }
    }

    @Test
    void theToolsOfTheExamplesCanBeUsed() {
        Run checked = client(
                "tools",
                "check",
                "--tools-folder",
                Path.of("../examples").toAbsolutePath().toString());

        assertThat(checked.exitCode()).as(checked.out()).isZero();
        assertThat(checked.out()).contains("words", "toolchain=twice");
    }
}
