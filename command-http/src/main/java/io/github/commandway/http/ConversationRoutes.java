package io.github.commandway.http;

import static io.github.commandway.http.Ends.monoOf;

import io.github.commandway.conversation.api.ConversationCommand;
import io.github.commandway.conversation.api.ConversationCommandService;
import io.github.commandway.conversation.api.ConversationError;
import io.github.commandway.conversation.api.ConversationEvent;
import io.github.commandway.conversation.api.ConversationResult;
import io.github.commandway.conversation.api.ConversationRound;
import io.github.commandway.conversation.api.ConversationSession;
import io.github.commandway.conversation.api.EnqueuedCommand;
import io.github.commandway.conversation.api.EnqueuedCommand.Outcome;
import io.github.commandway.conversation.api.RoundQuery;
import io.github.commandway.conversation.api.RoundRole;
import io.github.commandway.conversation.api.SessionStatus;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.RecordId;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import tools.jackson.databind.util.RawValue;

/**
 * The routes of conversations. The user is the one whom the bearer token names; where no tokens are needed, the header {@code X-User-Id}, or {@code local} without
 * it.
 */
final class ConversationRoutes {
    private static final String SESSIONS = "/api/v1/conversations/sessions";
    private static final String SESSION = SESSIONS + "/{id}";
    private static final String COMMANDS = SESSION + "/commands";
    private static final String IDEMPOTENCY_KEY = "Idempotency-Key";
    private static final String CORRELATION_ID = "X-Correlation-Id";
    private static final String LAST_EVENT_ID = "Last-Event-ID";
    private static final String IF_MATCH = "If-Match";
    private static final String USER_ID = "X-User-Id";
    private static final String NOBODY = "local";
    private static final String DEFAULT_SCOPE = "conversation";
    private static final String OK = "ok";
    private static final int DEFAULT_LIMIT = 50;
    private static final int EVENT_PAGE = 16;
    private static final int MAX_USER_ID = 256;
    private static final Pattern VERSION = Pattern.compile("(?:W/)?\"?(\\d{1,18})\"?");
    private static final Field LIMIT =
            Field.optional("limit", Field.Kind.SHORT_LIMIT, "How many at most; 50 if not given.");

    private final ConversationCommandService conversations;
    private final Ends ends;

    ConversationRoutes(ConversationCommandService conversations, Ends ends) {
        this.conversations = conversations;
        this.ends = ends;
    }

