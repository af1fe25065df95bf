package io.github.commandway.store;

import io.github.commandway.manager.CommandStore;
import io.github.commandway.testing.CommandStoreContract;
import java.time.Clock;

class PostgresCommandStoreTest extends CommandStoreContract {
    private final Stores stores = new Stores();

    @Override
    protected CommandStore createStore(Clock clock) {
        return stores.on(PostgresServer.freshSchema(), clock);
    }

    @Override
    protected void afterStoreIsClosed() {
        stores.closeDatabases();
    }
}
