package io.github.commandway.store;

import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.CommandStore.Creation;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.manager.Target;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Writes new records and changes of records, all that wait in one go: first the new ones, then the changes, of which those of one record become one. Used by the writer only.
 */
final class Changes implements Database.Group<Changes.Change, Changes.Written> {
    private static final int MAX_EVENTS = 10_000;
    private static final long MAX_EVENT_BYTES = 1 << 20;
    private static final int EVENT_OVERHEAD = 64;
    private static final int CREATE_TRIES = 3;

    private static final String IF_OURS = " where id = ? and status = ? and attempt = ? and owner = ?";

    private static final String UPDATE =
            "update cw_command set status = ?, reason = ?, message = ?, result = ?, sent_at = ?, started_at = ?, ended_at = ?,"
                    + " cancel_requested = (cancel_requested or ?), last_sequence = ?, sent_sequence = coalesce(?, sent_sequence),"
                    + " started_sequence = coalesce(?, started_sequence)"
                    + IF_OURS;

    /** Of the values of {@link Step#values}, in PostgreSQL. */
    private static final List<String> TYPES = List.of(
            "text", "text", "text", "bytea", "int8", "int8", "int8", "bool", "int8", "int8", "int8", "text", "text",
            "int4");

    private static final String UPDATE_ALL =
            "update cw_command c set status = u.status, reason = u.reason, message = u.message, result = u.result,"
                    + " sent_at = u.sent_at, started_at = u.started_at, ended_at = u.ended_at,"
                    + " cancel_requested = (c.cancel_requested or u.cancel_requested), last_sequence = u.last_sequence,"
                    + " sent_sequence = coalesce(u.sent_sequence, c.sent_sequence),"
                    + " started_sequence = coalesce(u.started_sequence, c.started_sequence) from "
                    + Statements.unnest(TYPES)
                    + " as u(status, reason, message, result, sent_at, started_at, ended_at, cancel_requested, last_sequence,"
                    + " sent_sequence, started_sequence, id, status_before, attempt)"
                    + " where c.id = u.id and c.status = u.status_before and c.attempt = u.attempt and c.owner = ?"
                    + " returning c.id, pg_current_xact_id()::text";

    private static final String NEXT_ATTEMPT =
            "update cw_command set status = 'pending', message = ?, attempt = ?, not_before = ?, waiting = ?, expires_at = ?, owner = ?,"
                    + " tag = case when origin = ? then ? else tag end, last_sequence = ?, sent_at = null, started_at = null,"
                    + " sent_sequence = 0, started_sequence = 0"
                    + IF_OURS;

    private static final String INSERT_EVENT =
            "insert into cw_event (command, sequence, type, at, channel, data, fraction, message) values (?, ?, ?, ?, ?, ?, ?, ?)";

    private static final String KEEP_SENT = "insert into cw_event (command, sequence, type, at, fraction, message)"
            + " select seq, sent_sequence, 'sent', sent_at, -1, '' from cw_command" + IF_OURS
            + " and sent_sequence > 0";

    private static final String KEEP_STARTED = "insert into cw_event (command, sequence, type, at, fraction, message)"
            + " select seq, started_sequence, 'executing', started_at, -1, '' from cw_command" + IF_OURS
            + " and started_sequence > 0";

    private final Database database;
    private final long me;
    private final List<EndHook> endHooks;
    private final Counts counts;
    private final Signals signals;
    private final Statements statements;

    /** Of open records with more than a bare life: what their events come to, at most; guarded by being the writer's. */
    private final Map<RecordId, EventSize> eventSizes = new HashMap<>();

    Changes(Database database, long me, List<EndHook> endHooks, Counts counts, Signals signals, Statements statements) {
        this.database = database;
        this.me = me;
        this.endHooks = endHooks;
        this.counts = counts;
        this.signals = signals;
        this.statements = statements;
    }

    @Override
    public List<Database.Outcome<Written>> write(Connection connection, List<Change> changes) throws SQLException {
        List<Database.Outcome<Written>> outcomes =
                new ArrayList<>(Collections.nCopies(changes.size(), new Database.Outcome<>(Written.YES)));
        signals.clear();
        QueueCounts queues = new QueueCounts();
        create(connection, changes, outcomes, queues);
        List<Map<RecordId, Step>> rounds = steps(changes);
        for (Map<RecordId, Step> round : rounds) {
            write(connection, round, outcomes, queues);
        }
        queues.write(connection, statements, me);
        queues.tell(database, counts);
        signals.send(connection);
        return outcomes;
    }

