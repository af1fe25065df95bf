package io.github.commandway.dispatch;

/** Why a command is not wanted any more. */
public enum CancelCause {
    /** Somebody asked for it. */
    REQUESTED,
    /** Its time is over. */
    DEADLINE,
    /** The system that runs it is being stopped. */
    SHUTDOWN;

    /** Why a command ended that was running and stopped because of this. */
    public Reason reason() {
        return switch (this) {
            case REQUESTED -> Reason.CANCELLED_WHILE_RUNNING;
            case DEADLINE -> Reason.EXECUTION_TIMEOUT;
            case SHUTDOWN -> Reason.SHUTDOWN;
        };
    }
}
