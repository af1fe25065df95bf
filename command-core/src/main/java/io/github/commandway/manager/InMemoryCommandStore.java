package io.github.commandway.manager;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Keeps records in memory: as safe as the process is. The rows are the manager's own commands, so a change needs no writing.
 *
 * <p>An ended record is kept for the retention time (default 30 min), one with an idempotency key for at least 24 h; but not more than
 * {@code maxEnded} of either kind (default 100,000), nor more than {@code maxEndedBytes} of payloads, results and output of either kind (default
 * 256 MiB). When that is reached, the oldest without a key make room, while new commands with a key are refused, since a key must not be
 * forgotten early.
 */
public final class InMemoryCommandStore implements CommandStore {
    /** How long an ended record is kept: 30 minutes. */
    public static final Duration DEFAULT_RETENTION = Duration.ofMinutes(30);

    /** How long an idempotency key is kept at least, from the end of its command: 24 hours. */
    public static final Duration KEY_RETENTION = Duration.ofHours(24);

    /** How many ended records are kept at most: 100,000, and as many again with an idempotency key. */
    public static final int DEFAULT_MAX_ENDED = 100_000;

    /** How many bytes the ended records hold at most: 256 MiB, and as many again with an idempotency key. */
    public static final long DEFAULT_MAX_ENDED_BYTES = 256L << 20;

    private static final int STRIPES = 16;
    private static final CompletableFuture<Creation> CREATED = CompletableFuture.completedFuture(Creation.created());
    private static final CompletableFuture<Boolean> WRITTEN = CompletableFuture.completedFuture(true);
    private static final Comparator<LiveCommand> OLDEST_FIRST =
            Comparator.comparingLong((LiveCommand row) -> row.createdAtMillis).thenComparing(row -> row.id);

    private final Clock clock;
    private final long retentionMillis;
    private final long keyRetentionMillis;
    private final int maxEnded;
    private final long maxEndedBytes;
    private final List<RowTable> stripes = new ArrayList<>(STRIPES);
    private final Map<Key, LiveCommand> keyed = new ConcurrentHashMap<>();
    private final Map<String, LiveCommand> exclusive = new ConcurrentHashMap<>();
    private final InMemoryQueueStore queues;

    /** What the logs of open commands hold; when it is too much, each may hold less. */
    private final AtomicLong openLogBytes = new AtomicLong();

    /** Guards the two fields below. */
    private final Object endedLock = new Object();

    private final Ended ended = new Ended();
    private final Ended endedKeyed = new Ended();

    /** A store with the default bounds. */
    public InMemoryCommandStore(Clock clock) {
        this(clock, DEFAULT_RETENTION, DEFAULT_MAX_ENDED, DEFAULT_MAX_ENDED_BYTES);
    }

    /**
     * @param retention how long an ended record is kept
     * @param maxEnded how many ended records are kept at most, from 1
     * @param maxEndedBytes how many bytes they hold at most, from 1
     */
    public InMemoryCommandStore(Clock clock, Duration retention, int maxEnded, long maxEndedBytes) {
        if (retention.isNegative() || maxEnded < 1 || maxEndedBytes < 1) {
            throw new IllegalArgumentException("retention " + retention + ", maxEnded " + maxEnded
                    + " and maxEndedBytes " + maxEndedBytes + " must not be negative, and the two bounds at least 1");
        }
        this.clock = clock;
        this.retentionMillis = retention.toMillis();
        this.keyRetentionMillis = Math.max(retentionMillis, KEY_RETENTION.toMillis());
        this.maxEnded = maxEnded;
        this.maxEndedBytes = maxEndedBytes;
        this.queues = new InMemoryQueueStore(clock, this);
        for (int i = 0; i < STRIPES; i++) {
            stripes.add(new RowTable());
        }
    }

    @Override
    public CompletableFuture<Creation> create(RecordedCommand command, @Nullable Companion companion) {
        if (companion != null) {
            return CompletableFuture.failedFuture(
                    new IllegalArgumentException("a store in memory has no transactions that a companion could join"));
        }
        LiveCommand row = (LiveCommand) command;
        String exclusiveKey = row.request.exclusiveKey();
        CompletableFuture<Creation> created =
                exclusiveKey == null ? createWithItsKey(row) : createUnlessOccupied(row, exclusiveKey);
        if (created == CREATED && row.request.target() instanceof Target.Queue) {
            queues.add(row);
        }
        return created;
    }

