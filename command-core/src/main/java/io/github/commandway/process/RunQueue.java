package io.github.commandway.process;

import java.util.ArrayDeque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Processes that are ready to run, first come first served. Each is in one queue at most, and in it once. Safe for use by many threads. */
final class RunQueue {
    private final ArrayDeque<LiveProcess> processes = new ArrayDeque<>();

    /** So that nobody takes the lock of an empty queue. */
    private volatile int size;

    synchronized void add(LiveProcess process) {
        processes.addLast(process);
        size = processes.size();
    }

    synchronized void addAll(List<LiveProcess> several) {
        processes.addAll(several);
        size = processes.size();
    }

    @Nullable LiveProcess poll() {
        if (size == 0) {
            return null;
        }
        synchronized (this) {
            LiveProcess first = processes.pollFirst();
            size = processes.size();
            return first;
        }
    }

    /** Takes the first, and moves others behind it into {@code taken}, so that it is the given part of all. */
    @Nullable LiveProcess pollSome(int parts, int most, List<LiveProcess> taken) {
        if (size == 0) {
            return null;
        }
        synchronized (this) {
            LiveProcess first = processes.pollFirst();
            for (int more = Math.min(most, (processes.size() + 1) / parts) - 1; more > 0; more--) {
                taken.add(processes.removeFirst());
            }
            size = processes.size();
            return first;
        }
    }

    int size() {
        return size;
    }
}
