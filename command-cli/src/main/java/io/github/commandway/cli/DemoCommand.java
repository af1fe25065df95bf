package io.github.commandway.cli;

import io.github.commandway.cli.Setting.Role;
import io.github.commandway.directory.AgentInfo;
import java.io.File;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

@Command(
        name = "demo",
        description =
                "Runs a server, and an agent in a process of its own, sends a command over HTTP and shows what happens to it; then leaves both"
                        + " running to try, until SIGTERM or Ctrl-C.")
final class DemoCommand extends SettingsCommand {
    /** The log level unless one is set, so that the log does not hide what the demo prints. */
    private static final String QUIET = "warn";

    private static final String AGENT_ID = "client-001";
    private static final Duration AGENT_START = Duration.ofSeconds(60);
    private static final Duration LOOK_AGAIN = Duration.ofMillis(50);
    private static final long AGENT_STOP_SECONDS = 20;

    @Option(names = "--exit", description = "End after the run instead of leaving it to try.", order = 1)
    private boolean exit;

    DemoCommand(Surroundings surroundings) {
        super(surroundings, Set.of(Role.SERVER));
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        Settings settings = settings();
        surroundings().lifetime().closeBeforeTheEnd();
        Logs.configure(settings, surroundings().folder(), QUIET);
        Path data = surroundings().folder().resolve(settings.data());
        try (ServerProcess server = ServerProcess.start(settings, surroundings().folder())) {
            say("Commandway " + Commandway.Version.number() + " demo");
            say("");
            say("  server   HTTP " + server.running().http() + ", agents "
                    + server.running().agents() + ", process "
                    + ProcessHandle.current().pid());
            Process agent = startAgent(settings, data, server.running().agents());
            try {
                return run(server, agent);
            } finally {
                stop(agent);
            }
        }
    }

    private int run(ServerProcess server, Process agent) throws IOException, InterruptedException {
        Optional<AgentInfo> info = awaitAgent(server, agent);
        if (info.isEmpty()) {
            return surroundings().lifetime().isStopping() ? ExitCode.OK.code() : ExitCode.FAILED.code();
        }
        say("  agent    " + AGENT_ID + ", process " + agent.pid() + ", connected from "
                + info.get().remoteAddress() + " over " + info.get().transport());
        ExitCode outcome = sendAndFollow(new ApiClient(server.running().http(), null));
        if (!exit && outcome == ExitCode.OK) {
            printWhatToTry(server.running().http());
            surroundings().lifetime().awaitStop();
            say("stopping");
        }
        return outcome.code();
    }

