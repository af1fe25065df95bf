package io.github.commandway.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.github.commandway.directory.AgentInfo;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CancelResult;
import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.Target;
import io.github.commandway.tool.api.RunOutput;
import io.github.commandway.tools.ToolRequest;
import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Reference agents that run tools, alone and in pools. */
@Timeout(180)
class ToolPoolTest {
    private static final Duration LONGEST = Duration.ofSeconds(60);
    private static final String POOL = "group:os=linux,pool=a";

    @TempDir
    private Path folder;

    private @Nullable EmbeddedPostgres postgres;
    private final List<ServerProcess> servers = new ArrayList<>();
    private final Map<Run, Thread> agents = new LinkedHashMap<>();

    @AfterEach
    void endAll() throws InterruptedException, IOException {
        agents.keySet().forEach(Run::stop);
        for (Thread thread : agents.values()) {
            thread.join();
        }
        servers.forEach(ServerProcess::close);
        if (postgres != null) {
            postgres.close();
        }
    }

    /** A server in a folder of its own. */
    private ServerProcess server(String name, Map<Setting, List<String>> more) throws IOException {
        Map<Setting, List<String>> settings = new EnumMap<>(Setting.class);
        settings.put(Setting.QUIC_PORT, List.of("0"));
        settings.put(Setting.HTTP_PORT, List.of("0"));
        settings.put(Setting.SHUTDOWN_GRACE, List.of("100ms"));
        settings.put(Setting.NODE, List.of(name));
        settings.put(Setting.QUEUES, List.of("builders=" + POOL + ";concurrency=8"));
        settings.putAll(more);
        Path home = Files.createDirectories(folder.resolve(name));
        ServerProcess server = ServerProcess.start(Settings.load(settings, Map.of(), null, home), home);
        servers.add(server);
        return server;
    }

    private ServerProcess server(String name) throws IOException {
        return server(name, Map.of(Setting.STORE, List.of("memory")));
    }

    /** An agent beside the server of that name, with a catalogue of its own. */
    private Run agent(String server, ServerProcess process, String id, String... more) {
        Run agent = new Run(folder.resolve(server));
        List<String> args = new ArrayList<>(List.of(
                "agent",
                "--id",
                id,
                "--label",
                "pool=a",
                "--agent-tools",
                catalogue(id).toString(),
                "--shutdown-grace",
                "100ms",
                "--tools-reload-every",
                "100ms"));
        args.addAll(List.of(more));
        agents.put(agent, agent.start(args.toArray(String[]::new)));
        await().atMost(LONGEST)
                .until(() ->
                        process.agents().find(id).filter(AgentInfo::connected).isPresent());
        return agent;
    }

    private Path catalogue(String id) {
        return folder.resolve("tools-of-" + id);
    }

