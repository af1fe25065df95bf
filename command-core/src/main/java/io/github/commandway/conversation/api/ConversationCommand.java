package io.github.commandway.conversation.api;

import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.RecordId;
import java.time.Instant;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * A command of a session: its record, seen from the conversation.
 *
 * @param sessionId the session that it belongs to
 * @param record what is recorded of it
 * @param correlationId what its events carry
 */
public record ConversationCommand(UUID sessionId, CommandRecord record, String correlationId) {
    /** Where it is in its life. */
    public enum Status {
        /** It waits for its turn. */
        RECEIVED,
        /** It is executed. */
        PROCESSING,
        /** Its handler returned a result. */
        COMPLETED,
        /** It failed, took too long, or was cancelled; {@link CommandRecord#reason} says which. */
        FAILED
    }

    /** The id of its record. */
    public RecordId id() {
        return record.id();
    }

    /** What kind of command it is. */
    public String type() {
        return record.request().type();
    }

    /** Where it is in its life. */
    public Status status() {
        return switch (record.status()) {
            case PENDING -> Status.RECEIVED;
            case EXECUTING -> Status.PROCESSING;
            case COMPLETED -> Status.COMPLETED;
            case FAILED, TIMEOUT, CANCELLED -> Status.FAILED;
        };
    }

    /** When it was accepted. */
    public Instant submittedAt() {
        return record.createdAt();
    }

    /** What went wrong, for people; null unless {@link Status#FAILED}. */
    public @Nullable String error() {
        return status() != Status.FAILED
                ? null
                : record.message() != null ? record.message() : String.valueOf(record.reason());
    }
}
