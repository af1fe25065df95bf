package io.github.commandway.http;

import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandQuery;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.Target;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;

/** The routes of single commands. */
final class CommandRoutes {
    private static final String SENT = "Command sent successfully";
    private static final int DEFAULT_LIMIT = 100;
    private static final Pattern TRACE_PARENT = Pattern.compile("[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}");

    static final Field COMMAND_TYPE =
            Field.required("command_type", Field.Kind.TEXT, "The name of the command on the client.");
    static final Field PAYLOAD =
            Field.optional("payload", Field.Kind.ANY, "The parameters: any JSON, given to the client byte for byte.");
    static final Field TIMEOUT = Field.optional(
            "timeout",
            Field.Kind.TIMEOUT,
            "The longest time of execution in seconds, from the hand-over to the client; 30 if not given.");
    static final Field TTL = Field.optional(
            "ttl",
            Field.Kind.TTL,
            "The longest time in seconds to wait for the client; 0 for now or not at all; the same as the timeout if not given.");

    private final Records records;
    private final Ends ends;
    private final Slots waiting;
    private final Cancellations cancellations;

    CommandRoutes(CommandManager manager, Records records, Ends ends, Slots waiting) {
        this.records = records;
        this.ends = ends;
        this.waiting = waiting;
        cancellations = new Cancellations(manager, ends, waiting);
    }

    List<Route> routes() {
        return List.of(
                Route.post(
                                "/api/command",
                                "Sends a command to a client. With Prefer: wait=N the answer waits for its end.")
                        .body(
                                Field.required("client_id", Field.Kind.AGENT_ID, "The client that executes it."),
                                COMMAND_TYPE,
                                PAYLOAD,
                                TIMEOUT,
                                TTL)
                        .needs(Right.RUN)
                        .hidesResults()
                        .answers(200, "Submitted", 202, "Submitted")
                        .refuses(404, 409, 422, 501, 503)
                        .handledBy(this::submit),
                Route.get("/api/command/{id}", "One command. With Prefer: wait=N the answer waits for its end.")
                        .needs(Right.VIEW)
                        .hidesResults()
                        .answers(200, "Found")
                        .refuses(404, 503)
                        .handledBy(this::find),
                Route.get("/api/commands", "Commands, newest first.")
                        .query(
                                Field.optional("client_id", Field.Kind.AGENT_ID, "Only those of this client."),
                                Field.optional("status", Field.Kind.TEXT, "Only those in this status.")
                                        .oneOf(Arrays.stream(CommandStatus.values())
                                                .map(CommandStatus::code)
                                                .toArray(String[]::new)),
                                Field.optional("limit", Field.Kind.LIMIT, "How many at most; 100 if not given."),
                                Field.optional(
                                        "cursor", Field.Kind.TEXT, "Where to go on: next_cursor of the page before."))
                        .needs(Right.VIEW)
                        .hidesResults()
                        .answers(200, "Commands")
                        .handledBy(this::list),
                Route.post(
                                "/api/command/{id}/cancel",
                                "Cancels a command, and waits up to 5 s for the work to stop; 202 if it has not by then.")
                        .needs(Right.VIEW, Right.CANCEL)
                        .hidesResults()
                        .answers(200, "Cancelled", 202, "Cancelled")
                        .refuses(404, 409)
                        .handledBy(this::cancel));
    }

    /**
     * Answers 200 as soon as the command is recorded, which is what existing clients of this API expect; 202 if the caller
     * prefers {@code respond-async} and the command has not ended.
     */
    private Mono<Reply> submit(Call call) {
        CommandRequest request = request(call, call.body().requiredText("client_id"), call.header("Idempotency-Key"));
        Duration wait = call.preferredWait();
        if (wait == null) {
            return records.submit(call.caller(), request, null).map(handle -> submitted(call, handle, null, null));
        }
        call.caller().require(Right.VIEW, request);
        return waiting.hold(() -> records.submit(call.caller(), request, null)
                .flatMap(handle -> ends.await(handle.id(), ends.after(wait))
                        .defaultIfEmpty(handle.record())
                        .map(record -> submitted(call, handle, record, wait))));
    }

