package io.github.commandway.manager;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * Keeps the records. Everything is asynchronous, so that a durable store can write what many callers ask for in one
 * transaction.
 *
 * <p>The manager calls {@link #create} once for a command and then {@link #update} and {@link #append} for it one after the other, in the
 * order in which things happened and while it holds the command's lock; a store keeps that order, must not block in these
 * three, and calls nothing of the manager from them. What it returns completes in whatever thread the store likes. Safe for use by many threads.
 */
public interface CommandStore extends AutoCloseable {
    /**
     * Records a new command together with its first event.
     *
     * @param command stays current: a store that keeps records in memory may keep this object itself
     * @return when this completes the record is as safe as this store makes it. If the request has an idempotency key under which the same principal
     *     has a record, nothing is written and that record is returned. If it fails, nothing was written
     */
    CompletableFuture<Creation> create(RecordedCommand command);

    /**
     * Records what has changed in a command since it was last given to the store: the hand-over, or a move from {@code from}, with its event.
     *
     * @return true when it is safe; false if the record is not in the state {@code from} any more, or gone, and nothing was written
     */
    CompletableFuture<Boolean> update(RecordedCommand command, CommandStatus from);

    /** Records an event that does not change the record: progress, output, a request to cancel. The oldest may be dropped to stay within bounds. */
    CompletableFuture<Boolean> append(RecordedCommand command, CommandEvent event);

    /** One record. */
    CompletableFuture<Optional<CommandRecord>> find(RecordId id);

    /** Records, newest first. Fails with {@link IllegalArgumentException} if the cursor is not one of this store's. */
    CompletableFuture<CommandPage> list(CommandQuery query);

    /**
     * Events of one record in order.
     *
     * @param after only those with a higher sequence number; 0 for all
     * @param limit how many at most, from 1
     * @return if events right behind {@code after} are not kept any more, the first one is of type {@link CommandEvent.Type#GAP}. Empty if the record is unknown
     */
    CompletableFuture<List<CommandEvent>> events(RecordId id, long after, int limit);

    /** Removes ended records that have been kept long enough. The manager calls it every second or so, never twice at a time. */
    void purge();

    /** How many records are kept, ended or not. */
    long size();

    @Override
    void close();

    /** What {@link #create} found: nothing, or an earlier record. */
    final class Creation {
        private static final Creation NEW = new Creation(Optional.empty());

        private final Optional<CommandRecord> existing;

        private Creation(Optional<CommandRecord> existing) {
            this.existing = existing;
        }

        /** The record is new and was written. */
        public static Creation created() {
            return NEW;
        }

        /** There was one with the same idempotency key; nothing was written. */
        public static Creation existing(CommandRecord record) {
            return new Creation(Optional.of(record));
        }

        /** The earlier record; empty if a new one was written. */
        public Optional<CommandRecord> existing() {
            return existing;
        }
    }
}
