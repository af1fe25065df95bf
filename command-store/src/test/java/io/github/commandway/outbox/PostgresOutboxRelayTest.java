package io.github.commandway.outbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.store.Database;
import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class PostgresOutboxRelayTest extends OutboxRelayContract {
    private static EmbeddedPostgres server;

    private String name;

    @BeforeAll
    static void startServer() throws Exception {
        server = EmbeddedPostgres.builder()
                .setServerConfig("fsync", "on")
                .setServerConfig("synchronous_commit", "on")
                .start();
    }

    @AfterAll
    static void stopServer() throws Exception {
        server.close();
    }

    @Override
    Database open() throws Exception {
        if (name == null) {
            name = "t" + UUID.randomUUID().toString().replace("-", "");
            try (Connection connection = server.getPostgresDatabase().getConnection();
                    var statement = connection.createStatement()) {
                statement.execute("create database " + name);
            }
        }
        return Database.postgres(server.getJdbcUrl("postgres", name), "postgres", "");
    }

    @Test
    void aHostAppendsInATransactionOnItsOwnConnection() throws Exception {
        toClose.add(OutboxRelay.of(outbox)
                .publish(TOPIC, publisher)
                .pollInterval(Duration.ofDays(1))
                .start());
        try (Connection connection = server.getDatabase("postgres", name).getConnection()) {
            connection.setAutoCommit(false);
            outbox.append(connection, entry("a", 1));
            connection.rollback();
            outbox.append(connection, entry("a", 2));
            connection.commit();
        }
        await().untilAsserted(() -> assertThat(publisher.arrived()).containsExactly("2"));
    }

    @Test
    void twoRelaysShareTheKeysAndKeepTheOrderOfEach() throws Exception {
        ExecutorService executor = Executors.newFixedThreadPool(4);
        toClose.add(executor::shutdownNow);
        publisher.answer(entry -> CompletableFuture.runAsync(
                () -> {
                    if (ThreadLocalRandom.current().nextInt(20) == 0) {
                        throw new IllegalStateException("now and then");
                    }
                },
                executor));
        Database second = open();
        toClose.add(second);
        OutboxRelay one = relay(database);
        OutboxRelay two = relay(second);
        toClose.add(one);
        toClose.add(two);
        await().untilAsserted(() -> assertThat(
                        List.of(one.stats().partitions(), two.stats().partitions()))
                .containsExactly(16, 16));
        Map<String, List<String>> expected = appendToKeys(60, 30);
        await().atMost(Duration.ofMinutes(1))
                .untilAsserted(() -> assertThat(left()).isZero());
        assertThat(publisher.firstArrivalsByKey()).isEqualTo(expected);
        assertThat(publisher.arrivals()).isEqualTo(60 * 30);
        assertThat(publisher.overlaps()).isEmpty();
        await().untilAsserted(() ->
                assertThat(one.stats().sent() + two.stats().sent()).isEqualTo(60 * 30));
        assertThat(one.stats().sent()).isPositive();
        assertThat(two.stats().sent()).isPositive();
    }

    @Test
    void relaysThatComeAndGoKeepTheOrderAndDeliverNothingTwice() throws Exception {
        Database second = open();
        toClose.add(second);
        ExecutorService executor = Executors.newFixedThreadPool(4);
        toClose.add(executor::shutdownNow);
        publisher.answer(entry -> CompletableFuture.runAsync(() -> {}, executor));
        toClose.add(relay(database));
        CompletableFuture<Map<String, List<String>>> appending =
                CompletableFuture.supplyAsync(() -> appendToKeys(60, 60));
        do {
            try (OutboxRelay guest = relay(second)) {
                await().until(() -> guest.stats().partitions() == 16);
            }
        } while (!appending.isDone());
        await().atMost(Duration.ofMinutes(1))
                .untilAsserted(() -> assertThat(left()).isZero());
        assertThat(publisher.firstArrivalsByKey()).isEqualTo(appending.join());
        assertThat(publisher.arrivals()).isEqualTo(60 * 60);
        assertThat(publisher.overlaps()).isEmpty();
    }

    @Test
    void whatADeadRelayLookedAfterGoesToAnother() throws Exception {
        Database second = open();
        OutboxRelay dying = relay(second);
        toClose.add(dying);
        await().until(() -> dying.stats().partitions() == 32);
        OutboxRelay other = relay(database);
        toClose.add(other);
        await().until(() -> other.stats().partitions() == 16);
        second.close();
        appendToKeys(60, 2);
        await().untilAsserted(() -> assertThat(left()).isZero());
        assertThat(other.stats().partitions()).isEqualTo(32);
    }

    @Test
    void aRelayWhoseConnectionsAreCutGoesOn() throws Exception {
        OutboxRelay relay = relay(database);
        toClose.add(relay);
        append(entry("a", 1));
        await().untilAsserted(() -> assertThat(publisher.arrived()).containsExactly("1"));
        cutConnections();
        try (Connection connection = server.getDatabase("postgres", name).getConnection()) {
            outbox.append(connection, entry("a", 2));
        }
        await().atMost(Duration.ofSeconds(30))
                .untilAsserted(() -> assertThat(publisher.arrived()).containsExactly("1", "2"));
    }

    private void cutConnections() throws SQLException {
        try (Connection connection = server.getPostgresDatabase().getConnection();
                var statement = connection.prepareStatement(
                        "select pg_terminate_backend(pid) from pg_stat_activity where datname = ?")) {
            statement.setString(1, name);
            statement.execute();
        }
    }

    private OutboxRelay relay(Database database) {
        return OutboxRelay.of(new Outbox(database))
                .publish(TOPIC, publisher, PATIENT)
                .lease(Duration.ofMillis(600))
                .batchSize(100)
                .start();
    }
}
