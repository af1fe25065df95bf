package io.github.commandway.store;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Set;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;

/** What differs between the databases as far as connections and transactions go. */
interface Dialect extends AutoCloseable {
    /** Whether other servers may work on the same database. */
    boolean isShared();

    /** The schema of the tables; empty if there are none. */
    String schema();

    /** Opens a connection for somebody else. */
    Connection connect() throws SQLException;

    /**
     * Checks that what is there is ours or nothing, and brings the tables up to date. Nothing is changed if it is not ours.
     *
     * @throws StoreException if it cannot be used; the message says why
     */
    void prepare();

    /** Opens the connection of the writer. */
    Connection openWriter() throws SQLException;

    /** A pool of connections that only read. */
    DataSource readers();

    /** Starts a transaction on the writer's connection. */
    void begin(Connection connection) throws SQLException;

    /**
     * What to ask for later if it remains open whether the commit of the current transaction, which is the next thing to be done, took place; null if
     * there is nothing to be lost.
     */
    @Nullable String transactionId(Connection connection) throws SQLException;

    /** Whether the transaction took place, asked on a new connection; null if that is not decided yet. */
    @Nullable Boolean isCommitted(Connection connection, String transactionId) throws SQLException;

    /** Whether the failure is that of the connection or of the moment, and so the same transaction can be tried again. */
    boolean isPassing(Connection connection, SQLException failure);

    @Override
    void close();

    /** An expression for the database's own time, in milliseconds. */
    String now();

    /** What is put behind a select that takes rows which others may be about to take. */
    String skipLocked();

    /** A condition with one parameter, which {@link #setTypes} sets: that the column {@code type} has one of some values. */
    String typeIsAnyOf();

    /** Sets the parameter of {@link #typeIsAnyOf}. */
    void setTypes(PreparedStatement statement, int index, Set<String> types) throws SQLException;

    /** What is put behind a select of one row that must not change until the transaction ends. */
    String forUpdate();

    /** A connection beside those of the writer and the readers. */
    Connection open() throws SQLException;

    /** What stands before the name of a table in a statement on a connection that is not ours. */
    String schemaPrefix();

    /** Runs one statement without a result that anybody looks at. */
    static void execute(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }
}
