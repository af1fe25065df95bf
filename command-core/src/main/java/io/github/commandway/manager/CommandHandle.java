package io.github.commandway.manager;

import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/** A caller's hold on a recorded command. Safe for use by many threads. */
public interface CommandHandle {
    /** The id of its record. */
    RecordId id();

    /** What was asked for. */
    CommandRequest request();

    /** What is known of it at this moment. An end may show here before the store has made it safe; {@link #whenEnded} waits for that. */
    CommandRecord record();

    /** Whether this was recorded by an earlier submit with the same idempotency key. */
    boolean isRepeated();

    /**
     * Calls {@code action} once when the command has ended, or at once if it has. It runs in the thread that ends the command,
     * which may be a transport's event loop, so it must not block.
     */
    void whenEnded(Consumer<? super CommandHandle> action);

    /** Completes with the final record. It never fails because the command did: the record says so. */
    default CompletableFuture<CommandRecord> completion() {
        CompletableFuture<CommandRecord> future = new CompletableFuture<>();
        whenEnded(ended -> future.complete(ended.record()));
        return future;
    }
}