    private Process startAgent(Settings settings, Path data, String server) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        String classPath = System.getProperty("java.class.path");
        if (Runtime.version().feature() >= 22) {
            command.add("--enable-native-access=ALL-UNNAMED");
        }
        if (classPath.endsWith(".jar") && !classPath.contains(File.pathSeparator)) {
            command.addAll(List.of("-jar", classPath));
        } else {
            command.addAll(List.of("-cp", classPath, Commandway.class.getName()));
        }
        command.addAll(List.of("agent", "--until-input-ends", "--id", AGENT_ID, "--server", server));
        command.addAll(List.of("--data", data.toAbsolutePath().toString()));
        command.addAll(List.of("--log-level", settings.given(Setting.LOG_LEVEL).orElse(QUIET)));
        command.addAll(List.of("--log-format", settings.text(Setting.LOG_FORMAT)));
        command.addAll(configArguments());
        return new ProcessBuilder(command)
                .directory(surroundings().folder().toAbsolutePath().toFile())
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
    }

    private Optional<AgentInfo> awaitAgent(ServerProcess server, Process agent) throws InterruptedException {
        long end = System.nanoTime() + AGENT_START.toNanos();
        while (agent.isAlive() && System.nanoTime() - end < 0) {
            Optional<AgentInfo> info = server.agents().find(AGENT_ID).filter(AgentInfo::connected);
            if (info.isPresent() || surroundings().lifetime().awaitStop(LOOK_AGAIN)) {
                return info;
            }
        }
        surroundings()
                .err()
                .println("commandway demo: the agent "
                        + (agent.isAlive() ? "did not connect within " + AGENT_START.toSeconds() + " s" : "ended"));
        return Optional.empty();
    }

    private ExitCode sendAndFollow(ApiClient client) throws IOException, InterruptedException {
        ObjectNode body = ApiClient.JSON.createObjectNode();
        body.put("client_id", AGENT_ID).put("command_type", "restart");
        body.putObject("payload").put("delay_seconds", 2);
        body.put("timeout", 30);
        say("");
        say("A command travels: HTTP -> server -> QUIC -> agent -> result -> HTTP");
        say("");
        say("  caller   POST /api/command " + body);
        JsonNode answer = client.post("/api/command", body, Map.of());
        say("  server   answers " + answer);
        String id = answer.path("command_id").asString();
        Instant[] begin = {null};
        client.follow("/api/command/" + id + "/events", "", event -> {
            JsonNode data = ApiClient.JSON.readTree(event.data());
            Instant at = Instant.parse(data.path("at").asString());
            begin[0] = begin[0] == null ? at : begin[0];
            say(String.format(
                    "  %-8s +%d ms: %s",
                    where(event.type()), Duration.between(begin[0], at).toMillis(), what(event.type(), data)));
            return !WatchCommand.isEnd(event.type());
        });
        JsonNode end = client.get("/api/command/" + id);
        say("  caller   GET /api/command/" + id);
        say("  server   answers");
        say(end.toPrettyString().indent(11).stripTrailing());
        return ClientCommand.statusOf(end);
    }

    private static String where(String eventType) {
        return switch (eventType) {
            case "executing", "progress", "output" -> "agent";
            default -> "server";
        };
    }

    private static String what(String eventType, JsonNode data) {
        return switch (eventType) {
            case "pending" -> "pending; the command is recorded";
            case "sent" -> "sent to the agent over QUIC";
            case "executing" -> "executing; the agent's executor has begun";
            case "progress" ->
                "progress " + Math.round(data.path("fraction").asDouble() * 100) + " %, "
                        + ClientCommand.text(data, "message");
            case "completed" -> "completed; the result came back over QUIC: " + data.path("result");
            default -> eventType + " " + ClientCommand.text(data, "message");
        };
    }

    private void printWhatToTry(String http) {
        say("");
        say("Try it, in another terminal, until you stop this with Ctrl-C:");
        say("");
        say("curl -X POST " + http + "/api/command \\");
        say("  -H \"Content-Type: application/json\" \\");
        say("  -d '{\"client_id\": \"" + AGENT_ID
                + "\", \"command_type\": \"restart\", \"payload\": {\"delay_seconds\": 5}, \"timeout\": 30}'");
        say("curl " + http + "/api/command/COMMAND_ID");
        say("curl " + http + "/api/commands");
        say("curl \"" + http + "/api/commands?client_id=" + AGENT_ID + "\"");
        say("curl \"" + http + "/api/commands?status=completed\"");
        say("");
        say("curl -X POST " + http + " -d '{\"cmd_type\": \"echo\", \"cmd_id\": \"my-1\", \"params\": {\"a\": 1}}'");
        say("curl " + http + "/task/TASK_ID");
        say("curl " + http + "/queue/status");
        say("");
        say("or the same by ./commandway send " + AGENT_ID + " restart '{\"delay_seconds\": 5}' --wait 30");
    }

    private void stop(Process agent) throws IOException, InterruptedException {
        agent.getOutputStream().close();
        if (!agent.waitFor(AGENT_STOP_SECONDS, TimeUnit.SECONDS)) {
            agent.destroyForcibly().waitFor();
        }
    }

    private void say(String line) {
        PrintWriter out = surroundings().out();
        out.println(Table.printable(line));
        out.flush();
    }
}
