package io.github.commandway.quic;

import io.github.commandway.manager.RecordId;

/**
 * A command that an agent has when it connects.
 *
 * @param id its record
 * @param state how far it is
 */
public record Holding(RecordId id, State state) {
    /** How far a command is that an agent has. */
    public enum State {
        /** It waits to be executed. */
        WAITING,
        /** It is being executed. */
        RUNNING,
        /** Its outcome is known, and waits to be acknowledged. */
        FINISHED
    }
}