    private CompletableFuture<Creation> createUnlessOccupied(LiveCommand row, String exclusiveKey) {
        LiveCommand holder = exclusive.putIfAbsent(exclusiveKey, row);
        if (holder != null) {
            Key key = Key.of(row);
            LiveCommand repeated = key == null ? null : key.equals(Key.of(holder)) ? holder : keyed.get(key);
            return CompletableFuture.completedFuture(
                    repeated == null ? Creation.occupied(holder.record()) : Creation.existing(repeated.record()));
        }
        CompletableFuture<Creation> created = createWithItsKey(row);
        if (created != CREATED) {
            exclusive.remove(exclusiveKey, row);
        }
        return created;
    }

    private CompletableFuture<Creation> createWithItsKey(LiveCommand row) {
        Key key = Key.of(row);
        return key == null ? createUnlessPresent(row) : createUnlessKeyPresent(row, key);
    }

    private CompletableFuture<Creation> createUnlessPresent(LiveCommand row) {
        return insert(row) ? CREATED : idMadeTwice(row);
    }

    private CompletableFuture<Creation> createUnlessKeyPresent(LiveCommand row, Key key) {
        LiveCommand holder = keyed.get(key);
        if (holder == null) {
            if (isFullOfKeys()) {
                return CompletableFuture.failedFuture(
                        new IllegalStateException(
                                "idempotency keys of the last 24 hours fill the memory that is set aside for them; use a durable store"));
            }
            // the row goes in while the key is held: nobody is shown a record that is then not kept
            holder = keyed.computeIfAbsent(key, absent -> insert(row) ? row : null);
            if (holder == null) {
                return idMadeTwice(row);
            }
        }
        return holder == row ? CREATED : CompletableFuture.completedFuture(Creation.existing(holder.record()));
    }

    private boolean isFullOfKeys() {
        if (keyed.size() >= maxEnded) {
            return true;
        }
        synchronized (endedLock) {
            return endedKeyed.bytes >= maxEndedBytes;
        }
    }

    private boolean insert(LiveCommand row) {
        RowTable stripe = stripeOf(row.idHash);
        synchronized (stripe) {
            return stripe.add(row);
        }
    }

    private static CompletableFuture<Creation> idMadeTwice(LiveCommand row) {
        return CompletableFuture.failedFuture(new IllegalStateException("the id generator made " + row.id + " twice"));
    }

    @Override
    public CompletableFuture<Boolean> update(RecordedCommand command, CommandStatus from) {
        LiveCommand row = (LiveCommand) command;
        boolean inQueue = row.request.target() instanceof Target.Queue;
        EventLog log = row.log;
        if (log != null) {
            openLogBytes.addAndGet(log.add(lastTransition(row, from), EventLog.MAX_BYTES));
        }
        if (inQueue && row.status == CommandStatus.PENDING && !row.owned) {
            queues.addAgain(row);
        }
        if (row.status.isTerminal()) {
            if (inQueue) {
                queues.end(row);
            }
            if (row.request.exclusiveKey() != null) {
                exclusive.remove(row.request.exclusiveKey(), row);
            }
            if (log != null) {
                openLogBytes.addAndGet(-log.bytes());
            }
            synchronized (endedLock) {
                if (row.request.idempotencyKey() == null) {
                    ended.add(row);
                    shrink();
                } else {
                    endedKeyed.add(row);
                }
            }
        }
        return WRITTEN;
    }

    private CommandEvent lastTransition(LiveCommand row, CommandStatus from) {
        if (row.status.isTerminal()) {
            return EventLog.terminal(row, row.lastSequence);
        }
        if (row.status == CommandStatus.PENDING && row.sentAtMillis == 0) {
            return EventLog.retrying(row, clock.millis());
        }
        boolean started = row.status != from;
        return CommandEvent.of(
                row.lastSequence,
                started ? CommandEvent.Type.EXECUTING : CommandEvent.Type.SENT,
                Instant.ofEpochMilli(started ? row.startedAtMillis : row.sentAtMillis),
                "");
    }

