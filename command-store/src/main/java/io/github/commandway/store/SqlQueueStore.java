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
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** What waits in the queues of a database. */
final class SqlQueueStore implements QueueStore {
    private static final int MAX_RUNNING_IDS = 100;
    private static final int MAX_POSITION = 100_000;
    private static final String RUNNING =
            "select count(*) from cw_command where queue = ? and queue is not null and sent_at is not null and ended_at is null";
    private static final String SELECT = "select " + CommandRow.COLUMNS + " from cw_command c ";

    private final Database database;
    private final Node node;
    private final Clock clock;
    private final Counts counts;
    private final Signals signals;
    private final Statements statements;
    private final Claiming claiming = new Claiming();

    SqlQueueStore(Database database, Node node, Clock clock, Counts counts, Signals signals, Statements statements) {
        this.database = database;
        this.node = node;
        this.clock = clock;
        this.counts = counts;
        this.signals = signals;
        this.statements = statements;
    }

    @Override
    public CompletableFuture<Claims> claim(
            String queue, int limit, int concurrency, boolean begun, @Nullable Set<String> types) {
        return database.write(claiming, new Wish(queue, limit, concurrency, begun, types), false);
    }

    /** What somebody would take out of a queue. */
    private record Wish(
            String queue,
            int limit,
            int concurrency,
            boolean begun,
            @Nullable Set<String> types) {}

    /** All claims of a transaction, in the order of the names: two servers that take from the same queues then never wait for each other in a circle. */
    private final class Claiming implements Database.Group<Wish, Claims> {
        /** After the ends that free places. */
        @Override
        public int order() {
            return 2;
        }

        @Override
        public List<Database.Outcome<Claims>> write(Connection connection, List<Wish> wishes) throws SQLException {
            List<Integer> inOrder = new ArrayList<>();
            for (int i = 0; i < wishes.size(); i++) {
                inOrder.add(i);
            }
            inOrder.sort(Comparator.comparing(position -> wishes.get(position).queue));
            signals.clear();
            QueueCounts queues = new QueueCounts();
            Map<Integer, Database.Outcome<Claims>> claims = new TreeMap<>();
            for (int position : inOrder) {
                claims.put(position, new Database.Outcome<>(claim(connection, wishes.get(position), queues)));
            }
            queues.write(connection, statements, node.id());
            queues.tell(database, counts);
            signals.send(connection);
            return List.copyOf(claims.values());
        }
    }

