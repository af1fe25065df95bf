package io.github.commandway.tools;

import io.github.commandway.tool.api.ParameterInfo;
import java.math.BigDecimal;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Something that the caller of a tool or toolchain may or must say.
 *
 * @param name by which it is given, and by which the command refers to it
 * @param type what its values are
 * @param description for people; may be empty
 * @param required whether it must be given
 * @param defaultValue what it is if it is not given, or null
 * @param pattern what the whole value must match, or null
 * @param choices what a {@link Type#CHOICE} may be; otherwise empty
 * @param min the least number, or null
 * @param max the greatest number, or null
 * @param maxLength the longest value, in characters
 */
public record Parameter(
        String name,
        Type type,
        String description,
        boolean required,
        @Nullable String defaultValue,
        @Nullable Pattern pattern,
        List<String> choices,
        @Nullable BigDecimal min,
        @Nullable BigDecimal max,
        int maxLength) {

    /** What the values of a parameter are. */
    public enum Type {
        /** Text without control characters. Unless there is a pattern it must not begin with {@code -}, so that it cannot be taken for an option. */
        STRING,
        /** A whole number. */
        INTEGER,
        /** A number. */
        NUMBER,
        /** {@code true} or {@code false}. */
        BOOLEAN,
        /** One of the choices. */
        CHOICE,
        /** A path; unless the tool's isolation is {@code none} it is relative and stays in the folder of the run. */
        PATH;

        private final String code = name().toLowerCase(Locale.ROOT);

        /** The name in {@code tool.yaml}. */
        public String code() {
            return code;
        }
    }

    /** As callers see it. */
    ParameterInfo info() {
        return new ParameterInfo(
                name,
                type.code(),
                description,
                required,
                defaultValue,
                pattern == null ? null : pattern.pattern(),
                choices,
                min,
                max,
                maxLength);
    }

    /**
     * Checks a value.
     *
     * @param anyPath whether a path may lead anywhere
     * @param budget what comparing it with the pattern may cost
     * @throws IllegalArgumentException if it is not allowed; the message says what is
     */
    void check(String value, boolean anyPath, PatternBudget budget) {
        if (value.length() > maxLength) {
            throw wrong("has " + value.length() + " characters; the most is " + maxLength);
        }
        if (value.chars().anyMatch(Character::isISOControl)) {
            throw wrong("must not contain control characters");
        }
        switch (type) {
            case STRING -> {
                if (pattern == null && value.startsWith("-")) {
                    throw wrong("must not begin with '-'");
                }
            }
            case INTEGER -> checkNumber(value, "-?[0-9]{1,18}", "a whole number");
            case NUMBER -> checkNumber(value, "-?[0-9]{1,18}(\\.[0-9]{1,18})?", "a number");
            case BOOLEAN -> {
                if (!value.equals("true") && !value.equals("false")) {
                    throw wrong("must be true or false");
                }
            }
            case CHOICE -> {
                if (!choices.contains(value)) {
                    throw wrong("must be one of " + String.join(", ", choices));
                }
            }
            case PATH -> {
                String problem = anyPath ? null : Names.whyOutside(value);
                if (problem == null && value.startsWith("-")) {
                    problem = "must not begin with '-'";
                }
                if (problem != null) {
                    throw wrong(problem);
                }
            }
        }
        if (pattern != null && !budget.matches(pattern, value, "parameter '" + name + "'")) {
            throw wrong("must match " + pattern);
        }
    }

    private void checkNumber(String value, String form, String what) {
        if (!value.matches(form)) {
            throw wrong("must be " + what);
        }
        BigDecimal number = new BigDecimal(value);
        if ((min != null && number.compareTo(min) < 0) || (max != null && number.compareTo(max) > 0)) {
            throw wrong("must be " + (min == null ? "" : "at least " + min)
                    + (min != null && max != null ? " and " : "") + (max == null ? "" : "at most " + max));
        }
    }

    private IllegalArgumentException wrong(String problem) {
        return new IllegalArgumentException("parameter '" + name + "' " + problem);
    }
}