    List<Route> routes() {
        return List.of(
                Route.post(SESSIONS, "Opens a session of the user.")
                        .body(
                                Field.optional(
                                        "scope_type",
                                        Field.Kind.TEXT,
                                        "What it is about: names its events and their topic; conversation if not given."),
                                Field.optional("scope_id", Field.Kind.TEXT, "Which one: up to 128 characters."))
                        .needsForOwn(Right.RUN)
                        .answers(201, "SessionAnswer")
                        .refuses(409, 500, 503)
                        .handledBy(this::create),
                Route.get(SESSIONS, "The user's sessions, newest first.")
                        .query(LIMIT, Field.optional("after", Field.Kind.TEXT, "The last session of the page before."))
                        .needsForOwn(Right.VIEW)
                        .answers(200, "SessionsAnswer")
                        .refuses(500, 503)
                        .handledBy(this::list),
                Route.get(SESSION, "One session; its version is the ETag.")
                        .needsForOwn(Right.VIEW)
                        .answers(200, "SessionAnswer")
                        .refuses(403, 500, 503)
                        .handledBy(this::find),
                Route.patch(SESSION, "Sets the status, if the session is in the version that If-Match names.")
                        .body(Field.required("status", Field.Kind.TEXT, "Only an ACTIVE session takes commands.")
                                .oneOf(names(SessionStatus.values())))
                        .needsForOwn(Right.RUN)
                        .answers(200, "SessionAnswer")
                        .refuses(403, 412, 500, 503)
                        .handledBy(this::update),
                Route.delete(SESSION, "Removes a session with its rounds and events, unless a command is pending.")
                        .needsForOwn(Right.RUN)
                        .answers(204, Schemas.NOTHING)
                        .refuses(403, 409, 500, 503)
                        .handledBy(this::delete),
                Route.post(
                                COMMANDS,
                                "Enqueues a command. With 200 it was not accepted: another one is pending, and that is what is shown.")
                        .body(
                                Field.required("type", Field.Kind.TEXT, "What kind of command."),
                                Field.optional("payload", Field.Kind.ANY, "Its parameters: any JSON."))
                        .needsForOwn(Right.RUN)
                        .answers(202, "CommandAccepted", 200, "CommandAccepted")
                        .refuses(403, 409, 500, 503)
                        .handledBy(this::enqueue),
                Route.get(COMMANDS + "/{cmd_id}", "One command of the session.")
                        .needsForOwn(Right.VIEW)
                        .hidesResults()
                        .answers(200, "SessionCommandAnswer")
                        .refuses(403, 404, 500, 503)
                        .handledBy(this::command),
                Route.get(
                                SESSION + "/pending-command",
                                "The command of the session that has not ended; all null if there is none.")
                        .needsForOwn(Right.VIEW)
                        .answers(200, "PendingCommandAnswer")
                        .refuses(403, 500, 503)
                        .handledBy(this::pending),
                Route.get(SESSION + "/rounds", "The rounds of the session; a branch stands behind its round.")
                        .query(
                                Field.optional(
                                        "after", Field.Kind.TEXT, "The path of the last round of the page before."),
                                LIMIT,
                                Field.optional("order", Field.Kind.TEXT, "asc if not given.")
                                        .oneOf("asc", "desc"),
                                Field.optional("role", Field.Kind.TEXT, "Only those with this role.")
                                        .oneOf(lower(names(RoundRole.values()))))
                        .needsForOwn(Right.VIEW, Right.OUTPUT)
                        .answers(200, "RoundsAnswer")
                        .refuses(403, 500, 503)
                        .handledBy(this::rounds),
                Route.get(
                                SESSION + "/events",
                                "The events of the session as they happen, behind Last-Event-ID if that is given.")
                        .needsForOwn(Right.VIEW, Right.OUTPUT)
                        .answers(200, Schemas.EVENTS)
                        .refuses(403, 500, 503)
                        .handledBy(this::events));
    }

    private static String[] names(Enum<?>[] values) {
        return Arrays.stream(values).map(Enum::name).toArray(String[]::new);
    }

    private static String[] lower(String[] names) {
        return Arrays.stream(names).map(name -> name.toLowerCase(Locale.ROOT)).toArray(String[]::new);
    }

    private Mono<Reply> create(Call call) {
        return answer(conversations.createSession(
                        user(call),
                        call.body().text("scope_type", DEFAULT_SCOPE),
                        call.body().text("scope_id"),
                        call.header(IDEMPOTENCY_KEY)))
                .map(session -> session(201, session).header("Location", SESSIONS + "/" + session.id()));
    }

    private Mono<Reply> list(Call call) {
        int limit = call.query().number("limit", DEFAULT_LIMIT);
        String cursor = call.query().text("after");
        UUID after = cursor == null
                ? null
                : uuid(cursor)
                        .orElseThrow(
                                () -> new Problem(ProblemType.INVALID_PARAMETER, "'after' must be the id of a session")
                                        .at("after"));
        return answer(conversations.listSessions(user(call), limit, after)).map(sessions -> {
            Map<String, Object> data = new LinkedHashMap<>();
            data.put("sessions", sessions.stream().map(ConversationRoutes::json).toList());
            if (sessions.size() == limit) {
                data.put("next_after", sessions.get(limit - 1).id().toString());
            }
            return envelope(200, OK, data);
        });
    }