    private Claims claim(Connection connection, Wish wish, QueueCounts queues) throws SQLException {
        String queue = wish.queue;
        // another server may have taken over what is ours, and does not count it as running any more
        if (!node.holdsLease() || isPausedOrLocks(connection, queue)) {
            return new Claims(List.of(), null);
        }
        Instant now = Instant.ofEpochMilli(clock.millis());
        Look look = look(connection, queue);
        if (look.hasArrivals) {
            countArrivals(connection, queue, queues);
        }
        if (look.nextDue != null && !look.nextDue.isAfter(now)) {
            statements
                    .get(
                            connection,
                            "update cw_command set waiting = " + CommandRow.READY + " where queue = ? and waiting = "
                                    + CommandRow.DELAYED + " and not_before <= ?",
                            queue,
                            now.toEpochMilli())
                    .executeUpdate();
            look = look(connection, queue);
        }
        int room = (int) Math.min(wish.limit, wish.concurrency - look.running);
        if (room < 1) {
            return new Claims(List.of(), look.nextDue);
        }
        List<CommandRow> taken = handOver(connection, wish, room, now);
        queues.waiting(queue, -taken.size());
        return new Claims(taken.stream().map(CommandRow::record).toList(), look.nextDue);
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

    /** What is to be known before something is taken; a statement of its own, which sees what was committed before the lock was got. */
    private Look look(Connection connection, String queue) throws SQLException {
        PreparedStatement select = statements.get(
                connection,
                "select (" + RUNNING
                        + "), (select count(*) from (select 1 from cw_arrival where queue = ? limit 1) arrived), ("
                        + "select min(not_before) from cw_command where queue = ? and waiting = " + CommandRow.DELAYED
                        + ")",
                queue,
                queue,
                queue);
        try (ResultSet row = select.executeQuery()) {
            row.next();
            return new Look(row.getLong(1), row.getLong(2) > 0, CommandRow.instant(row, 3));
        }
    }

    private record Look(
            long running, boolean hasArrivals, @Nullable Instant nextDue) {}

    private void countArrivals(Connection connection, String queue, QueueCounts queues) throws SQLException {
        int arrived = statements
                .get(connection, "delete from cw_arrival where queue = ?", queue)
                .executeUpdate();
        queues.accepted(queue, arrived);
        database.afterCommit(() -> counts.created(arrived));
    }

    private List<CommandRow> handOver(Connection connection, Wish wish, int limit, Instant now) throws SQLException {
        Set<String> types = wish.types;
        PreparedStatement update = statements.get(connection, takeAs(wish.begun, types != null));
        int i = 0;
        update.setString(++i, wish.queue);
        if (types != null) {
            database.dialect().setTypes(update, ++i, types);
        }
        update.setInt(++i, limit);
        update.setLong(++i, node.id());
        update.setString(++i, (wish.begun ? CommandStatus.EXECUTING : CommandStatus.PENDING).code());
        update.setLong(++i, now.toEpochMilli());
        if (wish.begun) {
            update.setLong(++i, now.toEpochMilli());
        }
        List<CommandRow> rows = CommandRow.readAll(update, node.id());
        rows.sort(Comparator.comparingInt(
                        (CommandRow row) -> row.record().request().priority())
                .reversed()
                .thenComparingLong(CommandRow::seq));
        rows.forEach(row -> signals.executing(row.record().id(), row.origin()));
        return rows;
    }

    private String takeAs(boolean begun, boolean someTypes) {
        return "with next as materialized (select seq from cw_command c where queue = ? and waiting = "
                + CommandRow.READY
                + (someTypes ? " and " + database.dialect().typeIsAnyOf() : "")
                + " and (order_key is null or not exists (select 1 from cw_command e where e.queue = c.queue and"
                + " e.order_key = c.order_key and e.order_key is not null and e.ended_at is null and e.seq < c.seq))"
                + " order by priority desc, seq limit ?" + database.dialect().skipLocked() + ")"
                + " update cw_command set owner = ?, waiting = 0, status = ?, sent_at = ?, sent_sequence = last_sequence + 1"
                + (begun ? ", started_at = ?, started_sequence = last_sequence + 2" : ", started_sequence = 0")
                + ", last_sequence = last_sequence + " + (begun ? 2 : 1)
                + " where seq in (select seq from next) returning " + CommandRow.COLUMNS;
    }

    /** Counts one more or less that waits, of the whole transaction nothing else. */
    void addWaiting(Connection connection, String queue, long more) throws SQLException {
        QueueCounts queues = new QueueCounts();
        queues.waiting(queue, more);
        queues.write(connection, statements, node.id());
        queues.tell(database, counts);
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
            long running = number(connection, RUNNING, queue);
            long arrived = number(connection, "select count(*) from cw_arrival where queue = ?", queue);
            List<RecordId> ids = runningIds(connection, queue);
            boolean paused = number(connection, "select count(*) from cw_queue where name = ? and paused", queue) > 0;
            try (PreparedStatement select = connection.prepareStatement(
                    "select coalesce(sum(waiting), 0), coalesce(sum(accepted), 0), coalesce(sum(completed), 0), coalesce(sum(failed), 0)"
                            + " from cw_count where queue = ?")) {
                select.setString(1, queue);
                try (ResultSet row = select.executeQuery()) {
                    row.next();
                    return new QueueState(
                            queue,
                            paused,
                            row.getLong(1) + arrived,
                            running,
                            row.getLong(2) + arrived,
                            row.getLong(3),
                            row.getLong(4),
                            ids);
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
