package io.github.commandway.conversation;

import io.github.commandway.conversation.api.ConversationError;
import io.github.commandway.conversation.api.ConversationError.Kind;
import java.io.Serial;

/** Carries an error to where it becomes the answer. Has no stack trace: it tells of the call, not of our code. */
final class ConversationException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final transient ConversationError error;

    ConversationException(Kind kind, String detail) {
        super(detail, null, false, false);
        error = new ConversationError(kind, detail);
    }

    ConversationError error() {
        return error;
    }
}
