package io.github.commandway.outbox;

import io.github.commandway.outbox.api.DeadLetter;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.json.JsonMapper;

/**
 * The outbox's tables in SQL.
 *
 * <p>A delivered entry is deleted, in the same transaction in which its delivery is recorded: the table stays as small as what is left to do, and Debezium,
 * which must never see an update, passes over deletes. Arrays are parameters: of their own kind on PostgreSQL, JSON texts on SQLite.
 */
final class OutboxTables {
    private static final JsonMapper MAPPER = JsonMapper.builder().build();
    private static final TypeReference<Map<String, String>> HEADERS = new TypeReference<>() {};
    private static final String NO_HEADERS = "{}";
    private static final String ENTRY =
            "o.seq, o.id, o.topic, o.aggregatetype, o.aggregateid, o.type, o.payload, o.headers," + " o.created_at";
    private static final int MAX_COUNTED = 100_000;
    private static final int MAX_ERROR = 1_000;

    private final boolean postgres;
    private final String channel;
    private final String now;
    private final String outbox;
    private final String keys;
    private final String relays;
    private final String partitions;

    /** @param schema where the tables are; empty for SQLite */
    OutboxTables(boolean postgres, String schema) {
        this.postgres = postgres;
        channel = schema + "_outbox";
        now = postgres
                ? "(extract(epoch from clock_timestamp()) * 1000)::bigint"
                : "cast(unixepoch('subsec') * 1000 as integer)";
        String prefix = postgres ? '"' + schema.replace("\"", "\"\"") + "\"." : "";
        outbox = prefix + "cw_outbox";
        keys = prefix + "cw_outbox_key";
        relays = prefix + "cw_outbox_relay";
        partitions = prefix + "cw_outbox_partition";
    }

    /** An entry as the relay finds it: with its place, its part, and how often it was tried. */
    record Row(long sequence, OutboxEntry entry, int part, int attempts) {}

    /** What a try that failed leaves behind; parked if it was the last one. */
    record Failure(
            String topic, long sequence, int attempts, Instant notBefore, boolean parked, String error, Instant at) {}

    /** How much is left to do. */
    record Backlog(long waiting, long deadLetters, @Nullable Instant oldest) {}

    /** The name under which appended entries are announced. */
    String channel() {
        return channel;
    }

    void append(Connection connection, List<OutboxEntry> entries) throws SQLException {
        if (postgres) {
            appendAsArrays(connection, entries);
            return;
        }
        String insert = "insert into " + outbox
                + " (id, topic, aggregatetype, aggregateid, type, payload, headers, created_at)"
                + " values (?, ?, ?, ?, ?, ?, ?, ?)";
        try (PreparedStatement statement = connection.prepareStatement(insert)) {
            for (OutboxEntry entry : entries) {
                statement.setString(1, entry.id().toString());
                statement.setString(2, entry.topic());
                statement.setString(3, entry.aggregateType());
                statement.setString(4, entry.key());
                statement.setString(5, entry.type());
                statement.setString(6, entry.payload());
                statement.setString(7, headers(entry));
                statement.setLong(8, entry.createdAt().toEpochMilli());
                statement.addBatch();
            }
            statement.executeBatch();
        }
    }

    /**
     * All rows and their announcement in one round trip. PostgreSQL lets only one transaction at a time commit an announcement, flush included, so there is
     * none while all relays look anyway.
     */
    private void appendAsArrays(Connection connection, List<OutboxEntry> entries) throws SQLException {
        String insert = "with appended as (insert into " + outbox
                + " (id, topic, aggregatetype, aggregateid, type, payload, headers, created_at)"
                + " select * from unnest(?::uuid[], ?::text[], ?::text[], ?::text[], ?::text[], ?::json[], ?::json[],"
                + " ?::bigint[])) select pg_notify(?, '') where exists (select 1 from " + relays
                + " where awake_until <= " + now
                + ")";
        try (PreparedStatement statement = connection.prepareStatement(insert)) {
            setArray(statement, 1, "uuid", entries, OutboxEntry::id);
            setArray(statement, 2, "text", entries, OutboxEntry::topic);
            setArray(statement, 3, "text", entries, OutboxEntry::aggregateType);
            setArray(statement, 4, "text", entries, OutboxEntry::key);
            setArray(statement, 5, "text", entries, OutboxEntry::type);
            setArray(statement, 6, "text", entries, OutboxEntry::payload);
            setArray(statement, 7, "text", entries, OutboxTables::headers);
            setArray(statement, 8, "bigint", entries, entry -> entry.createdAt().toEpochMilli());
            statement.setString(9, channel);
            statement.execute();
        }
    }

