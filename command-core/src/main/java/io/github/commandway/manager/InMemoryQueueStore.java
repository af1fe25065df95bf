package io.github.commandway.manager;

import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * What waits in queues in memory. Guarded by this object's lock, which is taken after that of a command and never the other way round: so a claimed
 * command is first taken out here and written after that.
 */
final class InMemoryQueueStore implements QueueStore {
    private static final int MAX_RUNNING_IDS = 100;
    private static final int MAX_POSITION = 100_000;
    private static final CompletableFuture<Void> DONE = CompletableFuture.completedFuture(null);
    private static final Comparator<LiveCommand> NEXT_FIRST = Comparator.comparingInt(
                    (LiveCommand row) -> -row.request.priority())
            .thenComparingLong(LiveCommand::order);
    private static final Comparator<LiveCommand> DUE_FIRST =
            Comparator.comparingLong(LiveCommand::notBeforeMillis).thenComparingLong(LiveCommand::order);

    private final Clock clock;
    private final InMemoryCommandStore rows;
    private final Map<String, Lane> lanes = new HashMap<>();

    InMemoryQueueStore(Clock clock, InMemoryCommandStore rows) {
        this.clock = clock;
        this.rows = rows;
    }

    private static String queueOf(LiveCommand row) {
        return ((Target.Queue) row.request.target()).name();
    }

    private Lane lane(String queue) {
        return lanes.computeIfAbsent(queue, name -> new Lane());
    }

    synchronized void add(LiveCommand row) {
        Lane lane = lane(queueOf(row));
        lane.accepted++;
        lane.add(row);
    }

    /** For its next attempt. */
    synchronized void addAgain(LiveCommand row) {
        Lane lane = lane(queueOf(row));
        lane.running.remove(row);
        lane.add(row);
    }

    synchronized void end(LiveCommand row) {
        Lane lane = lane(queueOf(row));
        lane.running.remove(row);
        lane.leaveKey(row);
        if (row.status == CommandStatus.COMPLETED) {
            lane.completed++;
        } else {
            lane.failed++;
        }
    }

    @Override
    public CompletableFuture<Claims> claim(
            String queue, int limit, int concurrency, boolean begun, @Nullable Set<String> types) {
        List<LiveCommand> claimed;
        Instant nextDue;
        synchronized (this) {
            Lane lane = lane(queue);
            claimed = lane.claim(Math.min(limit, concurrency - lane.running.size()), types, clock.millis());
            nextDue = lane.nextDue();
        }
        List<CommandRecord> records = new ArrayList<>(claimed.size());
        claimed.forEach(row -> records.add(rows.handOver(row, begun)));
        return CompletableFuture.completedFuture(new Claims(records, nextDue));
    }

    @Override
    public CompletableFuture<Optional<CommandRecord>> take(RecordId id) {
        LiveCommand row = rows.row(id);
        if (row == null || !(row.request.target() instanceof Target.Queue)) {
            return CompletableFuture.completedFuture(Optional.empty());
        }
        synchronized (this) {
            if (!lane(queueOf(row)).remove(row)) {
                return CompletableFuture.completedFuture(Optional.empty());
            }
            row.owned = true;
        }
        return CompletableFuture.completedFuture(Optional.of(row.record()));
    }

    @Override
    public synchronized CompletableFuture<Void> pause(String queue, boolean paused) {
        lane(queue).paused = paused;
        return DONE;
    }

    @Override
    public synchronized CompletableFuture<QueueState> state(String queue) {
        Lane lane = lane(queue);
        return CompletableFuture.completedFuture(new QueueState(
                queue,
                lane.paused,
                lane.size(),
                lane.running.size(),
                lane.accepted,
                lane.completed,
                lane.failed,
                lane.running.stream()
                        .limit(MAX_RUNNING_IDS)
                        .map(LiveCommand::id)
                        .toList()));
    }

    @Override
    public synchronized long waiting(String queue) {
        Lane lane = lanes.get(queue);
        return lane == null ? 0 : lane.size();
    }

    @Override
    public CompletableFuture<OptionalLong> position(RecordId id) {
        LiveCommand row = rows.row(id);
        if (row == null || !(row.request.target() instanceof Target.Queue)) {
            return CompletableFuture.completedFuture(OptionalLong.empty());
        }
        synchronized (this) {
            return CompletableFuture.completedFuture(lane(queueOf(row)).position(row));
        }
    }

    /** One queue. */
    private static final class Lane {
        private final NavigableSet<LiveCommand> ready = new TreeSet<>(NEXT_FIRST);
        private final NavigableSet<LiveCommand> delayed = new TreeSet<>(DUE_FIRST);

        /** Of each order key those that have not ended, the earliest first. */
        private final Map<String, NavigableSet<LiveCommand>> keys = new HashMap<>();

        final Set<LiveCommand> running = new LinkedHashSet<>();
        boolean paused;
        long accepted;
        long completed;
        long failed;

        int size() {
            return ready.size() + delayed.size();
        }

        void add(LiveCommand row) {
            if (row.notBeforeMillis() == 0) {
                ready.add(row);
            } else {
                delayed.add(row);
            }
            String key = row.request.orderKey();
            if (key != null) {
                keys.computeIfAbsent(key, none -> new TreeSet<>(Comparator.comparingLong(LiveCommand::order)))
                        .add(row);
            }
        }

        List<LiveCommand> claim(int limit, @Nullable Set<String> types, long nowMillis) {
            List<LiveCommand> claimed = new ArrayList<>();
            if (paused) {
                return claimed;
            }
            while (!delayed.isEmpty() && delayed.first().notBeforeMillis() <= nowMillis) {
                ready.add(delayed.pollFirst());
            }
            Iterator<LiveCommand> next = ready.iterator();
            while (claimed.size() < limit && next.hasNext()) {
                LiveCommand row = next.next();
                if ((types == null || types.contains(row.request.type())) && isItsTurn(row)) {
                    next.remove();
                    row.owned = true;
                    running.add(row);
                    claimed.add(row);
                }
            }
            return claimed;
        }

        private boolean isItsTurn(LiveCommand row) {
            String key = row.request.orderKey();
            NavigableSet<LiveCommand> sameKey = key == null ? null : keys.get(key);
            return sameKey == null || (sameKey.first() == row && !running.contains(row));
        }

        boolean remove(LiveCommand row) {
            return ready.remove(row) || delayed.remove(row);
        }

        void leaveKey(LiveCommand row) {
            String key = row.request.orderKey();
            NavigableSet<LiveCommand> sameKey = key == null ? null : keys.get(key);
            if (key != null && sameKey != null && sameKey.remove(row) && sameKey.isEmpty()) {
                keys.remove(key);
            }
        }

        @Nullable Instant nextDue() {
            return paused || delayed.isEmpty()
                    ? null
                    : Instant.ofEpochMilli(delayed.first().notBeforeMillis());
        }

        OptionalLong position(LiveCommand row) {
            if (!ready.contains(row) && !delayed.contains(row)) {
                return OptionalLong.empty();
            }
            long ahead = ready.stream()
                    .limit(MAX_POSITION)
                    .filter(other -> NEXT_FIRST.compare(other, row) < 0)
                    .count();
            ahead += delayed.stream()
                    .limit(MAX_POSITION)
                    .filter(other -> NEXT_FIRST.compare(other, row) < 0)
                    .count();
            return OptionalLong.of(ahead + 1);
        }
    }
}
