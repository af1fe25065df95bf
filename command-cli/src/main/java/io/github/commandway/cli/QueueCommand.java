package io.github.commandway.cli;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;

@Command(
        name = "queue",
        description = "Shows the queues of a server, and holds back, goes on with or empties one.",
        mixinStandardHelpOptions = true)
final class QueueCommand extends CommandGroup {
    QueueCommand(Surroundings surroundings) {
        super(new Status(surroundings), new Pause(surroundings), new Resume(surroundings), new Purge(surroundings));
    }

    /** What all of them do with an answer. */
    abstract static class OnQueues extends ClientCommand {
        OnQueues(Surroundings surroundings) {
            super(surroundings);
        }

        int print(JsonNode answer, Iterable<JsonNode> queues) {
            if (isJson()) {
                printJson(answer);
                return ExitCode.OK.code();
            }
            Table table =
                    new Table("QUEUE", "PAUSED", "WAITING", "RUNNING", "ACCEPTED", "COMPLETED", "FAILED", "AT A TIME");
            for (JsonNode queue : queues) {
                table.row(
                        text(queue, "name"),
                        text(queue, "paused"),
                        text(queue, "waiting"),
                        text(queue, "running"),
                        text(queue, "accepted"),
                        text(queue, "completed"),
                        text(queue, "failed"),
                        text(queue, "concurrency"));
            }
            table.print(out());
            return ExitCode.OK.code();
        }
    }

    @Command(name = "status", description = "Shows what is in the queues.")
    static final class Status extends OnQueues {
        @Parameters(index = "0", arity = "0..1", paramLabel = "<queue>", description = "Only this one.")
        private @Nullable String name;

        Status(Surroundings surroundings) {
            super(surroundings);
        }

        @Override
        public Integer call() throws ApiException, InterruptedException {
            if (name != null) {
                JsonNode answer = client().get("/api/queues/" + ApiClient.encoded(name));
                return print(answer, List.of(answer.path("queue")));
            }
            JsonNode answer = client().get("/api/queues");
            return print(answer, answer.path("queues"));
        }
    }

    /** Changes one queue. */
    abstract static class Change extends OnQueues {
        @Parameters(index = "0", paramLabel = "<queue>", description = "The queue, such as default.")
        private String name = "";

        private final String action;

        Change(Surroundings surroundings, String action) {
            super(surroundings);
            this.action = action;
        }

        @Override
        public Integer call() throws ApiException, InterruptedException {
            JsonNode answer = client().post(
                            "/api/queues/" + ApiClient.encoded(name) + "/" + action,
                            ApiClient.JSON.createObjectNode(),
                            Map.of());
            if (!isJson() && answer.has("cancelled")) {
                out().println(text(answer, "cancelled") + " cancelled");
            }
            return print(answer, List.of(answer.path("queue")));
        }
    }

    @Command(
            name = "pause",
            description = "Holds back what waits, on all servers that share the queue; what runs goes on.")
    static final class Pause extends Change {
        Pause(Surroundings surroundings) {
            super(surroundings, "pause");
        }
    }

    @Command(name = "resume", description = "Lets a paused queue go on.")
    static final class Resume extends Change {
        Resume(Surroundings surroundings) {
            super(surroundings, "resume");
        }
    }

    @Command(name = "purge", description = "Cancels all that waits; what runs goes on.")
    static final class Purge extends Change {
        Purge(Surroundings surroundings) {
            super(surroundings, "purge");
        }
    }
}
