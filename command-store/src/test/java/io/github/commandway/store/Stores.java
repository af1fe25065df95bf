package io.github.commandway.store;

import io.github.commandway.manager.CommandStore;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;

/** The stores of a contract's test, with their databases. */
final class Stores {
    private final List<Database> databases = new ArrayList<>();

    int count() {
        return databases.size();
    }

    CommandStore on(Database database, Clock clock) {
        databases.add(database);
        return SqlCommandStore.builder(database).time(clock, System::nanoTime).build();
    }

    void closeDatabases() {
        databases.forEach(Database::close);
    }
}
