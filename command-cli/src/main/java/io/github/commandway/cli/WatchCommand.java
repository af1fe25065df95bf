package io.github.commandway.cli;

import java.io.IOException;
import java.time.Duration;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

@Command(
        name = "watch",
        description =
                "Follows a command: prints what happens to it as it happens, from the beginning to the end, and ends with the exit code of its"
                        + " outcome. Goes on where it was after a lost connection.")
final class WatchCommand extends ClientCommand {
    private static final Duration FIRST_PAUSE = Duration.ofMillis(250);
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(5);
    private static final int MAX_ATTEMPTS = 20;

    @Parameters(index = "0", paramLabel = "<command>", description = "The id of the command.")
    private String id = "";

    private String lastEventId = "";
    private String end = "";

    WatchCommand(Surroundings surroundings) {
        super(surroundings);
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        ApiClient client = client();
        String path = "/api/command/" + ApiClient.encoded(id) + "/events";
        boolean wasConnected = false;
        int attempts = 0;
        Duration pause = FIRST_PAUSE;
        while (true) {
            String before = lastEventId;
            String problem = "the stream of events ended";
            try {
                boolean more = client.follow(path, lastEventId, this::show);
                if (!end.isEmpty()) {
                    return ExitCode.ofStatus(end).code();
                }
                if (!more) {
                    return statusOf(awaitEnd(client, id, Duration.ZERO)).code();
                }
                wasConnected = true;
            } catch (IOException e) {
                boolean isLost = !(e instanceof ApiException refusal) || refusal.exitCode() == ExitCode.UNREACHABLE;
                if (!isLost || !(wasConnected || !lastEventId.isEmpty())) {
                    throw e;
                }
                problem = String.valueOf(e.getMessage());
            }
            if (!lastEventId.equals(before)) {
                attempts = 0;
                pause = FIRST_PAUSE;
            }
            if (++attempts > MAX_ATTEMPTS) {
                throw new ApiException(ExitCode.UNREACHABLE, "gave up: " + problem, null);
            }
            surroundings().err().println("commandway watch: " + problem + "; trying again");
            if (surroundings().lifetime().awaitStop(pause)) {
                return ExitCode.STILL_OPEN.code();
            }
            pause = pause.multipliedBy(2).compareTo(LONGEST_PAUSE) > 0 ? LONGEST_PAUSE : pause.multipliedBy(2);
        }
    }

    /** Prints an event, and says whether more are wanted. */
    private boolean show(ServerSentEvent event) {
        JsonNode data;
        try {
            data = ApiClient.JSON.readTree(event.data());
        } catch (JacksonException e) {
            throw new IllegalStateException("the server sent an event that is not JSON: " + event.data(), e);
        }
        lastEventId = event.id();
        if (isEnd(event.type())) {
            end = event.type();
        }
        if (isJson()) {
            printJson(data);
        } else {
            out().println(line(data));
            out().flush();
        }
        return end.isEmpty();
    }

    /** Whether nothing comes after an event of this type. */
    static boolean isEnd(String eventType) {
        return switch (eventType) {
            case "completed", "failed", "timeout", "cancelled" -> true;
            default -> false;
        };
    }

    /** One event as a line for people. */
    static String line(JsonNode event) {
        StringBuilder line = new StringBuilder(text(event, "at")).append("  ").append(text(event, "type"));
        for (String field : new String[] {"channel", "fraction", "message", "data", "result"}) {
            if (event.has(field)) {
                line.append("  ").append(Table.printable(text(event, field)).stripTrailing());
            }
        }
        return line.toString();
    }
}
