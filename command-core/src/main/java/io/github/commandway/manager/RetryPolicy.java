package io.github.commandway.manager;

import io.github.commandway.dispatch.Reason;
import java.time.Duration;

/**
 * How often a command that waits in a queue is tried, and how long it waits between two tries: {@code initialDelay} after the first, twice as
 * long after each further one, at most {@code maxDelay}, each lengthened or shortened at random by up to {@code jitter}.
 *
 * <p>A try is repeated after a failure that another try may not have: {@code executor_error}, {@code execution_timeout}, {@code lost},
 * {@code agent_unreachable}, {@code rejected_by_agent} and {@code shutdown}. After some of these the earlier try may have had an effect, so only what
 * may be done twice should be tried twice.
 *
 * @param maxAttempts how many tries at most, from 1 (no second one) to 1,000
 * @param initialDelay the wait after the first try, from 0
 * @param maxDelay the longest wait, up to 30 days
 * @param jitter from 0 (none) to 1
 */
public record RetryPolicy(int maxAttempts, Duration initialDelay, Duration maxDelay, double jitter) {
    /** One try only. */
    public static final RetryPolicy NONE = new RetryPolicy(1, Duration.ZERO, Duration.ZERO, 0);

    private static final int MAX_ATTEMPTS = 1_000;

    /** Checks the values. */
    public RetryPolicy {
        if (maxAttempts < 1 || maxAttempts > MAX_ATTEMPTS) {
            throw new IllegalArgumentException(
                    "the number of tries must be from 1 to " + MAX_ATTEMPTS + ", but is " + maxAttempts);
        }
        if (initialDelay.isNegative()
                || maxDelay.compareTo(initialDelay) < 0
                || maxDelay.compareTo(CommandRequest.MAX_DURATION) > 0) {
            throw new IllegalArgumentException("the delays must be from 0 to " + CommandRequest.MAX_DURATION
                    + ", the longest not below the first, but are " + initialDelay + " and " + maxDelay);
        }
        if (!(jitter >= 0 && jitter <= 1)) {
            throw new IllegalArgumentException("the jitter must be from 0 to 1, but is " + jitter);
        }
    }

    /** Up to {@code maxAttempts} tries, 1 s after the first and up to 60 s between later ones, with a jitter of 0.2. */
    public static RetryPolicy exponential(int maxAttempts) {
        return new RetryPolicy(maxAttempts, Duration.ofSeconds(1), Duration.ofSeconds(60), 0.2);
    }

    /** Whether another try may end otherwise. */
    static boolean mayHelp(Reason reason) {
        return switch (reason) {
            case EXECUTOR_ERROR, EXECUTION_TIMEOUT, LOST, AGENT_UNREACHABLE, REJECTED_BY_AGENT, SHUTDOWN -> true;
            case OK,
                    QUEUE_TIMEOUT,
                    UNKNOWN_COMMAND,
                    PAYLOAD_TOO_LARGE,
                    CANCELLED_BEFORE_START,
                    CANCELLED_WHILE_RUNNING -> false;
        };
    }

    /**
     * How long to wait before the next try.
     *
     * @param attempt the try that failed, from 1
     * @param random from 0 to 1
     */
    public Duration delayAfter(int attempt, double random) {
        long longest = maxDelay.toMillis();
        // 2^40 ms is beyond the longest delay, so more doublings change nothing
        long doubled = Math.min(initialDelay.toMillis(), longest) << Math.min(attempt - 1, 20);
        double spread = 1 + jitter * (2 * random - 1);
        return Duration.ofMillis(Math.min(longest, Math.round(Math.min(doubled, longest) * spread)));
    }
}
