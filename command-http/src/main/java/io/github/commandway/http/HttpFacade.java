package io.github.commandway.http;

import io.github.commandway.conversation.api.ConversationCommandService;
import io.github.commandway.directory.AgentDirectory;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.IdGenerator;
import io.github.commandway.outbox.api.DeadLetters;
import io.github.commandway.queue.CommandQueues;
import io.github.commandway.tool.api.ToolService;
import io.netty.channel.Channel;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.handler.timeout.IdleStateHandler;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.net.InetSocketAddress;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import reactor.netty.DisposableServer;
import reactor.netty.NettyPipeline;
import reactor.netty.http.server.HttpServer;
import reactor.netty.resources.LoopResources;

/**
 * The HTTP API of one {@link CommandManager} and one {@link AgentDirectory}. Built with {@link #builder}, started once, and ended with
 * {@link #shutdown} or {@link #close}; the manager and the directory stay their owner's.
 *
 * <p>{@code POST /api/command} answers 200 as soon as the command is recorded, as existing clients expect, or 202 with {@code Prefer: respond-async};
 * with {@code Prefer: wait=N} (RFC 7240) the answer waits up to N seconds, at most 300, for the end. Problems are RFC 9457 documents.
 * {@code GET /openapi.json} lists everything. It speaks HTTP/1.1 without TLS: beyond loopback put a proxy with TLS before it, since tokens travel as they are.
 *
 * <p>All methods are safe for use by many threads. {@link #start}, {@link #shutdown} and {@link #close} block and must not be called in an event loop.
 */
