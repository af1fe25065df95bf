package io.github.commandway.http;

import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRejectedException;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.IdGenerator;
import io.github.commandway.manager.RecordId;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * The routes that send one command to many clients. The commands are independent of the request that sent them: they go on when it
 * is over, or when its caller has gone.
 */
final class MultiRoutes {
    private static final Duration GRACE = Duration.ofSeconds(5);
    private static final Duration MAX_HOLD = Duration.ofMinutes(5);
    private static final int CONTENT_BYTES = 4 << 20;

    private final CommandManager manager;
    private final Records records;
    private final Ends ends;
    private final Slots waiting;
    private final IdGenerator ids;
    private final Clock clock;
    private final Map<String, Task> tasks = new ConcurrentHashMap<>();

    MultiRoutes(CommandManager manager, Records records, Ends ends, Slots waiting, IdGenerator ids, Clock clock) {
        this.manager = manager;
        this.records = records;
        this.ends = ends;
        this.waiting = waiting;
        this.ids = ids;
        this.clock = clock;
    }

    List<Route> routes() {
        Field[] body = {
            Field.required("client_ids", Field.Kind.AGENT_IDS, "The clients that execute it, each one once."),
            CommandRoutes.COMMAND_TYPE,
            CommandRoutes.PAYLOAD,
            CommandRoutes.TIMEOUT,
            CommandRoutes.TTL
        };
        return List.of(
                Route.post(
                                "/api/command/multi",
                                "Sends a command to many clients and answers when all have ended, at the latest 5 s after the timeout or after 300 s.")
                        .body(body)
                        .needs(Right.RUN, Right.VIEW)
                        .hidesResults()
                        .answers(200, "MultiResult")
                        .refuses(503)
                        .handledBy(this::multi),
                Route.post(
                                "/api/command/stream",
                                "Sends a command to many clients; events start, result (one for each as it ends) and complete.")
                        .body(body)
                        .needs(Right.RUN, Right.VIEW)
                        .hidesResults()
                        .answers(200, Schemas.EVENTS)
                        .refuses(503)
                        .handledBy(this::stream),
                Route.post(
                                "/api/command/multi/{id}/cancel",
                                "Cancels all commands of a multi or stream request that is still held, and waits up to 5 s for the work to stop.")
                        .needs(Right.VIEW, Right.CANCEL)
                        .answers(200, "MultiCancelled", 202, "MultiCancelled")
                        .refuses(404, 503)
                        .handledBy(this::cancel));
    }

    private Mono<Reply> multi(Call call) {
        return waiting.hold(() -> {
            Task task = new Task(call);
            return task.outcomes()
                    .sort((a, b) -> Integer.compare(a.position, b.position))
                    .collectList()
                    .map(task::summary);
        });
    }

    private Mono<Reply> stream(Call call) {
        Task task = new Task(call);
        return Mono.just(new Reply.Events(out -> {
            CommandJson.Room room = new CommandJson.Room(call.caller(), CONTENT_BYTES);
            Counts counts = new Counts();
            Flux<String> results = task.outcomes().map(outcome -> {
                counts.add(outcome);
                return Reply.event(null, "result", outcome.json(room));
            });
            Mono<String> complete = Mono.fromSupplier(() -> Reply.event(null, "complete", task.complete(counts)));
            return Mono.just(Reply.event(null, "start", task.start()))
                    .concatWith(results)
                    .concatWith(complete)
                    .concatMap(out::write, 1)
                    .then();
        }));
    }

    private Mono<Reply> cancel(Call call) {
        Task task = tasks.get(call.path("id"));
        if (task == null || !task.isVisibleTo(call.caller())) {
            return Mono.error(new Problem(
                    ProblemType.TASK_UNKNOWN,
                    "there is no such request any more; its commands can be cancelled one by one"));
        }
        task.requests.forEach(request -> call.caller().require(Right.CANCEL, request));
        return waiting.hold(() -> task.cancel(ends.after(Cancellations.WAIT)).map(task::cancelled));
    }

    /** One request and its commands. */
    private final class Task {
        private final String id = ids.next().toString();
        private final long startedMillis = clock.millis();
        private final Caller caller;
        private final List<String> clientIds;
        private final List<CommandRequest> requests;
        private final Duration hold;
        private final List<RecordId> submitted = new ArrayList<>();
        private boolean cancelled;

        Task(Call call) {
            caller = call.caller();
            clientIds = call.body().texts("client_ids");
            String key = call.header("Idempotency-Key");
            // all before the first is submitted, so that a bad request is refused as a whole
            requests = clientIds.stream()
                    .map(clientId -> CommandRoutes.request(call, clientId, key == null ? null : key + ":" + clientId))
                    .toList();
            for (CommandRequest request : requests) {
                caller.require(Right.RUN, request);
                caller.require(Right.VIEW, request);
            }
            Duration timeout = call.body().duration("timeout");
            Duration wanted = (timeout == null ? CommandRequest.DEFAULT_TIMEOUT : timeout).plus(GRACE);
            hold = wanted.compareTo(MAX_HOLD) > 0 ? MAX_HOLD : wanted;
        }

