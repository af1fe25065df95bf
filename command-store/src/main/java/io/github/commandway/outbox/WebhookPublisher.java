package io.github.commandway.outbox;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Posts each entry to one address as a CloudEvents 1.0 event, signed if there is a secret ({@link WebhookSignature}).
 *
 * <p>Defaults: the structured form (one JSON text), no signature, 10 s for connecting and answering, any answer from 200 to 299 is an acknowledgement, 64
 * requests at a time, {@code /commandway} as the event's source. Redirects are not followed. Answers 429, 502, 503 and 504 and connections that cannot
 * be made mean that the receiver is away ({@link PublisherUnavailableException}); any other answer, or none in time, is a failure of the entry. Safe for use by many threads.
 */
public final class WebhookPublisher implements Publisher {
    private static final JsonMapper MAPPER = JsonMapper.builder().build();

    private final HttpReceiver receiver;
    private final URI address;
    /** Without what stands behind the path, which may be a secret. */
    private final String shown;

    private final @Nullable WebhookSignature signature;
    private final boolean binary;
    private final boolean confirmed;
    private final int maxInFlight;
    private final String source;
    private final Clock clock;

    private WebhookPublisher(Builder builder) {
        address = builder.address;
        shown = address.getScheme() + "://" + address.getHost() + (address.getPort() < 0 ? "" : ":" + address.getPort())
                + address.getPath();
        signature = builder.signature;
        binary = builder.binary;
        confirmed = builder.confirmed;
        maxInFlight = builder.maxInFlight;
        source = builder.source;
        clock = builder.clock;
        receiver = new HttpReceiver(shown, builder.timeout);
    }

    /** Starts one that posts to {@code address}, an absolute {@code http} or {@code https} URI. */
    public static Builder to(URI address) {
        return new Builder(address);
    }

    @Override
    public int maxInFlight() {
        return maxInFlight;
    }

    @Override
    public CompletableFuture<Void> publish(OutboxEntry entry) {
        return receiver.post(request(entry), this::check);
    }

    private HttpRequest.Builder request(OutboxEntry entry) {
        byte[] body = binary ? entry.payload().getBytes(StandardCharsets.UTF_8) : CloudEvents.structured(entry, source);
        Instant now = clock.instant();
        HttpRequest.Builder request = HttpRequest.newBuilder(address)
                .header("content-type", binary ? CloudEvents.BINARY_TYPE : CloudEvents.STRUCTURED_TYPE)
                .header("webhook-id", entry.id().toString())
                .header("webhook-timestamp", Long.toString(now.getEpochSecond()))
                .POST(HttpRequest.BodyPublishers.ofByteArray(body));
        if (binary) {
            CloudEvents.binaryHeaders(entry, source).forEach(request::header);
        }
        if (signature != null) {
            request.header("webhook-signature", signature.sign(entry.id().toString(), now, body));
        }
        return request;
    }

    private void check(HttpResponse<byte[]> answer) throws IOException {
        if (confirmed && !saysReceived(answer.body())) {
            throw new IOException(shown + " answered " + answer.statusCode() + " without {\"received\": true}");
        }
    }

    private static boolean saysReceived(byte[] body) {
        try {
            JsonNode json = MAPPER.readTree(body);
            JsonNode received = json.path("received");
            return received.isBoolean() && received.asBoolean();
        } catch (JacksonException notJson) {
            return false;
        }
    }

    /** Builds a {@link WebhookPublisher}. Not safe for use by many threads. */
    public static final class Builder {
        private final URI address;
        private @Nullable WebhookSignature signature;
        private boolean binary;
        private boolean confirmed;
        private Duration timeout = Duration.ofSeconds(10);
        private int maxInFlight = 64;
        private String source = "/commandway";
        private Clock clock = Clock.systemUTC();

        private Builder(URI address) {
            if (!HttpReceiver.isAddress(address)) {
                throw new IllegalArgumentException(
                        "a webhook's address is like https://host/path, but this is '" + address + "'");
            }
            this.address = address;
        }

        /** Signs each request. */
        public Builder signature(WebhookSignature signature) {
            this.signature = signature;
            return this;
        }

        /** Sends the payload alone as the body, and the event's attributes as headers. */
        public Builder binary() {
            binary = true;
            return this;
        }

        /** Takes an answer for an acknowledgement only if it is from 200 to 299 and says {@code {"received": true}}, within 64 KiB. */
        public Builder confirmed() {
            confirmed = true;
            return this;
        }

        /** Sets how long one request may take in all: at least 1 ms. */
        public Builder timeout(Duration timeout) {
            this.timeout = HttpReceiver.requireTimeout(timeout);
            return this;
        }

        /** Sets how many requests run at a time, from 1. */
        public Builder maxInFlight(int maxInFlight) {
            if (maxInFlight < 1) {
                throw new IllegalArgumentException("at least 1 request must be allowed, not " + maxInFlight);
            }
            this.maxInFlight = maxInFlight;
            return this;
        }

        /** Sets the CloudEvents attribute {@code source}: a URI reference that names this system. */
        public Builder source(String source) {
            this.source = URI.create(source).toString();
            return this;
        }

        /** Sets the clock of the time stamps. */
        public Builder clock(Clock clock) {
            this.clock = clock;
            return this;
        }

        /** Makes the publisher. */
        public WebhookPublisher build() {
            return new WebhookPublisher(this);
        }
    }
}
