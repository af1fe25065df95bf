package io.github.commandway.conversation;

import io.github.commandway.conversation.api.ConversationCommand;
import io.github.commandway.conversation.api.ConversationCommandService;
import io.github.commandway.conversation.api.ConversationError.Kind;
import io.github.commandway.conversation.api.ConversationEvent;
import io.github.commandway.conversation.api.ConversationMetrics;
import io.github.commandway.conversation.api.ConversationRound;
import io.github.commandway.conversation.api.EnqueuedCommand;
import io.github.commandway.conversation.api.EnqueuedCommand.Outcome;
import io.github.commandway.conversation.api.RoundRole;
import io.github.commandway.conversation.api.SessionStatus;
import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRejectedException;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.IdGenerator;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.manager.Target;
import io.github.commandway.store.Database;
import io.github.commandway.store.JdbcCompanion;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The commands of sessions: enqueues them, and writes what comes of them, with the events and rounds of both. Safe for use by many threads. */
final class SessionCommands {
    // one log for all that the service does
    private static final Logger LOG = LoggerFactory.getLogger(ConversationService.class);
    private static final String SESSION_KEY = "session:";
    private static final String SESSION_ID = "session_id";
    private static final String COMMAND_ID = "command_id";

    /** How often a command tries to take the place of one that is pending, when yet another one is there each time. */
    private static final int TRIES = 10;

    private final Database database;
    private final SessionLog log;
    private final ConversationMetrics metrics;
    private final @Nullable CommandSerializer serializer;
    private final PendingCommandPolicy policy;
    private final Target.Queue queue;
    private final Duration timeout;
    private final Duration ttl;
    private final Clock clock;
    private final LongSupplier ticker;
    private final IdGenerator ids;
    private volatile @Nullable CommandManager manager;

    SessionCommands(ConversationService.Builder builder, SessionLog log, IdGenerator ids) {
        database = builder.database;
        this.log = log;
        metrics = builder.metrics;
        serializer = builder.serializer;
        policy = builder.policy;
        queue = new Target.Queue(builder.queue);
        timeout = builder.timeout;
        ttl = builder.ttl;
        clock = builder.clock;
        ticker = builder.ticker;
        this.ids = ids;
    }

    /** Sets who takes the commands, once. */
    synchronized void start(CommandManager manager) {
        if (this.manager != null) {
            throw new IllegalStateException("a conversation service can be started once");
        }
        this.manager = manager;
    }

    private CommandManager started() {
        CommandManager present = manager;
        if (present == null) {
            throw new IllegalStateException("the conversation service is not started");
        }
        return present;
    }

    /** Enqueues a command, or finds the one that is there. */
    CompletableFuture<EnqueuedCommand> enqueue(
            String userId,
            UUID sessionId,
            String commandType,
            byte @Nullable [] payload,
            @Nullable String idempotencyKey,
            @Nullable String correlationId) {
        Refusals.requireCorrelationId(correlationId);
        CommandRequest request = request(userId, sessionId, commandType, payload, idempotencyKey);
        return enqueue(new Call(sessionId, request, correlationId, idempotencyKey != null), TRIES);
    }

    private CommandRequest request(
            String userId,
            UUID sessionId,
            String commandType,
            byte @Nullable [] payload,
            @Nullable String idempotencyKey) {
        if (payload != null && payload.length > 0 && JsonTexts.read(payload) == null) {
            throw new ConversationException(
                    Kind.INVALID, "the payload must be JSON in UTF-8 without the character U+0000");
        }
        Refusals.requireText("idempotency key", idempotencyKey, ConversationCommandService.MAX_IDEMPOTENCY_KEY);
        String key = SESSION_KEY + sessionId;
        try {
            return CommandRequest.to(queue, commandType)
                    .payload(payload == null ? new byte[0] : payload)
                    .principal(userId)
                    .idempotencyKey(idempotencyKey == null ? null : sessionId + ":" + idempotencyKey)
                    .orderKey(key)
                    .exclusiveKey(policy == PendingCommandPolicy.QUEUE_BEHIND ? null : key)
                    .timeout(timeout)
                    .ttl(ttl)
                    .build();
        } catch (IllegalArgumentException e) {
            throw new ConversationException(Kind.INVALID, String.valueOf(e.getMessage()));
        }
    }

