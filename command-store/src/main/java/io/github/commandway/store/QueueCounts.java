package io.github.commandway.store;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Map;
import java.util.TreeMap;

/** What one transaction changes in the numbers of queues. Each server adds to rows of its own, so that none waits for another; a queue's number is their sum. */
final class QueueCounts {
    static final String ADD =
            "insert into cw_count (queue, node, accepted, completed, failed, waiting) values (?, ?, ?, ?, ?, ?)"
                    + " on conflict (queue, node) do update set"
                    + " accepted = cw_count.accepted + excluded.accepted, completed = cw_count.completed + excluded.completed,"
                    + " failed = cw_count.failed + excluded.failed, waiting = cw_count.waiting + excluded.waiting";

    private final Map<String, Change> changes = new TreeMap<>();

    /** Commands that came to be in the queue. */
    void accepted(String queue, long more) {
        Change change = of(queue);
        change.accepted += more;
        change.waiting += more;
    }

    void waiting(String queue, long more) {
        of(queue).waiting += more;
    }

    void completed(String queue) {
        of(queue).completed++;
    }

    void failed(String queue) {
        of(queue).failed++;
    }

    private Change of(String queue) {
        return changes.computeIfAbsent(queue, none -> new Change());
    }

    /** Takes over what servers have counted that are gone. */
    static QueueCounts ofDeadNodes(Connection connection, Statements statements, long me) throws SQLException {
        QueueCounts inherited = new QueueCounts();
        PreparedStatement delete = statements.get(
                connection,
                "delete from cw_count where node <> ? and not exists (select 1 from cw_node n where n.id = cw_count.node)"
                        + " returning queue, accepted, completed, failed, waiting",
                me);
        try (ResultSet row = delete.executeQuery()) {
            while (row.next()) {
                Change change = inherited.of(row.getString(1));
                change.accepted += row.getLong(2);
                change.completed += row.getLong(3);
                change.failed += row.getLong(4);
                change.waiting += row.getLong(5);
            }
        }
        return inherited;
    }

    /** Adds all of it to the rows of the server {@code me}. */
    void write(Connection connection, Statements statements, long me) throws SQLException {
        if (changes.isEmpty()) {
            return;
        }
        PreparedStatement add = statements.get(connection, ADD);
        for (Map.Entry<String, Change> entry : changes.entrySet()) {
            Change change = entry.getValue();
            add.setString(1, entry.getKey());
            add.setLong(2, me);
            add.setLong(3, change.accepted);
            add.setLong(4, change.completed);
            add.setLong(5, change.failed);
            add.setLong(6, change.waiting);
            add.addBatch();
        }
        add.executeBatch();
    }

    /** Has {@code counts} know of it too, once the transaction is committed. */
    void tell(Database database, Counts counts) {
        changes.forEach((queue, change) -> {
            if (change.waiting != 0) {
                database.afterCommit(() -> counts.waiting(queue, change.waiting));
            }
        });
    }

    private static final class Change {
        long accepted;
        long completed;
        long failed;
        long waiting;
    }
}
