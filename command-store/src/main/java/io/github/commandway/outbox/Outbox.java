package io.github.commandway.outbox;

import io.github.commandway.store.Database;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * Writes entries in whatever transaction they belong to; an {@link OutboxRelay} delivers them once it is committed. Immutable, safe for use by many threads.
 *
 * <p>Entries of a key are delivered in the order of their appending as long as the transactions that append them come one after the other, as they do when
 * they change the same row. Where transactions of a key overlap, either may come first.
 */
public final class Outbox {
    private final Database database;
    private final OutboxTables tables;

    /** The outbox of a database, which it does not close. */
    public Outbox(Database database) {
        this.database = database;
        tables = new OutboxTables(database.isShared(), database.schema());
    }

    Database database() {
        return database;
    }

    OutboxTables tables() {
        return tables;
    }

    /** Has {@code relay} called after every commit from which it may have something to do, until the result is closed. */
    AutoCloseable listen(Runnable relay) {
        if (database.isShared()) {
            return new OutboxListener(database, tables.channel(), relay);
        }
        return database.listen(tables.channel(), relay);
    }

    /**
     * Writes entries in a transaction and leaves it to the caller to commit; relays learn of that at once. On PostgreSQL any connection to the same database will do,
     * with or without automatic commit; on SQLite it is one that {@link Database#write} gave, in its thread.
     *
     * @throws SQLException if the database refuses one: its payload is not JSON. On PostgreSQL that spoils the
     *     transaction
     */
    public void append(Connection connection, OutboxEntry... entries) throws SQLException {
        append(connection, List.of(entries));
    }

    /** Writes entries as {@link #append(Connection, OutboxEntry...)} does. */
    public void append(Connection connection, List<OutboxEntry> entries) throws SQLException {
        if (!entries.isEmpty()) {
            tables.append(connection, entries);
            if (!database.isShared()) {
                database.signal(tables.channel());
            }
        }
    }

    /**
     * Deletes entries that happened before {@code before}, delivered or not. Only for an outbox that another tool reads, such as Debezium: a relay deletes
     * what it has delivered.
     *
     * @param limit how many at most in one transaction, from 1
     * @return how many there were
     */
    public CompletableFuture<Integer> purge(Instant before, int limit) {
        if (limit < 1) {
            throw new IllegalArgumentException("the limit must be at least 1, not " + limit);
        }
        return database.write(connection -> tables.purge(connection, before, limit));
    }
}
