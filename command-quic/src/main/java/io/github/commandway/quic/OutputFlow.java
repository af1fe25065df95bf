package io.github.commandway.quic;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** How much output of one execution waits to be sent, and who waits for room. Safe for use by many threads. */
final class OutputFlow {
    private static final long MAX_UNSENT_BYTES = 1 << 20;

    private long unsent;
    private long sequence;
    private @Nullable CompletableFuture<Boolean> room;

    /** Counts a piece that is going to be sent, and returns its number, from 1. */
    synchronized long add(int bytes) {
        unsent += bytes;
        return ++sequence;
    }

    /** Completes with true when there is room for more. */
    synchronized CompletionStage<Boolean> whenRoom() {
        if (unsent < MAX_UNSENT_BYTES) {
            return CompletableFuture.completedStage(true);
        }
        if (room == null) {
            room = new CompletableFuture<>();
        }
        return room;
    }

    /** Takes bytes off the count that were sent or dropped. */
    void sent(int bytes) {
        CompletableFuture<Boolean> waiting = null;
        synchronized (this) {
            unsent -= bytes;
            if (unsent < MAX_UNSENT_BYTES) {
                waiting = room;
                room = null;
            }
        }
        if (waiting != null) {
            waiting.complete(true);
        }
    }
}
