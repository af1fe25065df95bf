package io.github.commandway.agent.command;

import org.jspecify.annotations.Nullable;

/** Checks of parameters. What they throw refuses the command, with the message. */
final class Checks {
    private Checks() {}

    static void present(String field, @Nullable String value) {
        if (value == null || value.isEmpty()) {
            throw new IllegalArgumentException("'" + field + "' is missing or empty");
        }
    }

    static void range(String field, @Nullable Integer value, int min, int max) {
        if (value != null && (value < min || value > max)) {
            throw new IllegalArgumentException("'" + field + "' must be from " + min + " to " + max);
        }
    }
}
