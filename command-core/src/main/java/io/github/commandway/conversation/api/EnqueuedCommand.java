package io.github.commandway.conversation.api;

import org.jspecify.annotations.Nullable;

/**
 * What {@link ConversationCommandService#enqueueCommand} answers.
 *
 * @param command the command that stands for the call
 * @param outcome what it has to do with the call
 * @param serialized the command as the service's serializer writes it; null if it has none, or it failed
 */
public record EnqueuedCommand(
        ConversationCommand command,
        Outcome outcome,
        @Nullable String serialized) {
    /** What the command has to do with the call. */
    public enum Outcome {
        /** It was recorded by this call. */
        CREATED,
        /** It is the same command, recorded by an earlier call. */
        REPEATED,
        /** It is another command, which is pending; what was asked for was not accepted. */
        OTHER_PENDING
    }
}