    private Mono<Reply> find(Call call) {
        return answer(conversations.getSession(user(call), sessionId(call))).map(session -> session(200, session));
    }

    private Mono<Reply> update(Call call) {
        SessionStatus status = SessionStatus.valueOf(call.body().requiredText("status"));
        return answer(conversations.updateSession(user(call), sessionId(call), status, expectedVersion(call)))
                .map(session -> session(200, session));
    }

    private static @Nullable Long expectedVersion(Call call) {
        String given = call.header(IF_MATCH);
        if (given == null || given.equals("*")) {
            return null;
        }
        Matcher matcher = VERSION.matcher(given);
        if (!matcher.matches()) {
            throw new Problem(
                            ProblemType.INVALID_HEADER, IF_MATCH + " must be the version of the session, such as \"3\"")
                    .at(IF_MATCH);
        }
        return Long.parseLong(matcher.group(1));
    }

    private Mono<Reply> delete(Call call) {
        return answer(conversations.deleteSession(user(call), sessionId(call))).map(session -> Reply.empty(204));
    }

    private Mono<Reply> enqueue(Call call) {
        UUID session = sessionId(call);
        byte[] payload = call.body().json("payload");
        return answer(conversations.enqueueCommand(
                        user(call),
                        session,
                        call.body().requiredText("type"),
                        payload.length == 0 ? null : payload,
                        call.header(IDEMPOTENCY_KEY),
                        call.header(CORRELATION_ID)))
                .map(enqueued -> accepted(call, session, enqueued));
    }

    private static Reply accepted(Call call, UUID session, EnqueuedCommand enqueued) {
        boolean isAccepted = enqueued.outcome() != Outcome.OTHER_PENDING;
        String id = enqueued.command().id().toString();
        Map<String, Object> data = new LinkedHashMap<>();
        data.put("accepted", isAccepted);
        data.put("command_id", id);
        if (enqueued.outcome() != Outcome.CREATED) {
            data.put("existing", true);
        }
        CommandRequest request = enqueued.command().record().request();
        if (enqueued.serialized() != null
                && (enqueued.outcome() == Outcome.CREATED
                        || (call.caller().may(Right.VIEW, request)
                                && call.caller().may(Right.OUTPUT, request)))) {
            data.put("command", Json.content(enqueued.serialized().getBytes(StandardCharsets.UTF_8)));
        }
        String given = call.header(CORRELATION_ID);
        return envelope(isAccepted ? 202 : 200, isAccepted ? "命令已受理" : "会话已有待处理命令", data)
                .header("Location", SESSIONS + "/" + session + "/commands/" + id)
                .header(CORRELATION_ID, given == null ? enqueued.command().correlationId() : given);
    }

    private Mono<Reply> command(Call call) {
        UUID session = sessionId(call);
        String text = call.path("cmd_id");
        // what is no id cannot be there; but only who may enter the session is told so
        RecordId id = RecordId.parse(text).orElse(RecordId.ofUuid(0, 0));
        return answer(conversations.getCommand(user(call), session, id)).map(command -> {
            Map<String, Object> data = new LinkedHashMap<>();
            data.put("command_id", command.id().toString());
            data.put("type", command.type());
            data.put("status", command.status().name());
            data.put("submitted_at", command.submittedAt().toString());
            data.put("correlation_id", command.correlationId());
            putIfPresent(data, "ended_at", command.record().endedAt());
            putIfPresent(data, "error", command.error());
            byte[] result = command.record().result();
            if (result != null
                    && call.caller().may(Right.OUTPUT, command.record().request())) {
                data.put("result", Json.content(result));
            }
            return envelope(200, OK, data);
        });
    }

    private static void putIfPresent(Map<String, Object> json, String name, @Nullable Object value) {
        if (value != null) {
            json.put(name, value.toString());
        }
    }

