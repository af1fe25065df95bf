package io.github.commandway.store;

import io.github.commandway.manager.RecordId;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** What other servers on the same database are told when a transaction is committed. Used by the writer only, but for {@link #setAlone}. */
final class Signals {
    static final String CHANGED = "changed";
    static final String CANCEL = "cancel";

    private static final String NOTIFY = "select pg_notify(?, ?)";

    private final boolean isShared;
    private final String channel;
    private final long me;
    private final Statements statements;

    /** Of commands that are executed here and were accepted elsewhere: where. */
    private final Map<RecordId, Long> origins = new ConcurrentHashMap<>();

    private final Set<String> queues = new LinkedHashSet<>();
    private final Map<RecordId, Long> changed = new LinkedHashMap<>();
    private volatile boolean isAlone;

    Signals(Database database, long me, Statements statements) {
        this.isShared = database.isShared();
        this.channel = channel(database);
        this.me = me;
        this.statements = statements;
    }

    /** What the names of the channels begin with: that of queues is this, those of nodes have the node's number behind it. */
    static String channel(Database database) {
        return database.dialect().schemaPrefix().replace('.', '_') + "signal";
    }

    /** Nobody need be told anything while there is nobody else. */
    void setAlone(boolean alone) {
        isAlone = alone;
    }

    /** Has those who thought themselves alone know that there is another now. */
    void hello(Connection connection) throws SQLException {
        if (isShared) {
            send(connection, channel, me + " ");
        }
    }

    void clear() {
        queues.clear();
        changed.clear();
    }

    void queueWork(String queue) {
        if (isShared && !isAlone) {
            queues.add(queue);
        }
    }

    void executing(RecordId id, long origin) {
        if (isShared && origin != me && origin != 0) {
            origins.put(id, origin);
            changed.put(id, origin);
        }
    }

    void changed(RecordId id) {
        Long origin = origins.get(id);
        if (origin != null) {
            changed.put(id, origin);
        }
    }

    void forget(RecordId id) {
        origins.remove(id);
    }

    /** Sends what has come together, with the transaction. */
    void send(Connection connection) throws SQLException {
        for (String queue : queues) {
            send(connection, channel, me + " " + queue);
        }
        for (Map.Entry<RecordId, Long> change : changed.entrySet()) {
            send(connection, channel + change.getValue(), CHANGED + " " + change.getKey());
        }
        clear();
    }

    void cancel(Connection connection, RecordId id, long owner) throws SQLException {
        if (isShared) {
            send(connection, channel + owner, CANCEL + " " + id);
        }
    }

    private void send(Connection connection, String to, String text) throws SQLException {
        PreparedStatement notify = statements.get(connection, NOTIFY);
        notify.setString(1, to);
        notify.setString(2, text);
        notify.execute();
    }
}
