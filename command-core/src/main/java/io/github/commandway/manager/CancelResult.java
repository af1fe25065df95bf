package io.github.commandway.manager;

/**
 * What became of a request to cancel.
 *
 * @param outcome which of the possible ends it was
 * @param record the final record
 */
public record CancelResult(Outcome outcome, CommandRecord record) {
    /** The possible ends of a request to cancel. */
    public enum Outcome {
        /** The command had not begun and never will. */
        CANCELLED_BEFORE_START,
        /** The executor was at work and has stopped. */
        CANCELLED_WHILE_RUNNING,
        /** The command had already ended when the request came. */
        ALREADY_ENDED,
        /** The request came in time, but the command ended in another way before it could be stopped. */
        ENDED_OTHERWISE
    }
}
