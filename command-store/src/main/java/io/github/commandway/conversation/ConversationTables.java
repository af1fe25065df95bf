package io.github.commandway.conversation;

import io.github.commandway.conversation.api.ConversationError.Kind;
import io.github.commandway.conversation.api.ConversationEvent;
import io.github.commandway.conversation.api.ConversationRound;
import io.github.commandway.conversation.api.ConversationSession;
import io.github.commandway.conversation.api.RoundQuery;
import io.github.commandway.conversation.api.RoundRole;
import io.github.commandway.conversation.api.SessionStatus;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** The statements. They are the same for both databases. */
final class ConversationTables {
    private static final String SESSION =
            "id, user_id, scope_type, scope_id, status, version, round_sequence, created_at, updated_at";
    private static final String ROUND = "session_id, round_path, role, input, output, correlation_id, created_at";
    private static final String EVENT =
            "aggregate_sequence, event_id, event_type, version, aggregate_type, aggregate_id, payload,"
                    + " metadata, correlation_id, causation_id, created_at";
    private static final int MAX_DEPTH = 16;

    private ConversationTables() {}

    static Optional<ConversationSession> session(Connection connection, UUID id) throws SQLException {
        return first(
                connection,
                "select " + SESSION + " from cw_session where id = ?",
                ConversationTables::session,
                id.toString());
    }

    static boolean isOwner(Connection connection, String userId, UUID id) throws SQLException {
        return first(
                        connection,
                        "select 1 from cw_session where id = ? and user_id = ?",
                        row -> true,
                        id.toString(),
                        userId)
                .isPresent();
    }

    /** @return whether it was not there yet */
    static boolean insert(Connection connection, ConversationSession session) throws SQLException {
        return update(
                        connection,
                        "insert into cw_session (" + SESSION + ", event_sequence) values (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"
                                + " on conflict (id) do nothing",
                        session.id().toString(),
                        session.userId(),
                        session.scopeType(),
                        session.scopeId(),
                        session.status().name(),
                        session.version(),
                        session.roundSequence(),
                        session.createdAt().toEpochMilli(),
                        session.updatedAt().toEpochMilli())
                == 1;
    }

    static List<ConversationSession> sessions(Connection connection, String userId, int limit, @Nullable UUID after)
            throws SQLException {
        String newestFirst = " order by created_at desc, id desc limit ?";
        String all = "select " + SESSION + " from cw_session where user_id = ?";
        if (after == null) {
            return all(connection, all + newestFirst, ConversationTables::session, userId, limit);
        }
        long createdAt = first(
                        connection,
                        "select created_at from cw_session where id = ? and user_id = ?",
                        row -> row.getLong(1),
                        after.toString(),
                        userId)
                .orElseThrow(() -> new ConversationException(Kind.INVALID, "there is no session to go on behind"));
        return all(
                connection,
                all + " and (created_at, id) < (?, ?)" + newestFirst,
                ConversationTables::session,
                userId,
                createdAt,
                after.toString(),
                limit);
    }

    static Optional<ConversationSession> setStatus(
            Connection connection, UUID id, SessionStatus status, @Nullable Long version, Instant now)
            throws SQLException {
        String sql = "update cw_session set status = ?, version = version + 1, updated_at = ? where id = ?";
        String returning = " returning " + SESSION;
        return version == null
                ? first(
                        connection,
                        sql + returning,
                        ConversationTables::session,
                        status.name(),
                        now.toEpochMilli(),
                        id.toString())
                : first(
                        connection,
                        sql + " and version = ?" + returning,
                        ConversationTables::session,
                        status.name(),
                        now.toEpochMilli(),
                        id.toString(),
                        version);
    }

    /**
     * Takes numbers for rounds and events, and with them the session's row until the end of the transaction.
     *
     * @return the session with the last number of each; empty if there is none
     */
    static Optional<Numbers> take(Connection connection, UUID session, int rounds, int events, Instant now)
            throws SQLException {
        return first(
                connection,
                "update cw_session set round_sequence = round_sequence + ?, event_sequence = event_sequence + ?, updated_at = ?"
                        + " where id = ? returning scope_type, status, round_sequence, event_sequence",
                row -> new Numbers(
                        row.getString(1), SessionStatus.valueOf(row.getString(2)), row.getLong(3), row.getLong(4)),
                rounds,
                events,
                now.toEpochMilli(),
                session.toString());
    }

    static void delete(Connection connection, UUID session) throws SQLException {
        update(connection, "delete from cw_round where session_id = ?", session.toString());
        update(connection, "delete from cw_domain_event where aggregate_id = ?", session.toString());
        update(connection, "delete from cw_session where id = ?", session.toString());
    }

