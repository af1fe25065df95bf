package io.github.commandway.store;

import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandPage;
import io.github.commandway.manager.CommandQuery;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandScope;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.Target;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** Looks up commands and their events in the database. Safe for use by many threads. */
final class CommandReader {
    private final Database database;
    private final long me;

    /**
     * Makes one.
     *
     * @param me this node, whose tags mean something here
     */
    CommandReader(Database database, long me) {
        this.database = database;
        this.me = me;
    }

    CompletableFuture<Optional<CommandRecord>> find(RecordId id) {
        return database.read(connection -> row(connection, id).map(CommandRow::record));
    }

    private Optional<CommandRow> row(Connection connection, RecordId id) throws SQLException {
        try (PreparedStatement select = connection.prepareStatement(CommandRow.SELECT + "where id = ?")) {
            select.setString(1, id.toString());
            return CommandRow.readAll(select, me).stream().findFirst();
        }
    }

    CompletableFuture<CommandPage> list(CommandQuery query) {
        long[] before;
        try {
            before = parseCursor(query.cursor());
        } catch (IllegalArgumentException e) {
            return CompletableFuture.failedFuture(e);
        }
        return database.read(connection -> list(connection, query, before));
    }

    private static long[] parseCursor(@Nullable String cursor) {
        if (cursor == null) {
            return new long[] {Long.MAX_VALUE, Long.MAX_VALUE};
        }
        String[] parts = cursor.split("\\.", -1);
        if (parts.length != 2 || !parts[0].matches("\\d{1,18}") || !parts[1].matches("\\d{1,18}")) {
            throw new IllegalArgumentException(
                    "'" + cursor + "' is not a cursor; use the next_cursor of the page before");
        }
        return new long[] {Long.parseLong(parts[0]), Long.parseLong(parts[1])};
    }

    private static void limit(CommandScope scope, StringBuilder sql, List<Object> parameters) {
        if (scope.principal() != null) {
            sql.append(" and principal = ?");
            parameters.add(scope.principal());
        }
        limit("type", scope.types(), sql, parameters);
        limit("target", scope.targets(), sql, parameters);
    }

    private static void limit(String column, List<String> patterns, StringBuilder sql, List<Object> parameters) {
        String separator = " and (";
        for (String pattern : patterns) {
            sql.append(separator);
            separator = " or ";
            if (pattern.endsWith("*")) {
                String beginning = pattern.substring(0, pattern.length() - 1);
                // not like, which means other characters by some of them, and not the same in all databases
                sql.append("substr(").append(column).append(", 1, ?) = ?");
                parameters.add(beginning.codePointCount(0, beginning.length()));
                parameters.add(beginning);
            } else {
                sql.append(column).append(" = ?");
                parameters.add(pattern);
            }
        }
        sql.append(patterns.isEmpty() ? "" : ")");
    }

    private CommandPage list(Connection connection, CommandQuery query, long[] before) throws SQLException {
        StringBuilder sql = new StringBuilder(CommandRow.SELECT).append("where (created_at, seq) < (?, ?)");
        // one bound, where the index is entered: with two of them a database may walk from the one to the other
        Instant until = query.until();
        List<Object> parameters = new ArrayList<>(
                until == null || until.toEpochMilli() > before[0]
                        ? List.of(before[0], before[1])
                        : List.of(until.toEpochMilli(), 0L));
        Target target = query.target();
        if (target != null) {
            sql.append(" and target = ?");
            parameters.add(target.toString());
        }
        CommandStatus status = query.status();
        if (status != null) {
            sql.append(" and status = ?");
            parameters.add(status.code());
        }
        if (query.type() != null) {
            sql.append(" and type = ?");
            parameters.add(query.type());
        }
        if (query.principal() != null) {
            sql.append(" and principal = ?");
            parameters.add(query.principal());
        }
        if (query.toolsOnly()) {
            // as in the index that is for this
            sql.append(" and (substr(type, 1, 5) = 'tool:' or substr(type, 1, 10) = 'toolchain:')");
        }
        Instant from = query.from();
        if (from != null) {
            sql.append(" and created_at >= ?");
            parameters.add(from.toEpochMilli());
        }
        limit(query.scope(), sql, parameters);
        sql.append(" order by created_at desc, seq desc limit ?");
        parameters.add(query.limit() + 1);
        try (PreparedStatement select = connection.prepareStatement(sql.toString())) {
            for (int i = 0; i < parameters.size(); i++) {
                select.setObject(i + 1, parameters.get(i));
            }
            List<CommandRow> rows = CommandRow.readAll(select, me);
            boolean more = rows.size() > query.limit();
            List<CommandRow> page = more ? rows.subList(0, query.limit()) : rows;
            CommandRow last = more ? page.get(page.size() - 1) : null;
            return new CommandPage(
                    page.stream().map(CommandRow::record).toList(),
                    last == null ? null : last.record().createdAt().toEpochMilli() + "." + last.seq());
        }
    }

    CompletableFuture<List<CommandEvent>> events(RecordId id, long after, int limit) {
        return database.read(connection -> {
            Optional<CommandRow> row = row(connection, id);
            return row.isEmpty() ? List.<CommandEvent>of() : events(connection, row.get(), after, limit);
        });
    }

    private static List<CommandEvent> events(Connection connection, CommandRow row, long after, int limit)
            throws SQLException {
        long gap = row.gapSequence();
        List<CommandEvent> events = new ArrayList<>();
        for (CommandEvent event : row.events()) {
            if (event.sequence() > after && event.sequence() > gap) {
                events.add(event);
            }
        }
        try (PreparedStatement select = connection.prepareStatement(
                "select sequence, type, at, channel, data, fraction, message from cw_event where command = ? and sequence > ?"
                        + " order by sequence limit ?")) {
            select.setLong(1, row.seq());
            select.setLong(2, Math.max(after, gap));
            select.setInt(3, limit);
            try (ResultSet kept = select.executeQuery()) {
                while (kept.next()) {
                    events.add(new CommandEvent(
                            kept.getLong(1),
                            CommandEvent.Type.valueOf(kept.getString(2).toUpperCase(Locale.ROOT)),
                            Instant.ofEpochMilli(kept.getLong(3)),
                            kept.getString(4),
                            kept.getBytes(5),
                            kept.getDouble(6),
                            kept.getString(7)));
                }
            }
        }
        events.sort(Comparator.comparingLong(CommandEvent::sequence));
        if (gap > after && !events.isEmpty()) {
            events.add(
                    0,
                    new CommandEvent(
                            gap,
                            CommandEvent.Type.GAP,
                            events.get(0).at(),
                            null,
                            null,
                            -1,
                            "events up to " + gap + " are not kept any more"));
        }
        return events.size() > limit ? List.copyOf(events.subList(0, limit)) : events;
    }
}
