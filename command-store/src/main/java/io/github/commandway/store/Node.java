package io.github.commandway.store;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * This server's row among those that work on the database. It holds a lease; when that has run out by the database's clock, others may take over what this server has.
 */
final class Node {
    private static final Logger LOG = LoggerFactory.getLogger(Node.class);

    private final Database database;
    private final String name;
    private final Duration lease;
    private final LongSupplier ticker;
    private final long id;
    private final AtomicBoolean renewing = new AtomicBoolean();
    private volatile long renewedAtNanos;
    private volatile boolean announced;

    /** Enters the row, and waits until that is done. */
    Node(Database database, String name, Duration lease, LongSupplier ticker) {
        this.database = database;
        this.name = name;
        this.lease = lease;
        this.ticker = ticker;
        renewedAtNanos = ticker.getAsLong();
        id = database.write(connection -> {
                    String now = database.dialect().now();
                    try (PreparedStatement insert = connection.prepareStatement(
                            "insert into cw_node (name, started_at, lease_until) values (?, " + now + ", " + now
                                    + " + ?) returning id")) {
                        insert.setString(1, name);
                        insert.setLong(2, lease.toMillis());
                        return Statements.number(insert);
                    }
                })
                .join();
    }

    long id() {
        return id;
    }

    /** Whether nobody can have taken over what this server has. */
    boolean holdsLease() {
        return !database.isShared() || isRenewed();
    }

    /** Whether the lease has not run out, which on a database that is not shared says only that it can be written. */
    boolean isRenewed() {
        return ticker.getAsLong() - renewedAtNanos < lease.toNanos();
    }

    /** Extends the lease, and has {@code signals} know whether there is anybody else. */
    void renew(Signals signals) {
        if (!renewing.compareAndSet(false, true)) {
            return;
        }
        boolean isNew = !announced;
        database.write(connection -> {
                    // before the database looks at its clock, so that this server never takes its lease for longer than
                    // it is
                    long asked = ticker.getAsLong();
                    renew(connection);
                    if (isNew) {
                        signals.hello(connection);
                    }
                    signals.setAlone(countOthers(connection) == 0);
                    return asked;
                })
                .whenComplete((asked, error) -> {
                    renewing.set(false);
                    if (error == null) {
                        renewedAtNanos = asked;
                        announced = true;
                    } else {
                        LOG.warn("the lease of node {} could not be renewed: {}", id, error.getMessage());
                    }
                });
    }

    private void renew(Connection connection) throws SQLException {
        String now = database.dialect().now();
        try (PreparedStatement upsert = connection.prepareStatement(
                "insert into cw_node (id, name, started_at, lease_until) values (?, ?, " + now + ", " + now
                        + " + ?) on conflict (id) do update set lease_until = excluded.lease_until")) {
            upsert.setLong(1, id);
            upsert.setString(2, name);
            upsert.setLong(3, lease.toMillis());
            upsert.executeUpdate();
        }
    }

    private long countOthers(Connection connection) throws SQLException {
        try (PreparedStatement select =
                connection.prepareStatement("select count(*) from cw_node where id <> ? and not (" + isDead() + ")")) {
            select.setLong(1, id);
            bindIsDead(select, 2);
            return Statements.number(select);
        }
    }

    /** Ends the lease now, so that others need not wait for it to run out. */
    void leave(Connection connection) throws SQLException {
        try (PreparedStatement update =
                connection.prepareStatement("update cw_node set lease_until = 0 where id = ?")) {
            update.setLong(1, id);
            update.executeUpdate();
        }
    }

    /** Lets go of rows of dead nodes that own nothing. */
    void removeDead(Connection connection) throws SQLException {
        try (PreparedStatement delete = connection.prepareStatement(
                "delete from cw_node where " + isDead()
                        + " and not exists (select 1 from cw_command c where c.owner = cw_node.id and c.owner is not null and c.ended_at is null)")) {
            bindIsDead(delete, 1);
            delete.executeUpdate();
        }
    }

    /** A condition on cw_node: that the server is gone, or that this one is its next run. */
    String isDead() {
        return database.isShared()
                ? "(cw_node.id <> ? and (cw_node.lease_until < "
                        + database.dialect().now() + " or (cw_node.name = ? and cw_node.id < ?)))"
                : "(cw_node.id <> ?)";
    }

    /** Sets the parameters of {@link #isDead}, and returns the index behind them. */
    int bindIsDead(PreparedStatement statement, int first) throws SQLException {
        statement.setLong(first, id);
        if (!database.isShared()) {
            return first + 1;
        }
        statement.setString(first + 1, name);
        statement.setLong(first + 2, id);
        return first + 3;
    }
}
