package io.github.commandway.outbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.store.Database;
import io.github.commandway.store.PostgresServer;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;
import org.junit.jupiter.api.Test;

class PostgresOutboxRelayTest extends OutboxRelayContract {
    private String name;

    @Override
    Database open() throws Exception {
        if (name == null) {
            name = "t" + UUID.randomUUID().toString().replace("-", "");
            try (Connection connection = DriverManager.getConnection(PostgresServer.url());
                    var statement = connection.createStatement()) {
                statement.execute("create database " + name);
            }
        }
        return Database.postgres(url(), "postgres", "");
    }

    private String url() {
        return PostgresServer.url().replace("/postgres?", "/" + name + "?");
    }

    @Test
    void aHostAppendsInATransactionOnItsOwnConnection() throws Exception {
        toClose.add(OutboxRelay.of(outbox)
                .publish(TOPIC, publisher)
                .pollInterval(Duration.ofDays(1))
                .start());
        try (Connection connection = DriverManager.getConnection(url())) {
            connection.setAutoCommit(false);
            outbox.append(connection, entry("a", 1));
            connection.rollback();
            outbox.append(connection, entry("a", 2));
            connection.commit();
        }
        await().untilAsserted(() -> assertThat(publisher.arrived()).containsExactly("2"));
    }

    @Test
    void whatWasNotAnnouncedSinceTheRelayWasAwakeIsSeenWhenItIsCommittedLater() throws Exception {
        toClose.add(OutboxRelay.of(outbox)
                .publish(TOPIC, publisher)
                .pollInterval(Duration.ofDays(1))
                .start());
        try (Connection connection = DriverManager.getConnection(url())) {
            for (int i = 1; relaysAwake(connection) == 0; i++) {
                int count = i;
                append(entry("a", i));
                await().pollInterval(Duration.ofMillis(1)).until(() -> publisher.arrivals() == count);
            }
            connection.setAutoCommit(false);
            outbox.append(connection, entry("late", 0));
            try (Connection other = DriverManager.getConnection(url())) {
                await().until(() -> relaysAwake(other) == 0);
            }
            connection.commit();
        }
        await().untilAsserted(() -> assertThat(publisher.arrived()).endsWith("0"));
    }

    private static int relaysAwake(Connection connection) throws SQLException {
        try (var statement = connection.createStatement();
                var rows = statement.executeQuery("select count(*) from commandway.cw_outbox_relay"
                        + " where awake_until > extract(epoch from clock_timestamp()) * 1000")) {
            rows.next();
            return rows.getInt(1);
        }
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
        try (Connection connection = DriverManager.getConnection(url())) {
            outbox.append(connection, entry("a", 2));
        }
        await().atMost(Duration.ofSeconds(30))
                .untilAsserted(() -> assertThat(publisher.arrived()).containsExactly("1", "2"));
    }

    private void cutConnections() throws SQLException {
        try (Connection connection = DriverManager.getConnection(PostgresServer.url());
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
