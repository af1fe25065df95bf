package io.github.commandway.cli;

import io.github.commandway.cli.Setting.Role;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.time.Duration;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/** A sub-command that talks to a running server. */
abstract class ClientCommand extends SettingsCommand {
    private static final String DEFAULT_SERVER = "http://127.0.0.1:8080";
    private static final Duration LONGEST_WAIT = Duration.ofMinutes(5);

    @Option(names = "--json", description = "Print the server's JSON instead of a table.", order = 100)
    private boolean json;

    ClientCommand(Surroundings surroundings) {
        super(surroundings, Set.of(Role.CLIENT));
    }

    ApiClient client() {
        Settings settings = settings();
        String server = settings.given(Setting.CLIENT_SERVER)
                .or(() -> RunningServer.find(surroundings(), settings).map(RunningServer::http))
                .orElse(DEFAULT_SERVER);
        return new ApiClient(server, settings.given(Setting.CLIENT_TOKEN).orElse(null));
    }

    PrintWriter out() {
        return surroundings().out();
    }

    boolean isJson() {
        return json;
    }

    /** Waits until the command has ended, or {@code wait} is over, and returns what the server then says of it. */
    static JsonNode awaitEnd(ApiClient client, String id, Duration wait) throws ApiException, InterruptedException {
        return awaitEnd(client, "/api/command/" + ApiClient.encoded(id), wait, ClientCommand::statusOf);
    }

    /** The same for anything that is asked for at {@code path}, and whose answer has a {@code status}. */
    static JsonNode awaitEnd(ApiClient client, String path, Duration wait, Function<JsonNode, ExitCode> status)
            throws ApiException, InterruptedException {
        Duration left = wait;
        while (true) {
            Duration part = left.compareTo(LONGEST_WAIT) > 0 ? LONGEST_WAIT : left;
            JsonNode answer = part.isZero() ? client.get(path) : client.getAfter(path, part);
            left = left.minus(part);
            if (left.isZero() || status.apply(answer) != ExitCode.STILL_OPEN) {
                return answer;
            }
        }
    }

    static ExitCode statusOf(JsonNode answer) {
        return ExitCode.ofStatus(answer.path("command").path("status").asString(""));
    }

    /** Prints an answer with a command, and returns the exit code for it. */
    int printCommand(JsonNode answer) {
        if (json) {
            printJson(answer);
        } else {
            JsonNode command = answer.path("command");
            line(command, "command", "command_id");
            line(command, "client", "client_id");
            line(command, "target", "target");
            line(command, "type", "command_type");
            line(command, "status", "status");
            line(command, "reason", "reason");
            line(command, "error", "error");
            line(command, "created", "created_at");
            line(command, "sent", "sent_at");
            line(command, "started", "started_at");
            line(command, "ended", "completed_at");
            printResult(command);
        }
        return statusOf(answer).code();
    }

    /** Prints the id of what was accepted, or what became of it if that is to be waited for; returns the exit code. */
    int printAccepted(ApiClient client, JsonNode answer, String id, @Nullable Integer wait)
            throws ApiException, InterruptedException {
        if (wait != null) {
            return printCommand(awaitEnd(client, id, seconds(wait)));
        }
        if (json) {
            printJson(answer);
        } else {
            print(id);
        }
        return ExitCode.OK.code();
    }

    void printResult(JsonNode node) {
        if (node.hasNonNull("result")) {
            out().println("result");
            out().println(Table.printable(node.get("result").toPrettyString())
                    .indent(2)
                    .stripTrailing());
        }
        out().flush();
    }

    /** Reads JSON that was given as an argument: itself, {@code @file}, or {@code -} for the standard input; null if none was. */
    @Nullable JsonNode readPayload(@Nullable String payload) throws IOException {
        if (payload == null) {
            return null;
        }
        String text = payload;
        String source = "the payload";
        if (payload.equals("-")) {
            text = new String(surroundings().in().readAllBytes(), StandardCharsets.UTF_8);
            source = "the standard input";
        } else if (payload.startsWith("@")) {
            source = payload.substring(1);
            try {
                text = Files.readString(surroundings().folder().resolve(source));
            } catch (IOException e) {
                throw new UsageException("the payload file " + source + " cannot be read: " + e.getMessage(), e);
            }
        }
        try {
            return ApiClient.JSON.readTree(text);
        } catch (JacksonException e) {
            throw new UsageException(
                    source + " is not JSON: "
                            + String.valueOf(e.getOriginalMessage())
                                    .lines()
                                    .findFirst()
                                    .orElse("") + "; right is, for example, '{\"delay_seconds\": 5}'",
                    e);
        }
    }

    void line(JsonNode node, String label, String field) {
        if (node.has(field)) {
            out().println(String.format("%-9s", label) + Table.printable(text(node, field)));
        }
    }

    void printJson(JsonNode node) {
        out().println(node);
        out().flush();
    }

    /** A member as text: empty if it is not there. */
    static String text(JsonNode node, String field) {
        JsonNode value = node.path(field);
        return value.isMissingNode() || value.isNull() ? "" : value.isString() ? value.asString() : value.toString();
    }

    /** A whole number of seconds, or none. */
    static Duration seconds(@Nullable Integer seconds) {
        if (seconds != null && seconds < 0) {
            throw new UsageException("--wait must be 0 seconds or more, not " + seconds);
        }
        return Duration.ofSeconds(seconds == null ? 0 : seconds);
    }
}
