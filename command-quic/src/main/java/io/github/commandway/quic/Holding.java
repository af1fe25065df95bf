package io.github.commandway.quic;

import io.github.commandway.manager.RecordId;

/**
 * A command that an agent has when it connects.
 *
 * @param id its record
 * @param finished whether its outcome is known, and waits to be acknowledged; otherwise it is still to be executed or being executed
 */
public record Holding(RecordId id, boolean finished) {}
