package io.github.commandway.conversation;

import io.github.commandway.store.Database;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;

class SqliteConversationServiceTest extends ConversationServiceContract {
    @TempDir
    Path folder;

    @Override
    Database open() {
        return Database.sqlite(folder.resolve("conversations.db"));
    }
}
