package io.github.commandway.outbox;

import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.util.RawValue;

/** The two HTTP forms of an entry as a <a href="https://cloudevents.io/">CloudEvents 1.0</a> event. */
final class CloudEvents {
    static final String STRUCTURED_TYPE = "application/cloudevents+json; charset=utf-8";
    static final String BINARY_TYPE = "application/json";

    private static final JsonMapper MAPPER = JsonMapper.builder().build();
    private static final String DATA = "data";

    private CloudEvents() {}

    /** The whole event as one JSON text. */
    static byte[] structured(OutboxEntry entry, String source) {
        Map<String, Object> event = new LinkedHashMap<>(attributes(entry, source));
        event.put("datacontenttype", BINARY_TYPE);
        event.put(DATA, new RawValue(entry.payload()));
        return MAPPER.writeValueAsBytes(event);
    }

    /** The event's attributes as HTTP headers; the body is the payload alone. */
    static Map<String, String> binaryHeaders(OutboxEntry entry, String source) {
        Map<String, String> headers = new LinkedHashMap<>();
        attributes(entry, source).forEach((name, value) -> headers.put("ce-" + name, encode(value)));
        return headers;
    }

    private static Map<String, String> attributes(OutboxEntry entry, String source) {
        Map<String, String> attributes = new LinkedHashMap<>();
        attributes.put("specversion", "1.0");
        attributes.put("id", entry.id().toString());
        attributes.put("source", source);
        attributes.put("type", entry.type());
        attributes.put("subject", entry.key());
        attributes.put("time", entry.createdAt().toString());
        attributes.put("partitionkey", entry.key());
        entry.headers().forEach((name, value) -> {
            String attribute = attributeName(name);
            if (!attribute.isEmpty() && !attribute.equals(DATA) && !attribute.equals("datacontenttype")) {
                attributes.putIfAbsent(attribute, value);
            }
        });
        return attributes;
    }

    /** CloudEvents 1.0, section 3.1: names have lower case letters and digits only. */
    private static String attributeName(String header) {
        return header.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]", "");
    }

    /** CloudEvents HTTP binding 1.0.2, section 3.1.3.2: everything but printable ASCII, and of that space, quote and percent, is percent-encoded. */
    private static String encode(String value) {
        StringBuilder encoded = new StringBuilder(value.length());
        for (byte b : value.getBytes(StandardCharsets.UTF_8)) {
            if (b > ' ' && b < 0x7f && b != '"' && b != '%') {
                encoded.append((char) b);
            } else {
                encoded.append('%').append(String.format(Locale.ROOT, "%02X", b & 0xff));
            }
        }
        return encoded.toString();
    }
}
