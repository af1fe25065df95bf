package io.github.commandway.conversation.api;

import io.github.commandway.manager.RecordId;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * Sessions of users, and the commands that users give in them. A command is recorded together with its domain event, its outbox entry and its round, or
 * nothing of it is; then it waits in a queue like any other command until a worker executes it.
 *
 * <p>Every method looks first whether the user may enter the session; one that does not exist and one of another user cannot be told apart. What goes wrong
 * is in the {@link ConversationResult}: the futures themselves do not fail. All methods are safe for use by many threads, and none blocks.
 */
public interface ConversationCommandService {
    /** The most characters of an idempotency key. */
    int MAX_IDEMPOTENCY_KEY = 200;

    /** The most characters of a correlation id. */
    int MAX_CORRELATION_ID = 64;

    /** The most entries of a list. */
    int MAX_LIMIT = 200;

    /**
     * Enqueues a command whose correlation id is its own id.
     *
     * @param commandType selects the handler: 1 to 256 characters
     * @param payload a JSON text in UTF-8, or null; not copied, so it must not be modified
     * @param idempotencyKey within this session the same key stands for the same command: 1 to {@value #MAX_IDEMPOTENCY_KEY} characters, or null
     */
    default CompletableFuture<ConversationResult<EnqueuedCommand>> enqueueCommand(
            String userId,
            UUID sessionId,
            String commandType,
            byte @Nullable [] payload,
            @Nullable String idempotencyKey) {
        return enqueueCommand(userId, sessionId, commandType, payload, idempotencyKey, null);
    }

    /**
     * Enqueues a command. With an idempotency key that was used in this session before, the earlier command is the answer if it has the same type and
     * payload, otherwise a {@link ConversationError.Kind#CONFLICT}. While another command of the session is pending, the service's policy says what becomes
     * of this one.
     *
     * @param correlationId goes into the events: 1 to {@value #MAX_CORRELATION_ID} characters, or null for the id of the command
     * @return when it completes with success the command is recorded as safely as the store makes it
     */
    CompletableFuture<ConversationResult<EnqueuedCommand>> enqueueCommand(
            String userId,
            UUID sessionId,
            String commandType,
            byte @Nullable [] payload,
            @Nullable String idempotencyKey,
            @Nullable String correlationId);

    /** The command of the session that has not ended; the one accepted first if there are several. */
    CompletableFuture<ConversationResult<Optional<ConversationCommand>>> getPendingCommand(
            String userId, UUID sessionId);

    /** One command of the session; {@link ConversationError.Kind#NOT_FOUND} also for one of another session. */
    CompletableFuture<ConversationResult<ConversationCommand>> getCommand(
            String userId, UUID sessionId, RecordId commandId);

    /**
     * Opens a session.
     *
     * @param scopeType what it is about, such as {@code genesis}: a letter, then up to 63 letters, digits and dashes. Names its events and their topic
     * @param scopeId which one: 1 to 128 characters, or null
     * @param idempotencyKey of one user the same key stands for the same session: 1 to {@value #MAX_IDEMPOTENCY_KEY} characters, or null
     */
    CompletableFuture<ConversationResult<ConversationSession>> createSession(
            String userId, String scopeType, @Nullable String scopeId, @Nullable String idempotencyKey);

    /** One session. */
    CompletableFuture<ConversationResult<ConversationSession>> getSession(String userId, UUID sessionId);

    /**
     * The user's sessions, newest first.
     *
     * @param limit from 1 to {@value #MAX_LIMIT}
     * @param after the last session of the page before, or null to begin
     */
    CompletableFuture<ConversationResult<List<ConversationSession>>> listSessions(
            String userId, int limit, @Nullable UUID after);

    /**
     * Sets the status.
     *
     * @param expectedVersion must be the session's version, otherwise {@link ConversationError.Kind#VERSION_MISMATCH}; null for any
     */
    CompletableFuture<ConversationResult<ConversationSession>> updateSession(
            String userId, UUID sessionId, SessionStatus status, @Nullable Long expectedVersion);

    /** Removes a session with its rounds and events; {@link ConversationError.Kind#CONFLICT} while a command of it is pending. Its ended commands stay as long as all do. */
    CompletableFuture<ConversationResult<ConversationSession>> deleteSession(String userId, UUID sessionId);

    /**
     * Adds a round, such as what an assistant said. One of the user directly behind one of the user that has no output is refused with
     * {@link ConversationError.Kind#CONFLICT}, since it has not been answered.
     *
     * @param parent the path of the round that it branches off, or null for one at the end of the session
     * @param input a JSON text, or null
     * @param output a JSON text, or null
     * @param correlationId there is one round with it in a session, and adding it again gives that one: 1 to {@value #MAX_CORRELATION_ID} characters, or null
     */
    CompletableFuture<ConversationResult<ConversationRound>> createRound(
            String userId,
            UUID sessionId,
            @Nullable String parent,
            RoundRole role,
            @Nullable String input,
            @Nullable String output,
            @Nullable String correlationId);

    /** Rounds of the session. A branch stands behind the round that it branches off. */
    CompletableFuture<ConversationResult<List<ConversationRound>>> listRounds(
            String userId, UUID sessionId, RoundQuery query);

    /**
     * What happened in the session, in order.
     *
     * @param after only events with a higher {@link ConversationEvent#sequence}; 0 for all
     * @param limit from 1 to {@value #MAX_LIMIT}
     */
    CompletableFuture<ConversationResult<List<ConversationEvent>>> events(
            String userId, UUID sessionId, long after, int limit);

    /**
     * Has {@code onChange} called when there may be new events of the session, also when there are none. It is called in the thread that brings the news, so it
     * must not block. Says nothing about who may see them.
     */
    Watch watch(UUID sessionId, Runnable onChange);

    /** Ends a watch. Closing it twice does nothing. */
    @FunctionalInterface
    interface Watch extends AutoCloseable {
        @Override
        void close();
    }
}
