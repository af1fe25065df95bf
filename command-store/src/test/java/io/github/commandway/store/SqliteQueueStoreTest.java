package io.github.commandway.store;

import io.github.commandway.manager.CommandStore;
import io.github.commandway.testing.QueueStoreContract;
import java.nio.file.Path;
import java.time.Clock;
import org.junit.jupiter.api.io.TempDir;

class SqliteQueueStoreTest extends QueueStoreContract {
    @TempDir
    Path folder;

    private final Stores stores = new Stores();

    @Override
    protected CommandStore createStore(Clock clock) {
        return stores.on(Database.sqlite(folder.resolve("commands" + stores.count() + ".db")), clock);
    }

    @Override
    protected void afterStoreIsClosed() {
        stores.closeDatabases();
    }
}
