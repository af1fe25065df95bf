package io.github.commandway.store;

import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.QueueState;
import io.github.commandway.manager.QueueStore;
import io.github.commandway.manager.RecordId;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** What waits in the queues of a database. */
final class SqlQueueStore implements QueueStore {
    private static final int MAX_RUNNING_IDS = 100;
    private static final int MAX_POSITION = 100_000;
    private static final String SELECT = "select " + CommandRow.COLUMNS + " from cw_command c ";

    private final Database database;
    private final Node node;
    private final Clock clock;
    private final Counts counts;
    private final Signals signals;
    private final Statements statements;

    SqlQueueStore(Database database, Node node, Clock clock, Counts counts, Signals signals, Statements statements) {
        this.database = database;
        this.node = node;
        this.clock = clock;
        this.counts = counts;
        this.signals = signals;
        this.statements = statements;
    }

    @Override
    public CompletableFuture<Claims> claim(String queue, int limit, int concurrency, boolean begun) {
        return database.write(connection -> claim(connection, queue, limit, concurrency, begun));
    }

    private Claims claim(Connection connection, String queue, int limit, int concurrency, boolean begun)
            throws SQLException {
        // another server may have taken over what is ours, and does not count it as running any more
        if (!node.holdsLease() || isPausedOrLocks(connection, queue)) {
            return new Claims(List.of(), null);
        }
        long now = clock.millis();
        countArrivals(connection, queue);
        statements
                .get(
                        connection,
                        "update cw_command set waiting = " + CommandRow.READY + " where queue = ? and waiting = "
                                + CommandRow.DELAYED + " and not_before <= ?",
                        queue,
                        now)
                .executeUpdate();
        long running = Statements.number(statements.get(
                connection,
                "select count(*) from cw_command where queue = ? and queue is not null and sent_at is not null and ended_at is null",
                queue));
        int room = (int) Math.min(limit, concurrency - running);
        List<CommandRecord> claimed = room < 1 ? List.of() : handOver(connection, next(connection, queue, room), begun);
        if (!claimed.isEmpty()) {
            addWaiting(connection, queue, -claimed.size());
            signals.send(connection);
        }
        return new Claims(claimed, nextDue(connection, queue));
    }

    /** Locks the row of the queue, so that one server at a time counts and takes. */
    private boolean isPausedOrLocks(Connection connection, String queue) throws SQLException {
        while (true) {
            PreparedStatement select = statements.get(
                    connection,
                    "select paused from cw_queue where name = ?"
                            + database.dialect().forUpdate(),
                    queue);
            try (ResultSet row = select.executeQuery()) {
                if (row.next()) {
                    return row.getBoolean(1);
                }
            }
            statements
                    .get(connection, "insert into cw_queue (name) values (?) on conflict do nothing", queue)
                    .executeUpdate();
        }
    }

    private void countArrivals(Connection connection, String queue) throws SQLException {
        int arrived = statements
                .get(connection, "delete from cw_arrival where queue = ?", queue)
                .executeUpdate();
        if (arrived > 0) {
            statements
                    .get(
                            connection,
                            "update cw_queue set accepted = accepted + ?, waiting = waiting + ? where name = ?",
                            (long) arrived,
                            (long) arrived,
                            queue)
                    .executeUpdate();
            database.afterCommit(() -> {
                counts.waiting(queue, arrived);
                counts.created(arrived);
            });
        }
    }

    private List<CommandRow> next(Connection connection, String queue, int limit) throws SQLException {
        return CommandRow.readAll(
                statements.get(
                        connection,
                        SELECT + "where queue = ? and waiting = " + CommandRow.READY
                                + " and (order_key is null or not exists (select 1 from cw_command e where e.queue = c.queue and"
                                + " e.order_key = c.order_key and e.order_key is not null and e.ended_at is null and e.seq < c.seq))"
                                + " order by priority desc, seq limit ?"
                                + database.dialect().skipLocked(),
                        queue,
                        limit),
                node.id());
    }

    private List<CommandRecord> handOver(Connection connection, List<CommandRow> rows, boolean begun)
            throws SQLException {
        Instant now = Instant.ofEpochMilli(clock.millis());
        List<CommandRecord> records = new ArrayList<>(rows.size());
        PreparedStatement update = statements.get(
                connection,
                "update cw_command set owner = ?, waiting = 0, status = ?, sent_at = ?, sent_sequence = ?, started_at = ?,"
                        + " started_sequence = ?, last_sequence = ? where seq = ?");
        for (CommandRow row : rows) {
            CommandRecord record = row.record();
            long sequence = record.lastSequence() + 1;
            CommandStatus status = begun ? CommandStatus.EXECUTING : CommandStatus.PENDING;
            long last = begun ? sequence + 1 : sequence;
            update.setLong(1, node.id());
            update.setString(2, status.code());
            update.setLong(3, now.toEpochMilli());
            update.setLong(4, sequence);
            CommandRow.setMillis(update, 5, begun ? now : null);
            update.setLong(6, begun ? last : 0);
            update.setLong(7, last);
            update.setLong(8, row.seq());
            update.addBatch();
            records.add(new CommandRecord(
                    record.id(),
                    record.request(),
                    status,
                    null,
                    record.message(),
                    null,
                    record.attempt(),
                    record.createdAt(),
                    now,
                    begun ? now : null,
                    null,
                    record.cancelRequested(),
                    last,
                    record.tag(),
                    record.notBefore()));
            signals.executing(record.id(), row.origin());
        }
        update.executeBatch();
        return records;
    }

