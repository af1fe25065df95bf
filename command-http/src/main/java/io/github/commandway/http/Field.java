package io.github.commandway.http;

import static io.github.commandway.manager.CommandRequest.MAX_DURATION;
import static io.github.commandway.manager.CommandRequest.MAX_PRIORITY;

import io.github.commandway.manager.CommandQuery;
import io.github.commandway.manager.Target;
import java.math.BigDecimal;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * One member of a request's body, or one query parameter: what is read and checked, and what the OpenAPI document says of it.
 *
 * @param allowed the values that it may have; empty if any of its kind will do
 * @param members what an {@link Kind#OBJECT} has; empty for any other kind
 */
record Field(String name, Kind kind, boolean required, String description, List<String> allowed, List<Field> members) {
    static final int MAX_CLIENT_IDS = 1_000;
    static final int MAX_RETRIES = 999;
    private static final int MAX_TEXT = 256;

    /** What values it takes. */
    @SuppressWarnings("ImmutableEnumChecker") // the maps are unmodifiable
    enum Kind {
        /** 1 to 256 characters, no control characters. */
        TEXT(
                "a string of 1 to 256 characters without control characters",
                Map.of("type", "string", "maxLength", MAX_TEXT)),
        AGENT_ID(
                "a client id: 1 to 128 characters, a letter or digit, then letters, digits, . _ : -",
                Map.of("type", "string", "maxLength", 128)),
        AGENT_IDS(
                "an array of 1 to 1000 different client ids",
                Map.of("type", "array", "items", Map.of("type", "string"), "minItems", 1, "maxItems", MAX_CLIENT_IDS)),
        /** Above 0, to 30 days. */
        TIMEOUT(
                "a number of seconds from 0.001 to 2592000, such as 30 or 0.5",
                Map.of("type", "number", "minimum", 0.001, "maximum", MAX_DURATION.toSeconds())),
        /** From 0, to 30 days. */
        TTL(
                "a number of seconds from 0 to 2592000, such as 60",
                Map.of("type", "number", "minimum", 0, "maximum", MAX_DURATION.toSeconds())),
        FLAG("true or false", Map.of("type", "boolean")),
        /** A text, or a whole number, which is taken as one. */
        REFERENCE(
                "a string of 1 to 256 characters without control characters, or a whole number",
                Map.of("type", List.of("string", "integer"), "maxLength", MAX_TEXT)),
        PRIORITY(
                "a whole number from -100 to 100",
                Map.of("type", "integer", "minimum", -MAX_PRIORITY, "maximum", MAX_PRIORITY)),
        /** How many more tries after the first. */
        RETRIES("a whole number from 0 to 999", Map.of("type", "integer", "minimum", 0, "maximum", MAX_RETRIES)),
        TIME(
                "a time with its offset, such as 2026-01-31T08:30:00Z (RFC 3339)",
                Map.of("type", "string", "format", "date-time")),
        /** Has members of its own. */
        OBJECT("an object", Map.of("type", "object")),
        /** How many entries of a list. */
        LIMIT(
                "a whole number from 1 to 1000",
                Map.of("type", "integer", "minimum", 1, "maximum", CommandQuery.MAX_LIMIT)),
        /** How many entries of a list whose entries are large. */
        SHORT_LIMIT("a whole number from 1 to 200", Map.of("type", "integer", "minimum", 1, "maximum", 200)),
        /** The sequence number of an event. */
        SEQUENCE("a whole number from 0", Map.of("type", "integer", "minimum", 0)),
        /** Any JSON value, passed on byte for byte. */
        ANY("any JSON value", Map.of());

        private final String expected;
        private final Map<String, Object> schema;

        Kind(String expected, Map<String, Object> schema) {
            this.expected = expected;
            this.schema = schema;
        }

        Map<String, Object> schema() {
            return schema;
        }
    }

    static Field required(String name, Kind kind, String description) {
        return new Field(name, kind, true, description, List.of(), List.of());
    }

    static Field optional(String name, Kind kind, String description) {
        return new Field(name, kind, false, description, List.of(), List.of());
    }

    static Field object(String name, String description, Field... members) {
        return new Field(name, Kind.OBJECT, false, description, List.of(), List.of(members));
    }

    Field oneOf(String... values) {
        return new Field(name, kind, required, description, List.of(values), members);
    }

    /** What would be right, for an error message. */
    String expected() {
        return allowed.isEmpty() ? kind.expected : "one of " + String.join(", ", allowed);
    }

    boolean acceptsText(String value) {
        if (!allowed.isEmpty()) {
            return allowed.contains(value);
        }
        return kind == Kind.AGENT_ID
                ? Target.Agent.isValidId(value)
                : !value.isBlank()
                        && value.length() <= MAX_TEXT
                        && value.chars().noneMatch(Character::isISOControl)
                        && isWellFormed(value);
    }

    /** Whether every surrogate has its other half: what has not cannot be written as UTF-8. */
    private static boolean isWellFormed(String value) {
        return value.codePoints().noneMatch(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE);
    }

    boolean acceptsSeconds(BigDecimal seconds) {
        BigDecimal least = kind == Kind.TIMEOUT ? new BigDecimal("0.001") : BigDecimal.ZERO;
        return seconds.compareTo(least) >= 0 && seconds.compareTo(BigDecimal.valueOf(MAX_DURATION.toSeconds())) <= 0;
    }

    /** The duration; only for what {@link #acceptsSeconds} took, since other numbers can be huge. */
    static Duration toDuration(BigDecimal seconds) {
        return Duration.ofNanos(seconds.movePointRight(9).longValue());
    }
}
