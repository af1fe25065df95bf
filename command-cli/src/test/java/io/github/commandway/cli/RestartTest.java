package io.github.commandway.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** A server in a process of its own that is killed or stopped, and started again on what it left. */
class RestartTest {
    private static final Duration LONGEST = Duration.ofSeconds(60);

    private static @Nullable EmbeddedPostgres postgres;
    private static int schemas;

    @TempDir
    Path folder;

    private final List<Process> processes = new ArrayList<>();
    private final List<Run> agents = new ArrayList<>();
    private final List<Thread> agentThreads = new ArrayList<>();
    private final int quicPort;

    RestartTest() throws IOException {
        try (ServerSocket free = new ServerSocket(0)) {
            quicPort = free.getLocalPort();
        }
    }

    @AfterEach
    void endAll() throws InterruptedException {
        agents.forEach(Run::stop);
        for (Thread thread : agentThreads) {
            thread.join();
        }
        for (Process process : processes) {
            process.destroyForcibly().waitFor();
        }
    }

    @AfterAll
    static void endPostgres() throws IOException {
        if (postgres != null) {
            postgres.close();
        }
    }

    /** What makes a server keep its records there; in PostgreSQL in a schema of this test alone. */
    private static String[] optionsOf(String store, String... more) throws IOException {
        List<String> options = new ArrayList<>(List.of(more));
        options.addAll(List.of("--store", store));
        if (store.equals("postgres")) {
            if (postgres == null) {
                postgres = EmbeddedPostgres.builder()
                        .setServerConfig("fsync", "on")
                        .setServerConfig("synchronous_commit", "on")
                        .start();
            }
            String schema = "restart_" + schemas++;
            options.addAll(List.of(
                    "--store-user",
                    "postgres",
                    "--store-url",
                    postgres.getJdbcUrl("postgres", "postgres"),
                    "--store-schema",
                    schema));
        }
        return options.toArray(String[]::new);
    }

