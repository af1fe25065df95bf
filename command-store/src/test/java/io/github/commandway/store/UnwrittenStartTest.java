package io.github.commandway.store;

import static io.github.commandway.store.Server.await;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.QueueingHandler;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.Target;
import java.nio.file.Path;
import java.sql.Statement;
import java.util.concurrent.CompletableFuture;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A database that fails just when a command begins: what then becomes of the command is recorded all the same. */
class UnwrittenStartTest {
    private static final int LOCAL = 300;

    @TempDir
    Path folder;

    private final CompletableFuture<Long> tag = new CompletableFuture<>();
    private Database database;
    private SqlCommandStore store;
    private CommandManager manager;

    @BeforeEach
    void open() {
        database = Database.sqlite(folder.resolve("commands.db"));
        store = SqlCommandStore.of(database);
        Registry registry = new Registry();
        registry.register("test", LOCAL, new Waiting());
        manager = CommandManager.builder(registry).store(store).build();
    }

    @AfterEach
    void close() {
        manager.close();
        database.close();
    }

    private CommandHandle submit() throws Exception {
        CommandHandle handle = await(manager.submit(
                CommandRequest.to(new Target.Local(LOCAL), "work").build()));
        await(tag);
        return handle;
    }

    private CommandRecord recorded(RecordId id) throws Exception {
        return await(store.find(id)).orElseThrow();
    }

    @Test
    void theEndIsRecordedOnceTheDatabaseWorksAgain() throws Exception {
        CommandHandle handle = submit();
        execute("create trigger full before update on cw_command when new.status = 'executing'"
                + " begin select raise(abort, 'no room'); end");
        manager.started(tag.join());
        Awaitility.await().until(() -> manager.stats().storeFailures() == 1);
        manager.progress(tag.join(), 0.5, "half");
        execute("drop trigger full");
        manager.progress(tag.join(), 0.7, "more");
        assertThat(recorded(handle.id()).status()).isEqualTo(CommandStatus.PENDING);

        manager.completeYield(tag.join(), "done", null);

        assertThat(await(handle.completion()).status()).isEqualTo(CommandStatus.COMPLETED);
        assertThat(recorded(handle.id()).status()).isEqualTo(CommandStatus.COMPLETED);
    }

    @Test
    void theEndIsRecordedAlsoIfTheDatabaseFailsThenToo() throws Exception {
        CommandHandle handle = submit();
        execute("create trigger full before update on cw_command begin select raise(abort, 'no room'); end");
        manager.started(tag.join());
        manager.completeYield(tag.join(), "done", null);
        assertThat(await(handle.completion()).status()).isEqualTo(CommandStatus.COMPLETED);
        assertThat(recorded(handle.id()).status()).isEqualTo(CommandStatus.PENDING);

        execute("drop trigger full");

        Awaitility.await().until(() -> recorded(handle.id()).status() == CommandStatus.COMPLETED);
    }

    private void execute(String sql) throws Exception {
        await(database.write(connection -> {
            try (Statement statement = connection.createStatement()) {
                return statement.execute(sql);
            }
        }));
    }

    /** Begins when it is told to. */
    private final class Waiting implements QueueingHandler {
        @Override
        public CommandRequest admit(CommandRequest request) {
            return request;
        }

        @Override
        public void handle(CommandContext context, Command command, long given, ResultReceiver receiver) {
            tag.complete(given);
        }
    }
}