    static void insert(Connection connection, ConversationRound round) throws SQLException {
        update(
                connection,
                "insert into cw_round (" + ROUND + ", position) values (?, ?, ?, ?, ?, ?, ?, ?)",
                round.sessionId().toString(),
                round.path(),
                round.role().name().toLowerCase(Locale.ROOT),
                round.input(),
                round.output(),
                round.correlationId(),
                round.createdAt().toEpochMilli(),
                position(round.path()));
    }

    /** Whether the user said something there that nobody has answered. */
    static boolean isUnanswered(Connection connection, UUID session, String path) throws SQLException {
        return first(
                        connection,
                        "select 1 from cw_round where session_id = ? and round_path = ? and role = 'user' and output is null",
                        row -> true,
                        session.toString(),
                        path)
                .isPresent();
    }

    /**
     * Deletes the oldest events, and the rounds of their sessions, that are older than {@code before}.
     *
     * @param limit how many events to look at
     * @return how many events were deleted
     */
    static int purge(Connection connection, Instant before, int limit) throws SQLException {
        List<Old> old = all(
                        connection,
                        "select seq, aggregate_id, created_at from cw_domain_event order by seq limit ?",
                        row -> new Old(row.getLong(1), row.getString(2), row.getLong(3)),
                        limit)
                .stream()
                .filter(event -> event.createdAtMillis < before.toEpochMilli())
                .toList();
        for (Old event : old) {
            update(connection, "delete from cw_domain_event where seq = ?", event.seq);
        }
        // each round has an event that is as old
        for (String session : new LinkedHashSet<>(old.stream().map(Old::session).toList())) {
            update(
                    connection,
                    "delete from cw_round where session_id = ? and created_at < ?",
                    session,
                    before.toEpochMilli());
        }
        return old.size();
    }

    static Optional<ConversationRound> round(Connection connection, UUID session, String correlationId)
            throws SQLException {
        return first(
                connection,
                "select " + ROUND + " from cw_round where session_id = ? and correlation_id = ?",
                ConversationTables::round,
                session.toString(),
                correlationId);
    }

    static boolean hasRound(Connection connection, UUID session, String path) throws SQLException {
        return first(
                        connection,
                        "select 1 from cw_round where session_id = ? and round_path = ?",
                        row -> true,
                        session.toString(),
                        path)
                .isPresent();
    }

    /** The path of the next branch; the session's row must be taken. */
    static String nextBranch(Connection connection, UUID session, String parent) throws SQLException {
        String start = position(parent) + ".";
        if (start.length() >= MAX_DEPTH * 10) {
            throw new ConversationException(Kind.INVALID, "rounds branch at most " + MAX_DEPTH + " deep");
        }
        String last = first(
                        connection,
                        "select max(position) from cw_round where session_id = ? and position > ? and position < ?"
                                + " and length(position) = ?",
                        row -> String.valueOf(row.getString(1)),
                        session.toString(),
                        start,
                        // the character behind the point
                        position(parent) + "/",
                        start.length() + 9)
                .orElse("null");
        long number = last.equals("null") ? 1 : 1 + Long.parseLong(last.substring(start.length()));
        return parent + "." + number;
    }

    static void setOutput(Connection connection, UUID session, String correlationId, @Nullable String output)
            throws SQLException {
        update(
                connection,
                "update cw_round set output = ? where session_id = ? and correlation_id = ?",
                output,
                session.toString(),
                correlationId);
    }

    static List<ConversationRound> rounds(Connection connection, UUID session, RoundQuery query) throws SQLException {
        StringBuilder sql = new StringBuilder("select " + ROUND + " from cw_round where session_id = ?");
        List<Object> values = new ArrayList<>(List.of(session.toString()));
        if (query.after() != null) {
            sql.append(query.isNewestFirst() ? " and position < ?" : " and position > ?");
            values.add(position(query.after()));
        }
        if (query.role() != null) {
            sql.append(" and role = ?");
            values.add(query.role().name().toLowerCase(Locale.ROOT));
        }
        sql.append(query.isNewestFirst() ? " order by position desc" : " order by position")
                .append(" limit ?");
        values.add(query.limit());
        return all(connection, sql.toString(), ConversationTables::round, values.toArray());
    }

    /**
     * The path in the form that sorts.
     *
     * @throws ConversationException if it is not a path
     */
    static String position(String path) {
        if (!path.matches("[1-9]\\d{0,8}(\\.[1-9]\\d{0,8}){0," + (MAX_DEPTH - 1) + "}")) {
            throw new ConversationException(Kind.INVALID, "a round's path is such as 2 or 2.1");
        }
        StringBuilder position = new StringBuilder();
        for (String number : path.split("\\.", -1)) {
            position.append(position.isEmpty() ? "" : ".")
                    .append("0".repeat(9 - number.length()))
                    .append(number);
        }
        return position.toString();
    }

