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
import io.github.commandway.conversation.api.RoundQuery;
import io.github.commandway.conversation.api.RoundRole;
import io.github.commandway.conversation.api.SessionStatus;
import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandListener;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.IdGenerator;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.store.Database;
import io.github.commandway.store.EndHook;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
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
    private static final String SESSION_ID = "session_id";
    private static final Pattern SCOPE_TYPE = Pattern.compile("[A-Za-z][A-Za-z0-9-]{0,63}");
    private static final int MAX_USER_ID = 256;
    private static final int MAX_SCOPE_ID = 128;

    private static final long POLL_SECONDS = 1;

    private final Database database;
    private final SessionLog log;
    private final SessionCommands commands;
    private final ConversationAccessControl access;
    private final ConversationMetrics metrics;
    private final Clock clock;
    private final IdGenerator ids;
    private final @Nullable ScheduledExecutorService givenTimer;
    private @Nullable ScheduledExecutorService ownTimer;
    private @Nullable ScheduledFuture<?> polling;

    private ConversationService(Builder builder) {
        database = builder.database;
        access = builder.access == null ? this::isOwner : builder.access;
        metrics = builder.metrics;
        clock = builder.clock;
        ids = IdGenerator.uuidV7(clock, builder.random);
        log = new SessionLog(database);
        commands = new SessionCommands(builder, log, ids);
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
        commands.start(manager);
        if (database.isShared()) {
            ScheduledExecutorService timer = givenTimer == null ? newTimer() : givenTimer;
            ownTimer = givenTimer == null ? timer : null;
            // other servers write events too
            polling = timer.scheduleWithFixedDelay(log::tellAll, POLL_SECONDS, POLL_SECONDS, TimeUnit.SECONDS);
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
        return inSession(
                userId,
                sessionId,
                () -> commands.enqueue(userId, sessionId, commandType, payload, idempotencyKey, correlationId));
    }

    /** Writes the event of a command's end, and its result into its round; called by the store. */
    @Override
    public void onEnd(Connection connection, CommandRecord record) throws SQLException {
        commands.onEnd(connection, record);
    }

    /** Measures how long a command took; called by the manager. */
    @Override
    public void onEvent(RecordedCommand command, CommandEvent event) {
        commands.onEvent(command, event);
    }

    @Override
    public CompletableFuture<ConversationResult<Optional<ConversationCommand>>> getPendingCommand(
            String userId, UUID sessionId) {
        return inSession(userId, sessionId, () -> commands.pending(sessionId));
    }

    @Override
    public CompletableFuture<ConversationResult<ConversationCommand>> getCommand(
            String userId, UUID sessionId, RecordId commandId) {
        return inSession(userId, sessionId, () -> commands.find(sessionId, commandId));
    }

    @Override
    public CompletableFuture<ConversationResult<ConversationSession>> createSession(
            String userId, String scopeType, @Nullable String scopeId, @Nullable String idempotencyKey) {
        return result(() -> {
            Refusals.requireText("user id", userId, MAX_USER_ID);
            Refusals.requireText("scope id", scopeId, MAX_SCOPE_ID);
            Refusals.requireText("idempotency key", idempotencyKey, MAX_IDEMPOTENCY_KEY);
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
            Refusals.requireLimit(limit);
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
                    ConversationTables.taken(ConversationTables.take(connection, sessionId, 0, 0, clock.instant()));
                    Optional<String> open = commands.firstOpen(connection, sessionId);
                    if (open.isPresent()) {
                        throw new ConversationException(
                                Kind.CONFLICT,
                                "command " + open.get() + " of this session is pending; wait for its end");
                    }
                    ConversationSession session = found(ConversationTables.session(connection, sessionId));
                    ConversationTables.delete(connection, sessionId);
                    database.afterCommit(() -> log.tell(sessionId));
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
            Refusals.requireJson("input", input);
            Refusals.requireJson("output", output);
            Refusals.requireCorrelationId(correlationId);
            return database.write(connection -> {
                boolean isTop = parent == null;
                ConversationTables.Numbers numbers = ConversationTables.taken(
                        ConversationTables.take(connection, sessionId, isTop ? 1 : 0, 1, clock.instant()));
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
                log.write(
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
            Refusals.requireLimit(query.limit());
            return database.read(connection -> ConversationTables.rounds(connection, sessionId, query));
        });
    }

    @Override
    public CompletableFuture<ConversationResult<List<ConversationEvent>>> events(
            String userId, UUID sessionId, long after, int limit) {
        return inSession(userId, sessionId, () -> {
            Refusals.requireLimit(limit);
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
        return log.watch(sessionId, onChange);
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
        ConversationError error = Refusals.toError(failure);
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

    /**
     * Builds a {@link ConversationService}. Defaults: the queue {@code conversation}, the policy {@link PendingCommandPolicy#RETURN_EXISTING}, 5 min for the execution of a
     * command and 24 h for its waiting, sessions for those who opened them, no serializer, no metrics, the system's clocks. Not safe for use by many threads.
     */
    public static final class Builder {
        final Database database;
        private @Nullable ConversationAccessControl access;

        @Nullable CommandSerializer serializer;

        private @Nullable ScheduledExecutorService timer;
        ConversationMetrics metrics = ConversationMetrics.NONE;
        PendingCommandPolicy policy = PendingCommandPolicy.RETURN_EXISTING;
        String queue = "conversation";
        Duration timeout = Duration.ofMinutes(5);
        Duration ttl = Duration.ofHours(24);
        Clock clock = Clock.systemUTC();
        LongSupplier ticker = System::nanoTime;
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
