package io.github.commandway.outbox;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Consumer;

/**
 * Brings entries to where they are to go. The relay calls it from any thread, for one entry of a key at a time, and for many keys at once.
 */
@FunctionalInterface
public interface Publisher {
    /**
     * Publishes one entry, without blocking.
     *
     * @return completes when the receiver has the entry for good. It must complete in any case, within the publisher's own time limit: until then nothing
     *     else of the key is published. A failure means that the entry may or may not have arrived; it is published again. If that
     *     failure is a {@link PublisherUnavailableException} the entry is not to blame
     */
    CompletableFuture<Void> publish(OutboxEntry entry);

    /** How many entries it takes at a time, from 1. */
    default int maxInFlight() {
        return 1_000;
    }

    /** Calls a listener in this process. It has the entry when it returns; if it throws, it gets it again. */
    static Publisher calling(Consumer<OutboxEntry> listener, Executor executor) {
        return entry -> CompletableFuture.runAsync(() -> listener.accept(entry), executor);
    }
}