    private static void setArray(
            PreparedStatement statement,
            int index,
            String type,
            List<OutboxEntry> entries,
            Function<OutboxEntry, Object> value)
            throws SQLException {
        Object[] values = entries.stream().map(value).toArray();
        statement.setArray(index, statement.getConnection().createArrayOf(type, values));
    }

    /** The topics that have entries. */
    List<String> topics(Connection connection) throws SQLException {
        // one look into the index for each topic, however many entries it has
        String select = "with recursive t (topic) as (select min(topic) from " + outbox
                + " union all select (select min(topic) from " + outbox + " o where o.topic > t.topic) from t"
                + " where t.topic is not null) select topic from t where topic is not null";
        List<String> topics = new ArrayList<>();
        try (PreparedStatement statement = connection.prepareStatement(select);
                ResultSet rows = statement.executeQuery()) {
            while (rows.next()) {
                topics.add(rows.getString(1));
            }
        }
        return topics;
    }

    /** The oldest entries of one topic that may be delivered and are not in {@code except}. */
    List<Row> read(
            Connection connection, String topic, Collection<Long> parts, Collection<Long> except, Instant at, int limit)
            throws SQLException {
        String part = postgres ? "hashtext(o.aggregateid) & 31" : "0";
        String select = "select " + ENTRY + ", " + part + ", case when k.seq = o.seq then k.attempts else 0 end from "
                + outbox + " o left join " + keys + " k on k.topic = o.topic and k.aggregateid = o.aggregateid"
                + " where o.topic = ? and " + part + isIn() + " and not (o.seq" + isIn() + ")"
                + " and (k.topic is null or (not k.parked and k.not_before <= ?)) order by o.seq limit ?";
        List<Row> found = new ArrayList<>();
        try (PreparedStatement statement = connection.prepareStatement(select)) {
            statement.setString(1, topic);
            setLongs(statement, 2, parts);
            setLongs(statement, 3, except);
            statement.setLong(4, at.toEpochMilli());
            statement.setInt(5, limit);
            try (ResultSet rows = statement.executeQuery()) {
                while (rows.next()) {
                    found.add(new Row(rows.getLong(1), entry(rows), rows.getInt(10), rows.getInt(11)));
                }
            }
        }
        return found;
    }

    /** When the next key that was not parked may be tried again. */
    OptionalLong nextDue(Connection connection, Instant after) throws SQLException {
        String select = "select min(not_before) from " + keys + " where not parked and not_before > ?";
        try (PreparedStatement statement = connection.prepareStatement(select)) {
            statement.setLong(1, after.toEpochMilli());
            try (ResultSet rows = statement.executeQuery()) {
                rows.next();
                long due = rows.getLong(1);
                return rows.wasNull() ? OptionalLong.empty() : OptionalLong.of(due);
            }
        }
    }

    /** Forgets entries that have arrived, by topic. */
    void delete(Connection connection, Map<String, List<Long>> sequences) throws SQLException {
        String delete = "delete from " + outbox + " where topic = ? and seq" + isIn();
        for (Map.Entry<String, List<Long>> each : sequences.entrySet()) {
            try (PreparedStatement statement = connection.prepareStatement(delete)) {
                statement.setString(1, each.getKey());
                setLongs(statement, 2, each.getValue());
                statement.executeUpdate();
            }
        }
    }

