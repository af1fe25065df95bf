package io.github.commandway.conversation.api;

import java.time.Instant;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Something that happened in a session.
 *
 * @param sequence its place in the session, from 1, without gaps
 * @param eventId names it; the outbox entry has the same id
 * @param eventType such as {@code Genesis.Session.Command.Received}
 * @param version of the form of the payload
 * @param aggregateType what kind of thing it happened to, such as {@code GenesisFlow}
 * @param aggregateId the id of the session
 * @param payload a JSON object
 * @param metadata a JSON object
 * @param correlationId what the caller ties its events together with, or null
 * @param causationId what caused it: the id of a command, or null
 * @param createdAt when it happened
 */
public record ConversationEvent(
        long sequence,
        UUID eventId,
        String eventType,
        int version,
        String aggregateType,
        String aggregateId,
        String payload,
        String metadata,
        @Nullable String correlationId,
        @Nullable String causationId,
        Instant createdAt) {}
