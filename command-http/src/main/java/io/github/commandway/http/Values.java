package io.github.commandway.http;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The checked values of a body or a query. Each accessor takes the name of a {@link Field} of the matching kind. */
record Values(Map<String, Object> byName) {

    private <T> @Nullable T get(String name, Class<T> type) {
        return type.cast(byName.get(name));
    }

    private <T> T require(String name, Class<T> type) {
        T value = get(name, type);
        if (value == null) {
            throw new IllegalStateException("'" + name + "' is not a required field of this route");
        }
        return value;
    }

    String requiredText(String name) {
        return require(name, String.class);
    }

    @Nullable String text(String name) {
        return get(name, String.class);
    }

    String text(String name, String otherwise) {
        String value = text(name);
        return value == null ? otherwise : value;
    }

    @Nullable Duration duration(String name) {
        return get(name, Duration.class);
    }

    Duration duration(String name, Duration otherwise) {
        Duration value = duration(name);
        return value == null ? otherwise : value;
    }

    @Nullable Boolean flag(String name) {
        return get(name, Boolean.class);
    }

    @Nullable Long number(String name) {
        return get(name, Long.class);
    }

    @Nullable Instant time(String name) {
        return get(name, Instant.class);
    }

    /** The members of an object; empty if it was not given. */
    Values object(String name) {
        Values value = get(name, Values.class);
        return value == null ? new Values(Map.of()) : value;
    }

    boolean has(String name) {
        return byName.containsKey(name);
    }

    /** A number that its kind keeps within the bounds of an int. */
    int number(String name, int otherwise) {
        Long value = number(name);
        return value == null ? otherwise : value.intValue();
    }

    /** The bytes of a JSON value; empty if it was not given. */
    byte[] json(String name) {
        byte[] value = get(name, byte[].class);
        return value == null ? new byte[0] : value;
    }

    @SuppressWarnings("unchecked") // only RequestReader puts lists here, and only of strings
    List<String> texts(String name) {
        return (List<String>) require(name, List.class);
    }
}
