package io.github.commandway.process;

import org.jspecify.annotations.Nullable;

/**
 * What one process tells another, or a service tells a process. The payload should be immutable: both sides see the same object.
 *
 * @param from the sender, or null if it is no process
 * @param topic what it is about
 * @param payload anything, or null
 */
public record Message(
        @Nullable Pid from, String topic, @Nullable Object payload) {}
