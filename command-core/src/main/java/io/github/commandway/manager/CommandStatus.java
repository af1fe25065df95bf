package io.github.commandway.manager;

import io.github.commandway.dispatch.Reason;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Where a command is in its life. The moves between the states are in one table, {@link #canMoveTo}. */
public enum CommandStatus {
    /** Recorded, not yet begun, or waiting to be tried again. */
    PENDING,
    /** Its executor has begun. */
    EXECUTING,
    /** Its executor returned a result. */
    COMPLETED,
    /** It did not succeed; the reason says why. */
    FAILED,
    /** Its time was over before an outcome was known. */
    TIMEOUT,
    /** It was cancelled. */
    CANCELLED;

    private static final Map<CommandStatus, Set<CommandStatus>> MOVES = new EnumMap<>(Map.of(
            PENDING, EnumSet.of(PENDING, EXECUTING, FAILED, TIMEOUT, CANCELLED),
            EXECUTING, EnumSet.of(PENDING, COMPLETED, FAILED, TIMEOUT, CANCELLED)));

    private final String code = name().toLowerCase(Locale.ROOT);

    /** The name in JSON, such as {@code completed}. */
    public String code() {
        return code;
    }

    /** Whether this is the end: a terminal status never changes. */
    public boolean isTerminal() {
        return !MOVES.containsKey(this);
    }

    /** Whether a command in this status may move to {@code next}. */
    public boolean canMoveTo(CommandStatus next) {
        Set<CommandStatus> moves = MOVES.get(this);
        return moves != null && moves.contains(next);
    }

    /** The end that a reason stands for. */
    static CommandStatus of(Reason reason) {
        return switch (reason) {
            case OK -> COMPLETED;
            case EXECUTION_TIMEOUT, QUEUE_TIMEOUT -> TIMEOUT;
            case CANCELLED_BEFORE_START, CANCELLED_WHILE_RUNNING -> CANCELLED;
            case EXECUTOR_ERROR,
                    AGENT_UNREACHABLE,
                    REJECTED_BY_AGENT,
                    UNKNOWN_COMMAND,
                    PAYLOAD_TOO_LARGE,
                    LOST,
                    SHUTDOWN -> FAILED;
        };
    }

    /** Finds a status by its {@link #code()}. */
    public static Optional<CommandStatus> ofCode(String code) {
        for (CommandStatus status : values()) {
            if (status.code.equals(code)) {
                return Optional.of(status);
            }
        }
        return Optional.empty();
    }
}
