package io.github.commandway.tool.api;

import java.math.BigDecimal;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Something that the caller of a tool or toolchain may or must say.
 *
 * @param name by which it is given
 * @param type what its values are, such as {@code string} or {@code path}
 * @param description for people; may be empty
 * @param required whether it must be given
 * @param defaultValue what it is if it is not given, or null
 * @param pattern what the whole value must match, or null
 * @param choices what a choice may be; otherwise empty
 * @param min the least number, or null
 * @param max the greatest number, or null
 * @param maxLength the longest value, in characters
 */
public record ParameterInfo(
        String name,
        String type,
        String description,
        boolean required,
        @Nullable String defaultValue,
        @Nullable String pattern,
        List<String> choices,
        @Nullable BigDecimal min,
        @Nullable BigDecimal max,
        int maxLength) {
    /** Copies the list. */
    public ParameterInfo {
        choices = List.copyOf(choices);
    }
}
