package io.github.commandway.store;

import io.github.commandway.manager.CommandStore;
import io.github.commandway.testing.QueueStoreContract;
import java.time.Clock;

class PostgresQueueStoreTest extends QueueStoreContract {
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
