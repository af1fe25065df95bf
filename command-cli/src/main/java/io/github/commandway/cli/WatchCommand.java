package io.github.commandway.cli;

import java.io.IOException;
import java.time.Duration;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;

@Command(
        name = "watch",
        description =
                "Follows a command: prints what happens to it as it happens, from the beginning to the end, and ends with the exit code of its"
                        + " outcome. Goes on where it was after a lost connection.")
final class WatchCommand extends ClientCommand {
    @Parameters(index = "0", paramLabel = "<command>", description = "The id of the command.")
    private String id = "";

    private String end = "";

    WatchCommand(Surroundings surroundings) {
        super(surroundings);
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        ApiClient client = client();
        String path = "/api/command/" + ApiClient.encoded(id) + "/events";
        EventFollower events = new EventFollower(
                client, surroundings().lifetime(), surroundings().err(), "watch");
        return switch (events.follow(path, this::show)) {
            case ENOUGH -> ExitCode.ofStatus(end).code();
            case NOTHING_MORE -> statusOf(awaitEnd(client, id, Duration.ZERO)).code();
            case STOPPED -> ExitCode.STILL_OPEN.code();
        };
    }

    /** Prints an event, and says whether more are wanted. */
    private boolean show(ServerSentEvent event) {
        JsonNode data = event.json();
        if (isEnd(event.type())) {
            end = event.type();
        }
        if (isJson()) {
            printJson(data);
        } else {
            print(line(data));
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
