package io.github.commandway.store;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.RetryPolicy;
import io.github.commandway.manager.Target;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** A row of cw_command as it was read. */
record CommandRow(
        CommandRecord record,
        long seq,
        int waiting,
        long sentSequence,
        long startedSequence,
        long gapSequence,
        long origin) {
    static final int NOT_WAITING = 0;
    static final int READY = 1;
    static final int DELAYED = 2;

    /** In the order in which {@link #read} and {@link #values} have them. */
    private static final String REQUEST_COLUMNS =
            "id, target, type, payload, timeout_nanos, ttl_nanos, principal, idempotency_key, trace_parent, priority, order_key,"
                    + " exclusive_key, reference, requested_not_before, retry_max_attempts, retry_initial_nanos, retry_max_nanos,"
                    + " retry_jitter, created_at, origin, tag";

    static final String COLUMNS = REQUEST_COLUMNS
            + ", seq, status, reason, message, result, attempt, not_before, waiting, sent_at, started_at, ended_at, cancel_requested,"
            + " last_sequence, sent_sequence, started_sequence, gap_sequence, assigned_to";

    /** What {@link #readAll} reads; the conditions follow. */
    static final String SELECT = "select " + COLUMNS + " from cw_command ";

    private static final String INSERTED_COLUMNS = "cw_command (" + REQUEST_COLUMNS
            + ", queue, not_before, waiting, expires_at, owner, status, attempt, cancel_requested, last_sequence, sent_sequence, started_sequence)";

    private static final String AT_FIRST = ", 'pending', 1, false, 1, 0, 0";

    /** Of the values of {@link #values}, in PostgreSQL. */
    private static final List<String> TYPES = List.of(
            "text", "text", "text", "bytea", "int8", "int8", "text", "text", "text", "int4", "text", "text", "text",
            "int8", "int4", "int8", "int8", "float8", "int8", "int8", "int8", "text", "int8", "int2", "int8", "int8");

    private static final String INSERT_ALL =
            insertAndCount("select *" + AT_FIRST + " from " + Statements.unnest(TYPES));

    /** For one row arrays cost more than they save. */
    private static final String INSERT_ONE =
            insertAndCount("values (" + "?, ".repeat(TYPES.size() - 1) + "?" + AT_FIRST + ")");

    private static String insertAndCount(String rows) {
        return "with made as (insert into " + INSERTED_COLUMNS + " " + rows
                + " on conflict do nothing returning tag, queue), counted as ("
                + "insert into cw_count (queue, node, accepted, completed, failed, waiting)"
                + " select queue, ?, count(*), 0, 0, count(*) from made where queue is not null group by queue"
                + " on conflict (queue, node) do update set accepted = cw_count.accepted + excluded.accepted,"
                + " waiting = cw_count.waiting + excluded.waiting)"
                + " select tag, pg_current_xact_id()::text from made";
    }

    /** The statement that {@link #values} are the parameters of. */
    static String insertInto(String schemaPrefix) {
        return "insert into " + schemaPrefix + INSERTED_COLUMNS + " values (" + "?, ".repeat(TYPES.size() - 1) + "?"
                + AT_FIRST + ") on conflict do nothing";
    }

    /** What a new row says. */
    static @Nullable Object[] values(RecordId id, CommandRequest request, long createdAtMillis, long origin, long tag) {
        RetryPolicy retry = request.retry();
        boolean isInQueue = request.target() instanceof Target.Queue;
        Instant notBefore = request.notBefore();
        return new @Nullable Object[] {
            id.toString(),
            request.target().toString(),
            request.type(),
            request.payload(),
            request.timeout().toNanos(),
            request.ttl().toNanos(),
            request.principal(),
            request.idempotencyKey(),
            request.traceParent(),
            request.priority(),
            request.orderKey(),
            request.exclusiveKey(),
            request.reference(),
            millis(notBefore),
            retry == null ? null : retry.maxAttempts(),
            retry == null ? null : retry.initialDelay().toNanos(),
            retry == null ? null : retry.maxDelay().toNanos(),
            retry == null ? null : retry.jitter(),
            createdAtMillis,
            origin,
            tag,
            queueOf(request),
            millis(notBefore),
            !isInQueue ? NOT_WAITING : notBefore == null ? READY : DELAYED,
            expiresAt(request, createdAtMillis, notBefore),
            isInQueue ? null : origin
        };
    }

    static @Nullable Long millis(@Nullable Instant instant) {
        return instant == null ? null : instant.toEpochMilli();
    }

    /** Sets the parameters of a statement. */
    static void bind(PreparedStatement statement, @Nullable Object[] values) throws SQLException {
        for (int i = 0; i < values.length; i++) {
            statement.setObject(i + 1, values[i]);
        }
    }

    /**
     * Inserts all rows with one statement, in PostgreSQL, and counts them as accepted by the server {@code me}.
     *
     * @param transaction is given the id of the current transaction, if there is a row
     * @return the tags of those that were inserted; the others are in the way of one that is there
     */
    static Set<Long> insertAll(
            Connection connection,
            Statements statements,
            List<@Nullable Object[]> rows,
            long me,
            Consumer<String> transaction)
            throws SQLException {
        PreparedStatement insert = statements.get(connection, rows.size() == 1 ? INSERT_ONE : INSERT_ALL);
        if (rows.size() == 1) {
            bind(insert, rows.get(0));
        } else {
            Statements.bindArrays(connection, insert, TYPES, rows);
        }
        insert.setLong(TYPES.size() + 1, me);
        Set<Long> tags = new HashSet<>();
        try (ResultSet inserted = insert.executeQuery()) {
            while (inserted.next()) {
                if (tags.isEmpty()) {
                    transaction.accept(inserted.getString(2));
                }
                tags.add(inserted.getLong(1));
            }
        }
        return tags;
    }

    static @Nullable String queueOf(CommandRequest request) {
        return request.target() instanceof Target.Queue queue ? queue.name() : null;
    }

    /** When it has waited too long. */
    static long expiresAt(CommandRequest request, long createdAtMillis, @Nullable Instant notBefore) {
        long since = notBefore == null ? createdAtMillis : Math.max(createdAtMillis, notBefore.toEpochMilli());
        return since + request.ttl().plusNanos(999_999).toMillis();
    }

    static void setMillis(PreparedStatement statement, int index, @Nullable Instant instant) throws SQLException {
        if (instant == null) {
            statement.setNull(index, Types.BIGINT);
        } else {
            statement.setLong(index, instant.toEpochMilli());
        }
    }

    /**
     * Reads {@link #COLUMNS}.
     *
     * @param me this node, whose tags mean something here
     */
    static CommandRow read(ResultSet row, long me) throws SQLException {
        int i = 0;
        RecordId id = idOf(row.getString(++i));
        CommandRequest.Builder request = CommandRequest.to(Target.parse(row.getString(++i)), row.getString(++i))
                .payload(row.getBytes(++i))
                .timeout(Duration.ofNanos(row.getLong(++i)))
                .ttl(Duration.ofNanos(row.getLong(++i)))
                .principal(row.getString(++i))
                .idempotencyKey(row.getString(++i))
                .traceParent(row.getString(++i))
                .priority(row.getInt(++i))
                .orderKey(row.getString(++i))
                .exclusiveKey(row.getString(++i))
                .reference(row.getString(++i))
                .notBefore(instant(row, ++i));
        int maxAttempts = row.getInt(++i);
        Duration initialDelay = Duration.ofNanos(row.getLong(++i));
        Duration maxDelay = Duration.ofNanos(row.getLong(++i));
        double jitter = row.getDouble(++i);
        if (maxAttempts > 0) {
            request.retry(new RetryPolicy(maxAttempts, initialDelay, maxDelay, jitter));
        }
        Instant createdAt = Instant.ofEpochMilli(row.getLong(++i));
        long origin = row.getLong(++i);
        long tag = row.getLong(++i);
        long seq = row.getLong(++i);
        String statusCode = row.getString(++i);
        CommandStatus status = CommandStatus.ofCode(statusCode)
                .orElseThrow(() -> new StoreException("command " + id + " has the unknown status " + statusCode));
        String reason = row.getString(++i);
        String message = row.getString(++i);
        byte[] result = row.getBytes(++i);
        int attempt = row.getInt(++i);
        Instant notBefore = instant(row, ++i);
        int waiting = row.getInt(++i);
        Instant sentAt = instant(row, ++i);
        Instant startedAt = instant(row, ++i);
        Instant endedAt = instant(row, ++i);
        boolean cancelRequested = row.getBoolean(++i);
        long lastSequence = row.getLong(++i);
        long sentSequence = row.getLong(++i);
        long startedSequence = row.getLong(++i);
        long gapSequence = row.getLong(++i);
        String assignedTo = row.getString(++i);
        CommandRecord record = new CommandRecord(
                id,
                request.build(),
                status,
                reason == null ? null : Reason.ofCode(reason).orElse(null),
                message,
                result,
                attempt,
                createdAt,
                sentAt,
                startedAt,
                endedAt,
                cancelRequested,
                lastSequence,
                origin == me ? tag : 0,
                notBefore,
                assignedTo);
        return new CommandRow(record, seq, waiting, sentSequence, startedSequence, gapSequence, origin);
    }

    /** All rows of a result. */
    static List<CommandRow> readAll(PreparedStatement select, long me) throws SQLException {
        List<CommandRow> rows = new ArrayList<>();
        try (ResultSet result = select.executeQuery()) {
            while (result.next()) {
                rows.add(read(result, me));
            }
        }
        return rows;
    }

    static RecordId idOf(String text) {
        return RecordId.parse(text).orElseThrow(() -> new StoreException("'" + text + "' is not the id of a record"));
    }

    static @Nullable Instant instant(ResultSet row, int index) throws SQLException {
        long millis = row.getLong(index);
        return row.wasNull() ? null : Instant.ofEpochMilli(millis);
    }

    /** The events that the row itself tells, in order. */
    List<CommandEvent> events() {
        List<CommandEvent> events = new ArrayList<>(4);
        events.add(event(1, CommandEvent.Type.PENDING, record.createdAt(), "", null));
        Instant sentAt = record.sentAt();
        if (sentAt != null) {
            events.add(event(sentSequence, CommandEvent.Type.SENT, sentAt, "", null));
        }
        Instant startedAt = record.startedAt();
        if (startedAt != null) {
            events.add(event(startedSequence, CommandEvent.Type.EXECUTING, startedAt, "", null));
        }
        Instant endedAt = record.endedAt();
        if (endedAt != null) {
            Reason reason = record.reason();
            String code = reason == null ? "" : reason.code();
            String text = record.message() == null ? code : code + ": " + record.message();
            CommandEvent.Type type = CommandEvent.Type.valueOf(record.status().name());
            events.add(event(record.lastSequence(), type, endedAt, text, record.result()));
        }
        return events;
    }

    private static CommandEvent event(
            long sequence, CommandEvent.Type type, Instant at, String message, byte @Nullable [] data) {
        return new CommandEvent(sequence, type, at, null, data, -1, message);
    }
}