public final class HttpFacade implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(HttpFacade.class);
    private static final Duration CLOSE_TIME = Duration.ofSeconds(10);
    private static final int FILE_THREADS = 8;
    private static final int MAX_FILE_TASKS = 100_000;
    private static final Duration STOP_QUIET_TIME = Duration.ofMillis(1);

    private final Builder options;
    private final Access access;
    private final LoopResources loops;
    private final ScheduledExecutorService timer;
    private final Ends ends;
    private final Scheduler files;
    private final List<Route> routes;
    private final HttpServer server;
    private volatile boolean stopping;
    private @Nullable DisposableServer running;

    private HttpFacade(Builder options) {
        this.options = options;
        access = new Access(options.tokens, options.rights, options.address);
        loops = LoopResources.create(
                "commandway-http", 1, Math.max(2, Runtime.getRuntime().availableProcessors()), true);
        timer = options.timer == null ? newTimer() : options.timer;
        Scheduler worker = Schedulers.fromExecutor(loops.onServer(LoopResources.DEFAULT_NATIVE));
        ends = new Ends(options.manager, Schedulers.fromExecutorService(timer), worker);
        files = Schedulers.newBoundedElastic(FILE_THREADS, MAX_FILE_TASKS, "commandway-http-files", 60, true);
        Slots waiting = new Slots("waiting requests", options.maxWaiting);
        IdGenerator ids = IdGenerator.uuidV7(
                options.clock, () -> ThreadLocalRandom.current().nextLong());
        routes = routes(waiting, ids);
        server = server(handler(waiting, ids));
    }

    /**
     * Starts to build a facade.
     *
     * @param manager takes the commands
     * @param agents knows the clients
     */
    public static Builder builder(CommandManager manager, AgentDirectory agents) {
        return new Builder(manager, agents);
    }

    private RequestHandler handler(Slots waiting, IdGenerator ids) {
        Slots streams = new Slots("event streams", options.maxStreams);
        options.metrics.bind(options.manager, options.agents);
        options.metrics.bindSlots(streams, waiting);
        return new RequestHandler(
                new RouteTable(routes),
                access,
                new RequestReader(options.maxBodyBytes, options.maxJsonDepth),
                options.maxBodyBytes,
                options.maxHeldBytes,
                options.requestTimeout,
                ends,
                streams,
                options.metrics,
                ids);
    }

    private List<Route> routes(Slots waiting, IdGenerator ids) {
        List<Route> all = new ArrayList<>();
        Records records = new Records(options.manager);
        all.addAll(new MultiRoutes(options.manager, records, ends, waiting, ids, options.clock).routes());
        all.addAll(new CommandRoutes(options.manager, records, ends, waiting).routes());
        all.addAll(new EventRoutes(options.manager, records, ends).routes());
        if (options.queues != null) {
            all.addAll(new QueueRoutes(options.queues).routes());
            if (options.tasks != null) {
                all.addAll(new TaskRoutes(
                                options.manager, records, options.queues, options.tasks, ends, waiting, options.clock)
                        .routes());
            }
        }
        if (options.deadLetters != null) {
            all.addAll(new OutboxRoutes(options.deadLetters).routes());
        }
        if (options.conversations != null) {
            all.addAll(new ConversationRoutes(options.conversations, ends).routes());
        }
        if (options.tools != null) {
            RunAnswers answers = new RunAnswers(options.manager, options.tools, ends, files);
            all.addAll(new ToolRoutes(records, options.tools, options.toolOptions, waiting, answers).routes());
            all.addAll(new RunRoutes(
                            records,
                            options.tools,
                            answers,
                            new Cancellations(options.manager, ends, waiting),
                            waiting,
                            files,
                            new HelpPage(all, options.toolOptions.commandLineHelp()))
                    .routes());
        }
        all.addAll(new AgentRoutes(options.agents, waiting, ids, options.clock).routes());
        all.addAll(new OperationRoutes(
                        options.clock,
                        options.readinessChecks,
                        options.queues,
                        options.metrics,
                        options.tools,
                        () -> stopping)
                .routes());
        all.add(Route.get("/openapi.json", "This document.")
                .needsNothing()
                .answers(200, "OpenApi")
                .handledBy(call -> Mono.just(Reply.json(200, OpenApi.document(all, access.needsCredentials())))));
        return all;
    }

    List<Route> routes() {
        return routes;
    }

    private HttpServer server(RequestHandler handler) {
        return HttpServer.create()
                .runOn(loops)
                .channelGroup(new DefaultChannelGroup(GlobalEventExecutor.INSTANCE))
                .bindAddress(() -> options.address)
                .maxConnections(options.maxConnections)
                .maxPipelineDepth(16)
                .httpRequestDecoder(spec -> spec.maxInitialLineLength(8 << 10).maxHeaderSize(16 << 10))
                .idleTimeout(options.idleTimeout)
                .doOnChannelInit((observer, channel, address) -> guard(channel))
                .handle(handler::handle);
    }

    private void guard(Channel channel) {
        ChannelPipeline pipeline = channel.pipeline();
        long stalledNanos = options.idleTimeout.toNanos();
        pipeline.addAfter(NettyPipeline.HttpCodec, "commandway.guard", new ConnectionGuard(options.requestTimeout));
        pipeline.addAfter(
                NettyPipeline.HttpCodec,
                "commandway.stalled",
                new IdleStateHandler(true, 0, stalledNanos, 0, TimeUnit.NANOSECONDS));
    }

    /**
     * Starts to listen. When this returns, requests are answered.
     *
     * @throws IllegalStateException if it was started before
     * @throws RuntimeException if the address cannot be bound; then nothing is left open once {@link #close} was called
     */
    public synchronized HttpFacade start() {
        if (running != null || stopping) {
            throw new IllegalStateException("an HTTP facade can be started once");
        }
        running = server.bindNow();
        return this;
    }

    /**
     * The address on which it listens, with the port that the system chose if port 0 was asked for.
     *
     * @throws IllegalStateException if it is not started
     */
    public synchronized InetSocketAddress address() {
        if (running == null) {
            throw new IllegalStateException("the HTTP facade is not started");
        }
        return (InetSocketAddress) running.address();
    }

    /**
     * Stops accepting connections, ends event streams, answers waiting requests with what is known, and waits for the requests under way.
     * Calling it again does nothing.
     *
     * @param timeout how long to wait before connections are cut
     */
    public synchronized void shutdown(Duration timeout) {
        if (stopping) {
            return;
        }
        stopping = true;
        ends.close();
        try {
            if (running != null) {
                running.disposeNow(timeout);
            }
        } catch (IllegalStateException requestsStillOpen) {
            LOG.info("requests were still open after {} and are cut: {}", timeout, requestsStillOpen.getMessage());
        } finally {
            files.dispose();
            loops.disposeLater(STOP_QUIET_TIME, CLOSE_TIME).block(CLOSE_TIME);
            if (options.timer == null) {
                timer.shutdownNow();
            }
        }
    }

    /** Ends it as {@link #shutdown} does, within 10 s. */
    @Override
    public void close() {
        shutdown(CLOSE_TIME);
    }

    private static ScheduledExecutorService newTimer() {
        ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(1, task -> {
            Thread thread = new Thread(task, "commandway-http-timer");
            thread.setDaemon(true);
            return thread;
        });
        timer.setRemoveOnCancelPolicy(true);
        return timer;
    }

    /**
     * Builds an {@link HttpFacade}. Defaults: address 127.0.0.1:8080, no tokens, no queues and no task API, bodies to 1 MiB with JSON to a depth of 64, 10,000 connections,
     * 1,000 event streams and 10,000 waiting requests, 256 MiB of bodies and answers under way, 10 s for a request to
     * arrive, 60 s until an idle or stalled connection is closed, the system's clock and a timer thread of its own, no readiness checks. Not safe for
     * use by many threads.
     */
    public static final class Builder {
        private final CommandManager manager;
        private final AgentDirectory agents;
        private final Map<String, String> tokens = new LinkedHashMap<>();
        private final Map<String, Rights> rights = new LinkedHashMap<>();
        private final Map<String, BooleanSupplier> readinessChecks = new LinkedHashMap<>();

        @SuppressWarnings("AddressSelection") // a literal stands for one address only
        private InetSocketAddress address = new InetSocketAddress("127.0.0.1", 8080);

        private @Nullable CommandQueues queues;
        private @Nullable TaskOptions tasks;
        private CommandMetrics metrics = new CommandMetrics();
        private Clock clock = Clock.systemUTC();
        private @Nullable ConversationCommandService conversations;
        private @Nullable DeadLetters deadLetters;
        private @Nullable ToolService tools;
        private ToolHttpOptions toolOptions = ToolHttpOptions.ofDefaults();
        private @Nullable ScheduledExecutorService timer;
        private int maxBodyBytes = 1 << 20;
        private int maxJsonDepth = 64;
        private int maxConnections = 10_000;
        private int maxStreams = 1_000;
        private int maxWaiting = 10_000;
        private long maxHeldBytes = 256L << 20;
        private Duration requestTimeout = Duration.ofSeconds(10);
        private Duration idleTimeout = Duration.ofSeconds(60);

        private Builder(CommandManager manager, AgentDirectory agents) {
            this.manager = manager;
            this.agents = agents;
        }

        /** Sets where to listen; port 0 for any free one. An address that is not loopback needs a {@link #token}. */
        public Builder address(InetSocketAddress address) {
            this.address = address;
            return this;
        }

        /**
         * Lets callers in who send this bearer token (RFC 6750). Once there is one, everybody needs one, except for {@code /health} and {@code /ready}.
         *
         * @param name who that is: becomes the principal of their commands
         */
        public Builder token(String name, String token) {
            return token(name, token, Rights.all());
        }

        /**
         * Lets callers in who send this bearer token, as {@link #token(String, String)} does, and gives them these rights and no others.
         *
         * @param name who that is: becomes the principal of their commands
         */
        public Builder token(String name, String token, Rights rights) {
            tokens.put(name, token);
            this.rights.put(name, rights);
            return this;
        }

        /** Lets these queues be seen and steered; without this nothing is said of queues. They stay their owner's, who starts them before the facade. */
        public Builder queues(CommandQueues queues) {
            this.queues = queues;
            return this;
        }

        /** Serves the task API as well: {@code POST /} and what belongs to it. Needs {@link #queues} with the queue that it names. */
        public Builder tasks(TaskOptions tasks) {
            this.tasks = tasks;
            return this;
        }

        /** Sets what counts, which should be a listener of the manager too. */
        public Builder metrics(CommandMetrics metrics) {
            this.metrics = metrics;
            return this;
        }

        /**
         * Adds the routes of conversations. The user is whom the bearer token names; without tokens the header {@code X-User-Id} says who it is, {@code local} if it is missing.
         */
        public Builder conversations(ConversationCommandService conversations) {
            this.conversations = conversations;
            return this;
        }

        /** Lets what an outbox could not deliver be seen, tried again and given up. */
        public Builder deadLetters(DeadLetters deadLetters) {
            this.deadLetters = deadLetters;
            return this;
        }

        /** Adds the routes that run tools. They stay their owner's, who ends them after the facade. */
        public Builder tools(ToolService tools) {
            return tools(tools, ToolHttpOptions.ofDefaults());
        }

        /** The same, with options. */
        public Builder tools(ToolService tools, ToolHttpOptions options) {
            this.tools = tools;
            this.toolOptions = options;
            return this;
        }

        /** Sets the clock that uptimes and answers tell the time by. */
        public Builder clock(Clock clock) {
            this.clock = clock;
            return this;
        }

        /** Sets what measures waiting times and keep-alive intervals; it stays the caller's. */
        public Builder timer(ScheduledExecutorService timer) {
            this.timer = timer;
            return this;
        }

        /** Adds what {@code /ready} asks; must not block. */
        public Builder readinessCheck(String name, BooleanSupplier check) {
            readinessChecks.put(name, check);
            return this;
        }

        /** Sets the largest body, in bytes, from 1. */
        public Builder maxBodyBytes(int maxBodyBytes) {
            this.maxBodyBytes = maxBodyBytes;
            return this;
        }

        /** Sets how deep objects and arrays of a body may be nested, from 1. */
        public Builder maxJsonDepth(int maxJsonDepth) {
            this.maxJsonDepth = maxJsonDepth;
            return this;
        }

        /** Sets how many connections may be open, from 1; further ones are closed at once. */
        public Builder maxConnections(int maxConnections) {
            this.maxConnections = maxConnections;
            return this;
        }

        /** Sets how many event streams may be open, from 0. */
        public Builder maxStreams(int maxStreams) {
            this.maxStreams = maxStreams;
            return this;
        }

        /** Sets how many requests may wait for something to end, from 0. */
        public Builder maxWaiting(int maxWaiting) {
            this.maxWaiting = maxWaiting;
            return this;
        }

        /** Sets how many bytes the bodies and answers of all requests under way may take, from 1; one request alone may take more. */
        public Builder maxHeldBytes(long maxHeldBytes) {
            this.maxHeldBytes = maxHeldBytes;
            return this;
        }

        /** Sets how long the headers of a request, and then its body, may take to arrive: at least 1 ms. */
        public Builder requestTimeout(Duration requestTimeout) {
            this.requestTimeout = requestTimeout;
            return this;
        }

        /** Sets after which time a connection is closed that has no request, or whose peer does not read: at least 1 ms. */
        public Builder idleTimeout(Duration idleTimeout) {
            this.idleTimeout = idleTimeout;
            return this;
        }

        /**
         * Makes the facade; it does not listen before {@link HttpFacade#start}.
         *
         * @throws IllegalArgumentException if a value is not allowed, the address is not loopback and there is no token, or the queue for tasks is not there
         */
        public HttpFacade build() {
            if (maxBodyBytes < 1
                    || maxJsonDepth < 1
                    || maxConnections < 1
                    || maxStreams < 0
                    || maxWaiting < 0
                    || maxHeldBytes < 1) {
                throw new IllegalArgumentException(
                        "maxBodyBytes " + maxBodyBytes + ", maxJsonDepth " + maxJsonDepth + ", maxConnections "
                                + maxConnections + " and maxHeldBytes " + maxHeldBytes
                                + " must be at least 1, maxStreams " + maxStreams
                                + " and maxWaiting " + maxWaiting + " at least 0");
            }
            if (requestTimeout.toMillis() < 1 || idleTimeout.toMillis() < 1) {
                throw new IllegalArgumentException("requestTimeout " + requestTimeout + " and idleTimeout "
                        + idleTimeout + " must be at least 1 ms");
            }
            if (tasks != null
                    && (queues == null || queues.options(tasks.queue()).isEmpty())) {
                throw new IllegalArgumentException(
                        "tasks are to go to queue '" + tasks.queue() + "', which is not there");
            }
            return new HttpFacade(this);
        }
    }
}