    private CompletableFuture<EnqueuedCommand> enqueue(Call call, int tries) {
        long begun = ticker.getAsLong();
        JdbcCompanion companion = (connection, command) -> writeReceived(connection, call, command.record(), true);
        CompletableFuture<CommandHandle> submitted = started().submit(call.request, ids, companion);
        return submitted
                .handle((handle, error) -> error == null
                        ? enqueued(call, handle, ticker.getAsLong() - begun)
                        : notEnqueued(call, Refusals.rejection(error), tries))
                .thenCompose(answer -> answer);
    }

    private CompletableFuture<EnqueuedCommand> enqueued(Call call, CommandHandle handle, long nanos) {
        checked(call, handle.isRepeated(), handle.id());
        if (handle.isRepeated()) {
            return existing(call, handle.record(), Outcome.REPEATED);
        }
        metrics.transactionEnded(Duration.ofNanos(nanos));
        LOG.atDebug()
                .addKeyValue(SESSION_ID, call.session)
                .addKeyValue(COMMAND_ID, handle.id())
                .log("command_created");
        return CompletableFuture.completedFuture(
                answer(call.session, handle.record(), call.correlationOf(handle.id()), Outcome.CREATED));
    }

    private void checked(Call call, boolean hit, @Nullable RecordId found) {
        metrics.idempotencyChecked(hit);
        LOG.atDebug()
                .addKeyValue(SESSION_ID, call.session)
                .addKeyValue("hit", hit)
                .addKeyValue(COMMAND_ID, found)
                .log("idempotency_check");
    }

    private CompletableFuture<EnqueuedCommand> notEnqueued(Call call, CommandRejectedException refusal, int tries) {
        CommandRecord existing = refusal.existing().orElse(null);
        if (existing == null) {
            return CompletableFuture.failedFuture(refusal);
        }
        boolean isEqual = existing.request().type().equals(call.request.type())
                && Arrays.equals(existing.request().payload(), call.request.payload());
        if (refusal.code() == CommandRejectedException.Code.IDEMPOTENCY_CONFLICT) {
            checked(call, isEqual, existing.id());
            // equal but for what the service sets, which was set otherwise then
            return isEqual
                    ? existing(call, existing, Outcome.REPEATED)
                    : conflict(
                            "the idempotency key was used for another command, " + existing.id() + "; use a new key");
        }
        boolean isSame =
                isEqual && !call.hasKey && Objects.equals(existing.request().principal(), call.request.principal());
        checked(call, isSame, existing.id());
        if (isSame) {
            return existing(call, existing, Outcome.REPEATED);
        }
        return switch (policy) {
            case RETURN_EXISTING -> existing(call, existing, Outcome.OTHER_PENDING);
            case REPLACE -> replace(call, existing, tries);
            case REJECT, QUEUE_BEHIND ->
                conflict("command " + existing.id() + " of this session is pending; wait for its end, or cancel it");
        };
    }

    private CompletableFuture<EnqueuedCommand> replace(Call call, CommandRecord existing, int tries) {
        if (tries <= 1) {
            // what is refused must not have cancelled anything
            return conflict("other commands of this session came first each time");
        }
        return started().cancelWaiting(existing.id()).thenCompose(cancelled -> {
            if (cancelled.isPresent()) {
                return enqueue(call, tries - 1);
            }
            return started().find(existing.id()).thenCompose(now -> {
                boolean isOpen = now.isPresent() && !now.get().status().isTerminal();
                return isOpen
                        ? conflict("command " + existing.id() + " of this session is executed already")
                        : enqueue(call, tries - 1);
            });
        });
    }

    private static <T> CompletableFuture<T> conflict(String detail) {
        return CompletableFuture.failedFuture(new ConversationException(Kind.CONFLICT, detail));
    }

