package io.github.commandway.store;

import static io.github.commandway.store.Server.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.commandway.dispatch.Registry;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandQuery;
import io.github.commandway.manager.CommandRejectedException;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.manager.Target;
import io.github.commandway.testing.ManualTime;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What keeps a store from growing without end, and callers from waiting without end. */
class LimitsTest {
    private static final int LOCAL = 300;
    private static final int MOST_CREATES = 50_000;
    private static final int MOST_WRITES = 200_000;
    private static final int MOST_READS = 20_000;

    @TempDir
    Path folder;

    private final ManualTime time = new ManualTime();
    private final AtomicLong nanos = new AtomicLong();
    private final BlockingQueue<Long> tags = new LinkedBlockingQueue<>();
    private Database database;
    private SqlCommandStore store;
    private CommandManager manager;
    private CountDownLatch release = new CountDownLatch(0);

    @BeforeEach
    void open() {
        database = Database.sqlite(folder.resolve("limits.db"), nanos::get);
        Registry registry = new Registry();
        registry.register("test", LOCAL, (context, command, tag, receiver) -> {
            if (((RecordedCommand) command).request().type().equals("done")) {
                receiver.completeYield(tag, null, null);
            } else {
                receiver.started(tag);
                tags.add(tag);
            }
        });
        store = SqlCommandStore.builder(database)
                .retention(Duration.ofDays(1), 3)
                .time(time.clock(), time::nanos)
                .timer(time.scheduler())
                .build();
        manager = CommandManager.builder(registry)
                .store(store)
                .time(time.clock(), time::nanos)
                .timer(time.scheduler())
                .maxOpen(2 * MOST_CREATES)
                .build();
    }

    @AfterEach
    void close() {
        release.countDown();
        manager.close();
        database.close();
    }

    private CompletableFuture<CommandHandle> submit(String type) {
        return manager.submit(CommandRequest.to(new Target.Local(LOCAL), type).build());
    }

    private static CommandRejectedException.Code refusalOf(CompletableFuture<CommandHandle> submitted) {
        AtomicReference<CommandRejectedException.Code> code = new AtomicReference<>();
        assertThat(submitted)
                .failsWithin(10, TimeUnit.SECONDS)
                .withThrowableThat()
                .havingCause()
                .isInstanceOfSatisfying(CommandRejectedException.class, refusal -> code.set(refusal.code()));
        return code.get();
    }

    /** Keeps the writer busy as a database that does not answer does, until {@link #release} is counted down. */
    private void holdTheWriter() throws InterruptedException {
        CountDownLatch held = new CountDownLatch(1);
        release = new CountDownLatch(1);
        CountDownLatch released = release;
        var unused = database.write(connection -> {
            held.countDown();
            try {
                return released.await(60, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                throw new SQLException(e);
            }
        });
        assertThat(held.await(10, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void aCommandThatCouldNotBeRecordedInTenSecondsIsRefusedAndWhatHasHappenedIsRecordedAllTheSame() throws Exception {
        RecordId running = await(submit("runs")).id();
        long tag = Objects.requireNonNull(tags.poll(10, TimeUnit.SECONDS));
        holdTheWriter();
        CompletableFuture<CommandHandle> early = submit("early");
        manager.completeYield(tag, null, null);
        nanos.addAndGet(Duration.ofSeconds(5).toNanos());
        CompletableFuture<CommandHandle> late = submit("late");
        nanos.addAndGet(Duration.ofSeconds(5).toNanos());

        release.countDown();

        assertThat(refusalOf(early)).isEqualTo(CommandRejectedException.Code.STORE_FAILED);
        assertThatThrownBy(early::join)
                .cause()
                .hasMessage(
                        "the command could not be recorded: the database did not answer for 10 s, so this was given up; nothing of it was written");
        RecordId recorded = await(late).id();
        assertThat(await(manager.list(new CommandQuery(null, null, 10, null))).records())
                .extracting(record -> record.id())
                .containsExactlyInAnyOrder(running, recorded);
        assertThat(await(manager.find(running)).orElseThrow().status()).isEqualTo(CommandStatus.COMPLETED);
    }

    @Test
    void aStoreIsAvailableWhileItsDatabaseTakesWhatIsWritten() throws Exception {
        assertThat(store.isAvailable()).isTrue();
        holdTheWriter();

        time.advance(SqlCommandStore.DEFAULT_LEASE);

        assertThat(store.isAvailable()).isFalse();
        release.countDown();
        Awaitility.await().until(store::isAvailable);
    }

    @Test
    void noMoreCommandsWaitToBeRecordedThanMay() throws Exception {
        RecordId running = await(submit("runs")).id();
        long tag = Objects.requireNonNull(tags.poll(10, TimeUnit.SECONDS));
        holdTheWriter();
        List<CompletableFuture<CommandHandle>> waiting = new ArrayList<>();
        for (int i = 0; i < MOST_CREATES; i++) {
            waiting.add(submit("done"));
        }

        CompletableFuture<CommandHandle> tooMany = submit("done");
        manager.completeYield(tag, null, null);

        assertThat(refusalOf(tooMany)).isEqualTo(CommandRejectedException.Code.STORE_FAILED);
        assertThat(waiting).noneMatch(CompletableFuture::isDone);
        release.countDown();
        assertThat(await(CompletableFuture.allOf(waiting.toArray(CompletableFuture[]::new))))
                .isNull();
        assertThat(await(manager.find(running)).orElseThrow().status()).isEqualTo(CommandStatus.COMPLETED);
        assertThat(await(submit("done")).isRepeated()).isFalse();
    }

    @Test
    void noMoreWritesAndReadsWaitThanMay() throws Exception {
        holdTheWriter();
        CompletableFuture<Integer> last = database.write(connection -> 0);
        for (int i = 1; i < MOST_WRITES; i++) {
            last = database.write(connection -> 1);
        }
        CompletableFuture<Integer> lastRead = database.read(connection -> 0);
        for (int i = 1; i < MOST_READS; i++) {
            lastRead = database.read(connection -> 1);
        }

        assertThat(database.write(connection -> 1))
                .failsWithin(10, TimeUnit.SECONDS)
                .withThrowableThat()
                .withRootCauseInstanceOf(StoreException.class);
        assertThat(database.read(connection -> 1))
                .failsWithin(10, TimeUnit.SECONDS)
                .withThrowableThat()
                .withRootCauseInstanceOf(StoreException.class);
        release.countDown();
        assertThat(await(last)).isEqualTo(1);
        assertThat(await(lastRead)).isEqualTo(1);
    }

    @Test
    void noMoreEndedRecordsAreKeptThanMayAndNoneThatIsOpenIsRemoved() throws Exception {
        RecordId open = await(submit("runs")).id();
        List<RecordId> ended = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            RecordId id = await(submit("done")).id();
            await(manager.find(id));
            ended.add(id);
            time.advance(Duration.ofMillis(10));
        }

        Awaitility.await().until(() -> {
            time.advance(Duration.ofSeconds(1));
            return await(manager.find(ended.get(2))).isEmpty();
        });
        for (int i = 0; i < 6; i++) {
            assertThat(await(manager.find(ended.get(i))).isPresent())
                    .as("%d", i)
                    .isEqualTo(i >= 3);
        }
        assertThat(await(manager.find(open)).orElseThrow().status()).isEqualTo(CommandStatus.EXECUTING);
    }
}
