package io.github.commandway.conversation;

import io.github.commandway.conversation.api.ConversationCommand;
import io.github.commandway.conversation.api.ConversationCommandService;
import io.github.commandway.conversation.api.ConversationError;
import io.github.commandway.conversation.api.ConversationError.Kind;
import io.github.commandway.conversation.api.ConversationEvent;
import io.github.commandway.conversation.api.ConversationMetrics;
import io.github.commandway.conversation.api.ConversationResult;
import io.github.commandway.conversation.api.ConversationRound;
import io.github.commandway.conversation.api.ConversationSession;
import io.github.commandway.conversation.api.EnqueuedCommand;
import io.github.commandway.conversation.api.EnqueuedCommand.Outcome;
import io.github.commandway.conversation.api.RoundQuery;
import io.github.commandway.conversation.api.RoundRole;
import io.github.commandway.conversation.api.SessionStatus;
import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandListener;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRejectedException;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.IdGenerator;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.manager.Target;
import io.github.commandway.outbox.Outbox;
import io.github.commandway.store.Database;
import io.github.commandway.store.EndHook;
import io.github.commandway.store.JdbcCompanion;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Conversations in a {@link Database}. A command is one in a queue, like any other: its order key is the session, its principal the user, and while it is open no other one has its exclusive
 * key. Its event, outbox entry and round are written in the transaction that records it, and those of its end in the one that records that.
 *
 * <p>It takes part in three places, in this order:
 *
 * <pre>{@code
 * ConversationService conversations = ConversationService.builder(database).build();
 * // 1. as an end hook of the store, 2. as a listener of the manager
 * CommandManager manager = CommandManager.builder(registry).store(store).listener(conversations).build();
 * conversations.start(manager); // 3.
 * }</pre>
 *
 * <p>The commands are executed by whatever handler the queue has.
 */
