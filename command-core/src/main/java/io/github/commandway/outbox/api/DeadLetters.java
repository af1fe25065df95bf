package io.github.commandway.outbox.api;

import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;

/** The entries of an outbox that could not be delivered. Safe for use by many threads; nothing blocks. */
public interface DeadLetters {
    /**
     * Lists them, the oldest first.
     *
     * @param limit how many at most, from 1
     * @param after only those behind this {@link DeadLetter#sequence}; 0 for all
     */
    CompletableFuture<List<DeadLetter>> deadLetters(int limit, long after);

    /**
     * Tries one again, with as many tries as a new entry; what waits behind it follows.
     *
     * @return completes with false if there is no dead letter of this id
     */
    CompletableFuture<Boolean> replay(UUID id);

    /**
     * Deletes one without a delivery; what waits behind it follows.
     *
     * @return completes with false if there is no dead letter of this id
     */
    CompletableFuture<Boolean> discard(UUID id);
}
