package io.github.commandway.conversation;

import io.github.commandway.conversation.api.ConversationEvent;
import io.github.commandway.conversation.api.ConversationRound;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.RecordId;
import io.github.commandway.outbox.OutboxEntry;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.util.RawValue;

/** What the events of sessions are called, and what they and their outbox entries say. */
final class SessionEvents {
    static final String RECEIVED = "Command.Received";
    static final String COMPLETED = "Command.Completed";
    static final String FAILED = "Command.Failed";
    static final String ROUND_CREATED = "Round.Created";

    private static final int VERSION = 1;
    private static final int MAX_RESULT_BYTES = 64 << 10;
    private static final String METADATA = "{\"source\":\"api-gateway\"}";

    private SessionEvents() {}

    /** The id of a command's event of this name: always the same, so that none is written twice. */
    static UUID idOf(RecordId command, String name) {
        return UUID.nameUUIDFromBytes((command + " " + name).getBytes(StandardCharsets.UTF_8));
    }

    /** The upper-case form in event names, such as {@code Genesis}. */
    static String prefixOf(String scopeType) {
        String scope = scopeType.toLowerCase(Locale.ROOT);
        return Character.toUpperCase(scope.charAt(0)) + scope.substring(1);
    }

    static String topicOf(String scopeType) {
        return scopeType.toLowerCase(Locale.ROOT) + ".session.events";
    }

    static ConversationEvent received(
            long sequence, UUID session, String scopeType, CommandRecord command, String correlationId) {
        Map<String, Object> payload = commandPayload(session, command);
        byte[] given = command.request().payload();
        payload.put("payload", given.length == 0 ? null : JsonTexts.content(given));
        return ofCommand(sequence, session, scopeType, command, RECEIVED, payload, correlationId, command.createdAt());
    }

    static ConversationEvent ended(
            long sequence, UUID session, String scopeType, CommandRecord command, String correlationId, Instant at) {
        Map<String, Object> payload = commandPayload(session, command);
        boolean isCompleted = command.status() == CommandStatus.COMPLETED;
        payload.put("status", isCompleted ? "COMPLETED" : "FAILED");
        byte[] result = command.result();
        if (isCompleted && result != null && result.length <= MAX_RESULT_BYTES) {
            payload.put("result", result.length == 0 ? null : JsonTexts.content(result));
        } else if (isCompleted && result != null) {
            payload.put("result_omitted", true);
        }
        if (!isCompleted) {
            payload.put(
                    "reason", command.reason() == null ? null : command.reason().code());
            payload.put("error", command.message() == null ? null : JsonTexts.clean(command.message()));
        }
        String name = isCompleted ? COMPLETED : FAILED;
        return ofCommand(sequence, session, scopeType, command, name, payload, correlationId, at);
    }

    private static ConversationEvent ofCommand(
            long sequence,
            UUID session,
            String scopeType,
            CommandRecord command,
            String name,
            Map<String, Object> payload,
            String correlationId,
            Instant at) {
        return event(
                sequence,
                idOf(command.id(), name),
                session,
                scopeType,
                name,
                payload,
                correlationId,
                command.id().toString(),
                at);
    }

    private static Map<String, Object> commandPayload(UUID session, CommandRecord command) {
        Map<String, Object> payload = new LinkedHashMap<>();
        payload.put("command_id", command.id().toString());
        payload.put("command_type", command.request().type());
        payload.put("session_id", session.toString());
        payload.put("user_id", command.request().principal());
        return payload;
    }

    /** @param causationId the command that the round is of, or null */
    static ConversationEvent roundCreated(
            long sequence,
            String scopeType,
            String userId,
            ConversationRound round,
            @Nullable String correlationId,
            @Nullable String causationId) {
        Map<String, Object> payload = new LinkedHashMap<>();
        payload.put("round_path", round.path());
        payload.put("role", round.role().name().toLowerCase(Locale.ROOT));
        payload.put("session_id", round.sessionId().toString());
        payload.put("user_id", userId);
        UUID id = UUID.nameUUIDFromBytes(
                (round.sessionId() + " " + ROUND_CREATED + " " + round.path()).getBytes(StandardCharsets.UTF_8));
        return event(
                sequence,
                id,
                round.sessionId(),
                scopeType,
                ROUND_CREATED,
                payload,
                correlationId,
                causationId,
                round.createdAt());
    }

    private static ConversationEvent event(
            long sequence,
            UUID id,
            UUID session,
            String scopeType,
            String name,
            Map<String, Object> payload,
            @Nullable String correlationId,
            @Nullable String causationId,
            Instant at) {
        String prefix = prefixOf(scopeType);
        return new ConversationEvent(
                sequence,
                id,
                prefix + ".Session." + name,
                VERSION,
                prefix + "Flow",
                session.toString(),
                JsonTexts.write(payload),
                METADATA,
                correlationId,
                causationId,
                at);
    }

    /** The event on its way out: flat, with the members of its payload beside its own. */
    static OutboxEntry outboxEntry(String scopeType, ConversationEvent event) {
        Map<String, Object> head = new LinkedHashMap<>();
        head.put("event_id", event.eventId().toString());
        head.put("event_type", event.eventType());
        head.put("aggregate_type", event.aggregateType());
        head.put("aggregate_id", event.aggregateId());
        head.put("metadata", new RawValue(event.metadata()));
        head.put("created_at", event.createdAt().toString());
        String flat = join(JsonTexts.write(head), event.payload());
        Map<String, String> headers = new LinkedHashMap<>();
        headers.put("event_type", event.eventType());
        headers.put("version", Integer.toString(event.version()));
        if (event.correlationId() != null) {
            headers.put("correlation_id", event.correlationId());
        }
        return new OutboxEntry(
                event.eventId(),
                topicOf(scopeType),
                event.aggregateType(),
                event.aggregateId(),
                event.eventType(),
                flat,
                headers,
                event.createdAt());
    }

    /** One object with the members of both, neither of which is empty. */
    private static String join(String first, String second) {
        return first.substring(0, first.length() - 1) + "," + second.substring(1);
    }
}