public final class ConversationService implements ConversationCommandService, EndHook, CommandListener, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ConversationService.class);
    private static final String SESSION_KEY = "session:";
    private static final String SESSION_ID = "session_id";
    private static final String COMMAND_ID = "command_id";
    private static final Pattern SCOPE_TYPE = Pattern.compile("[A-Za-z][A-Za-z0-9-]{0,63}");
    private static final int MAX_USER_ID = 256;
    private static final int MAX_SCOPE_ID = 128;

    /** How often a command tries to take the place of one that is pending, when yet another one is there each time. */
    private static final int TRIES = 10;

    private static final long POLL_SECONDS = 1;

    private final Database database;
    private final Outbox outbox;
    private final ConversationAccessControl access;
    private final ConversationMetrics metrics;
    private final @Nullable CommandSerializer serializer;
    private final PendingCommandPolicy policy;
    private final Target.Queue queue;
    private final Duration timeout;
    private final Duration ttl;
    private final Clock clock;
    private final LongSupplier ticker;
    private final IdGenerator ids;
    private final @Nullable ScheduledExecutorService givenTimer;
    private final Map<UUID, Map<Object, Runnable>> watchers = new ConcurrentHashMap<>();
    private volatile @Nullable CommandManager manager;
    private @Nullable ScheduledExecutorService ownTimer;
    private @Nullable ScheduledFuture<?> polling;

    private ConversationService(Builder builder) {
        database = builder.database;
        outbox = new Outbox(database);
        access = builder.access == null ? this::isOwner : builder.access;
        metrics = builder.metrics;
        serializer = builder.serializer;
        policy = builder.policy;
        queue = new Target.Queue(builder.queue);
        timeout = builder.timeout;
        ttl = builder.ttl;
        clock = builder.clock;
        ticker = builder.ticker;
        ids = IdGenerator.uuidV7(clock, builder.random);
        givenTimer = builder.timer;
    }

    /** Starts to build a service on a database, which stays the caller's. */
    public static Builder builder(Database database) {
        return new Builder(database);
    }

    /**
     * Begins to take commands.
     *
     * @param manager of a store on the same database, of which this is an end hook
     * @throws IllegalStateException if it was called before
     */
    public synchronized void start(CommandManager manager) {
        if (this.manager != null) {
            throw new IllegalStateException("a conversation service can be started once");
        }
        this.manager = manager;
        if (database.isShared()) {
            ScheduledExecutorService timer = givenTimer == null ? newTimer() : givenTimer;
            ownTimer = givenTimer == null ? timer : null;
            // other servers write events too
            polling = timer.scheduleWithFixedDelay(
                    () -> watchers.keySet().forEach(this::tellWatchers), POLL_SECONDS, POLL_SECONDS, TimeUnit.SECONDS);
        }
    }

    /** Ends what {@link #start} began; the database and the manager stay open. */
    @Override
    public synchronized void close() {
        if (polling != null) {
            polling.cancel(false);
        }
        if (ownTimer != null) {
            ownTimer.shutdownNow();
        }
    }

    private static ScheduledExecutorService newTimer() {
        return Executors.newSingleThreadScheduledExecutor(task -> {
            Thread thread = new Thread(task, "commandway-conversations");
            thread.setDaemon(true);
            return thread;
        });
    }

    @Override
    public CompletableFuture<ConversationResult<EnqueuedCommand>> enqueueCommand(
            String userId,
            UUID sessionId,
            String commandType,
            byte @Nullable [] payload,
            @Nullable String idempotencyKey,
            @Nullable String correlationId) {
        LOG.atDebug()
                .addKeyValue(SESSION_ID, sessionId)
                .addKeyValue("command_type", commandType)
                .addKeyValue("payload_bytes", payload == null ? 0 : payload.length)
                .addKeyValue("has_idempotency_key", idempotencyKey != null)
                .log("command_received");
        return inSession(userId, sessionId, () -> {
            requireCorrelationId(correlationId);
            CommandRequest request = request(userId, sessionId, commandType, payload, idempotencyKey);
            return enqueue(new Call(sessionId, request, correlationId, idempotencyKey != null), TRIES);
        });
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
        requireText("idempotency key", idempotencyKey, MAX_IDEMPOTENCY_KEY);
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
                        : notEnqueued(call, rejection(error), tries))
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
        ConversationTables.Numbers numbers = taken(ConversationTables.take(connection, session, 1, 2, clock.instant()));
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
        write(
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
        write(
                connection,
                session,
                numbers.scopeType(),
                List.of(SessionEvents.received(numbers.event() - 1, session, numbers.scopeType(), command, id)));
        return id;
    }

    private void write(Connection connection, UUID session, String scopeType, List<ConversationEvent> events)
            throws SQLException {
        ConversationTables.insert(connection, events);
        outbox.append(
                connection,
                events.stream()
                        .map(event -> SessionEvents.outboxEntry(scopeType, event))
                        .toList());
        for (ConversationEvent event : events) {
            LOG.atDebug()
                    .addKeyValue(SESSION_ID, session)
                    .addKeyValue("event_id", event.eventId())
                    .addKeyValue("event_type", event.eventType())
                    .log("event_generated");
        }
        database.afterCommit(() -> tellWatchers(session));
    }

    private static ConversationTables.Numbers taken(Optional<ConversationTables.Numbers> numbers) {
        return numbers.orElseThrow(() -> new ConversationException(Kind.ACCESS_DENIED, "there is no such session"));
    }

    /** Writes the event of a command's end, and its result into its round; called by the store. */
    @Override
    public void onEnd(Connection connection, CommandRecord record) throws SQLException {
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
        write(
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

    /** Measures how long a command took; called by the manager. */
    @Override
    public void onEvent(RecordedCommand command, CommandEvent event) {
        if (event.type().isTerminal() && sessionOf(command.request()) != null) {
            CommandRecord record = command.record();
            metrics.commandEnded(
                    Duration.between(record.createdAt(), event.at()), record.status() == CommandStatus.COMPLETED);
        }
    }

    @Override
    public CompletableFuture<ConversationResult<Optional<ConversationCommand>>> getPendingCommand(
            String userId, UUID sessionId) {
        return inSession(
                userId,
                sessionId,
                () -> database.read(connection -> firstOpen(connection, sessionId))
                        .thenCompose(id -> id.flatMap(RecordId::parse)
                                .map(started()::find)
                                .orElse(CompletableFuture.completedFuture(Optional.empty())))
                        .thenCompose(found -> found.filter(
                                        record -> !record.status().isTerminal())
                                .map(record -> command(sessionId, record).thenApply(Optional::of))
                                .orElse(CompletableFuture.completedFuture(Optional.empty()))));
    }

    @Override
    public CompletableFuture<ConversationResult<ConversationCommand>> getCommand(
            String userId, UUID sessionId, RecordId commandId) {
        return inSession(
                userId,
                sessionId,
                () -> started()
                        .find(commandId)
                        .thenCompose(found -> command(
                                sessionId,
                                found.filter(record -> sessionId.equals(sessionOf(record.request())))
                                        .orElseThrow(() -> new ConversationException(
                                                Kind.NOT_FOUND,
                                                "there is no command " + commandId + " in this session")))));
    }

    private Optional<String> firstOpen(Connection connection, UUID sessionId) throws SQLException {
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

    @Override
    public CompletableFuture<ConversationResult<ConversationSession>> createSession(
            String userId, String scopeType, @Nullable String scopeId, @Nullable String idempotencyKey) {
        return result(() -> {
            requireText("user id", userId, MAX_USER_ID);
            requireText("scope id", scopeId, MAX_SCOPE_ID);
            requireText("idempotency key", idempotencyKey, MAX_IDEMPOTENCY_KEY);
            if (!SCOPE_TYPE.matcher(scopeType).matches()) {
                throw new ConversationException(
                        Kind.INVALID, "the scope type must be a letter, then up to 63 letters, digits and dashes");
            }
            // a name for an id, so that two calls at once find each other
            UUID id = idempotencyKey == null
                    ? newId()
                    : UUID.nameUUIDFromBytes((userId + "\n" + idempotencyKey).getBytes(StandardCharsets.UTF_8));
            Instant now = Instant.ofEpochMilli(clock.millis());
            ConversationSession session =
                    new ConversationSession(id, userId, scopeType, scopeId, SessionStatus.ACTIVE, 1, 0, now, now);
            return database.write(connection -> {
                if (ConversationTables.insert(connection, session)) {
                    return session;
                }
                ConversationSession earlier = found(ConversationTables.session(connection, id));
                if (!earlier.scopeType().equals(scopeType)
                        || !String.valueOf(earlier.scopeId()).equals(String.valueOf(scopeId))) {
                    throw new ConversationException(
                            Kind.CONFLICT, "the idempotency key was used for another session, " + id);
                }
                return earlier;
            });
        });
    }

    private UUID newId() {
        RecordId id = ids.next();
        return new UUID(id.high(), id.low());
    }

    @Override
    public CompletableFuture<ConversationResult<ConversationSession>> getSession(String userId, UUID sessionId) {
        return inSession(
                userId,
                sessionId,
                () -> database.read(connection -> found(ConversationTables.session(connection, sessionId))));
    }

    private static ConversationSession found(Optional<ConversationSession> session) {
        return session.orElseThrow(() -> denied());
    }

    private static ConversationException denied() {
        return new ConversationException(Kind.ACCESS_DENIED, "there is no such session of this user");
    }

    @Override
    public CompletableFuture<ConversationResult<List<ConversationSession>>> listSessions(
            String userId, int limit, @Nullable UUID after) {
        return result(() -> {
            requireLimit(limit);
            return database.read(connection -> ConversationTables.sessions(connection, userId, limit, after));
        });
    }

    @Override
    public CompletableFuture<ConversationResult<ConversationSession>> updateSession(
            String userId, UUID sessionId, SessionStatus status, @Nullable Long expectedVersion) {
        return inSession(
                userId,
                sessionId,
                () -> database.write(connection -> {
                    Optional<ConversationSession> changed = ConversationTables.setStatus(
                            connection, sessionId, status, expectedVersion, clock.instant());
                    if (changed.isPresent()) {
                        return changed.get();
                    }
                    ConversationSession present = found(ConversationTables.session(connection, sessionId));
                    throw new ConversationException(
                            Kind.VERSION_MISMATCH,
                            "the session is in version " + present.version() + "; read it again");
                }));
    }

    @Override
    public CompletableFuture<ConversationResult<ConversationSession>> deleteSession(String userId, UUID sessionId) {
        return inSession(
                userId,
                sessionId,
                () -> database.write(connection -> {
                    // held until the end, so that no command comes in between
                    taken(ConversationTables.take(connection, sessionId, 0, 0, clock.instant()));
                    Optional<String> open = firstOpen(connection, sessionId);
                    if (open.isPresent()) {
                        throw new ConversationException(
                                Kind.CONFLICT,
                                "command " + open.get() + " of this session is pending; wait for its end");
                    }
                    ConversationSession session = found(ConversationTables.session(connection, sessionId));
                    ConversationTables.delete(connection, sessionId);
                    database.afterCommit(() -> tellWatchers(sessionId));
                    return session;
                }));
    }

    @Override
    public CompletableFuture<ConversationResult<ConversationRound>> createRound(
            String userId,
            UUID sessionId,
            @Nullable String parent,
            RoundRole role,
            @Nullable String input,
            @Nullable String output,
            @Nullable String correlationId) {
        return inSession(userId, sessionId, () -> {
            requireJson("input", input);
            requireJson("output", output);
            requireCorrelationId(correlationId);
            return database.write(connection -> {
                boolean isTop = parent == null;
                ConversationTables.Numbers numbers =
                        taken(ConversationTables.take(connection, sessionId, isTop ? 1 : 0, 1, clock.instant()));
                Optional<ConversationRound> earlier = correlationId == null
                        ? Optional.empty()
                        : ConversationTables.round(connection, sessionId, correlationId);
                if (earlier.isPresent()) {
                    ConversationTables.take(connection, sessionId, isTop ? -1 : 0, -1, clock.instant());
                    return earlier.get();
                }
                String path = parent == null ? Long.toString(numbers.round()) : branch(connection, sessionId, parent);
                if (role == RoundRole.USER) {
                    requireAnswer(connection, sessionId, path);
                }
                ConversationRound round = new ConversationRound(
                        sessionId, path, role, input, output, correlationId, Instant.ofEpochMilli(clock.millis()));
                ConversationTables.insert(connection, round);
                write(
                        connection,
                        sessionId,
                        numbers.scopeType(),
                        List.of(SessionEvents.roundCreated(
                                numbers.event(), numbers.scopeType(), userId, round, correlationId, null)));
                return round;
            });
        });
    }

    /** What the user says next has to wait for an answer to what the user said before. */
    private static void requireAnswer(Connection connection, UUID sessionId, String path) throws SQLException {
        int point = path.lastIndexOf('.') + 1;
        String before = path.substring(0, point) + (Long.parseLong(path.substring(point)) - 1);
        if (ConversationTables.isUnanswered(connection, sessionId, before)) {
            throw new ConversationException(
                    Kind.CONFLICT, "round " + before + " is the user's too, and nobody has answered it yet");
        }
    }

    private static String branch(Connection connection, UUID sessionId, String parent) throws SQLException {
        String path = ConversationTables.nextBranch(connection, sessionId, parent);
        if (!ConversationTables.hasRound(connection, sessionId, parent)) {
            throw new ConversationException(Kind.INVALID, "there is no round " + parent + " in this session");
        }
        return path;
    }

    @Override
    public CompletableFuture<ConversationResult<List<ConversationRound>>> listRounds(
            String userId, UUID sessionId, RoundQuery query) {
        return inSession(userId, sessionId, () -> {
            requireLimit(query.limit());
            return database.read(connection -> ConversationTables.rounds(connection, sessionId, query));
        });
    }

    @Override
    public CompletableFuture<ConversationResult<List<ConversationEvent>>> events(
            String userId, UUID sessionId, long after, int limit) {
        return inSession(userId, sessionId, () -> {
            requireLimit(limit);
            return database.read(connection -> ConversationTables.events(connection, sessionId, after, limit));
        });
    }

    /**
     * Deletes rounds and events that are older than {@code before}, the oldest first; the sessions stay, and number on. {@code before} must lie further back than the time
     * for which the store keeps records: a request that is repeated for a command that is still recorded makes up for its missing events.
     *
     * @param limit how many events at most in one transaction, from 1
     * @return how many events were deleted; if that is the limit, there may be more
     */
    public CompletableFuture<Integer> purge(Instant before, int limit) {
        if (limit < 1) {
            throw new IllegalArgumentException("the limit must be at least 1, not " + limit);
        }
        return database.write(connection -> ConversationTables.purge(connection, before, limit));
    }

    @Override
    public Watch watch(UUID sessionId, Runnable onChange) {
        Object key = new Object();
        watchers.compute(sessionId, (id, present) -> {
            Map<Object, Runnable> all = present == null ? new ConcurrentHashMap<>() : present;
            all.put(key, onChange);
            return all;
        });
        return () -> watchers.computeIfPresent(sessionId, (id, present) -> {
            present.remove(key);
            return present.isEmpty() ? null : present;
        });
    }

    @SuppressWarnings("IllegalCatch")
    private void tellWatchers(UUID sessionId) {
        for (Runnable watcher : watchers.getOrDefault(sessionId, Map.of()).values()) {
            try {
                watcher.run();
            } catch (RuntimeException e) {
                LOG.error("a watcher of session {} failed", sessionId, e);
            }
        }
    }

    private CompletableFuture<Boolean> isOwner(String userId, UUID sessionId) {
        return database.read(connection -> ConversationTables.isOwner(connection, userId, sessionId));
    }

    /** Does something if the user may enter the session. */
    private <T> CompletableFuture<ConversationResult<T>> inSession(
            String userId, UUID sessionId, Supplier<CompletableFuture<T>> action) {
        return result(() -> access.verifySessionAccess(userId, sessionId).thenCompose(isAllowed -> {
            LOG.atDebug()
                    .addKeyValue(SESSION_ID, sessionId)
                    .addKeyValue("allowed", isAllowed)
                    .log("access_verification");
            if (!isAllowed) {
                throw denied();
            }
            return action.get();
        }));
    }

    @SuppressWarnings("IllegalCatch")
    private <T> CompletableFuture<ConversationResult<T>> result(Supplier<CompletableFuture<T>> action) {
        CompletableFuture<T> future;
        try {
            future = action.get();
        } catch (RuntimeException e) {
            future = CompletableFuture.failedFuture(e);
        }
        return future.handle((value, error) -> error == null
                ? new ConversationResult.Success<>(value)
                : new ConversationResult.Failure<>(errorOf(error)));
    }

    private ConversationError errorOf(Throwable failure) {
        ConversationError error = toError(failure);
        metrics.failed(error.kind());
        if (error.kind() == Kind.STORE_FAILED) {
            LOG.error("a call to the conversation service failed", failure);
        } else {
            LOG.atInfo()
                    .addKeyValue("kind", error.kind())
                    .log("a call to the conversation service was refused: {}", error.detail());
        }
        return error;
    }

    private static ConversationError toError(Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof ConversationException known) {
                return known.error();
            }
            if (cause instanceof CommandRejectedException refusal
                    && refusal.code() != CommandRejectedException.Code.STORE_FAILED) {
                return new ConversationError(kindOf(refusal.code()), String.valueOf(refusal.getMessage()));
            }
        }
        return new ConversationError(Kind.STORE_FAILED, "nothing was recorded; the log of the server has more");
    }

    private static Kind kindOf(CommandRejectedException.Code code) {
        return switch (code) {
            case CAPACITY, TARGET_BUSY, TARGET_AWAY, SHUTTING_DOWN -> Kind.BUSY;
            case PAYLOAD_TOO_LARGE -> Kind.INVALID;
            case IDEMPOTENCY_CONFLICT, EXCLUSIVE_KEY_TAKEN -> Kind.CONFLICT;
            case TARGET_UNKNOWN, UNKNOWN_COMMAND, STORE_FAILED -> Kind.STORE_FAILED;
        };
    }

    /** The manager's refusal, or whatever else it was as one. */
    private static CommandRejectedException rejection(Throwable error) {
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            if (cause instanceof CommandRejectedException refusal) {
                return refusal;
            }
        }
        return new CommandRejectedException(
                CommandRejectedException.Code.STORE_FAILED, String.valueOf(error.getMessage()), error);
    }

    private CommandManager started() {
        CommandManager present = manager;
        if (present == null) {
            throw new IllegalStateException("the conversation service is not started");
        }
        return present;
    }

    private static void requireText(String what, @Nullable String value, int most) {
        if (value != null
                && (value.isBlank()
                        || value.length() > most
                        || value.chars().anyMatch(Character::isISOControl)
                        || !JsonTexts.isClean(value))) {
            throw new ConversationException(
                    Kind.INVALID, "the " + what + " must have 1 to " + most + " characters, and no control characters");
        }
    }

    private static void requireCorrelationId(@Nullable String correlationId) {
        requireText("correlation id", correlationId, MAX_CORRELATION_ID);
    }

    private static void requireJson(String what, @Nullable String text) {
        if (text != null && !JsonTexts.isStorable(text)) {
            throw new ConversationException(Kind.INVALID, "the " + what + " must be JSON without the character U+0000");
        }
    }

    private static void requireLimit(int limit) {
        if (limit < 1 || limit > MAX_LIMIT) {
            throw new ConversationException(Kind.INVALID, "the limit must be from 1 to " + MAX_LIMIT);
        }
    }

    /** What is enqueued. */
    private record Call(
            UUID session, CommandRequest request, @Nullable String correlation, boolean hasKey) {
        String correlationOf(RecordId command) {
            return correlation == null ? command.toString() : correlation;
        }
    }

    /**
     * Builds a {@link ConversationService}. Defaults: the queue {@code conversation}, the policy {@link PendingCommandPolicy#RETURN_EXISTING}, 5 min for the execution of a
     * command and 24 h for its waiting, sessions for those who opened them, no serializer, no metrics, the system's clocks. Not safe for use by many threads.
     */
    public static final class Builder {
        private final Database database;
        private @Nullable ConversationAccessControl access;
        private @Nullable CommandSerializer serializer;
        private @Nullable ScheduledExecutorService timer;
        private ConversationMetrics metrics = ConversationMetrics.NONE;
        private PendingCommandPolicy policy = PendingCommandPolicy.RETURN_EXISTING;
        private String queue = "conversation";
        private Duration timeout = Duration.ofMinutes(5);
        private Duration ttl = Duration.ofHours(24);
        private Clock clock = Clock.systemUTC();
        private LongSupplier ticker = System::nanoTime;
        private LongSupplier random = () -> ThreadLocalRandom.current().nextLong();

        private Builder(Database database) {
            this.database = database;
        }

        /** Sets who may enter a session. Only its table of sessions is looked at if this is not set. */
        public Builder accessControl(ConversationAccessControl access) {
            this.access = access;
            return this;
        }

        /** Sets what writes a command for the answer to whoever enqueued it. */
        public Builder serializer(CommandSerializer serializer) {
            this.serializer = serializer;
            return this;
        }

        /** Sets what is told of the measurements. */
        public Builder metrics(ConversationMetrics metrics) {
            this.metrics = metrics;
            return this;
        }

        /** Sets what becomes of a command while another one of its session is pending. */
        public Builder policy(PendingCommandPolicy policy) {
            this.policy = policy;
            return this;
        }

        /** Sets the queue that the commands wait in. */
        public Builder queue(String queue) {
            this.queue = queue;
            return this;
        }

        /** Sets how long a command may be executed, and how long it may wait for that. */
        public Builder times(Duration timeout, Duration ttl) {
            this.timeout = timeout;
            this.ttl = ttl;
            return this;
        }

        /** Sets the clock that stamps sessions, rounds and events, and the source of nanoseconds that times are measured with. */
        public Builder time(Clock clock, LongSupplier ticker) {
            this.clock = clock;
            this.ticker = ticker;
            return this;
        }

        /** Sets where any 64 random bits come from, for ids; need not be unguessable, since knowing an id gives no right to anything. */
        public Builder random(LongSupplier random) {
            this.random = random;
            return this;
        }

        /** Sets what looks for the events that other servers wrote, every second; it stays the caller's. */
        public Builder timer(ScheduledExecutorService timer) {
            this.timer = timer;
            return this;
        }

        /** Makes the service; it takes no commands before {@link ConversationService#start}. */
        public ConversationService build() {
            return new ConversationService(this);
        }
    }
}
