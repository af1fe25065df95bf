package io.github.commandway.http;

import io.github.commandway.conversation.api.ConversationError;
import io.github.commandway.conversation.api.ConversationMetrics;
import io.github.commandway.directory.AgentDirectory;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandListener;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.ManagerStats;
import io.github.commandway.manager.QueueState;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.tool.api.ToolService;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Timer;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.DoubleSupplier;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * Counts what becomes of commands, for {@code GET /metrics}. To count outcomes by reason and to measure durations it has to be a listener of
 * the manager too:
 *
 * <pre>{@code
 * CommandMetrics metrics = new CommandMetrics();
 * CommandManager manager = CommandManager.builder(registry).listener(metrics).build();
 * HttpFacade facade = HttpFacade.builder(manager, agents).metrics(metrics).build();
 * }</pre>
 *
 * <p>Safe for use by many threads.
 */
public final class CommandMetrics implements CommandListener, ConversationMetrics {
    private static final Duration[] BUCKETS = {
        Duration.ofMillis(1),
        Duration.ofMillis(5),
        Duration.ofMillis(10),
        Duration.ofMillis(50),
        Duration.ofMillis(100),
        Duration.ofMillis(500),
        Duration.ofSeconds(1),
        Duration.ofSeconds(5),
        Duration.ofSeconds(10),
        Duration.ofSeconds(30),
        Duration.ofSeconds(60),
        Duration.ofSeconds(300),
        Duration.ofSeconds(1800),
    };

    private final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    /** Held here, since the registry does not keep them from being collected. */
    private final List<DoubleSupplier> counters = new CopyOnWriteArrayList<>();

    private final Map<String, QueueState> queues = new ConcurrentHashMap<>();
    private final Timer duration = timer("commandway.command.duration", "From acceptance to the end of a command");
    private final Timer wait = timer("commandway.command.wait", "From acceptance of a command to its start");

    private volatile @Nullable ToolMetrics toolMetrics;

    /** Creates metrics that have counted nothing. */
    public CommandMetrics() {}

    @Override
    public void onEvent(RecordedCommand command, CommandEvent event) {
        if (!event.type().isTerminal()) {
            return;
        }
        CommandRecord record = command.record();
        Reason reason = record.reason();
        count(
                "commandway.commands.ended",
                "Commands that have ended",
                "status",
                record.status().code(),
                "reason",
                reason == null ? "" : reason.code());
        record(duration, record.createdAt(), record.endedAt());
        record(wait, record.createdAt(), record.startedAt());
        ToolMetrics counting = toolMetrics;
        if (counting != null) {
            counting.ended(record);
        }
    }

    /** Counts runs of tools and toolchains by their name and version, too: those that {@code tools} lists, and all others as {@code other}. Called once, before the manager is used. */
    public void tools(ToolService tools) {
        toolMetrics = new ToolMetrics(registry, tools, BUCKETS);
    }

    @Override
    public void commandEnded(Duration latency, boolean completed) {
        Timer.builder("commandway.conversation.command.duration")
                .description("From acceptance to the end of a command of a conversation")
                .tag("completed", Boolean.toString(completed))
                .serviceLevelObjectives(BUCKETS)
                .register(registry)
                .record(latency);
    }

    @Override
    public void transactionEnded(Duration time) {
        Timer.builder("commandway.conversation.transaction.duration")
                .description("Until a command of a conversation with all that belongs to it is safe")
                .serviceLevelObjectives(BUCKETS)
                .register(registry)
                .record(time);
    }

    @Override
    public void idempotencyChecked(boolean hit) {
        count(
                "commandway.conversation.idempotency.checks",
                "Commands of conversations whose key was looked up",
                "hit",
                Boolean.toString(hit));
    }

    @Override
    public void failed(ConversationError.Kind kind) {
        count(
                "commandway.conversation.errors",
                "Refusals of conversations",
                "type",
                kind.name().toLowerCase(Locale.ROOT));
    }

    private static void record(Timer timer, Instant from, @Nullable Instant to) {
        if (to != null) {
            timer.record(Duration.between(from, to));
        }
    }