    /** Forgets that these entries failed earlier. */
    void clearFailures(Connection connection, Collection<Long> sequences) throws SQLException {
        if (sequences.isEmpty()) {
            return;
        }
        try (PreparedStatement statement = connection.prepareStatement("delete from " + keys + " where seq" + isIn())) {
            setLongs(statement, 1, sequences);
            statement.executeUpdate();
        }
    }

    /** Remembers failures. One of an entry that is not there any more, or was parked meanwhile, comes too late and is dropped. */
    void fail(Connection connection, Collection<Failure> failures) throws SQLException {
        if (failures.isEmpty()) {
            return;
        }
        String insert = "insert into " + keys
                + " (topic, aggregateid, seq, id, attempts, not_before, parked, error, failed_at)"
                + " select topic, aggregateid, seq, id, ?, ?, ?, ?, ? from " + outbox + " where topic = ? and seq = ?"
                + " on conflict (topic, aggregateid) do update set seq = excluded.seq, id = excluded.id,"
                + " attempts = excluded.attempts, not_before = excluded.not_before, parked = excluded.parked,"
                + " error = excluded.error, failed_at = excluded.failed_at where not cw_outbox_key.parked";
        try (PreparedStatement statement = connection.prepareStatement(insert)) {
            for (Failure failure : failures) {
                statement.setInt(1, failure.attempts());
                statement.setLong(2, failure.notBefore().toEpochMilli());
                statement.setBoolean(3, failure.parked());
                String error = failure.error().replace("\0", "");
                statement.setString(4, error.substring(0, Math.min(error.length(), MAX_ERROR)));
                statement.setLong(5, failure.at().toEpochMilli());
                statement.setString(6, failure.topic());
                statement.setLong(7, failure.sequence());
                statement.addBatch();
            }
            statement.executeBatch();
        }
    }

    List<DeadLetter> deadLetters(Connection connection, int limit, long after) throws SQLException {
        String select = "select " + ENTRY + ", k.attempts, k.error, k.failed_at from " + keys + " k join " + outbox
                + " o on o.topic = k.topic and o.seq = k.seq where k.parked and k.seq > ? order by k.seq limit ?";
        List<DeadLetter> found = new ArrayList<>();
        try (PreparedStatement statement = connection.prepareStatement(select)) {
            statement.setLong(1, after);
            statement.setInt(2, limit);
            try (ResultSet rows = statement.executeQuery()) {
                while (rows.next()) {
                    OutboxEntry entry = entry(rows);
                    found.add(new DeadLetter(
                            rows.getLong(1),
                            entry.id(),
                            entry.topic(),
                            entry.key(),
                            entry.type(),
                            entry.payload(),
                            rows.getInt(10),
                            rows.getString(11),
                            Instant.ofEpochMilli(rows.getLong(12))));
                }
            }
        }
        return found;
    }

    boolean replay(Connection connection, UUID id) throws SQLException {
        return replay(connection, "id = ?", statement -> setId(statement, 1, id));
    }

    boolean replayKey(Connection connection, String topic, String key) throws SQLException {
        return replay(connection, "topic = ? and aggregateid = ?", statement -> {
            statement.setString(1, topic);
            statement.setString(2, key);
        });
    }

    private boolean replay(Connection connection, String which, Binding binding) throws SQLException {
        String update =
                "update " + keys + " set parked = false, attempts = 0, not_before = 0 where parked and " + which;
        try (PreparedStatement statement = connection.prepareStatement(update)) {
            binding.bind(statement);
            boolean found = statement.executeUpdate() > 0;
            if (found) {
                announce(connection);
            }
            return found;
        }
    }

    boolean discard(Connection connection, UUID id) throws SQLException {
        String select = "select topic, seq from " + keys + " where parked and id = ?";
        Map<String, List<Long>> found = new HashMap<>();
        try (PreparedStatement statement = connection.prepareStatement(select)) {
            setId(statement, 1, id);
            try (ResultSet rows = statement.executeQuery()) {
                while (rows.next()) {
                    found.computeIfAbsent(rows.getString(1), topic -> new ArrayList<>())
                            .add(rows.getLong(2));
                }
            }
        }
        if (found.isEmpty()) {
            return false;
        }
        for (List<Long> sequences : found.values()) {
            clearFailures(connection, sequences);
        }
        delete(connection, found);
        announce(connection);
        return true;
    }