    private Mono<Reply> pending(Call call) {
        return answer(conversations.getPendingCommand(user(call), sessionId(call)))
                .map(command -> {
                    Map<String, @Nullable Object> data = new LinkedHashMap<>();
                    data.put(
                            "command_id",
                            command.map(present -> present.id().toString()).orElse(null));
                    data.put(
                            "command_type",
                            command.map(ConversationCommand::type).orElse(null));
                    data.put(
                            "status",
                            command.map(present -> present.status().name()).orElse(null));
                    data.put(
                            "submitted_at",
                            command.map(present -> present.submittedAt().toString())
                                    .orElse(null));
                    return envelope(200, OK, data);
                });
    }

    private Mono<Reply> rounds(Call call) {
        int limit = call.query().number("limit", DEFAULT_LIMIT);
        String role = call.query().text("role");
        RoundQuery query = new RoundQuery(
                call.query().text("after"),
                limit,
                "desc".equals(call.query().text("order")),
                role == null ? null : RoundRole.valueOf(role.toUpperCase(Locale.ROOT)));
        return answer(conversations.listRounds(user(call), sessionId(call), query))
                .map(rounds -> {
                    Map<String, Object> data = new LinkedHashMap<>();
                    data.put(
                            "rounds",
                            rounds.stream().map(ConversationRoutes::json).toList());
                    if (rounds.size() == limit) {
                        data.put("next_after", rounds.get(limit - 1).path());
                    }
                    return envelope(200, OK, data);
                });
    }

    private Mono<Reply> events(Call call) {
        UUID session = sessionId(call);
        String user = user(call);
        String header = call.header(LAST_EVENT_ID);
        Long after = header == null ? Long.valueOf(0) : RequestReader.parseNumber(header, 0, Long.MAX_VALUE);
        if (after == null) {
            throw new Problem(
                            ProblemType.INVALID_HEADER,
                            LAST_EVENT_ID + " must be the id of an event: a whole number from 0")
                    .at(LAST_EVENT_ID);
        }
        return answer(conversations.getSession(user, session))
                .map(found -> new Reply.Events(out -> write(user, session, after, out)));
    }

    private Mono<Void> write(String user, UUID session, long after, Reply.EventWriter out) {
        Wakeup wakeup = new Wakeup();
        return Mono.using(
                () -> conversations.watch(session, wakeup::signal),
                watch -> {
                    Pump pump = new Pump(user, session, after, out, wakeup);
                    return Mono.defer(pump::step)
                            .repeat()
                            .takeUntil(ended -> ended)
                            .then();
                },
                ConversationCommandService.Watch::close);
    }

    private String user(Call call) {
        if (call.principal() != null) {
            return call.principal();
        }
        String given = call.header(USER_ID);
        if (given == null) {
            return NOBODY;
        }
        if (given.isBlank() || given.length() > MAX_USER_ID) {
            throw new Problem(ProblemType.INVALID_HEADER, USER_ID + " must have 1 to 256 characters").at(USER_ID);
        }
        return given;
    }

    private static UUID sessionId(Call call) {
        return uuid(call.path("id"))
                .orElseThrow(() -> problem(new ConversationError(
                        ConversationError.Kind.ACCESS_DENIED, "there is no such session of this user")));
    }

    private static Optional<UUID> uuid(String text) {
        return RecordId.parse(text)
                .filter(id -> id.form() == RecordId.Form.UUID)
                .map(id -> new UUID(id.high(), id.low()));
    }

    /** What was asked for, or the problem. */
    private static <T> Mono<T> answer(CompletableFuture<ConversationResult<T>> future) {
        return monoOf(future)
                .flatMap(result -> result instanceof ConversationResult.Failure<T> failure
                        ? Mono.<T>error(problem(failure.error()))
                        : Mono.just(result.value()));
    }

    private static Problem problem(ConversationError error) {
        Problem problem = new Problem(error.code(), type(error.kind()), error.message());
        return error.kind() == ConversationError.Kind.BUSY ? problem.retryAfter(1) : problem;
    }