    /** The answer with a command that was there before; an event of it that is missing is made up for. */
    private CompletableFuture<EnqueuedCommand> existing(Call call, CommandRecord record, Outcome outcome) {
        UUID eventId = SessionEvents.idOf(record.id(), SessionEvents.RECEIVED);
        return database.read(connection -> ConversationTables.event(connection, eventId))
                .thenCompose(event -> {
                    if (event.isPresent()) {
                        return CompletableFuture.completedFuture(correlationOf(event.get(), record.id()));
                    }
                    Call earlier = new Call(call.session, record.request(), null, false);
                    return database.write(connection -> writeReceived(connection, earlier, record, false));
                })
                .thenApply(correlation -> answer(call.session, record, correlation, outcome));
    }

    private EnqueuedCommand answer(UUID session, CommandRecord record, String correlation, Outcome outcome) {
        ConversationCommand command = new ConversationCommand(session, record, correlation);
        return new EnqueuedCommand(command, outcome, serialize(command));
    }

    @SuppressWarnings("IllegalCatch")
    private @Nullable String serialize(ConversationCommand command) {
        if (serializer == null) {
            return null;
        }
        try {
            return serializer.serialize(command);
        } catch (RuntimeException e) {
            LOG.warn("command {} could not be serialized, and is answered without", command.id(), e);
            return null;
        }
    }

    private static String correlationOf(ConversationEvent event, RecordId command) {
        return event.correlationId() == null ? command.toString() : event.correlationId();
    }

    /**
     * Writes event, outbox entry and round of a command that was accepted.
     *
     * @param isNew whether nothing of it can be there yet, and the session must take commands
     * @return the correlation id of its events
     */
    private String writeReceived(Connection connection, Call call, CommandRecord command, boolean isNew)
            throws SQLException {
        UUID session = call.session;
        ConversationTables.Numbers numbers =
                ConversationTables.taken(ConversationTables.take(connection, session, 1, 2, clock.instant()));
        if (isNew && numbers.status() != SessionStatus.ACTIVE) {
            throw new ConversationException(
                    Kind.CONFLICT, "the session is " + numbers.status() + " and takes no commands");
        }
        String id = command.id().toString();
        if (!isNew) {
            Optional<ConversationEvent> event =
                    ConversationTables.event(connection, SessionEvents.idOf(command.id(), SessionEvents.RECEIVED));
            if (event.isPresent()
                    || ConversationTables.round(connection, session, id).isPresent()) {
                return madeUpFor(connection, session, command, event, numbers);
            }
        }
        String correlation = call.correlationOf(command.id());
        byte[] payload = command.request().payload();
        ConversationRound round = new ConversationRound(
                session,
                Long.toString(numbers.round()),
                RoundRole.USER,
                payload.length == 0 ? null : JsonTexts.write(JsonTexts.content(payload)),
                null,
                id,
                command.createdAt());
        ConversationTables.insert(connection, round);
        log.write(
                connection,
                session,
                numbers.scopeType(),
                List.of(
                        SessionEvents.received(numbers.event() - 1, session, numbers.scopeType(), command, correlation),
                        SessionEvents.roundCreated(
                                numbers.event(),
                                numbers.scopeType(),
                                String.valueOf(command.request().principal()),
                                round,
                                correlation,
                                id)));
        LOG.atDebug()
                .addKeyValue(SESSION_ID, session)
                .addKeyValue(COMMAND_ID, id)
                .addKeyValue("round_path", round.path())
                .log("round_created");
        return correlation;
    }

    /** Writes what one of two who found the event missing has left to the other, and gives back the numbers that were taken for more. */
    private String madeUpFor(
            Connection connection,
            UUID session,
            CommandRecord command,
            Optional<ConversationEvent> event,
            ConversationTables.Numbers numbers)
            throws SQLException {
        ConversationTables.take(connection, session, -1, event.isPresent() ? -2 : -1, clock.instant());
        if (event.isPresent()) {
            return correlationOf(event.get(), command.id());
        }
        String id = command.id().toString();
        log.write(
                connection,
                session,
                numbers.scopeType(),
                List.of(SessionEvents.received(numbers.event() - 1, session, numbers.scopeType(), command, id)));
        return id;
    }