    /** Deletes entries for which another tool than the relay looks. */
    int purge(Connection connection, Instant before, int limit) throws SQLException {
        String delete = "delete from " + outbox + " where (topic, seq) in (select topic, seq from " + outbox
                + " where created_at < ? order by topic, seq limit ?)";
        try (PreparedStatement statement = connection.prepareStatement(delete)) {
            statement.setLong(1, before.toEpochMilli());
            statement.setInt(2, limit);
            return statement.executeUpdate();
        }
    }

    private void announce(Connection connection) throws SQLException {
        if (!postgres) {
            return;
        }
        try (PreparedStatement statement = connection.prepareStatement("select pg_notify(?, '')")) {
            statement.setString(1, channel);
            statement.execute();
        }
    }

    Backlog backlog(Connection connection) throws SQLException {
        Instant oldest = null;
        String first = "select created_at from " + outbox + " where topic = ? order by seq limit 1";
        for (String topic : topics(connection)) {
            try (PreparedStatement statement = connection.prepareStatement(first)) {
                statement.setString(1, topic);
                try (ResultSet rows = statement.executeQuery()) {
                    if (rows.next()) {
                        Instant created = Instant.ofEpochMilli(rows.getLong(1));
                        oldest = oldest == null || created.isBefore(oldest) ? created : oldest;
                    }
                }
            }
        }
        return new Backlog(
                count(connection, "select 1 from " + outbox),
                count(connection, "select 1 from " + keys + " where parked"),
                oldest);
    }

    private static long count(Connection connection, String select) throws SQLException {
        String count = "select count(*) from (" + select + " limit " + MAX_COUNTED + ") c";
        try (PreparedStatement statement = connection.prepareStatement(count);
                ResultSet rows = statement.executeQuery()) {
            rows.next();
            return rows.getLong(1);
        }
    }

    /**
     * Says that a relay is alive.
     *
     * @return false if that comes too late: its lease ran out, so others may have its parts
     */
    boolean renew(Connection connection, UUID relay, long leaseMillis) throws SQLException {
        String update =
                "update " + relays + " set lease_until = " + now + " + ? where id = ? and lease_until >= " + now;
        try (PreparedStatement statement = connection.prepareStatement(update)) {
            statement.setLong(1, leaseMillis);
            setId(statement, 2, relay);
            return statement.executeUpdate() > 0;
        }
    }

    void register(Connection connection, UUID relay, long leaseMillis) throws SQLException {
        String insert = "insert into " + relays + " (id, lease_until) values (?, " + now + " + ?)";
        try (PreparedStatement statement = connection.prepareStatement(insert)) {
            setId(statement, 1, relay);
            statement.setLong(2, leaseMillis);
            statement.executeUpdate();
        }
    }

    /** Says that a relay will look for new entries by itself for a while. */
    void stayAwake(Connection connection, UUID relay, long millis) throws SQLException {
        String update = "update " + relays + " set awake_until = " + now + " + ? where id = ?";
        try (PreparedStatement statement = connection.prepareStatement(update)) {
            statement.setLong(1, millis);
            setId(statement, 2, relay);
            statement.executeUpdate();
        }
    }

    /** Forgets relays whose lease has run out, without waiting for one that renews it at this moment. */
    void bury(Connection connection) throws SQLException {
        String delete = "delete from " + relays + " where id in (select id from " + relays + " where lease_until < "
                + now + (postgres ? " for update skip locked" : "") + ")";
        try (PreparedStatement statement = connection.prepareStatement(delete)) {
            statement.executeUpdate();
        }
    }