    private static Reply submitted(
            Call call, CommandHandle handle, @Nullable CommandRecord record, @Nullable Duration waited) {
        CommandStatus status = record == null ? CommandStatus.PENDING : record.status();
        boolean ended = status.isTerminal();
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("success", !ended || status == CommandStatus.COMPLETED);
        json.put("command_id", handle.id().toString());
        json.put("message", ended ? "Command " + status.code() : SENT);
        if (record != null) {
            json.put("command", CommandJson.command(call.caller(), record));
        }
        Reply.Full reply = Reply.json(call.prefersAsync() && !ended ? 202 : 200, json)
                .header("Location", "/api/command/" + handle.id());
        return waited == null ? reply : applied(reply, waited);
    }

    static CommandRequest request(Call call, String clientId, @Nullable String idempotencyKey) {
        CommandRequest.Builder builder = CommandRequest.toAgent(
                        clientId, call.body().requiredText("command_type"))
                .payload(call.body().json("payload"))
                .idempotencyKey(idempotencyKey)
                .principal(call.principal())
                .traceParent(traceParent(call));
        Duration timeout = call.body().duration("timeout");
        if (timeout != null) {
            builder.timeout(timeout);
        }
        Duration ttl = call.body().duration("ttl");
        if (ttl != null) {
            builder.ttl(ttl);
        }
        try {
            return builder.build();
        } catch (IllegalArgumentException e) {
            // the fields of the body were checked, so it is the header
            throw new Problem(ProblemType.INVALID_HEADER, String.valueOf(e.getMessage())).at("Idempotency-Key");
        }
    }

    static @Nullable String traceParent(Call call) {
        String given = call.header("traceparent");
        return given != null && TRACE_PARENT.matcher(given).matches() ? given : null;
    }

    private Mono<Reply> find(Call call) {
        RecordId id = recordId(call);
        Duration wait = call.preferredWait();
        Mono<CommandRecord> found = records.get(call.caller(), id);
        if (wait == null) {
            return found.map(record -> found(call, record));
        }
        return waiting.hold(() -> found.flatMap(record -> record.status().isTerminal()
                        ? Mono.just(record)
                        : ends.await(id, ends.after(wait)).defaultIfEmpty(record))
                .map(record -> applied(found(call, record), wait)));
    }

    private static Reply.Full found(Call call, CommandRecord record) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("success", true);
        json.put("command", CommandJson.command(call.caller(), record));
        return Reply.json(200, json);
    }

    static Reply applied(Reply.Full reply, Duration waited) {
        return reply.header("Preference-Applied", "wait=" + waited.toSeconds());
    }

    private Mono<Reply> list(Call call) {
        String clientId = call.query().text("client_id");
        Optional<CommandStatus> status =
                Optional.ofNullable(call.query().text("status")).flatMap(CommandStatus::ofCode);
        CommandQuery query = new CommandQuery(
                clientId == null ? null : new Target.Agent(clientId),
                status.orElse(null),
                call.query().number("limit", DEFAULT_LIMIT),
                call.query().text("cursor"));
        return records.list(call.caller(), query)
                .map(page -> CommandJson.page(call.caller(), page, "commands", CommandJson::command));
    }

    private Mono<Reply> cancel(Call call) {
        return records.get(call.caller(), recordId(call), Right.CANCEL)
                .flatMap(cancellations::cancel)
                .map(record -> cancelled(call, record));
    }

    private static Reply cancelled(Call call, CommandRecord record) {
        boolean ended = record.status().isTerminal();
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("success", !ended || record.status() == CommandStatus.CANCELLED);
        json.put("command_id", record.id().toString());
        json.put("outcome", Cancellations.outcome(record));
        json.put(
                "message",
                ended ? "Command " + record.status().code() : "Cancellation requested; the command has not ended yet");
        json.put("command", CommandJson.command(call.caller(), record));
        return Reply.json(ended ? 200 : 202, json);
    }

    static RecordId recordId(Call call) {
        String id = call.path("id");
        return RecordId.parse(id)
                .orElseThrow(() -> Problem.commandUnknown(id.length() <= 64 ? id : id.substring(0, 64) + "..."));
    }
}
