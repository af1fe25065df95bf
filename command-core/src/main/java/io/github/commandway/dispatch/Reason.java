package io.github.commandway.dispatch;

import java.util.Locale;
import java.util.Optional;

/** Why a command ended as it did. Every ended command has exactly one. */
public enum Reason {
    /** The executor returned a result. */
    OK,
    /** The executor failed; the message is its own. */
    EXECUTOR_ERROR,
    /** It was handed over, and the execution time ended before an outcome was known. */
    EXECUTION_TIMEOUT,
    /** It never started within its waiting time. */
    QUEUE_TIMEOUT,
    /** It was handed to an agent that was away when its time ended; whether it had an effect is unknown. */
    AGENT_UNREACHABLE,
    /** The agent refused it before it started. */
    REJECTED_BY_AGENT,
    /** Nobody there knows this kind of command. */
    UNKNOWN_COMMAND,
    /** The payload or the result is larger than what is allowed. */
    PAYLOAD_TOO_LARGE,
    /** It was cancelled and never started. */
    CANCELLED_BEFORE_START,
    /** It was cancelled while it was running, and the executor stopped. */
    CANCELLED_WHILE_RUNNING,
    /** It was running when its executor went away for good; whether it had an effect is unknown. */
    LOST,
    /** The system was stopped before it ended. */
    SHUTDOWN;

    private final String code = name().toLowerCase(Locale.ROOT);

    /** The name in JSON and on the wire, such as {@code executor_error}. */
    public String code() {
        return code;
    }

    /** Finds a reason by its {@link #code()}. */
    public static Optional<Reason> ofCode(String code) {
        for (Reason reason : values()) {
            if (reason.code.equals(code)) {
                return Optional.of(reason);
            }
        }
        return Optional.empty();
    }
}