        boolean isVisibleTo(Caller other) {
            return requests.stream().allMatch(request -> other.may(Right.VIEW, request));
        }

        /** Submits all commands when subscribed to, and emits each one's outcome as it comes. */
        Flux<Outcome> outcomes() {
            return Flux.defer(() -> {
                tasks.put(id, this);
                Mono<Void> until = ends.after(hold).cache();
                return Flux.range(0, clientIds.size())
                        .flatMap(position -> outcome(position, until), Field.MAX_CLIENT_IDS, 1)
                        .doFinally(signal -> tasks.remove(id));
            });
        }

        private Mono<Outcome> outcome(int position, Mono<Void> until) {
            String clientId = clientIds.get(position);
            return records.submit(caller, requests.get(position), null)
                    .doOnNext(this::add)
                    .flatMap(handle -> ends.await(handle.id(), until).defaultIfEmpty(handle.record()))
                    .map(record -> new Outcome(position, clientId, record, null))
                    .onErrorResume(
                            CommandRejectedException.class,
                            refusal -> Mono.just(new Outcome(position, clientId, null, refusal)));
        }

        private void add(CommandHandle handle) {
            boolean unwanted;
            synchronized (this) {
                submitted.add(handle.id());
                unwanted = cancelled;
            }
            if (unwanted) {
                manager.cancel(handle.id());
            }
        }

        Mono<List<CommandRecord>> cancel(Mono<Void> until) {
            List<RecordId> all;
            boolean first;
            synchronized (this) {
                all = List.copyOf(submitted);
                first = !cancelled;
                cancelled = true;
            }
            if (first) {
                all.forEach(manager::cancel);
            }
            Mono<Void> shared = until.cache();
            return Flux.fromIterable(all)
                    .flatMap(record -> ends.await(record, shared), Field.MAX_CLIENT_IDS, 1)
                    .collectList();
        }

        Reply cancelled(List<CommandRecord> records) {
            long open = records.stream()
                    .filter(record -> !record.status().isTerminal())
                    .count();
            long stopped = records.stream()
                    .filter(record -> record.status() == CommandStatus.CANCELLED)
                    .count();
            Map<String, Object> json = new LinkedHashMap<>();
            json.put("success", true);
            json.put("task_id", id);
            json.put("total", clientIds.size());
            json.put("cancelled_count", stopped);
            json.put("open_count", open);
            json.put("message", open == 0 ? "All commands have ended" : open + " commands have not ended yet");
            return Reply.json(open == 0 ? 200 : 202, json);
        }

        Map<String, Object> start() {
            Map<String, Object> json = new LinkedHashMap<>();
            json.put("task_id", id);
            json.put("total", clientIds.size());
            return json;
        }

        Map<String, Object> complete(Counts counts) {
            Map<String, Object> json = new LinkedHashMap<>();
            json.put("task_id", id);
            json.put("total", clientIds.size());
            json.put("success", counts.succeeded);
            json.put("failed", counts.failed);
            json.put("open", counts.open);
            json.put("duration_ms", clock.millis() - startedMillis);
            return json;
        }

        Reply summary(List<Outcome> outcomes) {
            CommandJson.Room room = new CommandJson.Room(caller, CONTENT_BYTES);
            Counts counts = new Counts();
            outcomes.forEach(counts::add);
            Map<String, Object> json = new LinkedHashMap<>();
            json.put("success", counts.succeeded == clientIds.size());
            json.put("task_id", id);
            json.put("total", clientIds.size());
            json.put("success_count", counts.succeeded);
            json.put("failed_count", counts.failed);
            json.put("open_count", counts.open);
            json.put(
                    "results",
                    outcomes.stream().map(outcome -> outcome.json(room)).toList());
            json.put(
                    "message",
                    counts.succeeded + " of " + clientIds.size() + " commands completed"
                            + (counts.open == 0 ? "" : ", " + counts.open + " have not ended yet"));
            return Reply.json(200, json);
        }
    }

    /** What became of one of the commands: a record, or a refusal. */
    private record Outcome(
            int position,
            String clientId,
            @Nullable CommandRecord record,
            @Nullable CommandRejectedException refusal) {

        Map<String, Object> json(CommandJson.Room room) {
            if (record != null) {
                return CommandJson.result(clientId, record, room);
            }
            Map<String, Object> json = new LinkedHashMap<>();
            json.put("client_id", clientId);
            json.put("status", CommandStatus.FAILED.code());
            if (refusal != null) {
                json.put("error", String.valueOf(refusal.getMessage()));
                json.put("code", Refusals.typeOf(refusal).code());
            }
            return json;
        }
    }

    private static final class Counts {
        private int succeeded;
        private int failed;
        private int open;

        void add(Outcome outcome) {
            CommandStatus status = outcome.record == null ? CommandStatus.FAILED : outcome.record.status();
            if (status == CommandStatus.COMPLETED) {
                succeeded++;
            } else if (status.isTerminal()) {
                failed++;
            } else {
                open++;
            }
        }
    }
}
