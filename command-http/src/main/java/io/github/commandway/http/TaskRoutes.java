package io.github.commandway.http;

import static io.github.commandway.http.Ends.monoOf;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandQuery;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRejectedException;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.QueueState;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.RetryPolicy;
import io.github.commandway.manager.Target;
import io.github.commandway.queue.CommandQueues;
import io.github.commandway.queue.QueueOptions;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import tools.jackson.databind.node.ObjectNode;

/** The task API: commands to one queue, in the shapes that its clients know. */
final class TaskRoutes {
    private static final String ACCEPTED = "任务已加入队列";
    private static final String COMPLETED = "任务已完成";
    private static final String FAILED = "任务执行失败";
    private static final String NOTE = "使用 GET /task/<task_id> 查询任务状态";
    private static final int DEFAULT_LIMIT = 100;

    private static final Field TYPE = Field.optional(
            "cmd_type", Field.Kind.TEXT, "The name of the command; here, or in data in the wrapped form.");
    private static final Field CMD_ID =
            Field.optional("cmd_id", Field.Kind.REFERENCE, "The caller's own name for it; need not be unique.");

    private final CommandManager manager;
    private final Records records;
    private final CommandQueues queues;
    private final TaskOptions options;
    private final Ends ends;
    private final Slots waiting;
    private final Cancellations cancellations;
    private final Clock clock;
    private final TaskJson json;

    TaskRoutes(
            CommandManager manager,
            Records records,
            CommandQueues queues,
            TaskOptions options,
            Ends ends,
            Slots waiting,
            Clock clock) {
        this.manager = manager;
        this.records = records;
        this.queues = queues;
        this.options = options;
        this.ends = ends;
        this.waiting = waiting;
        this.clock = clock;
        cancellations = new Cancellations(manager, ends, waiting);
        json = new TaskJson(options.zone());
    }

    List<Route> routes() {
        return List.of(
                Route.get("/", "That the server runs, and in which mode.")
                        .withNumbers()
                        .needsNothing()
                        .answers(200, "TaskApi")
                        .handledBy(call -> Mono.just(status())),
                submission("/", "Takes a task. " + (isSync() ? "The answer is its result." : "It waits in the queue.")),
                submission(Route.ANY_PATH, "The same as POST /, at any path that is not at or below another one here."),
                Route.get("/task/{id}", "One task. With Prefer: wait=N the answer waits for its end.")
                        .withNumbers()
                        .needs(Right.VIEW)
                        .hidesResults()
                        .answers(200, "Task")
                        .refuses(404, 503)
                        .handledBy(this::find),
                Route.post(
                                "/task/{id}/cancel",
                                "Cancels a task, and waits up to 5 s for the work to stop; 202 if it has not by then.")
                        .withNumbers()
                        .needs(Right.VIEW, Right.CANCEL)
                        .hidesResults()
                        .answers(200, "TaskCancelled", 202, "TaskCancelled")
                        .refuses(404, 409, 503)
                        .handledBy(this::cancel),
                Route.get("/tasks", "Tasks, newest first.")
                        .withNumbers()
                        .query(
                                queueField("Which queue's"),
                                Field.optional("status", Field.Kind.TEXT, "Only those in this status.")
                                        .oneOf(
                                                TaskJson.PENDING,
                                                TaskJson.RUNNING,
                                                "completed",
                                                TaskJson.FAILED,
                                                "timeout",
                                                "cancelled"),
                                Field.optional("cmd_type", Field.Kind.TEXT, "Only those of this type."),
                                Field.optional("from", Field.Kind.TIME, "Only those accepted then or later."),
                                Field.optional("until", Field.Kind.TIME, "Only those accepted before."),
                                Field.optional("limit", Field.Kind.LIMIT, "How many at most; 100 if not given."),
                                Field.optional(
                                        "cursor", Field.Kind.TEXT, "Where to go on: next_cursor of the page before."))
                        .needs(Right.VIEW)
                        .hidesResults()
                        .answers(200, "Tasks")
                        .handledBy(this::list),
                Route.get("/queue/status", "What is in the queue that takes the tasks, or in another one.")
                        .withNumbers()
                        .query(queueField("Which queue"))
                        .needsForAll(Right.VIEW)
                        .answers(200, "TaskQueue")
                        .refuses(503)
                        .handledBy(this::queueStatus));
    }

