package io.github.commandway.boot;

import java.time.Duration;
import java.util.concurrent.CancellationException;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;

/**
 * When a service that has failed is started again.
 *
 * @param initialDelay how long to wait before the first time
 * @param longestDelay how long to wait at most
 * @param backoff by how much each wait is longer than the one before; 1 or more
 * @param jitter how much of a wait is chance, from 0 to 1: with 0.1 it is between 90 and 110 percent
 * @param mostAttempts how many times in a row it is started again; 0 for without end
 * @param stableAfter how long it must run for the failures before to be forgotten
 * @param terminal which failures are final
 */
public record RestartPolicy(
        Duration initialDelay,
        Duration longestDelay,
        double backoff,
        double jitter,
        int mostAttempts,
        Duration stableAfter,
        Predicate<? super Throwable> terminal) {

    /** After 1 s, then twice as long each time, up to 90 s, by chance 10 percent more or less, without end; stable after 5 s; only cancellation is final. */
    public static final RestartPolicy DEFAULT = new RestartPolicy(
            Duration.ofSeconds(1),
            Duration.ofSeconds(90),
            2.0,
            0.1,
            0,
            Duration.ofSeconds(5),
            CancellationException.class::isInstance);

    /** Checks the ranges. */
    public RestartPolicy {
        if (initialDelay.isNegative()
                || longestDelay.compareTo(initialDelay) < 0
                || !(backoff >= 1)
                || !(jitter >= 0 && jitter <= 1)
                || mostAttempts < 0
                || stableAfter.isNegative()) {
            throw new IllegalArgumentException("out of range: " + initialDelay + ", " + longestDelay + ", " + backoff
                    + ", " + jitter + ", " + mostAttempts + ", " + stableAfter);
        }
    }

    /**
     * How long to wait before starting again.
     *
     * @param attempt how many failures there were in a row, 1 or more
     */
    Duration delay(int attempt, RandomGenerator random) {
        double longest = longestDelay.toNanos();
        double exact = Math.min(longest, initialDelay.toNanos() * Math.pow(backoff, attempt - 1));
        double factor = 1 + jitter * (2 * random.nextDouble() - 1);
        return Duration.ofNanos((long) Math.min(longest, exact * factor));
    }
}
