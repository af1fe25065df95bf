package io.github.commandway.store;

import io.github.commandway.manager.CommandStore;
import io.github.commandway.testing.QueueStoreContract;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;

class SqliteQueueStoreTest extends QueueStoreContract {
    @TempDir
    Path folder;

    private final List<Database> databases = new ArrayList<>();

    @Override
    protected CommandStore createStore(Clock clock) {
        Database database = Database.sqlite(folder.resolve("commands" + databases.size() + ".db"));
        databases.add(database);
        return SqlCommandStore.builder(database).time(clock, System::nanoTime).build();
    }

    @Override
    protected void afterStoreIsClosed() {
        databases.forEach(Database::close);
    }
}
