package io.github.commandway.manager;

import java.util.concurrent.atomic.LongAdder;

/** What a manager counts. Safe for use by many threads. */
final class Tally {
    final LongAdder accepted = new LongAdder();
    final LongAdder rejected = new LongAdder();
    final LongAdder retried = new LongAdder();
    final LongAdder dropped = new LongAdder();
    final LongAdder storeFailures = new LongAdder();
    private final LongAdder completed = new LongAdder();
    private final LongAdder failed = new LongAdder();
    private final LongAdder timedOut = new LongAdder();
    private final LongAdder cancelled = new LongAdder();

    /** Counts a command that has ended. */
    void ended(CommandStatus status) {
        switch (status) {
            case COMPLETED -> completed.increment();
            case FAILED -> failed.increment();
            case TIMEOUT -> timedOut.increment();
            case CANCELLED -> cancelled.increment();
            case PENDING, EXECUTING -> throw new IllegalArgumentException(status + " is not an end");
        }
    }

    ManagerStats stats(int open, long records) {
        return new ManagerStats(
                open,
                records,
                accepted.sum(),
                rejected.sum(),
                completed.sum(),
                failed.sum(),
                timedOut.sum(),
                cancelled.sum(),
                retried.sum(),
                dropped.sum(),
                storeFailures.sum());
    }
}