    /** Writes the event of a command's end, and its result into its round. */
    void onEnd(Connection connection, CommandRecord record) throws SQLException {
        UUID session = sessionOf(record.request());
        if (session == null) {
            return;
        }
        Optional<ConversationTables.Numbers> numbers =
                ConversationTables.take(connection, session, 0, 1, clock.instant());
        if (numbers.isEmpty()) {
            // the session was removed by hand; its commands end all the same
            return;
        }
        String id = record.id().toString();
        byte[] result = record.result();
        if (record.status() == CommandStatus.COMPLETED && result != null && result.length > 0) {
            ConversationTables.setOutput(connection, session, id, JsonTexts.write(JsonTexts.content(result)));
        }
        String correlation = ConversationTables.event(
                        connection, SessionEvents.idOf(record.id(), SessionEvents.RECEIVED))
                .map(event -> correlationOf(event, record.id()))
                .orElse(id);
        Instant at = record.endedAt() == null ? clock.instant() : record.endedAt();
        String scopeType = numbers.get().scopeType();
        log.write(
                connection,
                session,
                scopeType,
                List.of(SessionEvents.ended(numbers.get().event(), session, scopeType, record, correlation, at)));
    }

    /** The session that a command belongs to, or null. */
    private @Nullable UUID sessionOf(CommandRequest request) {
        String key = request.orderKey();
        if (!request.target().equals(queue) || key == null || !key.startsWith(SESSION_KEY)) {
            return null;
        }
        return RecordId.parse(key.substring(SESSION_KEY.length()))
                .filter(id -> id.form() == RecordId.Form.UUID)
                .map(id -> new UUID(id.high(), id.low()))
                .orElse(null);
    }

    /** Measures how long a command took. */
    void onEvent(RecordedCommand command, CommandEvent event) {
        if (event.type().isTerminal() && sessionOf(command.request()) != null) {
            CommandRecord record = command.record();
            metrics.commandEnded(
                    Duration.between(record.createdAt(), event.at()), record.status() == CommandStatus.COMPLETED);
        }
    }

    /** The oldest open command of a session. */
    CompletableFuture<Optional<ConversationCommand>> pending(UUID sessionId) {
        return database.read(connection -> firstOpen(connection, sessionId))
                .thenCompose(id -> id.flatMap(RecordId::parse)
                        .map(started()::find)
                        .orElse(CompletableFuture.completedFuture(Optional.empty())))
                .thenCompose(found -> found.filter(record -> !record.status().isTerminal())
                        .map(record -> command(sessionId, record).thenApply(Optional::of))
                        .orElse(CompletableFuture.completedFuture(Optional.empty())));
    }

    /** A command of a session. */
    CompletableFuture<ConversationCommand> find(UUID sessionId, RecordId commandId) {
        return started()
                .find(commandId)
                .thenCompose(found -> command(
                        sessionId,
                        found.filter(record -> sessionId.equals(sessionOf(record.request())))
                                .orElseThrow(() -> new ConversationException(
                                        Kind.NOT_FOUND, "there is no command " + commandId + " in this session"))));
    }

    /** The id of the oldest open command of a session, as the transaction sees it. */
    Optional<String> firstOpen(Connection connection, UUID sessionId) throws SQLException {
        return ConversationTables.firstOpen(connection, queue.name(), SESSION_KEY + sessionId);
    }

    private CompletableFuture<ConversationCommand> command(UUID sessionId, CommandRecord record) {
        UUID eventId = SessionEvents.idOf(record.id(), SessionEvents.RECEIVED);
        return database.read(connection -> ConversationTables.event(connection, eventId))
                .thenApply(event -> new ConversationCommand(
                        sessionId,
                        record,
                        event.map(present -> correlationOf(present, record.id()))
                                .orElse(record.id().toString())));
    }

    /** What is enqueued. */
    private record Call(
            UUID session, CommandRequest request, @Nullable String correlation, boolean hasKey) {
        String correlationOf(RecordId command) {
            return correlation == null ? command.toString() : correlation;
        }
    }
}
