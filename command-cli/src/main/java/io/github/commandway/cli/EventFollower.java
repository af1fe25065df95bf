package io.github.commandway.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.function.Predicate;

/** Reads a stream of events to its end, and goes on where it was after a lost connection. Used once, by one thread. */
final class EventFollower {
    private static final Duration FIRST_PAUSE = Duration.ofMillis(250);
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(5);
    private static final int MAX_ATTEMPTS = 20;

    private final ApiClient client;
    private final Lifetime lifetime;
    private final PrintWriter err;
    private final String name;
    private String lastEventId = "";
    private boolean isConnected;
    private boolean isEnough;

    /** Why it ended. */
    enum End {
        /** The consumer wants no more. */
        ENOUGH,
        /** The server says that there is nothing more. */
        NOTHING_MORE,
        /** The connection was lost when the program was to stop. */
        STOPPED
    }

    /**
     * Makes one.
     *
     * @param err where it tells of lost connections
     * @param name of the command that it is for
     */
    EventFollower(ApiClient client, Lifetime lifetime, PrintWriter err, String name) {
        this.client = client;
        this.lifetime = lifetime;
        this.err = err;
        this.name = name;
    }

    /**
     * Follows it.
     *
     * @param consumer takes the events, and says whether more are wanted
     * @throws ApiException if the server refuses, or is away for too long
     */
    End follow(String path, Predicate<ServerSentEvent> consumer) throws IOException, InterruptedException {
        int attempts = 0;
        Duration pause = FIRST_PAUSE;
        while (true) {
            String before = lastEventId;
            String problem = "the stream of events ended";
            try {
                boolean more = client.follow(path, lastEventId, event -> take(event, consumer));
                if (isEnough) {
                    return End.ENOUGH;
                }
                if (!more) {
                    return End.NOTHING_MORE;
                }
                isConnected = true;
            } catch (IOException e) {
                boolean isLost = !(e instanceof ApiException refusal) || refusal.exitCode() == ExitCode.UNREACHABLE;
                if (!isLost || !isConnected) {
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
            err.println("commandway " + name + ": " + problem + "; trying again");
            if (lifetime.awaitStop(pause)) {
                return End.STOPPED;
            }
            pause = pause.multipliedBy(2).compareTo(LONGEST_PAUSE) > 0 ? LONGEST_PAUSE : pause.multipliedBy(2);
        }
    }

    private boolean take(ServerSentEvent event, Predicate<ServerSentEvent> consumer) {
        boolean more = consumer.test(event);
        isConnected = true;
        // some events have none, and then the one before counts
        if (!event.id().isEmpty()) {
            lastEventId = event.id();
        }
        isEnough = !more;
        return more;
    }
}
