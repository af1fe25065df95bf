package io.github.commandway.agent;

import java.time.Duration;
import java.util.Collections;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;

/** Middleware that counts commands and their time for each type, since it was made. Safe for use by many threads. */
public final class CommandMetrics implements Middleware {
    private final LongSupplier nanoTicker;
    private final Map<String, Counters> counters = new ConcurrentHashMap<>();

    /** Measures with {@link System#nanoTime()}. */
    public CommandMetrics() {
        this(System::nanoTime);
    }

    /**
     * Measures with a ticker.
     *
     * @param nanoTicker counts nanoseconds
     */
    public CommandMetrics(LongSupplier nanoTicker) {
        this.nanoTicker = nanoTicker;
    }

    @Override
    public byte[] execute(ExecutionContext context, String type, byte[] payload, Next next) throws Exception {
        Counters counter = counters.computeIfAbsent(type, key -> new Counters());
        counter.start();
        long start = nanoTicker.getAsLong();
        boolean completed = false;
        try {
            byte[] result = next.execute(context, payload);
            completed = true;
            return result;
        } finally {
            counter.end(completed, nanoTicker.getAsLong() - start);
        }
    }

    /** The figures of now for each type that was executed at least once; never changes afterwards. */
    public SortedMap<String, TypeMetrics> snapshot() {
        SortedMap<String, TypeMetrics> figures = new TreeMap<>();
        counters.forEach((type, counter) -> figures.put(type, counter.read()));
        return Collections.unmodifiableSortedMap(figures);
    }

    /**
     * The figures of one type; they belong to the same moment.
     *
     * @param running how many are executing now
     * @param completed how many have returned a result
     * @param failed how many have ended with an exception, refused and interrupted ones among them
     * @param totalTime the time of all that have ended, together
     * @param longestTime the time of the one that took longest
     */
    public record TypeMetrics(long running, long completed, long failed, Duration totalTime, Duration longestTime) {}

    private static final class Counters {
        private long running;
        private long completed;
        private long failed;
        private long totalNanos;
        private long longestNanos;

        synchronized void start() {
            running++;
        }

        synchronized void end(boolean success, long nanos) {
            running--;
            if (success) {
                completed++;
            } else {
                failed++;
            }
            totalNanos += nanos;
            longestNanos = Math.max(longestNanos, nanos);
        }

        synchronized TypeMetrics read() {
            return new TypeMetrics(
                    running, completed, failed, Duration.ofNanos(totalNanos), Duration.ofNanos(longestNanos));
        }
    }
}
