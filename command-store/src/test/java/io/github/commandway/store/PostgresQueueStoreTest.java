package io.github.commandway.store;

import io.github.commandway.manager.CommandStore;
import io.github.commandway.testing.QueueStoreContract;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;

class PostgresQueueStoreTest extends QueueStoreContract {
    private final List<Database> databases = new ArrayList<>();

    @Override
    protected CommandStore createStore(Clock clock) {
        Database database = PostgresServer.freshSchema();
        databases.add(database);
        return SqlCommandStore.builder(database).time(clock, System::nanoTime).build();
    }

    @Override
    protected void afterStoreIsClosed() {
        databases.forEach(Database::close);
    }
}
