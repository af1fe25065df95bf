package io.github.commandway.store;

import io.github.commandway.manager.Companion;
import io.github.commandway.manager.RecordedCommand;
import java.sql.Connection;
import java.sql.SQLException;

/** Writes more rows in the transaction that records a new command: all of it is kept, or nothing. */
@FunctionalInterface
public interface JdbcCompanion extends Companion {
    /**
     * Called in the writer right after the record was inserted, and only if it was; again if the transaction is repeated. It must not block, nor end the transaction. If it throws,
     * the command is not recorded either.
     */
    void write(Connection connection, RecordedCommand command) throws SQLException;
}
