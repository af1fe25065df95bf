package io.github.commandway.kafka;

import io.github.commandway.outbox.OutboxEntry;
import io.github.commandway.outbox.Publisher;
import io.github.commandway.outbox.PublisherUnavailableException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Publishes each entry to the Kafka topic of its name: the record's key is the entry's key, its value the payload, and its headers {@code id} and
 * {@code type} besides the entry's own, as from Debezium's outbox event router. A record counts when all replicas in sync have it.
 *
 * <p>An error that Kafka calls retriable, such as no broker or no leader in time, means that Kafka is away ({@link PublisherUnavailableException}); any
 * other is a failure of the entry. Consumers tell repeated records by the header {@code id}. Safe for use by many threads.
 */
public final class KafkaPublisher implements Publisher, AutoCloseable {
    private final Producer<String, byte[]> producer;
    // send() waits for metadata when Kafka is away, and a publisher must not
    private final ExecutorService sender = Executors.newSingleThreadExecutor(task -> {
        Thread thread = new Thread(task, "kafka-publisher");
        thread.setDaemon(true);
        return thread;
    });
    private final AtomicLong outages = new AtomicLong();

    private KafkaPublisher(Producer<String, byte[]> producer) {
        this.producer = producer;
    }

    /**
     * Makes a producer of its own.
     *
     * @param settings of a {@link KafkaProducer}, at least {@code bootstrap.servers}. Where they say nothing else, Kafka is away after 30 s
     *     ({@code delivery.timeout.ms}), without metadata after 5 s ({@code max.block.ms}), and records wait 5 ms for others
     *     ({@code linger.ms}); {@code acks} is always {@code all} and {@code enable.idempotence} always on
     */
    public static KafkaPublisher of(Map<String, ?> settings) {
        Map<String, Object> all = new HashMap<>();
        all.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, 30_000);
        all.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, 10_000);
        all.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, 5_000);
        all.put(ProducerConfig.LINGER_MS_CONFIG, 5);
        all.putAll(settings);
        all.put(ProducerConfig.ACKS_CONFIG, "all");
        all.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true);
        return new KafkaPublisher(new KafkaProducer<>(all, new StringSerializer(), new ByteArraySerializer()));
    }

    @Override
    public CompletableFuture<Void> publish(OutboxEntry entry) {
        CompletableFuture<Void> published = new CompletableFuture<>();
        long outagesBefore = outages.get();
        try {
            sender.execute(() -> send(entry, outagesBefore, published));
        } catch (RejectedExecutionException e) {
            published.completeExceptionally(new PublisherUnavailableException("the publisher is closed", e));
        }
        return published;
    }

    private void send(OutboxEntry entry, long outagesBefore, CompletableFuture<Void> published) {
        if (outages.get() != outagesBefore) {
            // what waited behind a record that found no Kafka would wait as long itself, one after the other
            published.completeExceptionally(new PublisherUnavailableException("Kafka was away a moment ago"));
            return;
        }
        try {
            producer.send(record(entry), (metadata, error) -> {
                if (error == null) {
                    published.complete(null);
                } else {
                    published.completeExceptionally(explain(error));
                }
            });
        } catch (RuntimeException e) {
            published.completeExceptionally(explain(e));
        }
    }

    private static ProducerRecord<String, byte[]> record(OutboxEntry entry) {
        ProducerRecord<String, byte[]> record =
                new ProducerRecord<>(entry.topic(), entry.key(), entry.payload().getBytes(StandardCharsets.UTF_8));
        Headers headers = record.headers();
        entry.headers().forEach((name, value) -> headers.add(name, value.getBytes(StandardCharsets.UTF_8)));
        headers.remove("id").add("id", entry.id().toString().getBytes(StandardCharsets.UTF_8));
        headers.remove("type").add("type", entry.type().getBytes(StandardCharsets.UTF_8));
        return record;
    }

    private Exception explain(Exception error) {
        if (!(error instanceof RetriableException)) {
            return error;
        }
        outages.incrementAndGet();
        return new PublisherUnavailableException("Kafka cannot be reached: " + error.getMessage(), error);
    }

    /** Waits up to 5 s for records that were begun, and closes the producer; what has not arrived by then has failed. */
    @Override
    public void close() {
        sender.shutdown();
        producer.close(Duration.ofSeconds(5));
    }
}
