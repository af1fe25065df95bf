package io.github.commandway.conversation;

import io.github.commandway.conversation.api.ConversationCommand;

/** Writes a command for the answer to whoever enqueued it. Safe for use by many threads. */
@FunctionalInterface
public interface CommandSerializer {
    /** The command as text; must not block. If it throws, the answer goes without. */
    String serialize(ConversationCommand command);
}