    private void create(
            Connection connection, List<Change> changes, List<Database.Outcome<Written>> outcomes, QueueCounts queues)
            throws SQLException {
        List<Integer> positions = new ArrayList<>();
        List<Create> creates = new ArrayList<>();
        for (int i = 0; i < changes.size(); i++) {
            if (changes.get(i) instanceof Create create) {
                positions.add(i);
                creates.add(create);
            }
        }
        if (creates.isEmpty()) {
            return;
        }
        Set<Long> inserted = insert(connection, creates);
        for (int i = 0; i < creates.size(); i++) {
            Create create = creates.get(i);
            Creation creation = inserted.contains(create.tag) ? Creation.created() : createOrFind(connection, create);
            outcomes.set(positions.get(i), new Database.Outcome<>(new Written(true, creation)));
            if (creation.existing().isEmpty()) {
                created(connection, create, queues, inserted.contains(create.tag) && database.isShared());
            }
        }
    }

    /** Returns the tags of those that nothing stood in the way of. */
    private Set<Long> insert(Connection connection, List<Create> creates) throws SQLException {
        if (database.isShared()) {
            List<@Nullable Object[]> rows = new ArrayList<>(creates.size());
            creates.forEach(create -> rows.add(create.values(me)));
            return CommandRow.insertAll(connection, statements, rows, me, database::transactionIs);
        }
        PreparedStatement insert = statements.get(connection, CommandRow.insertInto(""));
        for (Create create : creates) {
            CommandRow.bind(insert, create.values(me));
            insert.addBatch();
        }
        int[] counts = insert.executeBatch();
        Set<Long> tags = new HashSet<>();
        for (int i = 0; i < counts.length; i++) {
            if (counts[i] == 1) {
                tags.add(creates.get(i).tag);
            }
        }
        return tags;
    }

    private void created(Connection connection, Create create, QueueCounts queues, boolean isCounted)
            throws SQLException {
        database.afterCommit(() -> counts.created(1));
        String queue = CommandRow.queueOf(create.command.request());
        if (queue != null) {
            if (isCounted) {
                database.afterCommit(() -> counts.waiting(queue, 1));
            } else {
                queues.accepted(queue, 1);
            }
            signals.queueWork(queue);
        }
        if (create.companion != null) {
            create.companion.write(connection, create.command);
        }
    }

    private Creation createOrFind(Connection connection, Create create) throws SQLException {
        for (int tries = 0; tries < CREATE_TRIES; tries++) {
            Creation found = find(connection, "", create.command.request(), me);
            if (found != null) {
                return found;
            }
            PreparedStatement insert = statements.get(connection, CommandRow.insertInto(""));
            CommandRow.bind(insert, create.values(me));
            if (insert.executeUpdate() == 1) {
                return Creation.created();
            }
        }
        throw new StoreException("there is a record with the id " + create.command.id() + " already");
    }

    /** The record that keeps one for this request from being made; null if it is not there any more, or has another reason. */
    static @Nullable Creation find(Connection connection, String schemaPrefix, CommandRequest request, long me)
            throws SQLException {
        String select = "select " + CommandRow.COLUMNS + " from " + schemaPrefix + "cw_command where ";
        if (request.idempotencyKey() != null) {
            try (PreparedStatement byKey =
                    connection.prepareStatement(select + "coalesce(principal, '') = ? and idempotency_key = ?")) {
                byKey.setString(1, Objects.requireNonNullElse(request.principal(), ""));
                byKey.setString(2, request.idempotencyKey());
                List<CommandRow> found = CommandRow.readAll(byKey, me);
                if (!found.isEmpty()) {
                    return Creation.existing(found.get(0).record());
                }
            }
        }
        if (request.exclusiveKey() != null) {
            try (PreparedStatement byKey =
                    connection.prepareStatement(select + "exclusive_key = ? and ended_at is null")) {
                byKey.setString(1, request.exclusiveKey());
                List<CommandRow> found = CommandRow.readAll(byKey, me);
                if (!found.isEmpty()) {
                    return Creation.occupied(found.get(0).record());
                }
            }
        }
        return null;
    }

