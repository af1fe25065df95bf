package io.github.commandway.system;

import org.jspecify.annotations.Nullable;

/**
 * What became of work that a process started and did not wait for; the payload of the one message that tells it so.
 *
 * @param value what the work returned, if it did
 * @param error why it failed; null if it did not
 */
public record AsyncResult(@Nullable Object value, @Nullable Throwable error) {}
