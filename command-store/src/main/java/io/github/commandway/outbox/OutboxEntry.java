package io.github.commandway.outbox;

import java.time.Instant;
import java.util.Map;
import java.util.UUID;

/**
 * One event on its way out.
 *
 * @param id names the event; it is the same in every delivery, so a receiver that remembers ids takes each event once
 * @param topic where it goes: 1 to 249 characters; what it means is the publisher's business
 * @param aggregateType the kind of thing that it is about, such as {@code order}: 1 to 256 characters
 * @param key the thing that it is about, such as the order's number: 1 to 256 characters. Entries of the same topic and key are delivered in
 *     the order of their appending, one after the other; where order does not matter, give each its own
 * @param type the kind of event, such as {@code order.paid}: 1 to 256 characters
 * @param payload a JSON text, which is kept as it is
 * @param headers more about it for the receiver; names have 1 to 64 characters
 * @param createdAt when it happened, in milliseconds
 */
public record OutboxEntry(
        UUID id,
        String topic,
        String aggregateType,
        String key,
        String type,
        String payload,
        Map<String, String> headers,
        Instant createdAt) {
    private static final int MAX_TOPIC = 249;
    private static final int MAX_TEXT = 256;
    private static final int MAX_HEADER_NAME = 64;

    /** Checks the lengths; whether the payload is JSON is for the database to check. */
    public OutboxEntry {
        requireText("topic", topic, MAX_TOPIC);
        requireText("aggregate type", aggregateType, MAX_TEXT);
        requireText("key", key, MAX_TEXT);
        requireText("type", type, MAX_TEXT);
        headers = Map.copyOf(headers);
        for (String name : headers.keySet()) {
            requireText("header name", name, MAX_HEADER_NAME);
        }
        createdAt = Instant.ofEpochMilli(createdAt.toEpochMilli());
    }

    /** One without headers whose aggregate type is its topic. */
    public static OutboxEntry of(UUID id, String topic, String key, String type, String payload, Instant createdAt) {
        return new OutboxEntry(id, topic, topic, key, type, payload, Map.of(), createdAt);
    }

    /** The same with these headers instead. */
    public OutboxEntry withHeaders(Map<String, String> headers) {
        return new OutboxEntry(id, topic, aggregateType, key, type, payload, headers, createdAt);
    }

    private static void requireText(String what, String value, int longest) {
        if (value.isBlank() || value.length() > longest) {
            throw new IllegalArgumentException(
                    what + " must have 1 to " + longest + " characters, but is '" + value + "'");
        }
    }
}