    @Override
    public CompletableFuture<Boolean> append(RecordedCommand command, CommandEvent event) {
        LiveCommand row = (LiveCommand) command;
        EventLog log = row.log;
        if (log == null) {
            log = EventLog.ofBareLife(row);
            row.log = log;
            openLogBytes.addAndGet(log.bytes());
        }
        boolean plenty = openLogBytes.get() < maxEndedBytes;
        openLogBytes.addAndGet(log.add(event, plenty ? EventLog.MAX_BYTES : EventLog.SCARCE_BYTES));
        return WRITTEN;
    }

    @Override
    public CompletableFuture<Optional<CommandRecord>> find(RecordId id) {
        return CompletableFuture.completedFuture(Optional.ofNullable(row(id)).map(LiveCommand::record));
    }

    @Override
    public CompletableFuture<CommandPage> list(CommandQuery query) {
        Cursor before;
        try {
            before = Cursor.parse(query.cursor());
        } catch (IllegalArgumentException e) {
            return CompletableFuture.failedFuture(e);
        }
        PriorityQueue<LiveCommand> newest = new PriorityQueue<>(query.limit() + 1, OLDEST_FIRST);
        for (RowTable stripe : stripes) {
            synchronized (stripe) {
                stripe.forEach(row -> {
                    if (matches(row, query) && before.isAfter(row)) {
                        newest.add(row);
                        if (newest.size() > query.limit() + 1) {
                            newest.poll();
                        }
                    }
                });
            }
        }
        boolean more = newest.size() > query.limit();
        if (more) {
            newest.poll();
        }
        List<LiveCommand> rows = new ArrayList<>(newest);
        rows.sort(OLDEST_FIRST.reversed());
        String next = more ? Cursor.of(rows.get(rows.size() - 1)).toString() : null;
        return CompletableFuture.completedFuture(
                new CommandPage(rows.stream().map(LiveCommand::record).toList(), next));
    }

    private static boolean matches(LiveCommand row, CommandQuery query) {
        CommandStatus status = query.status();
        Target target = query.target();
        Instant from = query.from();
        Instant until = query.until();
        // reading the status without the row's lock may see an old one, which is as true as a list can be
        return (status == null || row.status == status)
                && (target == null || row.request.target().equals(target))
                && (query.type() == null || row.request.type().equals(query.type()))
                && (query.principal() == null || query.principal().equals(row.request.principal()))
                && (!query.toolsOnly() || CommandQuery.isRunOfTool(row.request.type()))
                && (from == null || row.createdAtMillis >= from.toEpochMilli())
                && (until == null || row.createdAtMillis < until.toEpochMilli())
                && query.scope().includes(row.request);
    }

    @Override
    public CompletableFuture<List<CommandEvent>> events(RecordId id, long after, int limit) {
        LiveCommand row = row(id);
        if (row == null) {
            return CompletableFuture.completedFuture(List.of());
        }
        synchronized (row) {
            EventLog log = row.log == null ? EventLog.ofBareLife(row) : row.log;
            return CompletableFuture.completedFuture(log.read(after, limit));
        }
    }

    @Override
    public void purge() {
        long now = clock.millis();
        synchronized (endedLock) {
            while (ended.isOldestFrom(now - retentionMillis)) {
                remove(ended.takeOldest());
            }
            while (endedKeyed.isOldestFrom(now - keyRetentionMillis)) {
                removeKeyed(endedKeyed.takeOldest());
            }
        }
    }

    /** Called with {@link #endedLock} held. */
    private void shrink() {
        while (ended.size > maxEnded || ended.bytes > maxEndedBytes) {
            remove(ended.takeOldest());
        }
    }

    private void removeKeyed(LiveCommand row) {
        remove(row);
        Key key = Key.of(row);
        if (key != null) {
            keyed.remove(key, row);
        }
    }

    /** Of a row without a key; most of what it refers to has left the caches, so nothing of that is looked at. */
    private void remove(LiveCommand row) {
        RowTable stripe = stripeOf(row.idHash);
        synchronized (stripe) {
            stripe.remove(row);
        }
    }

    @Override
    public QueueStore queues() {
        return queues;
    }

    @Override
    public boolean isDurable() {
        return false;
    }