    /** What has to be written, in rounds: within one a record comes once. */
    private static List<Map<RecordId, Step>> steps(List<Change> changes) {
        List<Map<RecordId, Step>> rounds = new ArrayList<>();
        Map<RecordId, Integer> last = new HashMap<>();
        for (int i = 0; i < changes.size(); i++) {
            if (!(changes.get(i) instanceof Move move)) {
                continue;
            }
            RecordId id = move.record.id();
            int round = last.getOrDefault(id, 0);
            while (true) {
                if (rounds.size() == round) {
                    rounds.add(new LinkedHashMap<>());
                }
                Step step = rounds.get(round).get(id);
                if (step == null) {
                    rounds.get(round).put(id, new Step(move, i));
                    break;
                }
                if (step.add(move, i)) {
                    break;
                }
                round++;
            }
            last.put(id, round);
        }
        return rounds;
    }

    private void write(
            Connection connection,
            Map<RecordId, Step> round,
            List<Database.Outcome<Written>> outcomes,
            QueueCounts queues)
            throws SQLException {
        List<Step> bare = new ArrayList<>();
        for (Step step : round.values()) {
            if (step.isBare()) {
                bare.add(step);
            } else {
                done(connection, step, writeWithEvents(connection, step), outcomes, queues);
            }
        }
        if (bare.isEmpty()) {
            return;
        }
        Set<RecordId> written = database.isShared() ? writeAll(connection, bare) : writeInTurn(connection, bare);
        for (Step step : bare) {
            done(connection, step, written.contains(step.last.id()), outcomes, queues);
        }
    }

    private Set<RecordId> writeAll(Connection connection, List<Step> bare) throws SQLException {
        List<@Nullable Object[]> rows = new ArrayList<>(bare.size());
        bare.forEach(step -> rows.add(step.values()));
        PreparedStatement update = statements.get(connection, UPDATE_ALL);
        Statements.bindArrays(connection, update, TYPES, rows);
        update.setLong(TYPES.size() + 1, me);
        Set<RecordId> written = new HashSet<>();
        try (ResultSet row = update.executeQuery()) {
            while (row.next()) {
                written.add(CommandRow.idOf(row.getString(1)));
                database.transactionIs(row.getString(2));
            }
        }
        return written;
    }

    private Set<RecordId> writeInTurn(Connection connection, List<Step> bare) throws SQLException {
        PreparedStatement update = statements.get(connection, UPDATE);
        for (Step step : bare) {
            bindUpdate(update, step);
            update.addBatch();
        }
        int[] updated = update.executeBatch();
        Set<RecordId> written = new HashSet<>();
        for (int i = 0; i < updated.length; i++) {
            if (updated[i] == 1) {
                written.add(bare.get(i).last.id());
            }
        }
        return written;
    }

    private void done(
            Connection connection,
            Step step,
            boolean isWritten,
            List<Database.Outcome<Written>> outcomes,
            QueueCounts queues)
            throws SQLException {
        if (!isWritten) {
            eventSizes.remove(step.last.id());
            step.positions.forEach(position -> outcomes.set(position, new Database.Outcome<>(Written.NO)));
            return;
        }
        CommandRecord record = step.last;
        boolean isEnd = record.status().isTerminal();
        String queue = CommandRow.queueOf(record.request());
        if (queue != null && (isEnd || step.isNextAttempt)) {
            if (!isEnd) {
                queues.waiting(queue, 1);
            } else if (record.status() == CommandStatus.COMPLETED) {
                queues.completed(queue);
            } else {
                queues.failed(queue);
            }
            if (!isEnd || record.request().orderKey() != null) {
                signals.queueWork(queue);
            }
        }
        signals.changed(record.id());
        if (isEnd) {
            database.afterCommit(counts::ended);
            for (EndHook hook : endHooks) {
                hook.onEnd(connection, record);
            }
        }
        if (isEnd || step.isNextAttempt) {
            // what comes next may be another server's to write
            eventSizes.remove(record.id());
            database.afterCommit(() -> signals.forget(record.id()));
        }
    }

