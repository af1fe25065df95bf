package io.github.commandway.outbox;

import io.github.commandway.store.Database;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;

class SqliteOutboxRelayTest extends OutboxRelayContract {
    @TempDir
    Path folder;

    @Override
    Database open() throws Exception {
        return Database.sqlite(folder.resolve("outbox.db"));
    }
}