    /** Nothing is ever left behind: who made a record looks after it for as long as there is memory. */
    @Override
    public CompletableFuture<List<CommandRecord>> adopt(int limit) {
        return CompletableFuture.completedFuture(List.of());
    }

    @Override
    public CompletableFuture<Boolean> assign(RecordedCommand command, String assignee) {
        return WRITTEN;
    }

    @Override
    public CompletableFuture<Boolean> requestCancel(RecordId id) {
        return CompletableFuture.completedFuture(false);
    }

    @Override
    public void listen(StoreListener listener) {}

    /** Writes the hand-over of a claimed command, and whether it has begun. */
    CommandRecord handOver(LiveCommand row, boolean begun) {
        synchronized (row) {
            long now = clock.millis();
            RetryPolicy retry = row.request.retry();
            if (row.log == null && retry != null && retry.maxAttempts() > 1) {
                // the times in the row tell of one attempt only
                row.log = EventLog.ofBareLife(row);
                openLogBytes.addAndGet(row.log.bytes());
            }
            row.sentAtMillis = now;
            row.lastSequence++;
            update(row, CommandStatus.PENDING);
            if (begun) {
                row.status = CommandStatus.EXECUTING;
                row.startedAtMillis = now;
                row.lastSequence++;
                update(row, CommandStatus.PENDING);
            }
            return row.record();
        }
    }

    @Override
    public long size() {
        long size = 0;
        for (RowTable stripe : stripes) {
            synchronized (stripe) {
                size += stripe.size();
            }
        }
        return size;
    }

    @Override
    public void close() {}

    @Nullable LiveCommand row(RecordId id) {
        RowTable stripe = stripeOf(id.hashCode());
        synchronized (stripe) {
            return stripe.get(id);
        }
    }

    private RowTable stripeOf(int idHash) {
        // the upper bits: the lower ones choose the slot within the stripe
        return stripes.get(idHash >>> 28);
    }

    private record Key(@Nullable String principal, String key) {
        static @Nullable Key of(LiveCommand row) {
            String key = row.request.idempotencyKey();
            return key == null ? null : new Key(row.request.principal(), key);
        }
    }

    /** Ended rows in the order of their ends, linked through the rows. */
    private static final class Ended {
        private @Nullable LiveCommand oldest;
        private @Nullable LiveCommand newest;
        int size;
        long bytes;

        void add(LiveCommand row) {
            row.endedBytes(row.bytes());
            if (newest == null) {
                oldest = row;
            } else {
                newest.next = row;
            }
            newest = row;
            size++;
            bytes += row.endedBytes();
        }

        boolean isOldestFrom(long millis) {
            return oldest != null && oldest.endedAtMillis <= millis;
        }

        /** There must be one. */
        LiveCommand takeOldest() {
            LiveCommand row = Objects.requireNonNull(oldest);
            oldest = row.next;
            if (oldest == null) {
                newest = null;
            }
            row.next = null;
            size--;
            bytes -= row.endedBytes();
            return row;
        }
    }

    /** The place of a row in the list: those created before it come after it. */
    private record Cursor(long createdAtMillis, @Nullable RecordId id) {
        static Cursor of(LiveCommand row) {
            return new Cursor(row.createdAtMillis, row.id);
        }

        static Cursor parse(@Nullable String text) {
            if (text == null) {
                return new Cursor(Long.MAX_VALUE, null);
            }
            int dot = text.indexOf('.');
            Optional<RecordId> id = RecordId.parse(text.substring(dot + 1));
            if (dot < 1 || dot > 18 || id.isEmpty() || !text.chars().limit(dot).allMatch(c -> c >= '0' && c <= '9')) {
                throw new IllegalArgumentException(
                        "'" + text + "' is not a cursor; use the next_cursor of the page before");
            }
            return new Cursor(Long.parseLong(text, 0, dot, 10), id.get());
        }

        boolean isAfter(LiveCommand row) {
            if (row.createdAtMillis != createdAtMillis) {
                return row.createdAtMillis < createdAtMillis;
            }
            return id == null || row.id.compareTo(id) < 0;
        }

        @Override
        public String toString() {
            return createdAtMillis + "." + id;
        }
    }
}
