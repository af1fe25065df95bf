package io.github.commandway.store;

import static io.github.commandway.store.Server.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CancelResult;
import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.IdGenerator;
import io.github.commandway.manager.QueueClaim;
import io.github.commandway.manager.RecordId;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

class SharedStoreTest {
    private final String schema = PostgresServer.newSchema();

    private Server start(String name) {
        return new Server(
                PostgresServer.open(schema),
                builder -> builder.name(name).lease(Duration.ofSeconds(1)),
                Clock.systemUTC());
    }

    @Test
    void eachCommandIsGivenToOneOfTheServersAndNoMoreThanTheConcurrencyAllows() throws Exception {
        int count = 300;
        int concurrency = 5;
        try (Server one = start("one");
                Server two = start("two")) {
            List<CommandHandle> handles = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                handles.add((i % 2 == 0 ? one : two).submit(request -> request));
            }
            ConcurrentLinkedQueue<RecordId> claimed = new ConcurrentLinkedQueue<>();
            ExecutorService threads = Executors.newFixedThreadPool(2);
            try {
                List<Future<?>> running = new ArrayList<>();
                for (Server server : List.of(one, two)) {
                    running.add(threads.submit(() -> {
                        while (claimed.size() < count) {
                            List<QueueClaim.Claimed> mine = server.claim(3, concurrency);
                            long all = await(server.manager.queues().state(Server.QUEUE))
                                    .running();
                            assertThat(all).isLessThanOrEqualTo(concurrency);
                            for (QueueClaim.Claimed each : mine) {
                                claimed.add(each.command().id());
                                server.complete(each);
                            }
                        }
                        return null;
                    }));
                }
                for (Future<?> each : running) {
                    each.get(60, TimeUnit.SECONDS);
                }
            } finally {
                threads.shutdownNow();
            }
            assertThat(claimed).hasSize(count).doesNotHaveDuplicates();
            for (CommandHandle handle : handles) {
                assertThat(await(handle.completion()).status()).isEqualTo(CommandStatus.COMPLETED);
            }
            assertThat(await(one.manager.queues().state(Server.QUEUE)).completed())
                    .isEqualTo(count);
        }
    }

    @Test
    void aServerThatIsGoneLeavesItsWorkToTheOthersWhenItsLeaseIsOver() throws Exception {
        Server gone = start("gone");
        RecordId running = gone.submit(request -> request).id();
        assertThat(gone.claim(1, 10)).hasSize(1);
        gone.crash();
        try (Server other = start("other")) {
            await(other.manager.recover());
            Awaitility.await()
                    .untilAsserted(
                            () -> assertThat(other.find(running).reason()).isEqualTo(Reason.LOST));
        }
    }

    @Test
    void aServerThatLivesKeepsItsWork() throws Exception {
        try (Server one = start("one");
                Server two = start("two")) {
            RecordId running = one.submit(request -> request).id();
            QueueClaim.Claimed claimed = one.claim(1, 10).get(0);
            AtomicBoolean renewed = new AtomicBoolean();
            long first = lease("one");
            Awaitility.await().until(() -> {
                renewed.set(lease("one") > first + 1_000);
                return renewed.get();
            });
            assertThat(await(two.store.adopt(10))).isEmpty();
            one.complete(claimed);
            assertThat(two.find(running).status()).isEqualTo(CommandStatus.COMPLETED);
        }
    }

    @Test
    void theNextRunOfAServerTakesOverAtOnceAndTheEarlierOneCannotRecordAnythingAnyMore() throws Exception {
        try (Server earlier = start("same")) {
            RecordId id = earlier.submit(request -> request).id();
            QueueClaim.Claimed claimed = earlier.claim(1, 10).get(0);
            try (Server next = start("same")) {
                assertThat(await(next.manager.recover())).isEqualTo(1);
                earlier.complete(claimed);
                assertThat(next.find(id).reason()).isEqualTo(Reason.LOST);
            }
        }
    }

    @Test
    void aServerThatLostItsLeaseStopsWhatIsNotItsAnyMoreRecordsNothingOfItAndWorksOn() throws Exception {
        try (Server one = start("one");
                Server two = start("two")) {
            RecordId silent = one.submit(request -> request).id();
            RecordId talking = one.submit(request -> request).id();
            List<QueueClaim.Claimed> claimed = one.claim(2, 10);
            endLease("one");
            assertThat(await(two.manager.recover())).isEqualTo(2);

            one.manager.progress(claimed.get(1).tag(), 0.5, "half of it");
            Awaitility.await().until(() -> claimed.get(1).context().isCancelled());
            assertThat(one.manager.handOver(claimed.get(1).tag())).isFalse();
            one.complete(claimed.get(1));
            one.complete(claimed.get(0));

            for (RecordId id : List.of(silent, talking)) {
                assertThat(one.find(id).reason()).isEqualTo(Reason.LOST);
                assertThat(await(two.manager.events(id, 0, 10)))
                        .extracting(CommandEvent::type)
                        .containsExactly(
                                CommandEvent.Type.PENDING,
                                CommandEvent.Type.SENT,
                                CommandEvent.Type.EXECUTING,
                                CommandEvent.Type.FAILED);
            }
            assertThat(one.manager.stats().completed()).isZero();
            Awaitility.await().until(() -> lease("one") > 0);
            RecordId next = one.submit(request -> request).id();
            one.complete(one.claim(1, 10).get(0));
            assertThat(two.find(next).status()).isEqualTo(CommandStatus.COMPLETED);
        }
    }

    @Test
    void theOtherServersHearOfNewWorkAndOfTheEnd() throws Exception {
        try (Server one = start("one");
                Server two = start("two")) {
            awaitThatListen(one, two);
            CommandHandle handle = one.submit(request -> request);
            awaitQueueWork(two);
            two.complete(two.claim(1, 1).get(0));
            assertThat(await(handle.completion()).result()).asString().isEqualTo("done");
        }
    }

    @Test
    void cancelsWhatAnotherServerExecutes() throws Exception {
        try (Server one = start("one");
                Server two = start("two")) {
            RecordId id = one.submit(request -> request).id();
            QueueClaim.Claimed claimed = two.claim(1, 1).get(0);
            CompletableFuture<Optional<CancelResult>> cancelling = one.manager.cancel(id);
            Awaitility.await().until(() -> claimed.context().isCancelled());
            two.manager.completeYield(
                    claimed.tag(), null, new CommandException(Reason.CANCELLED_WHILE_RUNNING, "stopped"));
            assertThat(await(cancelling).orElseThrow().outcome())
                    .isEqualTo(CancelResult.Outcome.CANCELLED_WHILE_RUNNING);
        }
    }

    @Test
    void nothingIsLostWhenConnectionsAreCutAgainAndAgain() throws Exception {
        int count = 3_000;
        try (Server server = start("one")) {
            List<CompletableFuture<CommandHandle>> submitted = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                submitted.add(server.manager.submit(CommandRequest.toQueue(Server.QUEUE, "work")
                        .idempotencyKey("key" + i)
                        .build()));
                if (i % 300 == 299) {
                    cutConnections();
                    await(submitted.get(i - 299));
                }
            }
            for (CompletableFuture<CommandHandle> one : submitted) {
                assertThat(await(one).isRepeated()).isFalse();
            }
            assertThat(await(server.manager.queues().state(Server.QUEUE)).waiting())
                    .isEqualTo(count);
            List<RecordId> claimed = new ArrayList<>();
            while (claimed.size() < count) {
                List<QueueClaim.Claimed> mine = server.claim(100, 100);
                assertThat(mine).isNotEmpty();
                cutConnections();
                for (QueueClaim.Claimed each : mine) {
                    claimed.add(each.command().id());
                    server.manager.completeYield(each.tag(), null, null);
                }
            }
            assertThat(claimed).doesNotHaveDuplicates();
            assertThat(await(server.manager.queues().state(Server.QUEUE)).completed())
                    .isEqualTo(count);
        }
    }

    @Test
    void aHostEnqueuesInItsOwnTransactionAndTheServersHearOfIt() throws Exception {
        try (Server server = start("one");
                Connection host = connect()) {
            awaitThatListens(server);
            server.queueWork.clear();
            IdGenerator ids = IdGenerator.taskNumber(0);
            CommandRequest request = CommandRequest.toQueue(Server.QUEUE, "work")
                    .exclusiveKey("key")
                    .build();
            host.setAutoCommit(false);
            RecordId id = server.store.enqueue(host, request, ids);
            assertThat(server.claim(1, 1)).isEmpty();
            host.commit();
            awaitQueueWork(server);
            assertThatThrownBy(() -> server.store.enqueue(host, request, ids)).hasMessageContaining(id.toString());
            host.rollback();
            assertThat(server.claim(1, 1)).extracting(one -> one.command().id()).containsExactly(id);
        }
    }

    @Test
    void refusesASchemaWithTablesOfOthersAndLeavesItAsItIs() throws Exception {
        try (Connection connection = connect()) {
            Dialect.execute(connection, "create schema " + schema);
            Dialect.execute(connection, "create table " + schema + ".mine(id int)");
            assertThatThrownBy(() -> PostgresServer.open(schema))
                    .isInstanceOf(StoreException.class)
                    .hasMessageContaining(schema);
            try (PreparedStatement tables =
                    connection.prepareStatement("select count(*) from pg_tables where schemaname = ?")) {
                tables.setString(1, schema);
                assertThat(Statements.number(tables)).isEqualTo(1);
            }
        }
    }

    private void awaitThatListen(Server... servers) {
        for (Server server : servers) {
            awaitThatListens(server);
        }
    }

    private static void awaitQueueWork(Server server) {
        Awaitility.await().until(() -> Server.QUEUE.equals(server.queueWork.poll(100, TimeUnit.MILLISECONDS)));
    }

    /** Until what is sent to all arrives. */
    private void awaitThatListens(Server server) {
        Awaitility.await().until(() -> {
            try (Connection connection = connect();
                    PreparedStatement notify = connection.prepareStatement("select pg_notify(?, '0 probe')")) {
                notify.setString(1, schema + "_signal");
                notify.execute();
            }
            return "probe".equals(server.queueWork.poll(100, TimeUnit.MILLISECONDS));
        });
        server.queueWork.clear();
    }

    private long lease(String name) throws Exception {
        try (Connection connection = connect();
                PreparedStatement select =
                        connection.prepareStatement("select lease_until from " + schema + ".cw_node where name = ?")) {
            select.setString(1, name);
            return Statements.number(select);
        }
    }

    /** As if the server had been stopped by the system for so long that its lease ran out. */
    private void endLease(String name) throws Exception {
        try (Connection connection = connect();
                PreparedStatement update = connection.prepareStatement(
                        "update " + schema + ".cw_node set lease_until = 0 where name = ?")) {
            update.setString(1, name);
            update.executeUpdate();
        }
    }

    private static Connection connect() throws Exception {
        return DriverManager.getConnection(PostgresServer.url(), "postgres", "postgres");
    }

    private static void cutConnections() throws Exception {
        try (Connection connection = connect();
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery(
                        "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'commandway'")) {
            row.next();
        }
    }
}
