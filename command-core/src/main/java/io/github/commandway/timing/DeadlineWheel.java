package io.github.commandway.timing;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A hashed timing wheel (Varghese and Lauck, 1987, scheme 6) of things with deadlines, linked through themselves, so that a deadline
 * costs no allocation. (Agrona's wheel makes every spoke as long as the fullest one: a burst within one tick would cost hundreds of
 * megabytes.) Safe for use by many threads.
 *
 * @param <E> the things
 */
public final class DeadlineWheel<E extends Timed<E>> {
    /** The resolution: a deadline fires up to this much, and the time to the next call of {@link #expire}, late; never early. */
    public static final long TICK_NANOS = 16_000_000;

    private static final int SPOKES = 2_048;

    private final List<@Nullable E> spokes = new ArrayList<>(Collections.nCopies(SPOKES, null));
    private final long start;
    private long currentTick;

    /** A wheel without deadlines. */
    public DeadlineWheel(long nowNanos) {
        start = nowNanos;
    }

    /** Sets the entry's deadline; it has none in the wheel yet. */
    public synchronized void schedule(E entry, long deadlineNanos) {
        long behindCurrentTick = Math.max(0, start + currentTick * TICK_NANOS - deadlineNanos);
        entry.wheelNanos = deadlineNanos + behindCurrentTick;
        entry.inWheel = true;
        int spoke = spokeOf(entry);
        E head = spokes.get(spoke);
        entry.previous = null;
        entry.next = head;
        if (head != null) {
            head.previous = entry;
        }
        spokes.set(spoke, entry);
    }

    private int spokeOf(E entry) {
        return (int) ((entry.wheelNanos - start + TICK_NANOS - 1) / TICK_NANOS) & (SPOKES - 1);
    }

    /** Removes the entry; does nothing if it is not in the wheel. */
    public synchronized void cancel(E entry) {
        if (entry.inWheel) {
            unlink(entry);
        }
    }

    /** Takes out all entries whose deadline has passed and adds them to {@code due}. */
    public synchronized void expire(long nowNanos, List<E> due) {
        long nowTick = (nowNanos - start) / TICK_NANOS;
        long first = Math.max(currentTick, nowTick - SPOKES + 1);
        for (long tick = first; tick <= nowTick; tick++) {
            E entry = spokes.get((int) tick & (SPOKES - 1));
            while (entry != null) {
                E next = entry.next;
                if (entry.wheelNanos - nowNanos <= 0) {
                    unlink(entry);
                    due.add(entry);
                }
                entry = next;
            }
        }
        currentTick = Math.max(currentTick, nowTick);
    }

    private void unlink(E entry) {
        E previous = entry.previous;
        E next = entry.next;
        if (previous == null) {
            spokes.set(spokeOf(entry), next);
        } else {
            previous.next = next;
        }
        if (next != null) {
            next.previous = previous;
        }
        entry.inWheel = false;
        entry.previous = null;
        entry.next = null;
    }
}
