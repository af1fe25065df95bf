package io.github.commandway.manager;

import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * The part of a store that gives out commands that wait in queues. A command to a queue belongs to nobody from its creation until it is claimed
 * or taken; from then on it belongs to the server that did, and only that server's updates count, until it ends or is to be tried again.
 *
 * <p>A queue gives out those with the higher priority first, and of the same priority the earlier accepted first; of those with the same order key
 * none before the one accepted before it has ended. One that may not begin yet ({@link CommandRecord#notBefore}) is passed over, but holds up those behind it with the same order key.
 * As in {@link CommandStore}, nothing blocks, and nothing of the manager is called.
 */
public interface QueueStore {
    /**
     * Takes commands out of a queue to have them executed here, and records their hand-over as {@link CommandStore#update} does.
     *
     * @param limit how many at most, from 1
     * @param concurrency of this queue not more than this many are handed over and open at a time, over all servers that share it; from 1
     * @param begun whether they count as begun, too: {@link CommandStatus#EXECUTING} instead of {@link CommandStatus#PENDING}
     * @param types only commands of these types; the others stay where they are. Null for all
     * @return completes when that is as safe as this store makes it
     */
    CompletableFuture<Claims> claim(
            String queue, int limit, int concurrency, boolean begun, @Nullable Set<String> types);

    /**
     * Takes one waiting command out of its queue, to end it without a hand-over. It changes nothing else in the record.
     *
     * @return the record, which belongs to this server now; empty if the command does not wait any more
     */
    CompletableFuture<Optional<CommandRecord>> take(RecordId id);

    /** From now on (or no longer) keeps back what waits in the queue, on all servers that share it and also after a restart. */
    CompletableFuture<Void> pause(String queue, boolean paused);

    /** What is in the queue; one that never held a command is empty. */
    CompletableFuture<QueueState> state(String queue);

    /** How many commands wait in the queue, as far as is known here without a look: may differ from {@link #state} for a second by what other servers do. */
    long waiting(String queue);

    /** The place of a waiting command in its queue, from 1 for the one that is next if all may begin; looked at up to 100,000. Empty if it does not wait. */
    CompletableFuture<OptionalLong> position(RecordId id);

    /**
     * What a claim got.
     *
     * @param records in the order in which they are to be begun
     * @param nextDue when the first of those that may not begin yet may; null if there is none
     */
    record Claims(List<CommandRecord> records, @Nullable Instant nextDue) {}
}
