package io.github.commandway.store;

import static io.github.commandway.store.Server.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CancelResult;
import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.IdGenerator;
import io.github.commandway.manager.QueueClaim;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.RetryPolicy;
import io.github.commandway.testing.ManualTime;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RestartTest {
    @TempDir
    Path folder;

    private final ManualTime time = new ManualTime();

    private Server start() {
        return new Server(Database.sqlite(folder.resolve("commandway.db")), "one", time.clock());
    }

    @Test
    void whatWaitedInAQueueStillWaitsInItsPlace() throws Exception {
        Server first = start();
        RecordId low = first.submit(request -> request).id();
        RecordId high = first.submit(request -> request.priority(1)).id();
        first.crash();
        try (Server second = start()) {
            assertThat(await(second.manager.recover())).isZero();
            assertThat(second.manager.queues().waiting(Server.QUEUE)).isEqualTo(2);
            List<QueueClaim.Claimed> claimed = second.claim(10, 10);
            assertThat(claimed).extracting(one -> one.command().id()).containsExactly(high, low);
            second.complete(claimed.get(0));
            assertThat(second.find(high).status()).isEqualTo(CommandStatus.COMPLETED);
            assertThat(second.manager.stats().records()).isEqualTo(2);
        }
    }

    @Test
    void whatWasExecutedEndsAsLostAndIsTriedAgainIfItMay() throws Exception {
        Server first = start();
        RecordId local = first.execute("a");
        RecordId once = first.submit(request -> request).id();
        RecordId twice = first.submit(request -> request.retry(new RetryPolicy(2, Duration.ZERO, Duration.ZERO, 0)))
                .id();
        first.claim(10, 10);
        first.crash();
        try (Server second = start()) {
            assertThat(await(second.manager.recover())).isEqualTo(3);
            for (RecordId id : List.of(local, once)) {
                CommandRecord ended = second.find(id);
                assertThat(ended.status()).isEqualTo(CommandStatus.FAILED);
                assertThat(ended.reason()).isEqualTo(Reason.LOST);
                List<CommandEvent> events = await(second.manager.events(id, 0, 10));
                assertThat(events)
                        .extracting(CommandEvent::type)
                        .containsExactly(
                                CommandEvent.Type.PENDING,
                                CommandEvent.Type.SENT,
                                CommandEvent.Type.EXECUTING,
                                CommandEvent.Type.FAILED);
            }
            assertThat(second.find(twice).attempt()).isEqualTo(2);
            assertThat(second.claim(10, 10)).hasSize(1);
        }
    }

    @Test
    void whatIsOverdueEndsAtTheStart() throws Exception {
        Server first = start();
        RecordId id =
                first.submit(request -> request.ttl(Duration.ofSeconds(5))).id();
        first.crash();
        time.advance(Duration.ofSeconds(6));
        try (Server second = start()) {
            assertThat(await(second.manager.recover())).isEqualTo(1);
            assertThat(second.find(id).reason()).isEqualTo(Reason.QUEUE_TIMEOUT);
        }
    }

    @Test
    void cancelsWhatAnEarlierRunAcceptedAndThisOneExecutes() throws Exception {
        Server first = start();
        RecordId id = first.submit(request -> request).id();
        first.crash();
        try (Server second = start()) {
            QueueClaim.Claimed claimed = second.claim(1, 1).get(0);
            CompletableFuture<Optional<CancelResult>> cancelling = second.manager.cancel(id);
            Awaitility.await().until(() -> claimed.context().isCancelled());
            second.manager.completeYield(
                    claimed.tag(), null, new CommandException(Reason.CANCELLED_WHILE_RUNNING, "stopped"));
            assertThat(await(cancelling).orElseThrow().outcome())
                    .isEqualTo(CancelResult.Outcome.CANCELLED_WHILE_RUNNING);
        }
    }

    @Test
    void theKeyIsKeptAcrossARestart() throws Exception {
        Server first = start();
        RecordId id = first.submit(request -> request.idempotencyKey("key")).id();
        first.crash();
        try (Server second = start()) {
            assertThat(second.submit(request -> request.idempotencyKey("key")).id())
                    .isEqualTo(id);
        }
    }

    @Test
    void removesWhatEndedLongAgoButNotItsNumberNorAKeyOfTheLastDay() throws Exception {
        try (Server server = new Server(
                Database.sqlite(folder.resolve("commandway.db")),
                builder -> builder.time(time.clock(), System::nanoTime).retention(Duration.ofHours(1), 1_000),
                time.clock())) {
            IdGenerator numbers = IdGenerator.taskNumber(41);
            RecordId open = server.submit(request -> request).id();
            await(server.manager.submit(
                    CommandRequest.toQueue(Server.QUEUE, "work").priority(1).build(), numbers, null));
            RecordId keyed = server.submit(request -> request.priority(1).idempotencyKey("key"))
                    .id();
            for (QueueClaim.Claimed claimed : server.claim(2, 10)) {
                server.complete(claimed);
            }
            assertThat(await(server.store.lastTaskNumber())).isEqualTo(42);

            time.advance(Duration.ofHours(2));
            server.store.purge();
            assertThat(await(server.manager.find(numbers.next()))).isEmpty();
            Awaitility.await().until(() -> server.store.size() == 2);
            assertThat(server.find(keyed).status()).isEqualTo(CommandStatus.COMPLETED);
            assertThat(server.find(open).status()).isEqualTo(CommandStatus.PENDING);
            assertThat(await(server.store.lastTaskNumber())).isEqualTo(42);

            time.advance(Duration.ofHours(23));
            Awaitility.await().until(() -> {
                server.store.purge();
                return server.store.size() == 1;
            });
        }
    }

    @Test
    void acceptsACommandTogetherWithWhatItsCompanionWritesOrNotAtAll() throws Exception {
        try (Server server = start()) {
            JdbcCompanion good = (connection, command) ->
                    Dialect.execute(connection, "insert into cw_number (name, value) values ('good', 1)");
            JdbcCompanion bad = (connection, command) -> {
                Dialect.execute(connection, "insert into cw_number (name, value) values ('bad', 1)");
                throw new SQLException("no");
            };
            CommandRequest request =
                    CommandRequest.toQueue(Server.QUEUE, "work").build();
            IdGenerator ids = IdGenerator.taskNumber(0);
            var refused = server.manager.submit(request, ids, bad);
            var accepted = server.manager.submit(request, ids, good);
            assertThatThrownBy(() -> await(refused)).hasMessageContaining("no");
            await(accepted);
            assertThat(await(server.manager.find(RecordId.parse("TASK_000001").orElseThrow())))
                    .isEmpty();
            assertThat(names(server)).containsExactly("good");
            assertThat(server.store.size()).isEqualTo(1);
            assertThat(server.store.queues().waiting(Server.QUEUE)).isEqualTo(1);
        }
    }

    @Test
    void writesWhatAHookAddsTogetherWithTheEnd() throws Exception {
        EndHook hook = (connection, ended) -> Dialect.execute(
                connection,
                "insert into cw_number (name, value) values ('" + ended.status().code() + "', 1)");
        try (Server server = new Server(
                Database.sqlite(folder.resolve("commandway.db")), builder -> builder.endHook(hook), time.clock())) {
            server.complete(server.execute("a"));
            assertThat(names(server)).containsExactly("completed");
        }
    }

    @Test
    void theOldestEventsGiveWayAndAGapTellsOfIt() throws Exception {
        try (Server server = start()) {
            RecordId id = server.submit(request -> request).id();
            QueueClaim.Claimed claimed = server.claim(1, 1).get(0);
            byte[] chunk = "x".repeat(100_000).getBytes(StandardCharsets.UTF_8);
            for (int i = 0; i < 25; i++) {
                server.manager.output(claimed.tag(), "stdout", chunk);
            }
            server.complete(claimed);
            List<CommandEvent> events = await(server.manager.events(id, 0, 100));
            assertThat(events.get(0).type()).isEqualTo(CommandEvent.Type.GAP);
            assertThat(events).hasSizeBetween(5, 13);
            for (int i = 1; i < events.size(); i++) {
                assertThat(events.get(i).sequence()).isEqualTo(events.get(0).sequence() + i);
            }
            assertThat(events.get(events.size() - 1).type()).isEqualTo(CommandEvent.Type.COMPLETED);
            assertThat(events.get(events.size() - 1).sequence()).isEqualTo(29);
        }
    }

    @Test
    void aHostEnqueuesInItsOwnTransaction() throws Exception {
        try (Server server = start()) {
            IdGenerator ids = IdGenerator.taskNumber(0);
            CommandRequest request = CommandRequest.toQueue(Server.QUEUE, "work")
                    .idempotencyKey("key")
                    .build();
            try (var host = DriverManager.getConnection(
                    "jdbc:sqlite:" + folder.resolve("commandway.db") + "?busy_timeout=10000")) {
                host.setAutoCommit(false);
                server.store.enqueue(host, request, ids);
                host.rollback();
                assertThat(server.claim(1, 1)).isEmpty();
                RecordId id = server.store.enqueue(host, request, ids);
                host.commit();
                assertThat(server.store.enqueue(host, request, ids)).isEqualTo(id);
                assertThatThrownBy(() -> server.store.enqueue(
                                host, request.toBuilder().priority(3).build(), ids))
                        .hasMessageContaining("another request");
                host.rollback();
                assertThat(server.claim(1, 1))
                        .extracting(one -> one.command().id())
                        .containsExactly(id);
            }
            var state = await(server.manager.queues().state(Server.QUEUE));
            assertThat(state.accepted()).isEqualTo(1);
            assertThat(state.running()).isEqualTo(1);
            assertThat(state.waiting()).isZero();
        }
    }

    private static List<String> names(Server server) throws Exception {
        CompletableFuture<List<String>> names = server.database.read(connection -> {
            List<String> found = new ArrayList<>();
            try (PreparedStatement select = connection.prepareStatement("select name from cw_number");
                    ResultSet row = select.executeQuery()) {
                while (row.next()) {
                    found.add(row.getString(1));
                }
            }
            return found;
        });
        return await(names);
    }
}
