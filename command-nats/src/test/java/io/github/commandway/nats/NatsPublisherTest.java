package io.github.commandway.nats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.github.commandway.manager.RetryPolicy;
import io.github.commandway.outbox.Outbox;
import io.github.commandway.outbox.OutboxEntry;
import io.github.commandway.outbox.OutboxRelay;
import io.github.commandway.outbox.PublisherUnavailableException;
import io.github.commandway.store.Database;
import io.nats.client.Connection;
import io.nats.client.JetStreamApiException;
import io.nats.client.JetStreamManagement;
import io.nats.client.Message;
import io.nats.client.Nats;
import io.nats.client.Options;
import io.nats.client.PullSubscribeOptions;
import io.nats.client.api.ConsumerConfiguration;
import io.nats.client.api.StorageType;
import io.nats.client.api.StreamConfiguration;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Against a real server. */
class NatsPublisherTest {
    private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");

    @TempDir
    Path folder;

    private NatsServer server;
    private Connection connection;
    private NatsPublisher publisher;

    @BeforeEach
    void startServer() throws Exception {
        server = new NatsServer(folder);
        connection = Nats.connect(Options.builder()
                .server(server.address())
                .maxReconnects(-1)
                .reconnectWait(Duration.ofMillis(50))
                .build());
        JetStreamManagement management = connection.jetStreamManagement();
        management.addStream(StreamConfiguration.builder()
                .name("orders")
                .subjects("orders")
                .storageType(StorageType.File)
                .maximumMessageSize(1_000)
                .build());
        publisher = new NatsPublisher(connection, Duration.ofSeconds(2));
    }

    @AfterEach
    void stopServer() throws Exception {
        connection.close();
        server.close();
    }

    @Test
    void aMessageHasThePayloadTheIdTheKeyAndTheHeaders() throws Exception {
        OutboxEntry entry = entry("order-1", "{\"total\": 12}").withHeaders(Map.of("correlation_id", "c-1"));
        publisher.publish(entry).join();
        assertThat(consume(1)).singleElement().satisfies(message -> {
            assertThat(message.getSubject()).isEqualTo("orders");
            assertThat(text(message)).isEqualTo("{\"total\": 12}");
            assertThat(header(message, "Nats-Msg-Id")).isEqualTo(entry.id().toString());
            assertThat(header(message, "Key")).isEqualTo("order-1");
            assertThat(header(message, "Type")).isEqualTo("order.paid");
            assertThat(header(message, "correlation_id")).isEqualTo("c-1");
        });
    }

    @Test
    void theStreamKeepsAnEntryOnceHoweverOftenItIsPublished() throws Exception {
        OutboxEntry entry = entry("a", "1");
        publisher.publish(entry).join();
        publisher.publish(entry).join();
        assertThat(stored()).isEqualTo(1);
    }

    @Test
    void whatJetStreamRefusesIsAFailureOfItsEntry() {
        OutboxEntry large = entry("a", '"' + "x".repeat(2_000) + '"');
        assertThatThrownBy(() -> publisher.publish(large).join()).hasCauseInstanceOf(JetStreamApiException.class);
    }

    @Test
    void withoutAStreamForTheSubjectTheReceiverIsAway() {
        OutboxEntry entry = OutboxEntry.of(UUID.randomUUID(), "nobody", "a", "t", "1", NOW);
        assertThatThrownBy(() -> publisher.publish(entry).join())
                .hasCauseInstanceOf(PublisherUnavailableException.class);
    }

    @Test
    void withoutAServerTheReceiverIsAway() throws Exception {
        server.kill();
        await().until(() -> connection.getStatus() != Connection.Status.CONNECTED);
        CompletableFuture<Void> published = publisher.publish(entry("a", "1"));
        assertThatThrownBy(published::join).hasCauseInstanceOf(PublisherUnavailableException.class);
    }

    @Test
    void aConnectionOfItsOwnIsTriedForUntilThereIsOne() {
        server.kill();
        NatsPublisher own = NatsPublisher.connecting(server.address(), Duration.ofSeconds(2));
        try (own) {
            assertThatThrownBy(() -> own.publish(entry("a", "1")).join())
                    .hasCauseInstanceOf(PublisherUnavailableException.class);

            assertThatCode(server::start).doesNotThrowAnyException();

            await().atMost(Duration.ofSeconds(30))
                    .untilAsserted(
                            () -> assertThat(own.publish(entry("a", "1"))).succeedsWithin(Duration.ofSeconds(5)));
        }
        assertThatThrownBy(() -> own.publish(entry("a", "2")).join())
                .hasCauseInstanceOf(PublisherUnavailableException.class);
        await().ignoreExceptions().untilAsserted(() -> assertThat(stored()).isPositive());
    }

    @Test
    void theRelayKeepsTheOrderOfEachKeyAlsoWhenTheServerIsKilled(@TempDir Path data) throws Exception {
        List<String> numbers =
                IntStream.rangeClosed(1, 200).mapToObj(Integer::toString).toList();
        try (Database database = Database.sqlite(data.resolve("outbox.db"))) {
            Outbox outbox = new Outbox(database);
            try (OutboxRelay relay = OutboxRelay.of(outbox)
                    .publishOthers(publisher, new RetryPolicy(3, Duration.ofMillis(100), Duration.ofMillis(100), 0))
                    .start()) {
                append(database, outbox, numbers.subList(0, 100));
                server.kill();
                append(database, outbox, numbers.subList(100, 200));
                server.start();
                await().atMost(Duration.ofSeconds(30)).ignoreExceptions().until(() -> stored() >= 1_000);
                assertThat(relay.stats().parked()).isZero();
            }
        }
        Map<String, List<String>> byKey = consume(1_000).stream()
                .collect(Collectors.groupingBy(
                        message -> header(message, "Key"),
                        Collectors.mapping(NatsPublisherTest::text, Collectors.toList())));
        assertThat(byKey)
                .hasSize(5)
                .allSatisfy((key, values) -> assertThat(values).isEqualTo(numbers));
    }

    private static void append(Database database, Outbox outbox, List<String> numbers) {
        for (String number : numbers) {
            database.write(connection -> {
                        for (int key = 0; key < 5; key++) {
                            outbox.append(connection, entry("key-" + key, number));
                        }
                        return true;
                    })
                    .join();
        }
    }

    private static OutboxEntry entry(String key, String payload) {
        return OutboxEntry.of(UUID.randomUUID(), "orders", key, "order.paid", payload, NOW);
    }

    private long stored() throws Exception {
        return connection
                .jetStreamManagement()
                .getStreamInfo("orders")
                .getStreamState()
                .getMsgCount();
    }

    private List<Message> consume(int count) throws Exception {
        var subscription = connection
                .jetStream()
                .subscribe(
                        "orders",
                        PullSubscribeOptions.builder()
                                .configuration(ConsumerConfiguration.builder()
                                        .maxAckPending(10_000)
                                        .build())
                                .build());
        List<Message> messages = new ArrayList<>();
        await().pollInSameThread().atMost(Duration.ofMinutes(1)).until(() -> {
            messages.addAll(subscription.fetch(256, Duration.ofMillis(100)));
            return messages.size() >= count;
        });
        return messages;
    }

    private static String header(Message message, String name) {
        return message.getHeaders().getFirst(name);
    }

    private static String text(Message message) {
        return new String(message.getData(), StandardCharsets.UTF_8);
    }
}
