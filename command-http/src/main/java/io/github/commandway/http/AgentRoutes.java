package io.github.commandway.http;

import static io.github.commandway.http.Ends.monoOf;

import io.github.commandway.directory.AgentAwayException;
import io.github.commandway.directory.AgentDirectory;
import io.github.commandway.directory.AgentInfo;
import io.github.commandway.directory.AgentMessage;
import io.github.commandway.manager.IdGenerator;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** The routes of clients, which are the agents of the directory, and of messages to them. */
final class AgentRoutes {
    private static final int PAGE = 1_000;
    private static final int CONCURRENT_SENDS = 256;
    private static final int MAX_ERRORS = 100;
    private static final Field PAYLOAD =
            Field.optional("payload", Field.Kind.ANY, "Any JSON, at most 64 KiB, given to the client byte for byte.");
    private static final String[] TYPES = {"command", "event", "query", "response"};

    private final AgentDirectory agents;
    private final Slots waiting;
    private final IdGenerator ids;
    private final Clock clock;

    AgentRoutes(AgentDirectory agents, Slots waiting, IdGenerator ids, Clock clock) {
        this.agents = agents;
        this.waiting = waiting;
        this.ids = ids;
        this.clock = clock;
    }

    List<Route> routes() {
        return List.of(
                Route.get(
                                "/api/clients",
                                "Clients in the order of their ids; total counts all that match, whatever the limit.")
                        .query(
                                Field.optional("limit", Field.Kind.LIMIT, "How many at most; 1000 if not given."),
                                Field.optional(
                                        "after", Field.Kind.AGENT_ID, "Where to go on: next_after of the page before."),
                                Field.optional(
                                        "connected", Field.Kind.FLAG, "Only those that are connected, or are not."))
                        .needsForAll(Right.VIEW)
                        .answers(200, "Clients")
                        .handledBy(this::list),
                Route.get("/api/clients/{id}", "One client.")
                        .needsForAll(Right.VIEW)
                        .answers(200, "Client")
                        .refuses(404)
                        .handledBy(this::find),
                Route.post("/api/send", "Sends a message, which has no outcome beyond its receipt, to one client.")
                        .body(
                                Field.required("client_id", Field.Kind.AGENT_ID, "The client that gets it."),
                                Field.required("type", Field.Kind.TEXT, "What it is.")
                                        .oneOf(TYPES),
                                PAYLOAD,
                                Field.optional(
                                        "wait_ack",
                                        Field.Kind.FLAG,
                                        "Whether to answer only when the client has taken it."))
                        .needsForAll(Right.MANAGE)
                        .answers(200, "MessageSent")
                        .refuses(404, 503)
                        .handledBy(this::send),
                Route.post("/api/broadcast", "Sends a message to all connected clients.")
                        .body(
                                Field.optional("type", Field.Kind.TEXT, "What it is; event if not given.")
                                        .oneOf(TYPES),
                                PAYLOAD)
                        .needsForAll(Right.MANAGE)
                        .answers(200, "Broadcast")
                        .refuses(503)
                        .handledBy(this::broadcast));
    }

    private Mono<Reply> list(Call call) {
        Boolean connected = call.query().flag("connected");
        int limit = call.query().number("limit", PAGE);
        List<AgentInfo> page = agents.list(connected, call.query().text("after"), limit);
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("total", count(connected));
        json.put("clients", page.stream().map(this::client).toList());
        if (page.size() == limit) {
            json.put("next_after", page.get(limit - 1).id());
        }
        return Mono.just(Reply.json(200, json));
    }

    private int count(@Nullable Boolean connected) {
        if (connected == null) {
            return agents.knownCount();
        }
        return connected ? agents.connectedCount() : Math.max(0, agents.knownCount() - agents.connectedCount());
    }

    private Mono<Reply> find(Call call) {
        return Mono.just(Reply.json(200, client(require(call.path("id")))));
    }

    private AgentInfo require(String id) {
        Optional<AgentInfo> found =
                Field.required("id", Field.Kind.AGENT_ID, "").acceptsText(id) ? agents.find(id) : Optional.empty();
        return found.orElseThrow(
                () -> new Problem(ProblemType.TARGET_UNKNOWN, "no client of this id was ever seen here"));
    }

