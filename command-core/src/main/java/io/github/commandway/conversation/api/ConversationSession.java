package io.github.commandway.conversation.api;

import java.time.Instant;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * A session of one user.
 *
 * @param id names it
 * @param userId whose it is
 * @param scopeType what it is about, such as {@code genesis}
 * @param scopeId which one, or null
 * @param status where it is in its life
 * @param version counts the changes that users make, from 1
 * @param roundSequence how many rounds at the top level were made
 * @param createdAt when it was opened
 * @param updatedAt when it or its rounds last changed
 */
public record ConversationSession(
        UUID id,
        String userId,
        String scopeType,
        @Nullable String scopeId,
        SessionStatus status,
        long version,
        long roundSequence,
        Instant createdAt,
        Instant updatedAt) {}
