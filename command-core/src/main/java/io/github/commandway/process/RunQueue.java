package io.github.commandway.process;

import java.util.ArrayDeque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What is ready to run, first come first served. Safe for use by many threads.
 *
 * @param <E> what that is
 */
final class RunQueue<E> {
    private final ArrayDeque<E> ready = new ArrayDeque<>();

    /** So that nobody takes the lock of an empty queue. */
    private volatile int size;

    synchronized void add(E one) {
        ready.addLast(one);
        size = ready.size();
    }

    synchronized void addAll(List<E> several) {
        ready.addAll(several);
        size = ready.size();
    }

    @Nullable E poll() {
        if (size == 0) {
            return null;
        }
        synchronized (this) {
            E first = ready.pollFirst();
            size = ready.size();
            return first;
        }
    }

    /** Takes the first, and moves others behind it into {@code taken}, so that it is the given part of all. */
    @Nullable E pollSome(int parts, int most, List<E> taken) {
        if (size == 0) {
            return null;
        }
        synchronized (this) {
            E first = ready.pollFirst();
            for (int more = Math.min(most, (ready.size() + 1) / parts) - 1; more > 0; more--) {
                taken.add(ready.removeFirst());
            }
            size = ready.size();
            return first;
        }
    }

    int size() {
        return size;
    }
}
