package io.github.commandway.store;

import io.github.commandway.manager.CommandRecord;
import java.sql.Connection;
import java.sql.SQLException;

/** Writes more rows in the transaction that records the end of a command: all of it is kept, or nothing. */
@FunctionalInterface
public interface EndHook {
    /**
     * Called in the writer right after the end was written; again if the transaction is repeated. It must not block, nor end the transaction. If it throws, the end is not recorded,
     * so it should throw only when the database does.
     */
    void onEnd(Connection connection, CommandRecord ended) throws SQLException;
}