    static void insert(Connection connection, List<ConversationEvent> events) throws SQLException {
        String sql = "insert into cw_domain_event (" + EVENT + ") values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (ConversationEvent event : events) {
                bind(
                        statement,
                        event.sequence(),
                        event.eventId().toString(),
                        event.eventType(),
                        event.version(),
                        event.aggregateType(),
                        event.aggregateId(),
                        event.payload(),
                        event.metadata(),
                        event.correlationId(),
                        event.causationId(),
                        event.createdAt().toEpochMilli());
                statement.addBatch();
            }
            statement.executeBatch();
        }
    }

    static Optional<ConversationEvent> event(Connection connection, UUID eventId) throws SQLException {
        return first(
                connection,
                "select " + EVENT + " from cw_domain_event where event_id = ?",
                ConversationTables::event,
                eventId.toString());
    }

    static List<ConversationEvent> events(Connection connection, UUID session, long after, int limit)
            throws SQLException {
        return all(
                connection,
                "select " + EVENT + " from cw_domain_event where aggregate_id = ? and aggregate_sequence > ?"
                        + " order by aggregate_sequence limit ?",
                ConversationTables::event,
                session.toString(),
                after,
                limit);
    }

    /** The id of the first command in the queue with this order key that has not ended. */
    static Optional<String> firstOpen(Connection connection, String queue, String orderKey) throws SQLException {
        return first(
                connection,
                "select id from cw_command where queue = ? and order_key = ? and ended_at is null order by seq limit 1",
                row -> row.getString(1),
                queue,
                orderKey);
    }

    private static ConversationSession session(ResultSet row) throws SQLException {
        return new ConversationSession(
                UUID.fromString(row.getString(1)),
                row.getString(2),
                row.getString(3),
                row.getString(4),
                SessionStatus.valueOf(row.getString(5)),
                row.getLong(6),
                row.getLong(7),
                Instant.ofEpochMilli(row.getLong(8)),
                Instant.ofEpochMilli(row.getLong(9)));
    }

    private static ConversationRound round(ResultSet row) throws SQLException {
        return new ConversationRound(
                UUID.fromString(row.getString(1)),
                row.getString(2),
                RoundRole.valueOf(row.getString(3).toUpperCase(Locale.ROOT)),
                row.getString(4),
                row.getString(5),
                row.getString(6),
                Instant.ofEpochMilli(row.getLong(7)));
    }

    private static ConversationEvent event(ResultSet row) throws SQLException {
        return new ConversationEvent(
                row.getLong(1),
                UUID.fromString(row.getString(2)),
                row.getString(3),
                row.getInt(4),
                row.getString(5),
                row.getString(6),
                row.getString(7),
                row.getString(8),
                row.getString(9),
                row.getString(10),
                Instant.ofEpochMilli(row.getLong(11)));
    }

    private static <T> Optional<T> first(Connection connection, String sql, Row<T> read, @Nullable Object... values)
            throws SQLException {
        List<T> rows = all(connection, sql, read, values);
        return rows.isEmpty() ? Optional.empty() : Optional.of(rows.get(0));
    }

    private static <T> List<T> all(Connection connection, String sql, Row<T> read, @Nullable Object... values)
            throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            bind(statement, values);
            List<T> rows = new ArrayList<>();
            try (ResultSet result = statement.executeQuery()) {
                while (result.next()) {
                    rows.add(read.of(result));
                }
            }
            return rows;
        }
    }

    private static int update(Connection connection, String sql, @Nullable Object... values) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            bind(statement, values);
            return statement.executeUpdate();
        }
    }

    private static void bind(PreparedStatement statement, @Nullable Object... values) throws SQLException {
        for (int i = 0; i < values.length; i++) {
            if (values[i] instanceof Long number) {
                statement.setLong(i + 1, number);
            } else if (values[i] instanceof Integer number) {
                statement.setInt(i + 1, number);
            } else {
                statement.setString(i + 1, (String) values[i]);
            }
        }
    }

    /** A session's row that was taken: what it says, and the last numbers that were taken. */
    private record Old(long seq, String session, long createdAtMillis) {}

    record Numbers(String scopeType, SessionStatus status, long round, long event) {}

    private interface Row<T> {
        T of(ResultSet row) throws SQLException;
    }

    /** The numbers of a session that must be there. */
    static Numbers taken(Optional<Numbers> numbers) {
        return numbers.orElseThrow(() -> new ConversationException(Kind.ACCESS_DENIED, "there is no such session"));
    }
}
