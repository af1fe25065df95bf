package io.github.commandway.store;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.RetryPolicy;
import io.github.commandway.manager.Target;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
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

    /** In the order in which {@link #read} and {@link #bind} take them. */
    private static final String REQUEST_COLUMNS =
            "id, target, type, payload, timeout_nanos, ttl_nanos, principal, idempotency_key, trace_parent, priority, order_key,"
                    + " exclusive_key, reference, requested_not_before, retry_max_attempts, retry_initial_nanos, retry_max_nanos,"
                    + " retry_jitter, created_at, origin, tag";

    static final String COLUMNS = REQUEST_COLUMNS
            + ", seq, status, reason, message, result, attempt, not_before, waiting, sent_at, started_at, ended_at, cancel_requested,"
            + " last_sequence, sent_sequence, started_sequence, gap_sequence";

    private static final String INSERT = "cw_command (" + REQUEST_COLUMNS
            + ", queue, status, attempt, not_before, waiting, expires_at, cancel_requested, last_sequence, sent_sequence, started_sequence, owner)"
            + " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', 1, ?, ?, ?, false, 1, 0, 0, ?)"
            + " on conflict do nothing";

    /** The statement whose parameters {@link #bind} sets. */
    static String insertInto(String schemaPrefix) {
        return "insert into " + schemaPrefix + INSERT;
    }

    /** Sets the parameters for a new row. */
    static void bind(
            PreparedStatement insert, RecordId id, CommandRequest request, long createdAtMillis, long origin, long tag)
            throws SQLException {
        int i = 0;
        RetryPolicy retry = request.retry();
        boolean isInQueue = request.target() instanceof Target.Queue;
        Instant notBefore = request.notBefore();
        insert.setString(++i, id.toString());
        insert.setString(++i, request.target().toString());
        insert.setString(++i, request.type());
        insert.setBytes(++i, request.payload());
        insert.setLong(++i, request.timeout().toNanos());
        insert.setLong(++i, request.ttl().toNanos());
        insert.setString(++i, request.principal());
        insert.setString(++i, request.idempotencyKey());
        insert.setString(++i, request.traceParent());
        insert.setInt(++i, request.priority());
        insert.setString(++i, request.orderKey());
        insert.setString(++i, request.exclusiveKey());
        insert.setString(++i, request.reference());
        setMillis(insert, ++i, notBefore);
        if (retry == null) {
            insert.setNull(++i, Types.INTEGER);
            insert.setNull(++i, Types.BIGINT);
            insert.setNull(++i, Types.BIGINT);
            insert.setNull(++i, Types.DOUBLE);
        } else {
            insert.setInt(++i, retry.maxAttempts());
            insert.setLong(++i, retry.initialDelay().toNanos());
            insert.setLong(++i, retry.maxDelay().toNanos());
            insert.setDouble(++i, retry.jitter());
        }
        insert.setLong(++i, createdAtMillis);
        insert.setLong(++i, origin);
        insert.setLong(++i, tag);
        insert.setString(++i, queueOf(request));
        setMillis(insert, ++i, notBefore);
        insert.setInt(++i, !isInQueue ? NOT_WAITING : notBefore == null ? READY : DELAYED);
        insert.setLong(++i, expiresAt(request, createdAtMillis, notBefore));
        if (isInQueue) {
            insert.setNull(++i, Types.BIGINT);
        } else {
            insert.setLong(++i, origin);
        }
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
                notBefore);
        return new CommandRow(record, seq, waiting, row.getLong(++i), row.getLong(++i), row.getLong(++i), origin);
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

    private static @Nullable Instant instant(ResultSet row, int index) throws SQLException {
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