    private static ProblemType type(ConversationError.Kind kind) {
        return switch (kind) {
            case INVALID -> ProblemType.INVALID;
            case ACCESS_DENIED -> ProblemType.ACCESS_DENIED;
            case NOT_FOUND -> ProblemType.NOT_FOUND;
            case CONFLICT -> ProblemType.CONFLICT;
            case VERSION_MISMATCH -> ProblemType.VERSION_MISMATCH;
            case STORE_FAILED -> ProblemType.STORE_FAILED;
            case BUSY -> ProblemType.BUSY;
        };
    }

    private static Reply.Full session(int status, ConversationSession session) {
        return envelope(status, OK, json(session)).header("ETag", "\"" + session.version() + "\"");
    }

    private static Map<String, Object> json(ConversationSession session) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("id", session.id().toString());
        json.put("user_id", session.userId());
        json.put("scope_type", session.scopeType());
        putIfPresent(json, "scope_id", session.scopeId());
        json.put("status", session.status().name());
        json.put("version", session.version());
        json.put("round_sequence", session.roundSequence());
        json.put("created_at", session.createdAt().toString());
        json.put("updated_at", session.updatedAt().toString());
        return json;
    }

    private static Map<String, Object> json(ConversationRound round) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("session_id", round.sessionId().toString());
        json.put("round_path", round.path());
        json.put("role", round.role().name().toLowerCase(Locale.ROOT));
        putRaw(json, "input", round.input());
        putRaw(json, "output", round.output());
        putIfPresent(json, "correlation_id", round.correlationId());
        json.put("created_at", round.createdAt().toString());
        return json;
    }

    private static Map<String, Object> json(ConversationEvent event) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("sequence", event.sequence());
        json.put("event_id", event.eventId().toString());
        json.put("event_type", event.eventType());
        json.put("version", event.version());
        json.put("aggregate_type", event.aggregateType());
        json.put("aggregate_id", event.aggregateId());
        putRaw(json, "payload", event.payload());
        putRaw(json, "metadata", event.metadata());
        putIfPresent(json, "correlation_id", event.correlationId());
        putIfPresent(json, "causation_id", event.causationId());
        json.put("created_at", event.createdAt().toString());
        return json;
    }

    private static void putRaw(Map<String, Object> json, String name, @Nullable String value) {
        if (value != null) {
            json.put(name, new RawValue(value));
        }
    }

    private static Reply.Full envelope(int status, String message, Map<String, ?> data) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("code", 0);
        json.put("msg", message);
        json.put("data", data);
        return Reply.json(status, json);
    }

    /** Reads a page of events, writes it, and only when it has left for the socket goes on; ends when the session is gone. */
    private final class Pump {
        private final String user;
        private final UUID session;
        private final Reply.EventWriter out;
        private final Wakeup wakeup;
        private volatile long position;

        Pump(String user, UUID session, long after, Reply.EventWriter out, Wakeup wakeup) {
            this.user = user;
            this.session = session;
            this.position = after;
            this.out = out;
            this.wakeup = wakeup;
        }

        /** One step; true if it was the last. */
        Mono<Boolean> step() {
            wakeup.clear();
            return monoOf(conversations.events(user, session, position, EVENT_PAGE))
                    .flatMap(result -> result instanceof ConversationResult.Failure<List<ConversationEvent>> failure
                            ? out.write(Reply.comment(failure.error().message()))
                                    .thenReturn(true)
                            : go(result.value()));
        }

        private Mono<Boolean> go(List<ConversationEvent> events) {
            if (events.isEmpty()) {
                return ends.news(wakeup, out);
            }
            StringBuilder text = new StringBuilder();
            for (ConversationEvent event : events) {
                text.append(Reply.event(event.sequence(), event.eventType(), json(event)));
            }
            position = events.get(events.size() - 1).sequence();
            return out.write(text.toString()).thenReturn(false);
        }
    }
}