    private boolean writeWithEvents(Connection connection, Step step) throws SQLException {
        CommandRecord record = step.last;
        if (step.isNextAttempt) {
            for (String keep : new String[] {KEEP_SENT, KEEP_STARTED}) {
                PreparedStatement insert = statements.get(connection, keep);
                bindIfOurs(insert, 0, step);
                insert.executeUpdate();
            }
        }
        PreparedStatement update =
                statements.get(connection, (step.isNextAttempt ? NEXT_ATTEMPT : UPDATE) + " returning seq");
        if (step.isNextAttempt) {
            bindNextAttempt(update, step);
        } else {
            bindUpdate(update, step);
        }
        long seq;
        try (ResultSet row = update.executeQuery()) {
            if (!row.next()) {
                return false;
            }
            seq = row.getLong(1);
        }
        PreparedStatement insert = statements.get(connection, INSERT_EVENT);
        long bytes = 0;
        for (CommandEvent event : step.events) {
            bindEvent(insert, seq, event);
            insert.addBatch();
            bytes += EVENT_OVERHEAD + event.message().length() + (event.data() == null ? 0 : event.data().length);
        }
        insert.executeBatch();
        trim(connection, record.id(), seq, step.events.size() + 2, bytes);
        return true;
    }

    /** Lets the oldest events of a record give way if there are too many. */
    private void trim(Connection connection, RecordId id, long seq, int added, long addedBytes) throws SQLException {
        EventSize size = eventSizes.get(id);
        if (size == null) {
            size = sizeOf(connection, seq);
            eventSizes.put(id, size);
        } else {
            size.events += added;
            size.bytes += addedBytes;
        }
        if (size.events <= MAX_EVENTS && size.bytes <= MAX_EVENT_BYTES) {
            return;
        }
        // a quarter at a time, so that it does not happen at every event from now on
        long cut = 0;
        PreparedStatement select = statements.get(
                connection,
                "select sequence, " + EVENT_OVERHEAD
                        + " + length(message) + coalesce(length(data), 0) from cw_event where command = ? order by sequence desc",
                seq);
        size.events = 0;
        size.bytes = 0;
        try (ResultSet row = select.executeQuery()) {
            while (row.next() && cut == 0) {
                long bytes = size.bytes + row.getLong(2);
                if (size.events > 0 && (size.events + 1 > MAX_EVENTS / 4 * 3 || bytes > MAX_EVENT_BYTES / 4 * 3)) {
                    cut = row.getLong(1);
                } else {
                    size.events++;
                    size.bytes = bytes;
                }
            }
        }
        if (cut > 0) {
            statements
                    .get(connection, "delete from cw_event where command = ? and sequence <= ?", seq, cut)
                    .executeUpdate();
            statements
                    .get(connection, "update cw_command set gap_sequence = ? where seq = ?", cut, seq)
                    .executeUpdate();
        }
    }

    private EventSize sizeOf(Connection connection, long seq) throws SQLException {
        EventSize size = new EventSize();
        PreparedStatement select = statements.get(
                connection,
                "select count(*), coalesce(sum(" + EVENT_OVERHEAD
                        + " + length(message) + coalesce(length(data), 0)), 0) from cw_event where command = ?",
                seq);
        try (ResultSet row = select.executeQuery()) {
            row.next();
            size.events = row.getLong(1);
            size.bytes = row.getLong(2);
        }
        return size;
    }

    private void bindUpdate(PreparedStatement update, Step step) throws SQLException {
        @Nullable Object[] values = step.values();
        CommandRow.bind(update, values);
        update.setLong(values.length + 1, me);
    }

    private void bindNextAttempt(PreparedStatement update, Step step) throws SQLException {
        CommandRecord record = step.last;
        boolean isInQueue = record.request().target() instanceof Target.Queue;
        Instant notBefore = record.notBefore();
        int i = 0;
        update.setString(++i, storable(record.message()));
        update.setInt(++i, record.attempt());
        CommandRow.setMillis(update, ++i, notBefore);
        update.setInt(
                ++i, !isInQueue ? CommandRow.NOT_WAITING : notBefore == null ? CommandRow.READY : CommandRow.DELAYED);
        update.setLong(
                ++i, CommandRow.expiresAt(record.request(), record.createdAt().toEpochMilli(), notBefore));
        if (isInQueue) {
            update.setNull(++i, Types.BIGINT);
        } else {
            update.setLong(++i, me);
        }
        update.setLong(++i, me);
        update.setLong(++i, record.tag());
        update.setLong(++i, record.lastSequence());
        bindIfOurs(update, i, step);
    }