    private Process startServer(String... more) throws IOException {
        Files.deleteIfExists(folder.resolve("commandway-data/server.json"));
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Commandway.class.getName(),
                "serve",
                "--http-port",
                "0",
                "--quic-port",
                String.valueOf(quicPort),
                "--heartbeat",
                "500ms"));
        command.addAll(List.of(more));
        Path log = folder.resolve("server-" + processes.size() + ".log");
        Process server = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        processes.add(server);
        await().atMost(LONGEST)
                .until(() -> Files.exists(folder.resolve("commandway-data/server.json")) || !server.isAlive());
        assertThat(server.isAlive()).as(Files.readString(log)).isTrue();
        return server;
    }

    private Run startAgent() {
        Run agent = new Run(folder);
        agents.add(agent);
        agentThreads.add(agent.start("agent", "--heartbeat", "500ms"));
        return agent;
    }

    private Run client(String... args) {
        return new Run(folder).run(args);
    }

    private String submit(String... args) {
        List<String> all = new ArrayList<>(List.of("task", "submit"));
        all.addAll(List.of(args));
        Run run = client(all.toArray(String[]::new));
        assertThat(run.exitCode()).as(run.err()).isZero();
        return run.out().strip();
    }

    private JsonNode task(String id) {
        Run run = client("task", "get", id, "--json");
        assertThat(run.out()).as(run.err()).isNotBlank();
        return ApiClient.JSON.readTree(run.out());
    }

    private String statusOf(String id) {
        return task(id).path("status").asString();
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgres"})
    void whatWasAcceptedIsExecutedOnceAlsoWhenTheServerIsKilledMeanwhile(String store) throws Exception {
        startAgent();
        String[] options = optionsOf(store);
        Process server = startServer(options);
        String running = submit("restart", "{\"delay_seconds\": 3}", "--cmd-id", "SCAN_1");
        List<String> waiting = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            waiting.add(submit("echo", "{\"n\": " + i + "}", "--cmd-id", "SCAN_" + i));
        }
        await().atMost(LONGEST).until(() -> statusOf(running).equals("running"));

        server.destroyForcibly().waitFor();
        startServer(options);

        await().atMost(LONGEST).until(() -> statusOf(waiting.get(4)).equals("completed"));
        JsonNode first = task(running);
        assertThat(first.path("status").asString()).as(first.toString()).isEqualTo("completed");
        assertThat(first.path("cmd_id").asString()).isEqualTo("SCAN_1");
        assertThat(first.path("attempt").asInt()).isEqualTo(1);
        for (int i = 0; i < 5; i++) {
            JsonNode task = task(waiting.get(i));
            assertThat(task.path("status").asString()).isEqualTo("completed");
            assertThat(task.path("attempt").asInt()).isEqualTo(1);
            assertThat(task.at("/result/n").asInt()).isEqualTo(i);
        }
        JsonNode queue = ApiClient.JSON.readTree(
                client("queue", "status", "default", "--json").out());
        assertThat(queue.at("/queue/completed").asInt()).isEqualTo(6);
        assertThat(queue.at("/queue/waiting").asInt()).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgres"})
    void aServerThatIsStoppedKeepsWhatWaitsAndCountsItsTasksOn(String store) throws Exception {
        String[] options = optionsOf(store, "--task-ids", "number");
        Process server = startServer(options);
        String first = submit("echo", "{\"n\": 1}");

        server.destroy();
        assertThat(server.waitFor(LONGEST.toSeconds(), TimeUnit.SECONDS)).isTrue();
        startServer(options);

        assertThat(first).isEqualTo("TASK_000001");
        assertThat(statusOf(first)).isEqualTo("pending");
        assertThat(submit("echo")).isEqualTo("TASK_000002");
        startAgent();
        await().atMost(LONGEST).until(() -> statusOf(first).equals("completed"));
    }

    @Test
    void aSecondServerOnTheSameFolderIsRefused() throws Exception {
        startServer();

        Run second = client("serve", "--http-port", "0", "--quic-port", "0");

        assertThat(second.exitCode()).isEqualTo(ExitCode.USAGE.code());
        assertThat(second.err()).contains("commandway.db");
    }

    /** Writes a tool that leaves a line in the file {@code effects} and then waits until the file {@code go} is there. */
    private void tool(String name, String yaml) throws IOException {
        Path tool = Files.createDirectories(folder.resolve("commandway-data/tools/tools/" + name + "/1.0.0"));
        Path script = tool.resolve(name + ".sh");
        Files.writeString(
                script,
                "#!/bin/sh\necho \"" + name + " $COMMANDWAY_RUN_ID\" >> " + folder.resolve("effects")
                        + "\nwhile [ ! -e " + folder.resolve("go") + " ]; do sleep 0.05; done\necho " + name + "\n");
        Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.writeString(tool.resolve("tool.yaml"), "command: [" + name + ".sh]\n" + yaml);
    }

    private List<String> effects() throws IOException {
        Path file = folder.resolve("effects");
        return Files.exists(file) ? Files.readAllLines(file) : List.of();
    }

    private String runTool(String... args) {
        List<String> all = new ArrayList<>(List.of("cmd", "--detach"));
        all.addAll(List.of(args));
        Run run = client(all.toArray(String[]::new));
        assertThat(run.exitCode()).as(run.err()).isZero();
        return run.out().strip();
    }

    private JsonNode result(String id) {
        Run run = client("result", id, "--json");
        assertThat(run.out()).as(run.err()).isNotBlank();
        return ApiClient.JSON.readTree(run.out());
    }

    @Test
    void runsOfToolsAreNeitherLostNorDoubledWhenTheServerIsKilled() throws Exception {
        tool("single", "concurrency: 1\n");
        tool("step", "");
        Path chains = Files.createDirectories(folder.resolve("commandway-data/tools/toolchains"));
        Files.writeString(
                chains.resolve("chain.yaml"),
                "toolchain:\n  - one:\n      cmd: step\n      repeatable: true\n  - two:\n      cmd: step\n");
        Process server = startServer();
        String running = runTool("single");
        await().atMost(LONGEST).until(() -> effects().contains("single " + running));
        String waiting = runTool("single");
        String chain = runTool("toolchain=chain");
        await().atMost(LONGEST).until(() -> effects().contains("step " + chain));

        server.destroyForcibly().waitFor();
        Files.createFile(folder.resolve("go"));
        startServer();

        for (String id : List.of(running, waiting, chain)) {
            await().atMost(LONGEST)
                    .until(() -> !List.of("pending", "executing")
                            .contains(result(id).path("status").asString()));
        }
        assertThat(result(running).path("reason").asString()).isEqualTo("lost");
        assertThat(client("result", running).exitCode()).isEqualTo(ExitCode.FAILED.code());
        assertThat(result(waiting).path("status").asString())
                .as(result(waiting).toString())
                .isEqualTo("completed");
        assertThat(client("result", waiting).out()).isEqualTo("single\n");
        assertThat(result(chain).path("status").asString())
                .as(result(chain).toString())
                .isEqualTo("completed");
        // the first step was running and may be repeated; nothing else has run twice
        assertThat(effects())
                .containsExactlyInAnyOrder(
                        "single " + running, "single " + waiting, "step " + chain, "step " + chain, "step " + chain);
        assertThat(client("history", "--json").out()).contains(running, waiting, chain);
    }
}
