package io.github.commandway.conversation.api;

import java.time.Instant;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * One round of a session.
 *
 * @param sessionId the session
 * @param path its place: {@code 1}, {@code 2} at the top, {@code 1.1} for the first branch of {@code 1}
 * @param role who began it
 * @param input what was said, as a JSON text, or null
 * @param output what came of it, as a JSON text, or null; of a command's round: the result of the command
 * @param correlationId of a command's round: the id of the command
 * @param createdAt when it was made
 */
public record ConversationRound(
        UUID sessionId,
        String path,
        RoundRole role,
        @Nullable String input,
        @Nullable String output,
        @Nullable String correlationId,
        Instant createdAt) {}