    private static Field[] body(Field queue) {
        return new Field[] {
            TYPE,
            CMD_ID,
            Field.optional("params", Field.Kind.ANY, "The parameters: any JSON, given to the executor byte for byte."),
            Field.optional("header", Field.Kind.ANY, "Given to the executor as _header beside the members of params."),
            Field.optional("extra", Field.Kind.ANY, "Given to the executor as _extra beside the members of params."),
            Field.object(
                    "data",
                    "The wrapped form.",
                    Field.required("cmd_type", Field.Kind.TEXT, "The name of the command."),
                    CMD_ID),
            Field.optional("timeout", Field.Kind.TIMEOUT, "The longest time of execution in seconds."),
            Field.optional("ttl", Field.Kind.TTL, "The longest time of waiting in seconds, from when it may begin."),
            Field.optional("priority", Field.Kind.PRIORITY, "Those with a higher one go first; 0 if not given."),
            Field.optional("delay", Field.Kind.TTL, "After how many seconds it may begin at the earliest."),
            Field.optional("not_before", Field.Kind.TIME, "When it may begin at the earliest."),
            Field.optional("retries", Field.Kind.RETRIES, "How many more times it is tried after a failure."),
            Field.optional(
                    "order_key",
                    Field.Kind.TEXT,
                    "Of those with the same one is executed at a time, in the order of acceptance."),
            queue
        };
    }

    private Route submission(String path, String summary) {
        Route.Builder route = Route.post(path, summary)
                .withNumbers()
                .withAnyType()
                .body(body(queueField("Which queue takes it")))
                .answers(200, isSync() ? Schemas.ANY : "TaskSubmitted", 202, "TaskSubmitted");
        if (isSync()) {
            // the executor's result may ask for one
            route.needs(Right.RUN, Right.OUTPUT).answersAnyStatus(Schemas.ANY).refuses(408, 410, 422, 500, 503);
        } else {
            route.needs(Right.RUN).hidesResults().refuses(422, 503);
        }
        return route.handledBy(this::submit);
    }

    private Field queueField(String what) {
        return Field.optional("queue", Field.Kind.TEXT, what + "; '" + options.queue() + "' if not given.")
                .oneOf(queues.names().toArray(String[]::new));
    }

    private boolean isSync() {
        return options.mode() == TaskOptions.Mode.SYNC;
    }

    private Reply status() {
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("status", "running");
        answer.put("message", isSync() ? "HTTP服务器正在运行 (同步模式)" : "HTTP服务器正在运行 (队列模式)");
        answer.put("queue_mode", !isSync());
        return Reply.json(200, answer);
    }

    private Mono<Reply> submit(Call call) {
        Values body = call.body();
        Values named = body.has("data") ? body.object("data") : body;
        String cmdId = named.text("cmd_id");
        return Mono.defer(() -> submit(call, request(call, named)))
                .onErrorMap(CommandRejectedException.class, Refusals::problemOf)
                .onErrorMap(Problem.class, problem -> problem.with("cmd_id", cmdId));
    }

    private Mono<Reply> submit(Call call, CommandRequest request) {
        Duration wanted = call.preferredWait();
        if (wanted == null && (!isSync() || call.prefersAsync())) {
            return records.submit(call.caller(), request, options.ids())
                    .map(handle -> accepted(call, handle.record(), false));
        }
        if (isSync()) {
            call.caller().require(Right.OUTPUT, request);
        }
        if (wanted != null) {
            call.caller().require(Right.VIEW, request);
        }
        Mono<Void> until = wanted == null ? ends.closing() : ends.after(wanted);
        return waiting.hold(() -> records.submit(call.caller(), request, options.ids())
                .flatMap(handle -> ends.await(handle.id(), until).defaultIfEmpty(handle.record()))
                .map(record -> {
                    Reply.Full answer =
                            isSync() && record.status().isTerminal() ? result(record) : accepted(call, record, true);
                    return wanted == null ? answer : CommandRoutes.applied(answer, wanted);
                }));
    }

    private CommandRequest request(Call call, Values named) {
        Values body = call.body();
        if (body.has("data") && (body.has("cmd_type") || body.has("cmd_id"))) {
            throw invalid("/data", "cmd_type and cmd_id stand either in 'data' or beside 'params', not at both places");
        }
        String type = named.text("cmd_type");
        if (type == null) {
            throw new Problem(ProblemType.MISSING_FIELD, "'cmd_type' is required: " + TYPE.expected()).at("/cmd_type");
        }
        String queue = body.text("queue", options.queue());
        CommandRequest.Builder builder = CommandRequest.toQueue(queue, type)
                .reference(named.text("cmd_id"))
                .payload(payload(body))
                .timeout(body.duration("timeout", options.timeout()))
                .ttl(body.duration("ttl", options.ttl()))
                .priority(body.number("priority", 0))
                .notBefore(notBefore(body))
                .orderKey(body.text("order_key"))
                .retry(retry(queue, body.number("retries")))
                .idempotencyKey(call.header("Idempotency-Key"))
                .principal(call.principal())
                .traceParent(CommandRoutes.traceParent(call));
        try {
            return builder.build();
        } catch (IllegalArgumentException e) {
            // the fields of the body were checked, so it is the header
            throw new Problem(ProblemType.INVALID_HEADER, String.valueOf(e.getMessage())).at("Idempotency-Key");
        }
    }

