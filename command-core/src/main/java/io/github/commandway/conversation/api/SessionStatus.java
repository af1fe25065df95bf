package io.github.commandway.conversation.api;

/** Where a session is in its life, as its user says. */
public enum SessionStatus {
    /** It takes commands. */
    ACTIVE,
    /** It takes no commands for now. */
    PAUSED,
    /** It came to its end. */
    COMPLETED,
    /** It came to nothing. */
    FAILED,
    /** It was given up. */
    ABANDONED
}