    void bind(CommandManager manager, AgentDirectory agents) {
        Gauge.builder("commandway.agents.connected", agents, AgentDirectory::connectedCount)
                .description("Agents that are connected")
                .register(registry);
        Gauge.builder("commandway.agents.known", agents, AgentDirectory::knownCount)
                .description("Agents that were ever seen")
                .register(registry);
        Gauge.builder("commandway.commands.open", manager, m -> m.stats().open())
                .description("Commands that have not ended")
                .register(registry);
        Gauge.builder("commandway.commands.records", manager, m -> m.stats().records())
                .description("Records that are kept")
                .register(registry);
        counter(manager, "commandway.commands.accepted", "Commands that were recorded", ManagerStats::accepted);
        counter(manager, "commandway.commands.rejected", "Commands that were refused", ManagerStats::rejected);
        counter(manager, "commandway.completions.dropped", "Outcomes that came too late", ManagerStats::dropped);
        counter(
                manager,
                "commandway.store.failures",
                "Writes that the store could not do",
                ManagerStats::storeFailures);
    }

    private void counter(
            CommandManager manager, String name, String description, ToDoubleFunction<ManagerStats> value) {
        FunctionCounter.builder(name, manager, m -> value.applyAsDouble(m.stats()))
                .description(description)
                .register(registry);
    }

    void bindSlots(Slots streams, Slots waiting) {
        Gauge.builder("commandway.http.streams", streams, Slots::taken)
                .description("Event streams that are open")
                .register(registry);
        Gauge.builder("commandway.http.waiting", waiting, Slots::taken)
                .description("Requests that wait for something to end")
                .register(registry);
    }

    /** Takes down what is in a queue. */
    void queueIs(QueueState state) {
        if (queues.put(state.queue(), state) == null) {
            queueGauge(
                    state.queue(), "commandway.queue.waiting", "Commands that wait in the queue", QueueState::waiting);
            queueGauge(
                    state.queue(), "commandway.queue.running", "Commands of the queue that run", QueueState::running);
            queueGauge(
                    state.queue(),
                    "commandway.queue.paused",
                    "1 while the queue is paused",
                    current -> current.paused() ? 1 : 0);
            queueCounter(
                    state.queue(),
                    "commandway.queue.accepted",
                    "Commands to the queue that were recorded",
                    QueueState::accepted);
            queueCounter(
                    state.queue(),
                    "commandway.queue.completed",
                    "Commands of the queue that were completed",
                    QueueState::completed);
            queueCounter(
                    state.queue(),
                    "commandway.queue.failed",
                    "Commands of the queue that ended otherwise",
                    QueueState::failed);
        }
    }

    private void queueGauge(String queue, String name, String description, ToDoubleFunction<QueueState> value) {
        Gauge.builder(name, queues, all -> valueOf(all, queue, value))
                .description(description)
                .tag("queue", queue)
                .register(registry);
    }

    private void queueCounter(String queue, String name, String description, ToDoubleFunction<QueueState> value) {
        FunctionCounter.builder(name, queues, all -> valueOf(all, queue, value))
                .description(description)
                .tag("queue", queue)
                .register(registry);
    }

    private static double valueOf(Map<String, QueueState> all, String queue, ToDoubleFunction<QueueState> value) {
        QueueState state = all.get(queue);
        return state == null ? Double.NaN : value.applyAsDouble(state);
    }

    /**
     * Adds a value of the host's to what {@code GET /metrics} shows.
     *
     * @param name words with points between them, such as {@code commandway.outbox.waiting}
     * @param value is asked each time the metrics are looked at, and must not block
     */
    public void gauge(String name, String description, DoubleSupplier value) {
        Gauge.builder(name, value, DoubleSupplier::getAsDouble)
                .description(description)
                .strongReference(true)
                .register(registry);
    }

    /**
     * Adds a count of the host's, which only grows, to what {@code GET /metrics} shows.
     *
     * @param name words with points between them, such as {@code commandway.outbox.sent}
     * @param value is asked each time the metrics are looked at, and must not block
     */
    public void counter(String name, String description, DoubleSupplier value) {
        counters.add(value);
        FunctionCounter.builder(name, value, DoubleSupplier::getAsDouble)
                .description(description)
                .register(registry);
    }

    void countRequest(String method, String route, int status) {
        count(
                "commandway.http.requests",
                "Requests that were answered",
                "method",
                method,
                "route",
                route,
                "status",
                Integer.toString(status));
    }

    /** Counts a problem that a request ended in: the manager's refusals by their code, and all others. */
    void countProblem(String code) {
        count("commandway.http.problems", "Requests that were refused", "code", code);
    }

    private void count(String name, String description, String... tags) {
        Counter.builder(name)
                .description(description)
                .tags(tags)
                .register(registry)
                .increment();
    }

    String scrape() {
        return registry.scrape();
    }

    private Timer timer(String name, String description) {
        return Timer.builder(name)
                .description(description)
                .serviceLevelObjectives(BUCKETS)
                .register(registry);
    }
}
