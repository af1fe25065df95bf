package io.github.commandway.http;

import static io.github.commandway.http.Ends.monoOf;

import io.github.commandway.queue.CommandQueues;
import io.github.commandway.tool.api.ToolService;
import java.time.Clock;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** The routes for those who operate the server. */
final class OperationRoutes {
    private static final Logger LOG = LoggerFactory.getLogger(OperationRoutes.class);
    private static final String PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8";

    private final Clock clock;
    private final Map<String, BooleanSupplier> readinessChecks;
    private final @Nullable CommandQueues queues;
    private final CommandMetrics metrics;
    private final @Nullable ToolService tools;
    private final BooleanSupplier stopping;

    OperationRoutes(
            Clock clock,
            Map<String, BooleanSupplier> readinessChecks,
            @Nullable CommandQueues queues,
            CommandMetrics metrics,
            @Nullable ToolService tools,
            BooleanSupplier stopping) {
        this.clock = clock;
        this.readinessChecks = readinessChecks;
        this.queues = queues;
        this.metrics = metrics;
        this.tools = tools;
        this.stopping = stopping;
    }

    List<Route> routes() {
        return List.of(
                Route.get("/health", "Whether the process answers at all.")
                        .withoutCredentials()
                        .answers(200, "Health")
                        .handledBy(call -> Mono.just(health())),
                Route.get("/ready", "Whether the server takes commands now; 503 if not.")
                        .withoutCredentials()
                        .answers(200, "Ready", 503, "Ready")
                        .handledBy(call -> ready()),
                Route.get("/metrics", "Metrics in Prometheus' text format.")
                        .needsForAll(Right.VIEW)
                        .answers(200, Schemas.TEXT)
                        .handledBy(call -> lookAtQueues()
                                .then(Mono.fromSupplier(() -> Reply.text(PROMETHEUS, metrics.scrape())))));
    }

    /** Reads what is in the queues; where that cannot be read the metrics stay as they were, since a store that is away is when they are looked at. */
    private Mono<Void> lookAtQueues() {
        if (queues == null) {
            return Mono.empty();
        }
        return Flux.fromIterable(queues.names())
                .concatMap(name -> monoOf(queues.state(name)))
                .doOnNext(metrics::queueIs)
                .then()
                .onErrorResume(error -> {
                    LOG.warn("the queues could not be looked at for the metrics: {}", error.getMessage());
                    return Mono.empty();
                });
    }

    private Reply health() {
        Map<String, Object> json = status("ok");
        if (tools != null) {
            json.put("tools", RunRoutes.health(tools));
        }
        return Reply.json(200, json);
    }

    private Mono<Reply> ready() {
        Map<String, Object> checks = new LinkedHashMap<>();
        readinessChecks.forEach((name, check) -> checks.put(name, check.getAsBoolean()));
        boolean ready = !stopping.getAsBoolean() && !checks.containsValue(false);
        Map<String, Object> json = status(ready ? "ready" : "not_ready");
        json.put("checks", checks);
        return Mono.just(Reply.json(ready ? 200 : 503, json));
    }

    private Map<String, Object> status(String status) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("status", status);
        json.put("time", clock.instant().toString());
        return json;
    }
}
