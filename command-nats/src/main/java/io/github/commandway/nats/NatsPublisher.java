package io.github.commandway.nats;

import io.github.commandway.outbox.OutboxEntry;
import io.github.commandway.outbox.Publisher;
import io.github.commandway.outbox.PublisherUnavailableException;
import io.nats.client.Connection;
import io.nats.client.JetStream;
import io.nats.client.JetStreamApiException;
import io.nats.client.impl.Headers;
import io.nats.client.impl.NatsMessage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;

/**
 * Publishes each entry to NATS JetStream: the subject is the entry's topic, the data its payload, and its headers are {@code Nats-Msg-Id} (the entry's
 * id), {@code Key} and {@code Type} besides the entry's own. An entry counts when a stream has stored it.
 *
 * <p>JetStream drops a repeated message within the stream's duplicate window, 2 minutes unless it is set otherwise; behind that, consumers tell it by
 * the id. What JetStream itself refuses is a failure of the entry; no answer in time, no connection, or no stream that takes the subject means that it is
 * away ({@link PublisherUnavailableException}). Safe for use by many threads.
 */
public final class NatsPublisher implements Publisher {
    private static final String KEY = "Key";
    private static final String TYPE = "Type";

    private final Connection connection;
    private final JetStream jetStream;
    private final Duration timeout;

    /**
     * Publishes on a connection of the host's, which it does not close.
     *
     * @param timeout how long to wait for JetStream's acknowledgement: at least 1 ms
     * @throws IOException if the connection is closed
     */
    public NatsPublisher(Connection connection, Duration timeout) throws IOException {
        if (timeout.toMillis() < 1) {
            throw new IllegalArgumentException("a timeout of " + timeout + " is too short");
        }
        this.connection = connection;
        this.timeout = timeout;
        jetStream = connection.jetStream();
    }

    @Override
    public CompletableFuture<Void> publish(OutboxEntry entry) {
        Connection.Status status = connection.getStatus();
        if (status != Connection.Status.CONNECTED) {
            // otherwise the client keeps it back and sends it when the relay has tried again already
            return CompletableFuture.failedFuture(new PublisherUnavailableException("NATS is " + status));
        }
        CompletableFuture<Void> published = new CompletableFuture<>();
        jetStream
                .publishAsync(message(entry))
                .orTimeout(timeout.toMillis(), TimeUnit.MILLISECONDS)
                .whenComplete((stored, error) -> {
                    if (error == null) {
                        published.complete(null);
                    } else {
                        published.completeExceptionally(explain(error));
                    }
                });
        return published;
    }

    private static NatsMessage message(OutboxEntry entry) {
        Headers headers = new Headers();
        entry.headers().forEach(headers::put);
        headers.put("Nats-Msg-Id", entry.id().toString());
        headers.put(KEY, entry.key());
        headers.put(TYPE, entry.type());
        return NatsMessage.builder()
                .subject(entry.topic())
                .headers(headers)
                .data(entry.payload().getBytes(StandardCharsets.UTF_8))
                .build();
    }

    private static Throwable explain(Throwable error) {
        Throwable cause = error;
        while ((cause instanceof CompletionException || cause.getClass() == RuntimeException.class)
                && cause.getCause() != null) {
            cause = cause.getCause();
        }
        return cause instanceof JetStreamApiException
                ? cause
                : new PublisherUnavailableException("JetStream did not take the message: " + cause, cause);
    }
}
