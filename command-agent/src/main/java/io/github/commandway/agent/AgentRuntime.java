package io.github.commandway.agent;

import io.github.commandway.directory.AgentMessage;
import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.CommandIds;
import io.github.commandway.dispatch.Handler;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.manager.RecordId;
import io.github.commandway.quic.AgentLink;
import io.github.commandway.quic.AgentLinkListener;
import io.github.commandway.quic.Assignment;
import io.github.commandway.quic.Holding;
import io.github.commandway.quic.Outcome;
import io.github.commandway.quic.ServerAddress;
import io.github.commandway.quic.Transport;
import io.github.commandway.quic.TransportThreads;
import io.github.commandway.quic.identity.Identity;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An agent: stays connected to a server, executes the commands that come, each at most once, and reports what came of them, also across a
 * lost connection and, with a data directory, across a restart.
 *
 * <p>Commands go through a {@link Registry}, as on the server; its one handler here has the host's {@link CommandExecutor} execute them in worker
 * threads. All methods are safe for use by many threads.
 */
public final class AgentRuntime implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(AgentRuntime.class);
    private static final Duration DEADLINE_CHECK = Duration.ofMillis(50);
    private static final Duration FAREWELL = Duration.ofSeconds(5);
    private static final byte[] NO_RESULT = {};

    private final Registry registry = new Registry();
    private final Json json = new Json();
    private final AgentJournal journal;
    private final AgentLink link;
    private final Clock clock;
    private final LongSupplier ticker;
    private final int maxResultBytes;
    private final @Nullable ExecutorService ownWorkers;
    private final ScheduledExecutorService timer;
    private final Consumer<AgentMessage> messages;
    private final Consumer<Identity> renewals;
    private final AtomicLong messageIds = new AtomicLong();
    private final Map<RecordId, Execution> byId = new ConcurrentHashMap<>();

    /** Waited on for a command to end and for a session to begin. */
    private final Object changes = new Object();

    private volatile boolean shutdown;

    private AgentRuntime(Builder builder) throws IOException {
        clock = builder.clock;
        ticker = builder.ticker;
        maxResultBytes = builder.maxResultBytes;
        messages = builder.messages;
        renewals = builder.renewals;
        Executor workers = builder.workers;
        if (workers == null) {
            ownWorkers = newWorkers(builder.concurrency);
            workers = ownWorkers;
        } else {
            ownWorkers = null;
        }
        registry.register(
                "agent",
                CommandIds.AGENT_EXECUTE,
                byType(Map.copyOf(builder.handlers), new ExecutorHandler(builder.executor, workers)));
        registry.freeze();
        Path directory = builder.dataDirectory;
        journal = directory == null
                ? AgentJournal.inMemory()
                : AgentJournal.open(directory.resolve("journal"), JournalFile.DEFAULT_BYTES);
        timer = Executors.newSingleThreadScheduledExecutor(daemon("commandway-agent-timer"));
        link = builder.linkTo(new Listener());
    }

    /** The handler of all commands: that of the prefix that the type begins with, and otherwise the host's executor. */
    private static Handler byType(Map<String, Handler> handlers, Handler others) {
        if (handlers.isEmpty()) {
            return others;
        }
        return (context, command, tag, receiver) -> {
            String type = ((Execution) command).assignment().type();
            Handler handler = handlers.getOrDefault(type.substring(0, type.indexOf(':') + 1), others);
            handler.handle(context, command, tag, receiver);
        };
    }

    private static ExecutorService newWorkers(int concurrency) {
        ThreadPoolExecutor pool = new ThreadPoolExecutor(
                concurrency,
                concurrency,
                60,
                TimeUnit.SECONDS,
                // as long as the server's budget for this agent lets it grow
                new LinkedBlockingQueue<>(),
                daemon("commandway-worker"));
        pool.allowCoreThreadTimeOut(true);
        return pool;
    }

    private static ThreadFactory daemon(String name) {
        AtomicLong number = new AtomicLong();
        return task -> {
            Thread thread = new Thread(task, name + "-" + number.incrementAndGet());
            thread.setDaemon(true);
            return thread;
        };
    }

    /** Starts to build an agent that has {@code executor} execute its typed commands. */
    public static Builder builder(CommandExecutor executor) {
        return new Builder(executor);
    }

    /** Begins to connect, and stays connected from then on. Returns at once. */
    public void start() {
        timer.scheduleWithFixedDelay(
                this::enforceDeadlines, DEADLINE_CHECK.toMillis(), DEADLINE_CHECK.toMillis(), TimeUnit.MILLISECONDS);
        link.start();
    }

    /** Whether there is a session with a server now. */
    public boolean isConnected() {
        return link.isConnected();
    }

    /** How many commands this agent has and has not ended. */
    public int openCommands() {
        return byId.size();
    }

    /**
     * Says from now on that the agent knows these command types, instead of those that were said before; the server hears of it at once if there is a session.
     *
     * @throws IllegalArgumentException if they have more than 64 KiB together with the labels
     */
    public void capabilities(Collection<String> capabilities) {
        link.capabilities(List.copyOf(capabilities));
    }

    /**
     * Sends a message to the server that is not the outcome of a command.
     *
     * @param type what it is, such as {@code report.status}
     * @param payload at most 64 KiB, usually JSON
     * @return completes when the server has taken it; fails if there is no session or it ends before that. Nothing is kept for later
     */
    public CompletableFuture<Void> send(String type, byte[] payload) {
        return link.send(new AgentMessage(Long.toString(messageIds.incrementAndGet()), type, payload));
    }

    /** Sends a status report, a JSON object, which the server shows with the agent. */
    public CompletableFuture<Void> reportStatus(String json) {
        return send("report.status", json.getBytes(StandardCharsets.UTF_8));
    }

    /** Sends lines of a log. */
    public CompletableFuture<Void> reportLogs(List<String> lines) {
        return send("report.logs", String.join("\n", lines).getBytes(StandardCharsets.UTF_8));
    }

    /** Sends a callback, as a message of the type {@code command.callback}. */
    public CompletableFuture<Void> sendCallback(Callback callback) {
        return send("command.callback", json.write(callback));
    }

    /**
     * Ends the agent: takes no more commands, lets those that run go on for at most {@code grace}, then interrupts them, and waits until
     * their outcomes are on their way. Those that wait are given back to the server.
     */
    public void shutdown(Duration grace) throws InterruptedException {
        shutdown = true;
        long end = ticker.getAsLong() + grace.toNanos();
        awaitIdle(end);
        for (Execution execution : byId.values()) {
            cancel(execution, CancelCause.SHUTDOWN);
        }
        awaitIdle(ticker.getAsLong() + FAREWELL.toNanos());
        link.shutdown(FAREWELL);
        close();
    }

    private void awaitIdle(long endNanos) throws InterruptedException {
        synchronized (changes) {
            long left = endNanos - ticker.getAsLong();
            while (!byId.isEmpty() && left > 0) {
                TimeUnit.NANOSECONDS.timedWait(changes, left);
                left = endNanos - ticker.getAsLong();
            }
        }
    }

    /** Ends the agent at once: closes the connection and interrupts what runs. With a data directory, what had begun is reported as lost by the next start. */
    @Override
    public void close() {
        shutdown = true;
        link.close();
        timer.shutdownNow();
        if (ownWorkers != null) {
            ownWorkers.shutdownNow();
        }
        try {
            journal.close();
        } catch (IOException e) {
            LOG.warn("the journal could not be closed", e);
        }
    }

    private void accept(Assignment assignment) {
        var known = journal.outcome(assignment.id());
        if (known.isPresent()) {
            link.report(known.get());
            return;
        }
        Execution execution = new Execution(this, assignment, clock.instant());
        if (shutdown || byId.putIfAbsent(assignment.id(), execution) != null) {
            // what is not held when this agent connects again, the server sends again
            return;
        }
        dispatch(execution);
    }

    @SuppressWarnings("IllegalCatch")
    private void dispatch(Execution execution) {
        Handler handler = registry.get(execution.commandId());
        if (handler == null) {
            String problem = "this agent has no handler for command id " + execution.commandId();
            finish(execution, Reason.UNKNOWN_COMMAND, problem, NO_RESULT);
            return;
        }
        try {
            handler.handle(execution, execution, execution.tag(), execution);
        } catch (Throwable e) {
            LOG.warn("handler of {} threw", execution, e);
            execution.completeYield(execution.tag(), null, e);
        }
    }

    long nanoTime() {
        return ticker.getAsLong();
    }

    Instant now() {
        return clock.instant();
    }

    String agentId() {
        return link.agentId();
    }

    /** A command begins now, unless it has begun before or this agent is closed. */
    boolean begin(Execution execution) {
        if (!journal.begin(execution.assignment().id())) {
            return false;
        }
        link.started(execution.assignment());
        return true;
    }

    void progress(Execution execution, double fraction, String message) {
        link.progress(execution.assignment(), fraction, message);
    }

    void complete(Execution execution, byte[] result) {
        if (result.length > maxResultBytes) {
            String problem = "the result has " + result.length + " bytes; the most is " + maxResultBytes;
            finish(execution, Reason.PAYLOAD_TOO_LARGE, problem, NO_RESULT);
        } else {
            finish(execution, Reason.OK, "", result);
        }
    }

    /** It failed; a result that cannot be kept does not hide why. */
    void fail(Execution execution, Reason reason, String message, byte[] result) {
        finish(execution, reason, message, result.length > maxResultBytes ? NO_RESULT : result);
    }

    void finish(Execution execution, Reason reason, String message, byte[] result) {
        if (execution.end() == Execution.State.ENDED) {
            LOG.debug("a second outcome of {} was dropped", execution);
            return;
        }
        Duration time = Duration.ofNanos(execution.nanosSinceStart(ticker.getAsLong()));
        Outcome outcome = new Outcome(execution.assignment().id(), reason, message, result, time);
        journal.end(outcome);
        link.finished(execution.assignment(), outcome);
        forget(execution);
    }

    private void forget(Execution execution) {
        byId.remove(execution.assignment().id());
        if (shutdown) {
            signalChange();
        }
    }

    private void signalChange() {
        synchronized (changes) {
            changes.notifyAll();
        }
    }

    @SuppressWarnings("IllegalCatch")
    private void cancel(Execution execution, CancelCause cause) {
        Consumer<CancelCause> action = execution.cancel(cause);
        if (execution.state() == Execution.State.WAITING) {
            // it is marked, so it cannot start any more
            switch (cause) {
                case REQUESTED ->
                    finish(execution, Reason.CANCELLED_BEFORE_START, "cancelled before it started", NO_RESULT);
                case DEADLINE ->
                    finish(execution, Reason.QUEUE_TIMEOUT, "its time was over before it started", NO_RESULT);
                case SHUTDOWN -> forget(execution);
            }
        }
        if (action != null) {
            try {
                action.accept(cause);
            } catch (RuntimeException e) {
                LOG.error("the cancel action of {} failed", execution, e);
            }
        }
    }

    @SuppressWarnings("IllegalCatch")
    private void enforceDeadlines() {
        try {
            Instant now = clock.instant();
            for (Execution execution : byId.values()) {
                if (!now.isBefore(execution.deadline()) && !execution.isCancelled()) {
                    cancel(execution, CancelCause.DEADLINE);
                }
            }
        } catch (RuntimeException e) {
            // the next check must come
            LOG.error("the check of deadlines failed", e);
        }
    }

    /** Sends output of a command; waits while too much of it is unsent, and while there is no session. */
    void output(Execution execution, String channel, byte[] data) throws InterruptedException {
        while (execution.state() == Execution.State.RUNNING) {
            try {
                if (link.output(execution.assignment(), channel, data)
                        .toCompletableFuture()
                        .get()) {
                    return;
                }
            } catch (ExecutionException e) {
                throw new IllegalStateException("waiting for room for output cannot fail", e);
            }
            synchronized (changes) {
                while (!link.isConnected()) {
                    changes.wait();
                }
            }
        }
    }

    private static Holding.State holdingState(Execution.State state) {
        return switch (state) {
            case WAITING -> Holding.State.WAITING;
            case RUNNING -> Holding.State.RUNNING;
            case ENDED -> Holding.State.FINISHED;
        };
    }

    /** What comes from the server. */
    private final class Listener implements AgentLinkListener {
        @Override
        public void onAssigned(List<Assignment> assignments) {
            for (Assignment assignment : assignments) {
                accept(assignment);
            }
        }

        @Override
        public void onCancel(RecordId id, CancelCause cause) {
            Execution execution = byId.get(id);
            if (execution != null) {
                cancel(execution, cause);
            }
        }

        @Override
        public void onResultAcknowledged(List<RecordId> ids) {
            journal.confirm(ids);
        }

        @Override
        public void onMessage(AgentMessage message) {
            messages.accept(message);
        }

        @Override
        public void onConnected(ServerAddress server, Transport transport) {
            LOG.info("agent {} is connected to {} over {}", link.agentId(), server, transport);
            journal.unconfirmed().forEach(link::report);
            signalChange();
        }

        @Override
        public void onDisconnected(String reason) {
            LOG.info("agent {} is not connected: {}", link.agentId(), reason);
        }

        @Override
        public void onIdentityRenewed(Identity identity) {
            renewals.accept(identity);
        }

        @Override
        public List<Holding> holdings() {
            Map<RecordId, Holding> holdings = new HashMap<>();
            byId.forEach((id, execution) -> holdings.put(id, new Holding(id, holdingState(execution.state()))));
            journal.unconfirmed()
                    .forEach(outcome -> holdings.put(outcome.id(), new Holding(outcome.id(), Holding.State.FINISHED)));
            return new ArrayList<>(holdings.values());
        }
    }

    /**
     * Builds an {@link AgentRuntime}. Needed are servers and an identity. Defaults: no labels; no capabilities, which means that the agent does not say
     * which types it knows; 10 commands executed at a time, and 1,000 with 64 MiB taken; results of at most 64 MiB; a journal in memory only; QUIC, and TCP where
     * that is blocked; a heartbeat every 10 s. Not safe for use by many threads.
     */
    public static final class Builder {
        private final CommandExecutor executor;
        private List<ServerAddress> servers = List.of();
        private @Nullable Identity identity;
        private String version = "";
        private Map<String, String> labels = Map.of();
        private Collection<String> capabilities = List.of();
        private final Map<String, Handler> handlers = new HashMap<>();
        private int concurrency = 10;
        private int maxCommands = 1_000;
        private long maxBytes = 64L << 20;
        private int maxResultBytes = 64 << 20;
        private @Nullable Executor workers;
        private @Nullable Path dataDirectory;
        private Transport transport = Transport.AUTO;
        private Duration heartbeat = Duration.ofSeconds(10);
        private @Nullable TransportThreads threads;
        private Consumer<AgentMessage> messages =
                message -> LOG.debug("message {} of type {} came and nobody listens", message.id(), message.type());
        private Consumer<Identity> renewals = renewed -> LOG.debug("the certificate was renewed");
        private Clock clock = Clock.systemUTC();
        private LongSupplier ticker = System::nanoTime;

        private Builder(CommandExecutor executor) {
            this.executor = executor;
        }

        /** Sets the servers, which are tried in this order. */
        public Builder servers(ServerAddress... servers) {
            this.servers = List.of(servers);
            return this;
        }

        /** Sets the certificate that the agent shows; it holds the agent's id. */
        public Builder identity(Identity identity) {
            this.identity = identity;
            return this;
        }

        /** Sets what the agent says of its own version. */
        public Builder version(String version) {
            this.version = version;
            return this;
        }

        /** Sets what the agent says of itself, by which it can be chosen. */
        public Builder labels(Map<String, String> labels) {
            this.labels = Map.copyOf(labels);
            return this;
        }

        /** Sets the command types that the agent says it knows. */
        public Builder capabilities(Collection<String> capabilities) {
            this.capabilities = List.copyOf(capabilities);
            return this;
        }

        /**
         * Sets who executes the commands whose type begins with a prefix, instead of the executor. The handler gets each of them as a
         * {@link io.github.commandway.manager.RecordedCommand}, has threads of its own, and does not count in {@link #concurrency}; output that it passes on waits
         * for room, in its thread. With an error it may complete a result, which is kept with the failure.
         *
         * @param prefix what the types begin with, up to and with their first colon, such as {@code tool:}
         */
        public Builder handler(String prefix, Handler handler) {
            if (prefix.indexOf(':') != prefix.length() - 1) {
                throw new IllegalArgumentException("the prefix '" + prefix + "' must have one colon, at its end");
            }
            handlers.put(prefix, handler);
            return this;
        }

        /** Sets how many commands are executed at a time, from 1; the others that were taken wait in order. */
        public Builder concurrency(int concurrency) {
            if (concurrency < 1) {
                throw new IllegalArgumentException("concurrency must be at least 1, but is " + concurrency);
            }
            this.concurrency = concurrency;
            return this;
        }

        /**
         * Sets what runs the executor, instead of threads of the agent's own. With {@code Runnable::run} it runs in the connection's thread: fast for an executor that never
         * blocks, and the end of every other command for one that does.
         */
        public Builder workers(Executor workers) {
            this.workers = workers;
            return this;
        }

        /** Sets how many commands, and how many bytes of payload, the agent takes at most before it has ended some. */
        public Builder maxInFlight(int commands, long bytes) {
            this.maxCommands = commands;
            this.maxBytes = bytes;
            return this;
        }

        /** Sets the largest result in bytes; a larger one makes its command fail. */
        public Builder maxResultBytes(int maxResultBytes) {
            this.maxResultBytes = maxResultBytes;
            return this;
        }

        /** Sets the folder for the journal, so that commands run once and outcomes are kept also when the process ends. */
        public Builder dataDirectory(Path dataDirectory) {
            this.dataDirectory = dataDirectory;
            return this;
        }

        /** Sets what the connection runs on. */
        public Builder transport(Transport transport) {
            this.transport = transport;
            return this;
        }

        /** Sets how often the two sides let each other know that they are there; three missed ones end the session. */
        public Builder heartbeat(Duration heartbeat) {
            this.heartbeat = heartbeat;
            return this;
        }

        /** Sets threads that do the input and output of several agents; they stay the caller's. */
        public Builder threads(TransportThreads threads) {
            this.threads = threads;
            return this;
        }

        /** Sets what takes messages from the server; it runs in the connection's thread and must not block. */
        public Builder onMessage(Consumer<AgentMessage> messages) {
            this.messages = messages;
            return this;
        }

        /** Sets what keeps a renewed certificate; it runs in the connection's thread. */
        public Builder onIdentityRenewed(Consumer<Identity> renewals) {
            this.renewals = renewals;
            return this;
        }

        /** Sets the clock, and the source of nanoseconds, as {@link System#nanoTime}. */
        public Builder time(Clock clock, LongSupplier ticker) {
            this.clock = clock;
            this.ticker = ticker;
            return this;
        }

        /**
         * Makes the agent, and reads its journal.
         *
         * @throws IOException if the data directory cannot be used; the message says why
         * @throws IllegalStateException if servers or identity are missing
         */
        public AgentRuntime build() throws IOException {
            if (servers.isEmpty() || identity == null) {
                throw new IllegalStateException("an agent needs at least one server address and an identity");
            }
            return new AgentRuntime(this);
        }

        private AgentLink linkTo(AgentLinkListener listener) {
            if (identity == null) {
                throw new IllegalStateException("checked by build()");
            }
            return AgentLink.builder(listener)
                    .servers(servers)
                    .identity(identity)
                    .version(version)
                    .labels(labels)
                    .capabilities(capabilities)
                    // with workers of the host's own nobody knows
                    .concurrency(workers == null ? concurrency : 0)
                    .maxInFlight(maxCommands, maxBytes)
                    .heartbeat(heartbeat)
                    .transport(transport)
                    .time(clock, ticker)
                    .threads(threads)
                    .build();
        }
    }
}