    private Map<String, Object> client(AgentInfo agent) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("client_id", agent.id());
        json.put("remote_addr", agent.remoteAddress());
        json.put("connected_at", agent.connectedAt().toString());
        if (agent.connected()) {
            json.put("uptime", uptime(Duration.between(agent.connectedAt(), clock.instant())));
        }
        json.put("connected", agent.connected());
        json.put("epoch", agent.epoch());
        json.put("transport", agent.transport());
        json.put("last_seen_at", agent.lastSeenAt().toString());
        if (agent.disconnectReason() != null) {
            json.put("disconnect_reason", agent.disconnectReason());
        }
        json.put("version", agent.version());
        json.put("labels", agent.labels());
        json.put("capabilities", agent.capabilities());
        json.put("waiting", agent.waiting());
        json.put("in_flight", agent.inFlight());
        byte[] status = agent.status();
        if (status != null && status.length > 0) {
            json.put("status", Json.content(status));
        }
        return json;
    }

    /** Whole seconds in the form {@code 26h3m4s}. */
    private static String uptime(Duration duration) {
        long seconds = Math.max(0, duration.toSeconds());
        String hours = seconds >= 3600 ? seconds / 3600 + "h" : "";
        String minutes = seconds >= 60 ? seconds / 60 % 60 + "m" : "";
        return hours + minutes + seconds % 60 + "s";
    }

    private Mono<Reply> send(Call call) {
        String clientId = call.body().requiredText("client_id");
        require(clientId);
        AgentMessage message = message(call, call.body().requiredText("type"));
        boolean awaitReceipt = Boolean.TRUE.equals(call.body().flag("wait_ack"));
        return waiting.hold(() -> monoOf(agents.send(clientId, message, awaitReceipt))
                .onErrorMap(
                        AgentAwayException.class,
                        away -> new Problem(ProblemType.TARGET_AWAY, String.valueOf(away.getMessage())).retryAfter(5))
                .then(Mono.fromSupplier(() -> {
                    Map<String, Object> json = new LinkedHashMap<>();
                    json.put("success", true);
                    json.put("msg_id", message.id());
                    json.put("message", awaitReceipt ? "Message received by the client" : "Message sent successfully");
                    return Reply.json(200, json);
                })));
    }

    private AgentMessage message(Call call, String type) {
        byte[] payload = call.body().json("payload");
        if (payload.length > AgentMessage.MAX_PAYLOAD) {
            throw new Problem(
                            ProblemType.PAYLOAD_TOO_LARGE,
                            "the payload has " + payload.length + " bytes; the most is " + AgentMessage.MAX_PAYLOAD
                                    + ", larger ones go as commands")
                    .at("/payload");
        }
        return new AgentMessage(ids.next().toString(), type, payload);
    }

    private Mono<Reply> broadcast(Call call) {
        AgentMessage message = message(call, call.body().text("type", "event"));
        return waiting.hold(() -> connectedIds()
                .flatMap(
                        id -> monoOf(agents.send(id, message, false))
                                .thenReturn("")
                                .onErrorResume(error -> Mono.just(id + ": " + error.getMessage())),
                        CONCURRENT_SENDS)
                .collect(Deliveries::new, Deliveries::add)
                .map(deliveries -> deliveries.reply(message.id())));
    }

    private Flux<String> connectedIds() {
        return Flux.defer(() -> Flux.just(agents.list(true, null, PAGE)))
                .expand(
                        page -> page.size() < PAGE
                                ? Flux.empty()
                                : Flux.just(agents.list(true, page.get(PAGE - 1).id(), PAGE)),
                        1)
                .concatMapIterable(page -> page)
                .map(AgentInfo::id);
    }

    /** How a broadcast went; of very many errors only the first are kept. */
    private static final class Deliveries {
        private final List<String> errors = new ArrayList<>();
        private int total;
        private int failed;

        void add(String error) {
            total++;
            if (!error.isEmpty()) {
                failed++;
                if (errors.size() < MAX_ERRORS) {
                    errors.add(error);
                }
            }
        }

        Reply reply(String messageId) {
            Map<String, Object> json = new LinkedHashMap<>();
            json.put("success", failed == 0);
            json.put("msg_id", messageId);
            json.put("total", total);
            json.put("success_count", total - failed);
            json.put("failed_count", failed);
            json.put("errors", errors);
            return Reply.json(200, json);
        }
    }
}
