package io.github.commandway.store;

import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandPage;
import io.github.commandway.manager.CommandQuery;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRejectedException;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.CommandStore;
import io.github.commandway.manager.Companion;
import io.github.commandway.manager.IdGenerator;
import io.github.commandway.manager.QueueStore;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.manager.StoreListener;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps records in a {@link Database}: what a future of this store has acknowledged survives the process and the machine.
 *
 * <p>An ended record is kept for the retention time (default 7 days), and not more than {@code maxEnded} of them (default 1,000,000); one with an idempotency key in any case for 24 h
 * from its end. Of the events of one command the latest 10,000, and not more than 1 MiB of them, are kept.
 *
 * <p>Several servers may share a PostgreSQL database. Each holds a lease (default 15 s) while it lives; what a server leaves behind that does not renew its lease, or that was started anew
 * under the same name, is given out by {@link #adopt} to the others.
 *
 * <p>Safe for use by many threads.
 */
public final class SqlCommandStore implements CommandStore {
    /** How long an ended record is kept: 7 days. */
    public static final Duration DEFAULT_RETENTION = Duration.ofDays(7);

    /** How many ended records are kept at most: 1,000,000. */
    public static final long DEFAULT_MAX_ENDED = 1_000_000;

    /** How long an idempotency key is kept at least, from the end of its command: 24 hours. */
    public static final Duration KEY_RETENTION = Duration.ofHours(24);

    /** For how long a server may be silent before others take over what it has: 15 s. */
    public static final Duration DEFAULT_LEASE = Duration.ofSeconds(15);

    private static final Logger LOG = LoggerFactory.getLogger(SqlCommandStore.class);
    private static final int PURGED_AT_ONCE = 500;
    private static final int SECONDS_TO_CLOSE = 10;
    private static final long COUNT_EVERY_NANOS = TimeUnit.MINUTES.toNanos(5);
    private static final String LAST_TASK_NUMBER = "last_task_number";
    private static final String IS_TASK_NUMBER = "id >= 'TASK_' and id < 'TASK`'";
    private static final String TASK_NUMBER = "max(cast(substr(id, 6) as bigint))";

    private final Database database;
    private final Clock clock;
    private final LongSupplier ticker;
    private final Duration retention;
    private final long maxEnded;
    private final Node node;
    private final Statements statements = new Statements();
    private final Counts counts = new Counts();
    private final Signals signals;
    private final Changes changes;
    private final SqlQueueStore queues;
    private final CommandReader reader;
    private final ScheduledExecutorService timer;
    private final boolean ownsTimer;
    private final ScheduledFuture<?> renewing;
    private final AtomicBoolean purging = new AtomicBoolean();
    private volatile long countedAtNanos;
    private @Nullable Listening listening;

    private SqlCommandStore(Builder builder) {
        database = builder.database;
        clock = builder.clock;
        ticker = builder.ticker;
        retention = builder.retention;
        maxEnded = builder.maxEnded;
        ownsTimer = builder.timer == null;
        timer = builder.timer == null ? newTimer() : builder.timer;
        node = new Node(database, builder.name, builder.lease, ticker);
        signals = new Signals(database, node.id(), statements);
        changes = new Changes(database, node.id(), List.copyOf(builder.endHooks), counts, signals, statements);
        queues = new SqlQueueStore(database, node, clock, counts, signals, statements);
        reader = new CommandReader(database, node.id());
        countNow().join();
        long every = builder.lease.toNanos() / 3;
        renewing = timer.scheduleWithFixedDelay(() -> node.renew(signals), 0, every, TimeUnit.NANOSECONDS);
    }

    /** Starts to build a store on a database, which stays the caller's and must be closed after the store. */
    public static Builder builder(Database database) {
        return new Builder(database);
    }

    /** A store with the defaults that {@link Builder} lists. */
    public static SqlCommandStore of(Database database) {
        return builder(database).build();
    }

    private static ScheduledExecutorService newTimer() {
        return Executors.newSingleThreadScheduledExecutor(task -> {
            Thread thread = new Thread(task, "commandway-store-timer");
            thread.setDaemon(true);
            return thread;
        });
    }

    /**
     * Records a new command, in the same transaction as whatever else waits to be written.
     *
     * @param companion a {@link JdbcCompanion} or null
     */
    @Override
    public CompletableFuture<Creation> create(RecordedCommand command, @Nullable Companion companion) {
        if (companion != null && !(companion instanceof JdbcCompanion)) {
            return CompletableFuture.failedFuture(new IllegalArgumentException(
                    "a database takes a JdbcCompanion and no other, such as " + companion));
        }
        CommandRecord record = command.record();
        return database.write(
                        changes,
                        new Changes.Create(
                                command, record.createdAt().toEpochMilli(), record.tag(), (JdbcCompanion) companion),
                        true)
                .thenApply(Changes.Written::creation);
    }

    @Override
    public CompletableFuture<Boolean> update(RecordedCommand command, CommandStatus from) {
        CommandRecord record = command.record();
        boolean isNextAttempt = record.status() == CommandStatus.PENDING && record.sentAt() == null;
        return write(new Changes.Move(record, from, isNextAttempt ? retrying(record) : null));
    }

    private CommandEvent retrying(CommandRecord record) {
        return new CommandEvent(
                record.lastSequence(),
                CommandEvent.Type.RETRYING,
                Instant.ofEpochMilli(clock.millis()),
                null,
                null,
                -1,
                Objects.requireNonNullElse(record.message(), ""));
    }

    @Override
    public CompletableFuture<Boolean> append(RecordedCommand command, CommandEvent event) {
        CommandRecord record = command.record();
        return write(new Changes.Move(record, record.status(), event));
    }

    @Override
    public CompletableFuture<Boolean> assign(RecordedCommand command, String assignee) {
        return database.write(connection -> statements
                        .get(
                                connection,
                                "update cw_command set assigned_to = ? where id = ? and owner = ? and ended_at is null",
                                assignee,
                                command.id().toString(),
                                node.id())
                        .executeUpdate()
                == 1);
    }

    private CompletableFuture<Boolean> write(Changes.Move move) {
        return database.write(changes, move, false).thenApply(Changes.Written::isWritten);
    }

    @Override
    public CompletableFuture<Optional<CommandRecord>> find(RecordId id) {
        return reader.find(id);
    }

    @Override
    public CompletableFuture<CommandPage> list(CommandQuery query) {
        return reader.list(query);
    }

    @Override
    public CompletableFuture<List<CommandEvent>> events(RecordId id, long after, int limit) {
        return reader.events(id, after, limit);
    }

    @Override
    public void purge() {
        if (!purging.compareAndSet(false, true)) {
            return;
        }
        database.write(this::purge).thenCompose(purged -> refreshCounts()).whenComplete((done, error) -> {
            purging.set(false);
            if (error != null) {
                LOG.warn("old records could not be removed: {}", error.getMessage());
            }
        });
    }

    private int purge(Connection connection) throws SQLException {
        long now = clock.millis();
        long surplus = Math.max(0, counts.endedRecords() - maxEnded);
        int purged = purge(connection, "idempotency_key is null", now - retention.toMillis(), PURGED_AT_ONCE);
        long keyRetention = Math.max(retention.toMillis(), KEY_RETENTION.toMillis());
        purged += purge(connection, "idempotency_key is not null", now - keyRetention, PURGED_AT_ONCE);
        if (surplus > purged) {
            int room = (int) Math.min(PURGED_AT_ONCE, surplus - purged);
            int unkeyed = purge(connection, "idempotency_key is null", now, room);
            purged += unkeyed;
            if (unkeyed < room) {
                purged += purge(
                        connection, "idempotency_key is not null", now - KEY_RETENTION.toMillis(), room - unkeyed);
            }
        }
        node.removeDead(connection);
        QueueCounts.ofDeadNodes(connection, statements, node.id()).write(connection, statements, node.id());
        return purged;
    }

    private int purge(Connection connection, String which, long endedUntil, int limit) throws SQLException {
        List<Long> seqs = new ArrayList<>();
        long lastNumber = 0;
        try (ResultSet row = statements
                .get(
                        connection,
                        "select seq, id from cw_command where ended_at is not null and " + which
                                + " and ended_at <= ? order by ended_at limit ?"
                                + database.dialect().skipLocked(),
                        endedUntil,
                        limit)
                .executeQuery()) {
            while (row.next()) {
                seqs.add(row.getLong(1));
                RecordId id = CommandRow.idOf(row.getString(2));
                if (id.form() == RecordId.Form.TASK_NUMBER) {
                    lastNumber = Math.max(lastNumber, id.low());
                }
            }
        }
        if (seqs.isEmpty()) {
            return 0;
        }
        if (lastNumber > 0) {
            statements
                    .get(
                            connection,
                            "insert into cw_number (name, value) values (?, ?) on conflict (name) do update set value ="
                                    + " case when cw_number.value < excluded.value then excluded.value else cw_number.value end",
                            LAST_TASK_NUMBER,
                            lastNumber)
                    .executeUpdate();
        }
        for (String delete :
                new String[] {"delete from cw_event where command = ?", "delete from cw_command where seq = ?"}) {
            PreparedStatement statement = statements.get(connection, delete);
            for (long seq : seqs) {
                statement.setLong(1, seq);
                statement.addBatch();
            }
            statement.executeBatch();
        }
        database.afterCommit(() -> counts.purged(seqs.size()));
        return seqs.size();
    }

    /** What other servers have done is not counted here: so it is looked up now and then. */
    private CompletableFuture<Void> refreshCounts() {
        if (!database.isShared()) {
            return CompletableFuture.completedFuture(null);
        }
        return ticker.getAsLong() - countedAtNanos > COUNT_EVERY_NANOS
                ? countNow()
                : database.read(SqlCommandStore::readWaiting).thenAccept(counts::setWaiting);
    }

    private CompletableFuture<Void> countNow() {
        countedAtNanos = ticker.getAsLong();
        CompletableFuture<Boolean> counted = database.read(connection -> {
            try (PreparedStatement select =
                            connection.prepareStatement("select count(*), count(ended_at) from cw_command");
                    ResultSet row = select.executeQuery()) {
                row.next();
                counts.setRecords(row.getLong(1), row.getLong(2));
            }
            counts.setWaiting(readWaiting(connection));
            return true;
        });
        return counted.thenRun(() -> {});
    }

    private static Map<String, Long> readWaiting(Connection connection) throws SQLException {
        Map<String, Long> waiting = new HashMap<>();
        try (PreparedStatement select =
                        connection.prepareStatement("select queue, sum(waiting) from cw_count group by queue");
                ResultSet row = select.executeQuery()) {
            while (row.next()) {
                waiting.put(row.getString(1), row.getLong(2));
            }
        }
        return waiting;
    }

    @Override
    public long size() {
        return counts.records();
    }

    @Override
    public QueueStore queues() {
        return queues;
    }

    @Override
    public boolean isDurable() {
        return true;
    }

    /** Whether this server could renew its lease, so that the database could be written, in the last of the time that it lasts. */
    @Override
    public boolean isAvailable() {
        return node.isRenewed();
    }

    @Override
    public CompletableFuture<List<CommandRecord>> adopt(int limit) {
        return database.write(connection -> {
            if (!node.holdsLease()) {
                return List.<CommandRecord>of();
            }
            List<CommandRow> rows = new ArrayList<>(orphans(connection, limit));
            List<CommandRow> adopted = new ArrayList<>();
            for (CommandRow row : rows) {
                String queue = CommandRow.queueOf(row.record().request());
                if (queue != null && row.record().sentAt() == null) {
                    putBack(connection, row, queue);
                } else {
                    adopt(connection, row);
                    adopted.add(row);
                }
            }
            if (adopted.size() < limit) {
                for (CommandRow row : expired(connection, limit - adopted.size())) {
                    adopt(connection, row);
                    adopted.add(row);
                    queues.addWaiting(
                            connection,
                            Objects.requireNonNull(
                                    CommandRow.queueOf(row.record().request())),
                            -1);
                }
            }
            signals.send(connection);
            adopted.sort(Comparator.comparingLong(CommandRow::seq));
            return adopted.stream().map(CommandRow::record).toList();
        });
    }

    private List<CommandRow> orphans(Connection connection, int limit) throws SQLException {
        PreparedStatement select = statements.get(
                connection,
                CommandRow.SELECT + "where owner in (select id from cw_node where " + node.isDead()
                        + ") and owner is not null and ended_at is null order by seq limit ?"
                        + database.dialect().skipLocked());
        select.setInt(node.bindIsDead(select, 1), limit);
        return CommandRow.readAll(select, node.id());
    }

    private List<CommandRow> expired(Connection connection, int limit) throws SQLException {
        return CommandRow.readAll(
                statements.get(
                        connection,
                        CommandRow.SELECT + "where waiting > 0 and expires_at <= ? order by expires_at limit ?"
                                + database.dialect().skipLocked(),
                        clock.millis(),
                        limit),
                node.id());
    }

    private void adopt(Connection connection, CommandRow row) throws SQLException {
        statements
                .get(connection, "update cw_command set owner = ?, waiting = 0 where seq = ?", node.id(), row.seq())
                .executeUpdate();
        signals.executing(row.record().id(), row.origin());
    }

    /** One that somebody took out of its queue to end it, and then did not. */
    private void putBack(Connection connection, CommandRow row, String queue) throws SQLException {
        statements
                .get(
                        connection,
                        "update cw_command set owner = null, waiting = ? where seq = ?",
                        row.record().notBefore() == null ? CommandRow.READY : CommandRow.DELAYED,
                        row.seq())
                .executeUpdate();
        queues.addWaiting(connection, queue, 1);
        signals.queueWork(queue);
    }

    @Override
    public CompletableFuture<Boolean> requestCancel(RecordId id) {
        return database.write(connection -> {
            PreparedStatement update = statements.get(
                    connection,
                    "update cw_command set cancel_requested = true where id = ? and ended_at is null and owner <> ? returning owner",
                    id.toString(),
                    node.id());
            long owner = Statements.number(update);
            if (owner != 0) {
                signals.cancel(connection, id, owner);
            }
            return owner != 0;
        });
    }

    @Override
    public void listen(StoreListener listener) {
        if (database.isShared()) {
            listening = new Listening(database, node.id(), signals, listener);
        }
    }

    /**
     * Records a command for a queue in a transaction of the caller's, who commits it: then the command is there, and otherwise it is not. The servers that work on the queue hear of it
     * with the commit in PostgreSQL, and within about a second with SQLite.
     *
     * @param hostConnection to the same database; stays the caller's, and is neither committed nor rolled back here
     * @param request to a queue
     * @return the id of the command, or of the earlier one for the same request with the same idempotency key
     * @throws CommandRejectedException if an earlier command has the same idempotency key for another request, or the same exclusive key
     */
    public RecordId enqueue(Connection hostConnection, CommandRequest request, IdGenerator ids)
            throws SQLException, CommandRejectedException {
        String queue = CommandRow.queueOf(request);
        if (queue == null) {
            throw new IllegalArgumentException(
                    "only a command to a queue can be enqueued, and this one is to " + request.target());
        }
        String prefix = database.dialect().schemaPrefix();
        RecordId id = ids.next();
        boolean inserted;
        try (PreparedStatement insert = hostConnection.prepareStatement(CommandRow.insertInto(prefix))) {
            CommandRow.bind(insert, CommandRow.values(id, request, clock.millis(), 0, 0));
            inserted = insert.executeUpdate() == 1;
        }
        if (!inserted) {
            return earlier(hostConnection, request, id);
        }
        try (PreparedStatement insert =
                hostConnection.prepareStatement("insert into " + prefix + "cw_arrival (queue) values (?)")) {
            insert.setString(1, queue);
            insert.executeUpdate();
        }
        if (database.isShared()) {
            try (PreparedStatement notify = hostConnection.prepareStatement("select pg_notify(?, ?)")) {
                notify.setString(1, Signals.channel(database));
                notify.setString(2, "0 " + queue);
                notify.execute();
            }
        }
        return id;
    }

    private RecordId earlier(Connection hostConnection, CommandRequest request, RecordId id)
            throws SQLException, CommandRejectedException {
        Creation found = Changes.find(hostConnection, database.dialect().schemaPrefix(), request, node.id());
        if (found == null) {
            throw new StoreException("there is a record with the id " + id
                    + " already, or an earlier one is just being removed; try again");
        }
        CommandRecord earlier = found.existing().orElseThrow();
        if (found.isOccupied()) {
            throw new CommandRejectedException(
                    CommandRejectedException.Code.EXCLUSIVE_KEY_TAKEN,
                    "command " + earlier.id() + " has the same exclusive key and has not ended",
                    earlier);
        }
        if (!earlier.request().isSameAs(request)) {
            throw new CommandRejectedException(
                    CommandRejectedException.Code.IDEMPOTENCY_CONFLICT,
                    "the idempotency key was used for another request, command " + earlier.id(),
                    earlier);
        }
        return earlier.id();
    }

    /** The highest number that was ever given to a record with an id such as {@code TASK_000001}, also if that is not kept any more; 0 if none was. */
    public CompletableFuture<Long> lastTaskNumber() {
        return database.read(connection -> {
            try (PreparedStatement kept = connection.prepareStatement(
                            "select " + TASK_NUMBER + " from cw_command where " + IS_TASK_NUMBER);
                    PreparedStatement removed =
                            connection.prepareStatement("select value from cw_number where name = ?")) {
                removed.setString(1, LAST_TASK_NUMBER);
                return Math.max(Statements.number(kept), Statements.number(removed));
            }
        });
    }

    /** Writes what still waits, gives back the lease, and lets go of what this store made itself. The database stays open. */
    @Override
    public void close() {
        renewing.cancel(false);
        if (ownsTimer) {
            timer.shutdownNow();
        }
        if (listening != null) {
            listening.close();
        }
        CompletableFuture<Boolean> left = database.write(connection -> {
            node.leave(connection);
            return true;
        });
        try {
            left.get(SECONDS_TO_CLOSE, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException | CompletionException e) {
            LOG.warn("what waits could not be written before the store was closed: {}", e.getMessage());
        }
    }

    /**
     * Builds a {@link SqlCommandStore}. Defaults: a random name, which no run before had, the system's clocks, a timer thread of its own, a lease of 15 s, 7 days and 1,000,000 ended records. Not safe for
     * use by many threads.
     */
    public static final class Builder {
        private final Database database;
        private final List<EndHook> endHooks = new ArrayList<>();
        private String name = "server-" + UUID.randomUUID();
        private Clock clock = Clock.systemUTC();
        private LongSupplier ticker = System::nanoTime;
        private @Nullable ScheduledExecutorService timer;
        private Duration lease = DEFAULT_LEASE;
        private Duration retention = DEFAULT_RETENTION;
        private long maxEnded = DEFAULT_MAX_ENDED;

        private Builder(Database database) {
            this.database = database;
        }

        /** Sets the name of this server, which no other one that runs at the same time on the same database may have: a server that is started under a name takes over what its earlier run left. */
        public Builder name(String name) {
            this.name = name;
            return this;
        }

        /** Sets the clock that stamps what the store stamps itself, and the source of nanoseconds that its lease is measured with. */
        public Builder time(Clock clock, LongSupplier ticker) {
            this.clock = clock;
            this.ticker = ticker;
            return this;
        }

        /** Sets what renews the lease; it stays the caller's. */
        public Builder timer(ScheduledExecutorService timer) {
            this.timer = timer;
            return this;
        }

        /** Sets for how long this server may be silent before others take over what it has, from 1 s; it is renewed three times as often. */
        public Builder lease(Duration lease) {
            this.lease = lease;
            return this;
        }

        /** Sets how long an ended record is kept, from 0, and how many are at most, from 1. */
        public Builder retention(Duration retention, long maxEnded) {
            this.retention = retention;
            this.maxEnded = maxEnded;
            return this;
        }

        /** Adds what is to be written together with the end of each command. */
        public Builder endHook(EndHook hook) {
            endHooks.add(hook);
            return this;
        }

        /**
         * Enters this server into the database and makes the store.
         *
         * @throws IllegalArgumentException if a value is out of its range
         */
        public SqlCommandStore build() {
            if (lease.compareTo(Duration.ofSeconds(1)) < 0 || retention.isNegative() || maxEnded < 1) {
                throw new IllegalArgumentException("lease " + lease + ", retention " + retention + " and maxEnded "
                        + maxEnded + " must be at least 1 s, 0 and 1");
            }
            return new SqlCommandStore(this);
        }
    }
}
