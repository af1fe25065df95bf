package io.github.commandway.dispatch;

/** Why a command is not wanted any more. */
public enum CancelCause {
    /** Somebody asked for it. */
    REQUESTED,
    /** Its time is over. */
    DEADLINE,
    /** The system that runs it is being stopped. */
    SHUTDOWN
}
