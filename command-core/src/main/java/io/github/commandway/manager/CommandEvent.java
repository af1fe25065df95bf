package io.github.commandway.manager;

import java.time.Instant;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Something that happened to a command.
 *
 * @param sequence its number within the command, from 1, without holes
 * @param type what happened
 * @param at when it became known here
 * @param channel of output: which one, such as {@code stdout}; otherwise null
 * @param data of output: the bytes; of a completion: the result; otherwise null. Must not be modified
 * @param fraction of progress: from 0 to 1, or negative if unknown; otherwise -1
 * @param message for people; may be empty. At the end of a command its reason stands before it
 */
@SuppressWarnings("ArrayRecordComponent") // as in CommandRecord
public record CommandEvent(
        long sequence,
        Type type,
        Instant at,
        @Nullable String channel,
        byte @Nullable [] data,
        double fraction,
        String message) {

    /** What can happen to a command. */
    public enum Type {
        /** It was recorded. */
        PENDING,
        /** It was handed to its executor. */
        SENT,
        /** Its executor has begun. */
        EXECUTING,
        /** Its executor reported how far it is. */
        PROGRESS,
        /** Its executor produced output. */
        OUTPUT,
        /** Somebody asked to cancel it. */
        CANCEL_REQUESTED,
        /** A try of it failed, for the reason that the message begins with, and it waits for the next one. */
        RETRYING,
        /** Earlier events, up to this sequence number, are not kept any more. */
        GAP,
        /** It ended with a result. */
        COMPLETED,
        /** It ended without success. */
        FAILED,
        /** It ended because its time was over. */
        TIMEOUT,
        /** It ended because it was cancelled. */
        CANCELLED;

        private final String code = name().toLowerCase(Locale.ROOT);

        /** The name in JSON, such as {@code cancel_requested}. */
        public String code() {
            return code;
        }

        /** Whether nothing comes after it. */
        public boolean isTerminal() {
            return this == COMPLETED || this == FAILED || this == TIMEOUT || this == CANCELLED;
        }

        static Type of(CommandStatus status) {
            return switch (status) {
                case PENDING -> PENDING;
                case EXECUTING -> EXECUTING;
                case COMPLETED -> COMPLETED;
                case FAILED -> FAILED;
                case TIMEOUT -> TIMEOUT;
                case CANCELLED -> CANCELLED;
            };
        }
    }

    static CommandEvent of(long sequence, Type type, Instant at, String message) {
        return new CommandEvent(sequence, type, at, null, null, -1, message);
    }
}
