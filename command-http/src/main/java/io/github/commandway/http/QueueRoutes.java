package io.github.commandway.http;

import static io.github.commandway.http.Ends.monoOf;

import io.github.commandway.manager.QueueState;
import io.github.commandway.manager.RecordId;
import io.github.commandway.queue.CommandQueues;
import io.github.commandway.queue.QueueOptions;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** The routes that show and steer queues. */
final class QueueRoutes {
    private final CommandQueues queues;

    QueueRoutes(CommandQueues queues) {
        this.queues = queues;
    }

    List<Route> routes() {
        return List.of(
                Route.get("/api/queues", "All queues and what is in them.")
                        .needsForAll(Right.VIEW)
                        .answers(200, "Queues")
                        .handledBy(call -> list()),
                Route.get("/api/queues/{name}", "One queue and what is in it.")
                        .needsForAll(Right.VIEW)
                        .answers(200, "QueueFound")
                        .refuses(404)
                        .handledBy(this::find),
                Route.post("/api/queues/{name}/pause", "Keeps back what waits; what runs goes on.")
                        .needsForAll(Right.MANAGE)
                        .answers(200, "QueueChanged")
                        .refuses(404)
                        .handledBy(call -> {
                            String name = name(call);
                            return changed(name, monoOf(queues.pause(name)), "Queue paused");
                        }),
                Route.post("/api/queues/{name}/resume", "Lets a paused queue go on.")
                        .needsForAll(Right.MANAGE)
                        .answers(200, "QueueChanged")
                        .refuses(404)
                        .handledBy(call -> {
                            String name = name(call);
                            return changed(name, monoOf(queues.resume(name)), "Queue resumed");
                        }),
                Route.post("/api/queues/{name}/purge", "Cancels all that waits; what runs goes on.")
                        .needsForAll(Right.MANAGE)
                        .answers(200, "QueueChanged")
                        .refuses(404)
                        .handledBy(this::purge));
    }

    private String name(Call call) {
        String name = call.path("name");
        if (queues.options(name).isEmpty()) {
            throw new Problem(
                    ProblemType.QUEUE_UNKNOWN,
                    "there is no queue of this name; there are " + String.join(", ", queues.names()));
        }
        return name;
    }

    private Mono<Reply> list() {
        return Flux.fromIterable(queues.names())
                .concatMap(name -> monoOf(queues.state(name)))
                .map(this::queue)
                .collectList()
                .map(all -> Reply.json(200, Json.list("queues", all)));
    }

    private Mono<Reply> find(Call call) {
        return monoOf(queues.state(name(call))).map(state -> {
            Map<String, Object> json = new LinkedHashMap<>();
            json.put("success", true);
            json.put("queue", queue(state));
            return Reply.json(200, json);
        });
    }

    private Mono<Reply> changed(String name, Mono<Void> change, String message) {
        return change.then(Mono.defer(() -> answer(name, message, null)));
    }

    private Mono<Reply> purge(Call call) {
        String name = name(call);
        return monoOf(queues.purge(name)).flatMap(count -> answer(name, "Waiting commands cancelled", count));
    }

    private Mono<Reply> answer(String name, String message, @Nullable Integer cancelled) {
        return monoOf(queues.state(name)).map(state -> {
            Map<String, Object> json = new LinkedHashMap<>();
            json.put("success", true);
            json.put("message", message);
            if (cancelled != null) {
                json.put("cancelled", cancelled);
            }
            json.put("queue", queue(state));
            return Reply.json(200, json);
        });
    }

    private Map<String, Object> queue(QueueState state) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("name", state.queue());
        json.put("paused", state.paused());
        json.put("waiting", state.waiting());
        json.put("running", state.running());
        json.put("accepted", state.accepted());
        json.put("completed", state.completed());
        json.put("failed", state.failed());
        json.put(
                "running_ids",
                state.runningIds().stream().map(RecordId::toString).toList());
        queues.options(state.queue()).ifPresent(options -> describe(options, json));
        return json;
    }

    private static void describe(QueueOptions options, Map<String, Object> json) {
        json.put("concurrency", options.concurrency());
        json.put("max_waiting", options.maxWaiting());
        json.put("max_attempts", options.retry().maxAttempts());
    }
}