    private void tool(String agent, String name, String version, String script) throws IOException {
        Path file = catalogue(agent).resolve("tools/" + name + "/" + version + "/" + name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, "#!/bin/sh\n" + script + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private static CommandHandle submit(ServerProcess server, String target, ToolRequest request) throws Exception {
        return server.manager()
                .submit(CommandRequest.to(Target.parse(target), "tool:" + request.name())
                        .payload(request.toPayload())
                        .timeout(Duration.ofMinutes(1))
                        .build())
                .get(30, TimeUnit.SECONDS);
    }

    private static CommandRecord ended(CommandHandle handle) throws Exception {
        return handle.completion().get(60, TimeUnit.SECONDS);
    }

    private static JsonNode result(CommandRecord record) {
        return ApiClient.JSON.readTree(record.result());
    }

    private static String text(RunOutput output, String channel) {
        return output.pieces().stream()
                .filter(piece -> piece.channel().equals(channel))
                .map(piece -> new String(piece.data(), StandardCharsets.UTF_8))
                .collect(Collectors.joining());
    }

    private static RunOutput copy(ServerProcess server, CommandRecord record) throws IOException {
        return server.tools().handler().output(record.id(), 0, Integer.MAX_VALUE);
    }

    @Test
    void anAgentRunsAToolAndItsLogIsThereAndHere() throws Exception {
        ServerProcess server = server("one");
        tool("worker", "build", "1.0.0", "echo begun; echo oops >&2; cat; echo done > made.txt; exit 3");
        agent("one", server, "worker");
        Instant before = Instant.now();
        CommandRecord record = ended(submit(
                server, "agent:worker", ToolRequest.tool("build").stdin("in\n".getBytes(StandardCharsets.UTF_8))));
        assertThat(record.status()).isEqualTo(CommandStatus.FAILED);
        assertThat(record.reason()).isEqualTo(Reason.EXECUTOR_ERROR);
        assertThat(record.message()).isEqualTo("exit code 3");
        assertThat(result(record).path("exit_code").asInt()).isEqualTo(3);
        assertThat(result(record).path("tool").asString()).isEqualTo("build");
        List<CommandEvent> events =
                server.manager().events(record.id(), 0, 1_000).get(30, TimeUnit.SECONDS);
        assertThat(events).extracting(CommandEvent::type).contains(CommandEvent.Type.OUTPUT);
        RunOutput copy = copy(server, record);
        assertThat(text(copy, "stdout")).isEqualTo("begun\nin\n");
        assertThat(text(copy, "stderr")).isEqualTo("oops\n");
        assertThat(copy.pieces())
                .extracting(RunOutput.Piece::at)
                .isSorted()
                .allSatisfy(at -> assertThat(at).isBetween(before.minusMillis(1), Instant.now()));
        Path there = folder.resolve("one/commandway-data/agents/worker/runs/" + record.id());
        assertThat(there.resolve("output")).exists();
        assertThat(there.resolve("work/main/made.txt")).hasContent("done");
    }

    @Test
    void aRunOnAnAgentIsCancelledWithItsProcesses() throws Exception {
        ServerProcess server = server("one");
        Path mark = folder.resolve("mark");
        tool("worker", "wait", "1.0.0", "touch " + mark + "; sleep 600");
        agent("one", server, "worker");
        CommandHandle handle = submit(server, POOL, ToolRequest.tool("wait"));
        await().atMost(LONGEST).until(() -> Files.exists(mark));
        CancelResult cancelled =
                server.manager().cancel(handle.id()).get(30, TimeUnit.SECONDS).orElseThrow();
        assertThat(cancelled.outcome()).isEqualTo(CancelResult.Outcome.CANCELLED_WHILE_RUNNING);
        assertThat(result(cancelled.record()).path("all_processes_ended").asBoolean())
                .isTrue();
    }

    @Test
    void whatIsWantedDecidesWhichMemberRunsIt() throws Exception {
        ServerProcess server = server("one");
        tool("old", "report", "1.2.0", "echo old");
        tool("new", "report", "2.0.0", "echo new");
        agent("one", server, "old");
        agent("one", server, "new");
        AgentInfo info = server.agents().find("new").orElseThrow();
        assertThat(info.labels()).containsEntry("os", "linux").containsEntry("pool", "a");
        assertThat(info.capabilities()).contains("tool:report", "tool:report@2.0.0", "ping");
        for (int i = 0; i < 5; i++) {
            CommandRecord record =
                    ended(submit(server, POOL, ToolRequest.tool("report").version("^1")));
            assertThat(record.assignedTo()).isEqualTo("agent:old");
            assertThat(text(copy(server, record), "stdout")).isEqualTo("old\n");
        }
        assertThatThrownBy(() -> submit(server, POOL, ToolRequest.tool("report").version("^3")))
                .hasMessageContaining("new: no version '^3' of tool:report; there is 2.0.0")
                .hasMessageContaining("old: no version '^3' of tool:report; there is 1.2.0");
        assertThatThrownBy(() -> submit(server, POOL, ToolRequest.tool("other")))
                .hasMessageContaining("old: it has no tool:other");
        assertThatThrownBy(() -> submit(server, "group:os=windows", ToolRequest.tool("report")))
                .hasMessageContaining("no agent that belongs to group:os=windows was ever connected here");
        tool("old", "report", "3.0.0", "echo newer");
        await().atMost(LONGEST)
                .until(() ->
                        server.agents().find("old").orElseThrow().capabilities().contains("tool:report@3.0.0"));
        CommandRecord newer =
                ended(submit(server, POOL, ToolRequest.tool("report").version("^3")));
        assertThat(result(newer).path("version").asString()).isEqualTo("3.0.0");
    }

    @Test
    void aServerWithIdleMembersTakesWhatWaitsForBusyOnes() throws Exception {
        postgres = EmbeddedPostgres.start();
        Map<Setting, List<String>> store = Map.of(
                Setting.STORE, List.of("postgres"),
                Setting.STORE_USER, List.of("postgres"),
                Setting.STORE_URL, List.of(postgres.getJdbcUrl("postgres", "postgres")));
        ServerProcess busy = server("busy", store);
        ServerProcess idle = server("idle", store);
        Path go = folder.resolve("go");
        String script = "echo $COMMANDWAY_RUN_ID; while [ ! -e " + go + " ]; do sleep 0.05; done";
        tool("worker-1", "build", "1.0.0", script);
        tool("worker-2", "build", "1.0.0", "echo quick");
        agent("busy", busy, "worker-1", "--concurrency", "1");
        CommandHandle first = submit(busy, "queue:builders", ToolRequest.tool("build"));
        await().atMost(LONGEST).until(() -> first.record().status() == CommandStatus.EXECUTING);
        List<CommandHandle> waiting = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            waiting.add(submit(busy, "queue:builders", ToolRequest.tool("build")));
        }
        assertThat(waiting).allMatch(handle -> handle.record().sentAt() == null);
        agent("idle", idle, "worker-2");
        for (CommandHandle handle : waiting) {
            CommandRecord record = ended(handle);
            assertThat(record.status()).isEqualTo(CommandStatus.COMPLETED);
            assertThat(record.assignedTo()).isEqualTo("agent:worker-2");
            assertThat(record.attempt()).isEqualTo(1);
            assertThat(text(copy(idle, record), "stdout")).isEqualTo("quick\n");
            await().atMost(LONGEST)
                    .ignoreExceptionsInstanceOf(NoSuchFileException.class)
                    .until(() -> text(copy(busy, record), "stdout").equals("quick\n"));
        }
        assertThat(first.record().status()).isEqualTo(CommandStatus.EXECUTING);
        Files.createFile(go);
        assertThat(ended(first).assignedTo()).isEqualTo("agent:worker-1");
    }

    @Test
    void aRunGoesOnWhileItsServerIsStartedAgainAndItsEndIsFound() throws Exception {
        int port;
        try (ServerSocket free = new ServerSocket(0)) {
            port = free.getLocalPort();
        }
        Map<Setting, List<String>> options =
                Map.of(Setting.QUIC_PORT, List.of(String.valueOf(port)), Setting.HEARTBEAT, List.of("500ms"));
        ServerProcess first = server("one", options);
        Path mark = folder.resolve("mark");
        Path go = folder.resolve("go");
        tool(
                "worker",
                "build",
                "1.0.0",
                "echo x >> " + mark + "; while [ ! -e " + go + " ]; do sleep 0.05; done; echo done");
        agent("one", first, "worker", "--heartbeat", "500ms");
        CommandHandle direct = submit(first, POOL, ToolRequest.tool("build"));
        CommandHandle queued = submit(first, "queue:builders", ToolRequest.tool("build"));
        await().atMost(LONGEST).until(() -> Files.exists(mark) && Files.size(mark) == 4);
        await().atMost(LONGEST)
                .until(() ->
                        queued.record().startedAt() != null && direct.record().startedAt() != null);
        first.close();
        servers.remove(first);
        ServerProcess second = server("one", options);
        await().atMost(LONGEST)
                .until(() -> second.agents()
                        .find("worker")
                        .filter(AgentInfo::connected)
                        .isPresent());
        Files.createFile(go);
        for (CommandHandle handle : List.of(direct, queued)) {
            await().atMost(LONGEST).until(() -> found(second, handle).status().isTerminal());
            CommandRecord record = found(second, handle);
            assertThat(record.status()).as(record.message()).isEqualTo(CommandStatus.COMPLETED);
            assertThat(record.assignedTo()).isEqualTo("agent:worker");
            assertThat(text(copy(second, record), "stdout")).isEqualTo("done\n");
        }
        assertThat(mark).hasContent("x\nx\n");
    }

    private static CommandRecord found(ServerProcess server, CommandHandle handle) throws Exception {
        return server.manager().find(handle.id()).get(30, TimeUnit.SECONDS).orElseThrow();
    }

    @Test
    void aFailedRunOfAQueueIsTriedAgainInTheSameFolder() throws Exception {
        ServerProcess server = server(
                "one",
                Map.of(
                        Setting.STORE, List.of("memory"),
                        Setting.QUEUES, List.of("builders=" + POOL + ";retries=2")));
        Path mark = folder.resolve("mark");
        tool("worker", "build", "1.0.0", "echo try; test -e " + mark + " && exit 0; touch " + mark + "; exit 1");
        agent("one", server, "worker");
        CommandRecord record = ended(submit(server, "queue:builders", ToolRequest.tool("build")));
        assertThat(record.status()).as(record.message()).isEqualTo(CommandStatus.COMPLETED);
        assertThat(record.attempt()).isEqualTo(2);
        assertThat(text(copy(server, record), "stdout")).isEqualTo("try\ntry\n");
    }

    @Test
    void anAgentRunsAToolchain() throws Exception {
        ServerProcess server = server("one");
        tool("worker", "words", "1.0.0", "wc -w | tr -d ' '");
        Path chain = catalogue("worker").resolve("toolchains/count.yaml");
        Files.createDirectories(chain.getParent());
        Files.writeString(chain, """
                parameters: [{name: text}]
                toolchain:
                  - first: {cmd: words, stdin: '${params.text}'}
                  - second: {cmd: words, stdin: 'and ${steps.first.stdout} more'}
                """);
        agent("one", server, "worker");
        CommandRequest.Builder request = CommandRequest.to(Target.parse(POOL), "toolchain:count")
                .payload(ToolRequest.toolchain("count").param("text", "a b c d").toPayload());
        CommandRecord record = ended(server.manager().submit(request.build()).get(30, TimeUnit.SECONDS));
        assertThat(record.status()).as(record.message()).isEqualTo(CommandStatus.COMPLETED);
        assertThat(text(copy(server, record), "stdout")).isEqualTo("4\n3\n");
        assertThatThrownBy(() -> server.manager()
                        .submit(CommandRequest.to(Target.parse(POOL), "toolchain:other")
                                .build())
                        .get(30, TimeUnit.SECONDS))
                .hasMessageContaining("worker: it has no toolchain:other");
    }
}