    /** Takes over parts of nobody, and those of relays that are not known any more, until {@code relay} has its fair share. */
    void claim(Connection connection, UUID relay) throws SQLException {
        int missing = fairShare(connection) - owned(connection, relay).size();
        if (missing <= 0) {
            return;
        }
        String select = "select part, relay from " + partitions
                + " where relay is null or relay not in (select id from " + relays + ") order by part";
        // what another relay has taken meanwhile has another owner than the one that was read
        String update = "update " + partitions + " set relay = ? where part = ? and relay is not distinct from ?";
        Map<Integer, Optional<Object>> free = new LinkedHashMap<>();
        try (PreparedStatement statement = connection.prepareStatement(select);
                ResultSet rows = statement.executeQuery()) {
            while (free.size() < missing && rows.next()) {
                free.put(rows.getInt(1), Optional.ofNullable(rows.getObject(2)));
            }
        }
        try (PreparedStatement statement = connection.prepareStatement(update)) {
            for (Map.Entry<Integer, Optional<Object>> part : free.entrySet()) {
                setId(statement, 1, relay);
                statement.setInt(2, part.getKey());
                statement.setObject(3, part.getValue().orElse(null), postgres ? Types.OTHER : Types.VARCHAR);
                statement.executeUpdate();
            }
        }
    }

    /** How many parts each of the relays has that are alive, at most. */
    int fairShare(Connection connection) throws SQLException {
        String select = "select (select count(*) from " + partitions + "), (select count(*) from " + relays + ")";
        try (PreparedStatement statement = connection.prepareStatement(select);
                ResultSet rows = statement.executeQuery()) {
            rows.next();
            int alive = Math.max(1, rows.getInt(2));
            return (rows.getInt(1) + alive - 1) / alive;
        }
    }

    Set<Long> owned(Connection connection, UUID relay) throws SQLException {
        Set<Long> owned = new HashSet<>();
        try (PreparedStatement statement =
                connection.prepareStatement("select part from " + partitions + " where relay = ?")) {
            setId(statement, 1, relay);
            try (ResultSet rows = statement.executeQuery()) {
                while (rows.next()) {
                    owned.add(rows.getLong(1));
                }
            }
        }
        return owned;
    }

    void release(Connection connection, UUID relay, Collection<Long> parts) throws SQLException {
        String update = "update " + partitions + " set relay = null where relay = ? and part" + isIn();
        try (PreparedStatement statement = connection.prepareStatement(update)) {
            setId(statement, 1, relay);
            setLongs(statement, 2, parts);
            statement.executeUpdate();
        }
    }

    void leave(Connection connection, UUID relay) throws SQLException {
        release(connection, relay, owned(connection, relay));
        try (PreparedStatement statement = connection.prepareStatement("delete from " + relays + " where id = ?")) {
            setId(statement, 1, relay);
            statement.executeUpdate();
        }
    }

    private OutboxEntry entry(ResultSet row) throws SQLException {
        String headers = row.getString(8);
        return new OutboxEntry(
                UUID.fromString(row.getString(2)),
                row.getString(3),
                row.getString(4),
                row.getString(5),
                row.getString(6),
                row.getString(7),
                headers.equals(NO_HEADERS) ? Map.of() : MAPPER.readValue(headers, HEADERS),
                Instant.ofEpochMilli(row.getLong(9)));
    }

    private static String headers(OutboxEntry entry) {
        return entry.headers().isEmpty() ? NO_HEADERS : MAPPER.writeValueAsString(entry.headers());
    }

    private String isIn() {
        return postgres ? " = any (?)" : " in (select value from json_each(?))";
    }

    private void setLongs(PreparedStatement statement, int index, Collection<Long> values) throws SQLException {
        if (postgres) {
            statement.setArray(index, statement.getConnection().createArrayOf("bigint", values.toArray()));
        } else {
            statement.setString(index, values.toString());
        }
    }

    private void setId(PreparedStatement statement, int index, UUID id) throws SQLException {
        if (postgres) {
            statement.setObject(index, id);
        } else {
            statement.setString(index, id.toString());
        }
    }

    @FunctionalInterface
    private interface Binding {
        void bind(PreparedStatement statement) throws SQLException;
    }
}
