package io.github.commandway.nats;

import io.github.commandway.outbox.OutboxEntry;
import io.github.commandway.outbox.Publisher;
import io.github.commandway.outbox.PublisherUnavailableException;
import io.nats.client.Connection;
import io.nats.client.ConnectionListener;
import io.nats.client.ErrorListener;
import io.nats.client.JetStream;
import io.nats.client.JetStreamApiException;
import io.nats.client.Nats;
import io.nats.client.Options;
import io.nats.client.impl.Headers;
import io.nats.client.impl.NatsMessage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Publishes each entry to NATS JetStream: the subject is the entry's topic, the data its payload, and its headers are {@code Nats-Msg-Id} (the entry's
 * id), {@code Key} and {@code Type} besides the entry's own. An entry counts when a stream has stored it.
 *
 * <p>JetStream drops a repeated message within the stream's duplicate window, 2 minutes unless it is set otherwise; behind that, consumers tell it by
 * the id. What JetStream itself refuses is a failure of the entry; no answer in time, no connection, or no stream that takes the subject means that it is
 * away ({@link PublisherUnavailableException}). Safe for use by many threads.
 */
public final class NatsPublisher implements Publisher, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(NatsPublisher.class);
    private static final Duration RECONNECT_WAIT = Duration.ofSeconds(1);
    private static final String KEY = "Key";
    private static final String TYPE = "Type";

    private final AtomicReference<@Nullable Link> link = new AtomicReference<>();
    private final boolean ownsConnection;
    private final Duration timeout;
    private volatile boolean closed;

    /**
     * Publishes on a connection of the host's, which it does not close.
     *
     * @param timeout how long to wait for JetStream's acknowledgement: at least 1 ms
     * @throws IOException if the connection is closed
     */
    public NatsPublisher(Connection connection, Duration timeout) throws IOException {
        this(timeout, false);
        link.set(new Link(connection, connection.jetStream()));
    }

    private NatsPublisher(Duration timeout, boolean ownsConnection) {
        if (timeout.toMillis() < 1) {
            throw new IllegalArgumentException("a timeout of " + timeout + " is too short");
        }
        this.timeout = timeout;
        this.ownsConnection = ownsConnection;
    }

    /**
     * Publishes on a connection of its own, which is tried for in the background until there is one, and again when it is lost; until then NATS is away.
     *
     * @param servers one or more, with commas between them, such as {@code nats://user:password@host:4222}
     * @param timeout how long to wait for JetStream's acknowledgement: at least 1 ms
     * @throws IllegalArgumentException if an address cannot be read
     */
    public static NatsPublisher connecting(String servers, Duration timeout) {
        NatsPublisher publisher = new NatsPublisher(timeout, true);
        Options options = Options.builder()
                .servers(servers.split("\\s*,\\s*"))
                .maxReconnects(-1)
                .reconnectWait(RECONNECT_WAIT)
                .connectionListener(publisher::onEvent)
                .errorListener(new Errors())
                .build();
        try {
            Nats.connectAsynchronously(options, true);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return publisher;
    }

    private void onEvent(Connection connection, ConnectionListener.Events event) {
        if (event == ConnectionListener.Events.CONNECTED || event == ConnectionListener.Events.RECONNECTED) {
            try {
                link.set(new Link(connection, connection.jetStream()));
            } catch (IOException gone) {
                LOG.debug("the connection to NATS was lost at once", gone);
            }
            if (closed) {
                close();
            }
        }
    }

    @Override
    public CompletableFuture<Void> publish(OutboxEntry entry) {
        Link current = link.get();
        Connection.Status status = current == null ? Connection.Status.CONNECTING : current.connection.getStatus();
        if (current == null || status != Connection.Status.CONNECTED) {
            // otherwise the client keeps it back and sends it when the relay has tried again already
            return CompletableFuture.failedFuture(new PublisherUnavailableException("NATS is " + status));
        }
        CompletableFuture<Void> published = new CompletableFuture<>();
        current.jetStream
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

    /** Closes the connection if it is its own; what was not acknowledged by then has failed. */
    @Override
    public void close() {
        closed = true;
        Link current = link.get();
        if (ownsConnection && current != null) {
            try {
                current.connection.close();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
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

    /** Tells the log what goes wrong with a connection of its own; the publisher's callers learn of it by themselves. */
    private static final class Errors implements ErrorListener {
        @Override
        public void errorOccurred(Connection connection, String error) {
            LOG.warn("NATS refuses something: {}", error);
        }

        @Override
        public void exceptionOccurred(Connection connection, Exception error) {
            LOG.debug("NATS cannot be reached", error);
        }
    }

    /** A connection and what publishes on it. */
    private record Link(Connection connection, JetStream jetStream) {}
}
