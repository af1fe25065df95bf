package io.github.commandway.http;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;

/** What is answered: a whole body, one in pieces, or a stream of server-sent events. */
sealed interface Reply {
    String JSON = "application/json";
    String PROBLEM = "application/problem+json";

    int status();

    /** Beyond content type and length. */
    Map<String, String> headers();

    /** A whole body; null content type and no bytes for none. */
    @SuppressWarnings("ArrayRecordComponent") // written once, then forgotten
    record Full(int status, @Nullable String contentType, byte[] body, Map<String, String> headers) implements Reply {
        Full header(String name, String value) {
            Map<String, String> more = new TreeMap<>(headers);
            more.put(name, value);
            return new Full(status, contentType, body, more);
        }
    }

    /** Server-sent events: the function writes them, and its Mono ends the stream. */
    record Events(Function<EventWriter, Mono<Void>> source, Map<String, String> more) implements Reply {
        Events(Function<EventWriter, Mono<Void>> source) {
            this(source, Map.of());
        }

        @Override
        public int status() {
            return 200;
        }

        @Override
        public Map<String, String> headers() {
            // proxies that gather an answer before they pass it on would hold the events back
            Map<String, String> headers = new TreeMap<>(more);
            headers.put("Cache-Control", "no-store");
            headers.put("X-Accel-Buffering", "no");
            return headers;
        }
    }

    /**
     * A body that is written piece by piece: the function writes them, and its Mono ends the body. If it fails the connection is ended, so that nobody takes the body for a whole one.
     *
     * @param headers may hold the length; if not, the body is sent in chunks
     * @param trailers what is sent behind a body in chunks; asked for when its end is reached
     */
    record Stream(
            int status,
            String contentType,
            Map<String, String> headers,
            Function<BodyWriter, Mono<Void>> source,
            Supplier<Map<String, String>> trailers)
            implements Reply {}

    /** Where a body is written to. */
    @FunctionalInterface
    interface BodyWriter {
        /** Completes when the bytes were handed to the socket; one at a time, so that a slow reader holds back its source. */
        Mono<Void> write(byte[] bytes);
    }

    /** Where events are written to. */
    @FunctionalInterface
    interface EventWriter {
        /** Completes when the text was handed to the socket; one at a time, so that a slow reader holds back its source. */
        Mono<Void> write(String text);
    }

    static Full json(int status, Map<String, ?> body) {
        return new Full(status, JSON, Json.bytes(body), Map.of());
    }

    static Full text(String contentType, String body) {
        return new Full(200, contentType, body.getBytes(StandardCharsets.UTF_8), Map.of());
    }

    static Full empty(int status) {
        return new Full(status, null, new byte[0], Map.of());
    }

    static Full problem(Problem problem) {
        return new Full(problem.status(), PROBLEM, Json.bytes(problem.document()), problem.headers());
    }

    /** One event in the format of server-sent events (WHATWG HTML, section 9.2). */
    static String event(@Nullable Object id, String type, Map<String, ?> data) {
        // line ends within JSON stand only between its tokens, where a space does as well
        String line = Json.write(data).replace('\r', ' ').replace('\n', ' ');
        return (id == null ? "" : "id: " + id + "\n") + "event: " + type + "\ndata: " + line + "\n\n";
    }

    static String comment(String text) {
        return ": " + text + "\n\n";
    }
}