    private @Nullable Instant notBefore(Values body) {
        Duration delay = body.duration("delay");
        Instant notBefore = body.time("not_before");
        if (delay == null) {
            return notBefore;
        }
        if (notBefore != null) {
            throw invalid("/delay", "'delay' and 'not_before' say the same; give one of them");
        }
        return delay.isZero() ? null : clock.instant().plus(delay);
    }

    private @Nullable RetryPolicy retry(String queue, @Nullable Long retries) {
        if (retries == null) {
            return null;
        }
        RetryPolicy pace = queues.options(queue)
                .map(QueueOptions::retry)
                .filter(retry -> retry.maxAttempts() > 1)
                .orElseGet(() -> RetryPolicy.exponential(1));
        return new RetryPolicy(retries.intValue() + 1, pace.initialDelay(), pace.maxDelay(), pace.jitter());
    }

    /** The parameters as they are; what came beside them goes in as further members, so that the executor misses nothing. */
    private static byte[] payload(Values body) {
        byte[] params = body.json("params");
        if (!body.has("header") && !body.has("extra")) {
            return params;
        }
        ObjectNode members = Json.object(params.length == 0 ? new byte[] {'{', '}'} : params);
        if (members == null || members.has("_header") || members.has("_extra")) {
            throw invalid(
                    "/params",
                    "beside 'header' or 'extra', 'params' must be an object without members '_header' and '_extra', since these are put there");
        }
        String text = params.length == 0 ? "{}" : new String(params, StandardCharsets.UTF_8);
        StringBuilder all = new StringBuilder(text.substring(0, text.lastIndexOf('}')));
        String separator = members.isEmpty() ? "" : ",";
        for (String name : List.of("header", "extra")) {
            if (body.has(name)) {
                all.append(separator).append("\"_").append(name).append("\":");
                all.append(new String(body.json(name), StandardCharsets.UTF_8));
                separator = ",";
            }
        }
        return all.append('}').toString().getBytes(StandardCharsets.UTF_8);
    }

    private static Problem invalid(String where, String detail) {
        return new Problem(ProblemType.INVALID_FIELD, detail).at(where);
    }

    /** The answer that the task was accepted; with what has become of it if the caller wanted to wait for that. */
    private Reply.Full accepted(Call call, CommandRecord record, boolean waited) {
        String id = record.id().toString();
        TaskJson.Outcome outcome = TaskJson.Outcome.of(record);
        boolean isShown = call.caller().may(Right.VIEW, record.request());
        boolean ended = isShown && outcome.hasEnded();
        boolean failed = isShown && outcome.isFailure();
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("success", !failed);
        answer.put("message", !ended ? ACCEPTED : failed ? FAILED : COMPLETED);
        answer.put("task_id", id);
        // it was itself in the queue a moment ago, whatever has taken it out since
        answer.put("queue_size", Math.max(1, manager.queues().waiting(queueOf(record))));
        if (!isSync()) {
            answer.put("note", NOTE);
        }
        if (waited) {
            answer.put("task", json.task(record, CommandJson.Room.unlimited(call.caller())));
        }
        boolean isOnTheWay = !ended && (isSync() || call.prefersAsync());
        return Reply.json(isOnTheWay ? 202 : 200, answer)
                .header("Location", isSync() ? "/api/command/" + id : "/task/" + id);
    }

    private static String queueOf(CommandRecord record) {
        return ((Target.Queue) record.request().target()).name();
    }

    /** The answer in sync mode. */
    private static Reply.Full result(CommandRecord record) {
        TaskJson.Outcome outcome = TaskJson.Outcome.of(record);
        Map<String, Object> result = outcome.result();
        if (record.result() != null && result != null) {
            return Reply.json(outcome.httpStatus(), result).header("Location", "/api/command/" + record.id());
        }
        throw failure(record).with("task_id", record.id().toString()).with("reason", outcome.reason());
    }

