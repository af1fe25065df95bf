package io.github.commandway.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.github.commandway.manager.RetryPolicy;
import io.github.commandway.outbox.Outbox;
import io.github.commandway.outbox.OutboxEntry;
import io.github.commandway.outbox.OutboxRelay;
import io.github.commandway.outbox.PublisherUnavailableException;
import io.github.commandway.store.Database;
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
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Against a real broker. */
class KafkaPublisherTest {
    private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");

    @TempDir
    static Path folder;

    private static KafkaBroker broker;

    private KafkaPublisher publisher;

    @BeforeAll
    static void startBroker() throws Exception {
        broker = new KafkaBroker(folder);
    }

    @AfterAll
    static void stopBroker() {
        broker.close();
    }

    @BeforeEach
    void connect() {
        publisher = KafkaPublisher.of(Map.of(
                "bootstrap.servers",
                broker.address(),
                "max.block.ms",
                1_000,
                "request.timeout.ms",
                1_000,
                "delivery.timeout.ms",
                2_000));
    }

    @AfterEach
    void disconnect() {
        publisher.close();
    }

    @Test
    void aRecordHasTheKeyThePayloadTheIdAndTheHeaders() {
        OutboxEntry entry = entry("whole", "order-1", "{\"total\": 12}")
                .withHeaders(Map.of("correlation_id", "c-1", "id", "not this one"));
        publish(entry);
        assertThat(consume("whole", 1)).singleElement().satisfies(record -> {
            assertThat(record.key()).isEqualTo("order-1");
            assertThat(record.value()).isEqualTo("{\"total\": 12}");
            assertThat(header(record, "id")).isEqualTo(entry.id().toString());
            assertThat(header(record, "type")).isEqualTo("order.paid");
            assertThat(header(record, "correlation_id")).isEqualTo("c-1");
            assertThat(record.headers().headers("id")).hasSize(1);
        });
    }

    @Test
    void aRecordThatIsTooLargeIsAFailureOfItsEntry() {
        publish(entry("large", "a", "1"));
        assertThatThrownBy(() -> publish(entry("large", "a", '"' + "x".repeat(200_000) + '"')))
                .hasRootCauseInstanceOf(org.apache.kafka.common.errors.RecordTooLargeException.class);
    }

    @Test
    void theRelayKeepsTheOrderOfEachKeyAlsoWhenKafkaIsAwayForAWhile(@TempDir Path data) {
        List<String> numbers =
                IntStream.rangeClosed(1, 200).mapToObj(Integer::toString).toList();
        try (Database database = Database.sqlite(data.resolve("outbox.db"))) {
            Outbox outbox = new Outbox(database);
            try (OutboxRelay relay = OutboxRelay.of(outbox)
                    .publishOthers(publisher, new RetryPolicy(3, Duration.ofMillis(100), Duration.ofMillis(100), 0))
                    .start()) {
                append(database, outbox, numbers.subList(0, 100));
                consume("ordered", 500);
                broker.stop();
                append(database, outbox, numbers.subList(100, 200));
                broker.start();
                List<ConsumerRecord<String, String>> records = consume("ordered", 1_000);
                assertThat(relay.stats().parked()).isZero();
                Map<String, List<String>> byKey = records.stream()
                        .collect(Collectors.groupingBy(
                                ConsumerRecord::key,
                                Collectors.collectingAndThen(Collectors.toList(), KafkaPublisherTest::distinctById)));
                assertThat(byKey)
                        .hasSize(5)
                        .allSatisfy((key, values) -> assertThat(values).isEqualTo(numbers));
            }
        }
    }

    @Test
    void aClosedPublisherIsAway() {
        publisher.close();
        CompletableFuture<Void> published = publisher.publish(entry("closed", "a", "1"));
        assertThatThrownBy(published::join).hasCauseInstanceOf(PublisherUnavailableException.class);
    }

    @Test
    void withoutABrokerAllThatWaitsFailsAtOnceAndTheEntriesAreNotToBlame() {
        try (KafkaPublisher lost = KafkaPublisher.of(Map.of("bootstrap.servers", "127.0.0.1:1", "max.block.ms", 100))) {
            List<CompletableFuture<Void>> published = IntStream.range(0, 1_000)
                    .mapToObj(i -> lost.publish(entry("lost", "k" + i, "1")))
                    .toList();
            assertThat(published)
                    .allSatisfy(future ->
                            assertThatThrownBy(future::join).hasCauseInstanceOf(PublisherUnavailableException.class));
        }
    }

    private static List<String> distinctById(List<ConsumerRecord<String, String>> records) {
        List<String> ids = new ArrayList<>();
        List<String> values = new ArrayList<>();
        for (ConsumerRecord<String, String> record : records) {
            if (!ids.contains(header(record, "id"))) {
                ids.add(header(record, "id"));
                values.add(record.value());
            }
        }
        return values;
    }

    private static void append(Database database, Outbox outbox, List<String> numbers) {
        for (String number : numbers) {
            database.write(connection -> {
                        for (int key = 0; key < 5; key++) {
                            outbox.append(connection, entry("ordered", "key-" + key, number));
                        }
                        return true;
                    })
                    .join();
        }
    }

    private void publish(OutboxEntry entry) {
        publisher.publish(entry).join();
    }

    private static OutboxEntry entry(String topic, String key, String payload) {
        return OutboxEntry.of(UUID.randomUUID(), topic, key, "order.paid", payload, NOW);
    }

    private static String header(ConsumerRecord<String, String> record, String name) {
        return new String(record.headers().lastHeader(name).value(), StandardCharsets.UTF_8);
    }

    /** Reads the topic from its beginning until {@code count} different records are there. */
    private static List<ConsumerRecord<String, String>> consume(String topic, int count) {
        Map<String, Object> settings = Map.of(
                "bootstrap.servers",
                broker.address(),
                "group.id",
                UUID.randomUUID().toString(),
                "auto.offset.reset",
                "earliest");
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        try (KafkaConsumer<String, String> consumer =
                new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(topic));
            await().pollInSameThread()
                    .pollInterval(Duration.ZERO)
                    .atMost(Duration.ofMinutes(1))
                    .until(() -> {
                        consumer.poll(Duration.ofMillis(100)).forEach(records::add);
                        return records.stream()
                                        .map(record -> header(record, "id"))
                                        .distinct()
                                        .count()
                                >= count;
                    });
        }
        return records;
    }
}
