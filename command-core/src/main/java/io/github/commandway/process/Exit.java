package io.github.commandway.process;

import org.jspecify.annotations.Nullable;

/**
 * How a process ended.
 *
 * @param pid which one
 * @param result what it was done with; null if it failed
 * @param error why it failed, or null if it did not. A {@link ProcessException} if it was ended from outside.
 */
public record Exit(
        Pid pid, @Nullable Object result, @Nullable Throwable error) {}
