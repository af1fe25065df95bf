package io.github.commandway.system;

import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/** Commands to be used again, kept by the thread that released them; the few that are too many are left to the garbage collector. */
final class Pool<T> {
    private static final int KEPT = 64;

    private final ThreadLocal<ArrayDeque<T>> free = ThreadLocal.withInitial(() -> new ArrayDeque<>(KEPT));

    /** One that was released in this thread, or null. */
    @Nullable T poll() {
        return free.get().pollLast();
    }

    void release(T item) {
        ArrayDeque<T> mine = free.get();
        if (mine.size() < KEPT) {
            mine.addLast(item);
        }
    }
}
