package io.github.commandway.conversation;

import io.github.commandway.conversation.api.ConversationCommandService;
import io.github.commandway.conversation.api.ConversationError;
import io.github.commandway.conversation.api.ConversationError.Kind;
import io.github.commandway.manager.CommandRejectedException;
import org.jspecify.annotations.Nullable;

/** What callers may hand over, and what they are told when it goes wrong. */
final class Refusals {
    private Refusals() {}

    static void requireText(String what, @Nullable String value, int most) {
        if (value != null
                && (value.isBlank()
                        || value.length() > most
                        || value.chars().anyMatch(Character::isISOControl)
                        || !JsonTexts.isClean(value))) {
            throw new ConversationException(
                    Kind.INVALID, "the " + what + " must have 1 to " + most + " characters, and no control characters");
        }
    }

    static void requireCorrelationId(@Nullable String correlationId) {
        requireText("correlation id", correlationId, ConversationCommandService.MAX_CORRELATION_ID);
    }

    static void requireJson(String what, @Nullable String text) {
        if (text != null && !JsonTexts.isStorable(text)) {
            throw new ConversationException(Kind.INVALID, "the " + what + " must be JSON without the character U+0000");
        }
    }

    static void requireLimit(int limit) {
        if (limit < 1 || limit > ConversationCommandService.MAX_LIMIT) {
            throw new ConversationException(
                    Kind.INVALID, "the limit must be from 1 to " + ConversationCommandService.MAX_LIMIT);
        }
    }

    /** What a failure is for the caller. */
    static ConversationError toError(Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof ConversationException known) {
                return known.error();
            }
            if (cause instanceof CommandRejectedException refusal
                    && refusal.code() != CommandRejectedException.Code.STORE_FAILED) {
                return new ConversationError(kindOf(refusal.code()), String.valueOf(refusal.getMessage()));
            }
        }
        return new ConversationError(Kind.STORE_FAILED, "nothing was recorded; the log of the server has more");
    }

    private static Kind kindOf(CommandRejectedException.Code code) {
        return switch (code) {
            case CAPACITY, TARGET_BUSY, TARGET_AWAY, SHUTTING_DOWN -> Kind.BUSY;
            case PAYLOAD_TOO_LARGE -> Kind.INVALID;
            case IDEMPOTENCY_CONFLICT, EXCLUSIVE_KEY_TAKEN -> Kind.CONFLICT;
            case TARGET_UNKNOWN, UNKNOWN_COMMAND, STORE_FAILED -> Kind.STORE_FAILED;
        };
    }

    /** The manager's refusal, or whatever else it was as one. */
    static CommandRejectedException rejection(Throwable error) {
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            if (cause instanceof CommandRejectedException refusal) {
                return refusal;
            }
        }
        return new CommandRejectedException(
                CommandRejectedException.Code.STORE_FAILED, String.valueOf(error.getMessage()), error);
    }
}