    private void bindIfOurs(PreparedStatement statement, int before, Step step) throws SQLException {
        int i = before;
        statement.setString(++i, step.last.id().toString());
        statement.setString(++i, step.from.code());
        statement.setInt(++i, step.last.attempt() - (step.isNextAttempt ? 1 : 0));
        statement.setLong(++i, me);
    }

    private static void bindEvent(PreparedStatement insert, long seq, CommandEvent event) throws SQLException {
        insert.setLong(1, seq);
        insert.setLong(2, event.sequence());
        insert.setString(3, event.type().code());
        insert.setLong(4, event.at().toEpochMilli());
        insert.setString(5, storable(event.channel()));
        insert.setBytes(6, event.data());
        insert.setDouble(7, event.fraction());
        insert.setString(8, storable(event.message()));
    }

    /** PostgreSQL has no text with a zero character in it. */
    private static @Nullable String storable(@Nullable String text) {
        return text == null || text.indexOf('\0') < 0 ? text : text.replace('\0', '\uFFFD');
    }

    /** One call of the manager. */
    sealed interface Change {}

    /** A new record. */
    record Create(
            RecordedCommand command,
            long createdAtMillis,
            long tag,
            @Nullable JdbcCompanion companion) implements Change {
        @Nullable Object[] values(long me) {
            return CommandRow.values(command.id(), command.request(), createdAtMillis, me, tag);
        }
    }

    /**
     * A change of a record.
     *
     * @param from the status before; the same for an event that leaves it
     * @param event what is to be kept beside the record, or null
     */
    record Move(
            CommandRecord record,
            CommandStatus from,
            @Nullable CommandEvent event) implements Change {
        boolean isNextAttempt() {
            return event != null && event.type() == CommandEvent.Type.RETRYING;
        }
    }

    /** What a change came to. */
    record Written(boolean isWritten, Creation creation) {
        static final Written YES = new Written(true, Creation.created());
        static final Written NO = new Written(false, Creation.created());
    }

    /** Changes of one record that one statement writes. */
    private static final class Step {
        final List<Integer> positions = new ArrayList<>(2);
        final List<CommandEvent> events = new ArrayList<>(0);
        final CommandStatus from;
        CommandRecord last;
        long sentSequence;
        long startedSequence;
        final boolean isNextAttempt;

        Step(Move first, int position) {
            from = first.from;
            last = first.record;
            isNextAttempt = first.isNextAttempt();
            take(first, position);
        }

        /** False if the change cannot be written together with those before. */
        boolean add(Move move, int position) {
            if (isNextAttempt || move.isNextAttempt()) {
                return false;
            }
            take(move, position);
            return true;
        }

        private void take(Move move, int position) {
            CommandRecord record = move.record;
            positions.add(position);
            last = record;
            if (move.event != null) {
                events.add(move.event);
            } else if (record.status() == CommandStatus.PENDING) {
                sentSequence = record.lastSequence();
            } else if (record.status() == CommandStatus.EXECUTING) {
                startedSequence = record.lastSequence();
            }
        }

        /** The parameters of the statements that write it, but for the owner. */
        @Nullable Object[] values() {
            CommandRecord record = last;
            return new @Nullable Object[] {
                record.status().code(),
                record.reason() == null ? null : record.reason().code(),
                storable(record.message()),
                record.result(),
                CommandRow.millis(record.sentAt()),
                CommandRow.millis(record.startedAt()),
                CommandRow.millis(record.endedAt()),
                record.cancelRequested(),
                record.lastSequence(),
                sentSequence == 0 ? null : sentSequence,
                startedSequence == 0 ? null : startedSequence,
                record.id().toString(),
                from.code(),
                record.attempt()
            };
        }

        boolean isBare() {
            return events.isEmpty();
        }
    }

    private static final class EventSize {
        long events;
        long bytes;
    }
}