    private @Nullable Instant nextDue(Connection connection, String queue) throws SQLException {
        PreparedStatement select = statements.get(
                connection,
                "select not_before from cw_command where queue = ? and waiting = " + CommandRow.DELAYED
                        + " order by not_before limit 1",
                queue);
        try (ResultSet row = select.executeQuery()) {
            return row.next() ? Instant.ofEpochMilli(row.getLong(1)) : null;
        }
    }

    void addWaiting(Connection connection, String queue, long more) throws SQLException {
        statements
                .get(connection, "update cw_queue set waiting = waiting + ? where name = ?", more, queue)
                .executeUpdate();
        database.afterCommit(() -> counts.waiting(queue, more));
    }

    @Override
    public CompletableFuture<Optional<CommandRecord>> take(RecordId id) {
        return database.write(connection -> {
            List<CommandRow> taken = CommandRow.readAll(
                    statements.get(
                            connection,
                            "update cw_command set owner = ?, waiting = 0 where id = ? and waiting > 0 returning "
                                    + CommandRow.COLUMNS,
                            node.id(),
                            id.toString()),
                    node.id());
            if (taken.isEmpty()) {
                return Optional.<CommandRecord>empty();
            }
            CommandRow row = taken.get(0);
            signals.executing(id, row.origin());
            signals.clear();
            addWaiting(connection, queueOf(row), -1);
            return Optional.of(row.record());
        });
    }

    private static String queueOf(CommandRow row) {
        String queue = CommandRow.queueOf(row.record().request());
        if (queue == null) {
            throw new StoreException("command " + row.record().id() + " waits and is not for a queue");
        }
        return queue;
    }

    @Override
    public CompletableFuture<Void> pause(String queue, boolean paused) {
        CompletableFuture<Boolean> written = database.write(connection -> {
            PreparedStatement upsert = statements.get(
                    connection,
                    "insert into cw_queue (name, paused) values (?, ?) on conflict (name) do update set paused = excluded.paused");
            upsert.setString(1, queue);
            upsert.setBoolean(2, paused);
            upsert.executeUpdate();
            if (!paused) {
                signals.queueWork(queue);
                signals.send(connection);
            }
            return true;
        });
        return written.thenRun(() -> {});
    }

    @Override
    public CompletableFuture<QueueState> state(String queue) {
        return database.read(connection -> {
            long running = number(
                    connection,
                    "select count(*) from cw_command where queue = ? and queue is not null and sent_at is not null and ended_at is null",
                    queue);
            long arrived = number(connection, "select count(*) from cw_arrival where queue = ?", queue);
            List<RecordId> ids = runningIds(connection, queue);
            try (PreparedStatement select = connection.prepareStatement(
                    "select paused, waiting, accepted, completed, failed from cw_queue where name = ?")) {
                select.setString(1, queue);
                try (ResultSet row = select.executeQuery()) {
                    return row.next()
                            ? new QueueState(
                                    queue,
                                    row.getBoolean(1),
                                    row.getLong(2) + arrived,
                                    running,
                                    row.getLong(3) + arrived,
                                    row.getLong(4),
                                    row.getLong(5),
                                    ids)
                            : new QueueState(queue, false, arrived, running, arrived, 0, 0, ids);
                }
            }
        });
    }

    private static List<RecordId> runningIds(Connection connection, String queue) throws SQLException {
        try (PreparedStatement select = connection.prepareStatement(
                "select id from cw_command where queue = ? and queue is not null and sent_at is not null and ended_at is null"
                        + " order by sent_at, seq limit " + MAX_RUNNING_IDS)) {
            select.setString(1, queue);
            List<RecordId> ids = new ArrayList<>();
            try (ResultSet row = select.executeQuery()) {
                while (row.next()) {
                    ids.add(CommandRow.idOf(row.getString(1)));
                }
            }
            return ids;
        }
    }

    @Override
    public long waiting(String queue) {
        return counts.waiting(queue);
    }

    @Override
    public CompletableFuture<OptionalLong> position(RecordId id) {
        return database.read(connection -> {
            try (PreparedStatement select = connection.prepareStatement(SELECT + "where id = ? and waiting > 0")) {
                select.setString(1, id.toString());
                List<CommandRow> found = CommandRow.readAll(select, node.id());
                return found.isEmpty() ? OptionalLong.empty() : OptionalLong.of(1 + ahead(connection, found.get(0)));
            }
        });
    }

    private static long ahead(Connection connection, CommandRow row) throws SQLException {
        int priority = row.record().request().priority();
        long ahead = 0;
        for (int waiting : new int[] {CommandRow.READY, CommandRow.DELAYED}) {
            ahead += number(
                    connection,
                    "select count(*) from (select 1 from cw_command where queue = ? and waiting = " + waiting
                            + " and priority >= ? and (priority > ? or seq < ?) limit " + MAX_POSITION + ") counted",
                    queueOf(row),
                    priority,
                    priority,
                    row.seq());
        }
        return Math.min(ahead, MAX_POSITION - 1);
    }

    private static long number(Connection connection, String sql, Object... parameters) throws SQLException {
        try (PreparedStatement select = connection.prepareStatement(sql)) {
            for (int i = 0; i < parameters.length; i++) {
                select.setObject(i + 1, parameters[i]);
            }
            return Statements.number(select);
        }
    }
}
