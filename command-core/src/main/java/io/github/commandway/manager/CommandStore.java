package io.github.commandway.manager;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

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
     * <p>It belongs to this server until it ends, except that one to a queue belongs to nobody at first ({@link QueueStore}).
     *
     * @param command stays current: a store that keeps records in memory may keep this object itself
     * @param companion what else to write in the same transaction, or null
     * @return when this completes the record is as safe as this store makes it. If the request has an idempotency key under which the same principal
     *     has a record, or else an exclusive key that an open record has, nothing is written and that record is returned. If it fails, nothing was written
     */
    CompletableFuture<Creation> create(RecordedCommand command, @Nullable Companion companion);

    /**
     * Records what has changed in a command since it was last given to the store: the hand-over, or a move from {@code from}, with its event. After
     * a move to {@link CommandStatus#PENDING}, which is a new attempt, one to a queue belongs to nobody again.
     *
     * @return true when it is safe; false if the record is not in the state {@code from} any more, does not belong to this server, or is gone, and nothing was written
     */
    CompletableFuture<Boolean> update(RecordedCommand command, CommandStatus from);

    /** Records an event that does not change the record: progress, output, a request to cancel. The oldest may be dropped to stay within bounds. */
    CompletableFuture<Boolean> append(RecordedCommand command, CommandEvent event);

    /**
     * Records to whom a command is going to be given ({@link CommandRecord#assignedTo}); this is no event.
     *
     * @return true when it is safe; false if the record does not belong to this server any more, has ended, or is gone, and nothing was written
     */
    CompletableFuture<Boolean> assign(RecordedCommand command, String assignee);

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

    /** What waits in queues. */
    QueueStore queues();

    /** Whether records outlive the process. */
    boolean isDurable();

    /** Whether it could do its work lately, so that what is given to it now will probably be recorded. Does not block. */
    default boolean isAvailable() {
        return true;
    }

    /**
     * Takes over open records that nobody looks after: those that belonged to a server that is gone, and those that have waited in a queue for longer
     * than they may. Those that wait in a queue and still may are left there.
     *
     * @param limit how many at most, from 1
     * @return the records, which belong to this server now; the oldest first
     */
    CompletableFuture<List<CommandRecord>> adopt(int limit);

    /**
     * Has a command cancelled that another server executes.
     *
     * @return false if there is nobody to ask: it has ended, or belongs to this server, or to none
     */
    CompletableFuture<Boolean> requestCancel(RecordId id);

    /** Sets who is told of what other servers do with the same records. Called once, before anything else. */
    void listen(StoreListener listener);

    @Override
    void close();

    /** What {@link #create} found: nothing, or an earlier record. */
    final class Creation {
        private static final Creation NEW = new Creation(Optional.empty(), false);

        private final Optional<CommandRecord> existing;
        private final boolean occupied;

        private Creation(Optional<CommandRecord> existing, boolean occupied) {
            this.existing = existing;
            this.occupied = occupied;
        }

        /** The record is new and was written. */
        public static Creation created() {
            return NEW;
        }

        /** There was one with the same idempotency key; nothing was written. */
        public static Creation existing(CommandRecord record) {
            return new Creation(Optional.of(record), false);
        }

        /** There is an open one with the same exclusive key; nothing was written. */
        public static Creation occupied(CommandRecord record) {
            return new Creation(Optional.of(record), true);
        }

        /** The earlier record; empty if a new one was written. */
        public Optional<CommandRecord> existing() {
            return existing;
        }

        /** Whether the earlier record has the same exclusive key and not the same idempotency key. */
        public boolean isOccupied() {
            return occupied;
        }
    }
}
