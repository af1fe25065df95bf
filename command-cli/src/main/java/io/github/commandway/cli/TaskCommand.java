package io.github.commandway.cli;

import java.io.IOException;
import java.math.BigDecimal;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

@Command(
        name = "task",
        description = "Puts tasks, which are commands, into a queue of a server, and asks for them.",
        mixinStandardHelpOptions = true)
final class TaskCommand extends CommandGroup {
    TaskCommand(Surroundings surroundings) {
        super(new Submit(surroundings), new Get(surroundings), new Listing(surroundings), new Cancel(surroundings));
    }

    /** What all of them know of a task. */
    abstract static class OnTasks extends ClientCommand {
        OnTasks(Surroundings surroundings) {
            super(surroundings);
        }

        static String path(String id) {
            return "/task/" + ApiClient.encoded(id);
        }

        /** The exit code for what has become of a task. */
        static ExitCode outcome(JsonNode task) {
            return switch (text(task, "status")) {
                case "completed" -> ExitCode.OK;
                case "pending", "running" -> ExitCode.STILL_OPEN;
                default ->
                    switch (text(task, "reason")) {
                        case "execution_timeout", "queue_timeout" -> ExitCode.TIMEOUT;
                        case "cancelled_before_start", "cancelled_while_running" -> ExitCode.CANCELLED;
                        default -> ExitCode.FAILED;
                    };
            };
        }

        int printTask(JsonNode task) {
            if (isJson()) {
                printJson(task);
            } else {
                line(task, "task", "task_id");
                line(task, "type", "cmd_type");
                line(task, "cmd_id", "cmd_id");
                line(task, "queue", "queue");
                line(task, "status", "status");
                line(task, "reason", "reason");
                line(task, "position", "position");
                line(task, "attempt", "attempt");
                line(task, "message", "message");
                line(task, "submitted", "submit_time");
                line(task, "started", "start_time");
                line(task, "ended", "end_time");
                printResult(task);
            }
            return outcome(task).code();
        }
    }

    @Command(name = "submit", description = "Puts a task into a queue.")
    static final class Submit extends OnTasks {
        @Parameters(index = "0", paramLabel = "<type>", description = "The kind of command, such as SCAN_QRCODE.")
        private String type = "";

        @Parameters(
                index = "1",
                arity = "0..1",
                paramLabel = "<params>",
                description = "The parameters: JSON, @file for a file that holds it, or - for the standard input.")
        private @Nullable String params;

        @Option(names = "--cmd-id", paramLabel = "<name>", description = "Your own name for it.", order = 1)
        private @Nullable String cmdId;

        @Option(
                names = "--queue",
                paramLabel = "<queue>",
                description = "Another queue than the server's default one.",
                order = 2)
        private @Nullable String queue;

        @Option(
                names = "--priority",
                paramLabel = "<number>",
                description = "From -100 to 100; a higher one goes first. Default: 0",
                order = 5)
        private @Nullable Integer priority;

        @Option(
                names = "--delay",
                paramLabel = "<seconds>",
                description = "When it may begin at the earliest, from now.",
                order = 6)
        private @Nullable BigDecimal delay;

        @Option(
                names = "--retries",
                paramLabel = "<number>",
                description = "How many more times it is tried after a failure.",
                order = 7)
        private @Nullable Integer retries;

        @Option(
                names = "--order-key",
                paramLabel = "<key>",
                description = "Of those with the same key one is executed at a time, in their order.",
                order = 8)
        private @Nullable String orderKey;

        @Mixin
        private final SubmitOptions options = new SubmitOptions();

        Submit(Surroundings surroundings) {
            super(surroundings);
        }

        @Override
        public Integer call() throws IOException, InterruptedException {
            ApiClient client = client();
            ObjectNode body = ApiClient.JSON.createObjectNode();
            body.put("cmd_type", type);
            put(body, "cmd_id", cmdId);
            put(body, "params", readPayload(params));
            put(body, "queue", queue);
            options.putTimes(body);
            put(body, "priority", priority);
            put(body, "delay", delay);
            put(body, "retries", retries);
            put(body, "order_key", orderKey);
            Map<String, String> headers = options.headers();
            // in sync mode too
            headers.put("Prefer", "respond-async");
            JsonNode answer = client.post("/", body, headers);
            // asked for as a command, which works in sync mode too
            return printAccepted(client, answer, text(answer, "task_id"), options.waitSeconds());
        }

        private static void put(ObjectNode body, String name, @Nullable Object value) {
            if (value != null) {
                body.set(name, ApiClient.JSON.<JsonNode>valueToTree(value));
            }
        }
    }

    @Command(name = "get", description = "Shows a task and what has become of it; the exit code tells the same.")
    static final class Get extends OnTasks {
        @Parameters(index = "0", paramLabel = "<task>", description = "The id of the task.")
        private String id = "";

        @Option(names = "--wait", paramLabel = "<seconds>", description = "Wait up to so long for the end.", order = 1)
        private @Nullable Integer wait;

        Get(Surroundings surroundings) {
            super(surroundings);
        }

        @Override
        public Integer call() throws ApiException, InterruptedException {
            return printTask(awaitEnd(client(), path(id), seconds(wait), OnTasks::outcome));
        }
    }

    @Command(name = "list", description = "Lists tasks of one queue, newest first.")
    static final class Listing extends OnTasks {
        @Option(
                names = "--queue",
                paramLabel = "<queue>",
                description = "Another queue than the server's default one.",
                order = 1)
        private String queue = "";

        @Option(
                names = "--status",
                paramLabel = "<status>",
                description = "Only pending, running, completed, failed, timeout or cancelled ones.",
                order = 2)
        private String status = "";

        @Option(names = "--type", paramLabel = "<type>", description = "Only those of this kind.", order = 3)
        private String type = "";

        @Mixin
        private final PageOptions page = new PageOptions();

        Listing(Surroundings surroundings) {
            super(surroundings);
        }

        @Override
        public Integer call() throws ApiException, InterruptedException {
            Map<String, String> query = new LinkedHashMap<>();
            query.put("queue", queue);
            query.put("status", status);
            query.put("cmd_type", type);
            page.put(query);
            JsonNode answer = client().get(ApiClient.path("/tasks", query));
            if (isJson()) {
                printJson(answer);
                return ExitCode.OK.code();
            }
            Table table = new Table("TASK", "TYPE", "CMD_ID", "STATUS", "REASON", "SUBMITTED");
            for (JsonNode task : answer.path("tasks")) {
                table.row(
                        text(task, "task_id"),
                        text(task, "cmd_type"),
                        text(task, "cmd_id"),
                        text(task, "status"),
                        text(task, "reason"),
                        text(task, "submit_time"));
            }
            table.print(out());
            PageOptions.tellOfMore(answer, surroundings().err());
            return ExitCode.OK.code();
        }
    }

    @Command(
            name = "cancel",
            description =
                    "Cancels a task. One that waits never runs; one that runs is stopped. Ends with 0 if it was cancelled.")
    static final class Cancel extends OnTasks {
        @Parameters(index = "0", paramLabel = "<task>", description = "The id of the task.")
        private String id = "";

        Cancel(Surroundings surroundings) {
            super(surroundings);
        }

        @Override
        public Integer call() throws ApiException, InterruptedException {
            JsonNode answer = client().post(path(id) + "/cancel", ApiClient.JSON.createObjectNode(), Map.of());
            printTask(answer.path("task"));
            return outcome(answer.path("task")).ofCancelling().code();
        }
    }
}