    private static Problem failure(CommandRecord record) {
        String message = record.message() == null ? record.status().code() : record.message();
        return switch (record.status()) {
            case TIMEOUT -> new Problem(ProblemType.TASK_TIMEOUT, message);
            case CANCELLED -> new Problem(ProblemType.TASK_CANCELLED, message);
            default -> {
                if (record.reason() == Reason.UNKNOWN_COMMAND) {
                    // found out only by the executor: to the caller it is a wrong value of a field
                    yield new Problem(400, ProblemType.UNKNOWN_COMMAND, message);
                }
                yield new Problem(
                        record.reason() == Reason.EXECUTOR_ERROR ? ProblemType.EXECUTOR_ERROR : ProblemType.TASK_FAILED,
                        message);
            }
        };
    }

    private Mono<Reply> find(Call call) {
        requireQueueMode("/api/command/" + call.path("id"));
        Duration wanted = call.preferredWait();
        Mono<CommandRecord> task = task(call);
        if (wanted == null) {
            return task.flatMap(record -> shown(call, record));
        }
        return task.flatMap(record -> record.status().isTerminal()
                        ? Mono.just(record)
                        : waiting.hold(() -> ends.await(record.id(), ends.after(wanted)))
                                .defaultIfEmpty(record))
                .flatMap(record -> shown(call, record))
                .map(reply -> CommandRoutes.applied((Reply.Full) reply, wanted));
    }

    private Mono<Reply> shown(Call call, CommandRecord record) {
        Map<String, Object> task = json.task(record, CommandJson.Room.unlimited(call.caller()));
        if (!TaskJson.PENDING.equals(task.get("status"))) {
            return Mono.just(Reply.json(200, task));
        }
        return monoOf(manager.queues().position(record.id())).map(position -> {
            position.ifPresent(place -> task.put("position", place));
            return Reply.json(200, task);
        });
    }

    private void requireQueueMode(String instead) {
        if (isSync()) {
            throw new Problem(
                    ProblemType.QUEUE_MODE_OFF, "this server is not in queue mode; GET " + instead + " tells the same");
        }
    }

    private Mono<CommandRecord> task(Call call, Right... needed) {
        String id = call.path("id");
        Optional<RecordId> parsed = RecordId.parse(id);
        Mono<CommandRecord> found = parsed.isEmpty() ? Mono.empty() : records.find(call.caller(), parsed.get(), needed);
        return found.filter(record -> record.request().target() instanceof Target.Queue)
                .switchIfEmpty(Mono.error(() -> new Problem(
                        ProblemType.TASK_UNKNOWN,
                        "there is no task '" + (id.length() <= 64 ? id : id.substring(0, 64) + "...")
                                + "'; ended tasks are kept for a limited time")));
    }

    private Mono<Reply> cancel(Call call) {
        return task(call, Right.CANCEL).flatMap(cancellations::cancel).map(record -> {
            boolean ended = record.status().isTerminal();
            Map<String, Object> answer = new LinkedHashMap<>();
            answer.put("success", !ended || record.status() == CommandStatus.CANCELLED);
            answer.put("task_id", record.id().toString());
            answer.put("outcome", Cancellations.outcome(record));
            answer.put(
                    "message",
                    ended ? "Task " + record.status().code() : "Cancellation requested; the task has not ended yet");
            answer.put("task", json.task(record, CommandJson.Room.unlimited(call.caller())));
            return Reply.json(ended ? 200 : 202, answer);
        });
    }

    private Mono<Reply> list(Call call) {
        Values query = call.query();
        CommandQuery wanted = new CommandQuery(
                new Target.Queue(query.text("queue", options.queue())),
                query.text("status") == null ? null : statusOf(query.text("status", "")),
                query.text("cmd_type"),
                query.time("from"),
                query.time("until"),
                query.number("limit", DEFAULT_LIMIT),
                query.text("cursor"));
        return records.list(call.caller(), wanted)
                .map(page -> CommandJson.page(call.caller(), page, "tasks", json::task));
    }

    private static @Nullable CommandStatus statusOf(String shown) {
        return shown.equals(TaskJson.RUNNING)
                ? CommandStatus.EXECUTING
                : CommandStatus.ofCode(shown).orElse(null);
    }

    private Mono<Reply> queueStatus(Call call) {
        String queue = call.query().text("queue", options.queue());
        requireQueueMode("/api/queues/" + queue);
        return monoOf(queues.state(queue)).map(TaskRoutes::shown);
    }

    private static Reply shown(QueueState state) {
        List<String> running =
                state.runningIds().stream().map(RecordId::toString).toList();
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("queue_size", state.waiting());
        answer.put("total_tasks", state.accepted());
        answer.put("completed_tasks", state.completed());
        answer.put("failed_tasks", state.failed());
        answer.put("running_task", running.isEmpty() ? null : running.get(0));
        answer.put("queue", state.queue());
        answer.put("paused", state.paused());
        answer.put("running_tasks", running);
        return Reply.json(200, answer);
    }
}
