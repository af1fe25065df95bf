package io.github.commandway.quic;

import io.github.commandway.directory.AgentAwayException;
import io.github.commandway.directory.AgentDirectory;
import io.github.commandway.directory.AgentInfo;
import io.github.commandway.directory.AgentListener;
import io.github.commandway.directory.AgentMessage;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.CommandIds;
import io.github.commandway.dispatch.Dispatcher;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.manager.CommandRejectedException;
import io.github.commandway.manager.CommandRejectedException.Code;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.QueueingHandler;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.manager.Target;
import io.github.commandway.quic.identity.Identity;
import io.github.commandway.quic.identity.JoinRefusedException;
import io.github.commandway.quic.identity.JoinTokens;
import io.github.commandway.quic.wire.Goaway;
import io.github.commandway.quic.wire.JoinRequest;
import io.netty.channel.Channel;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.ScheduledFuture;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The server's end: agents connect to it, and it executes commands whose target is an agent. Register it with the
 * {@link io.github.commandway.dispatch.Registry} of the manager, as the dispatcher {@code agents}.
 *
 * <p>A command goes to its agent when the agent is connected and has room; until then it waits here, and ends when its time is
 * over. An agent that comes back says what it has: what it has not and had not begun is sent again, and what it had begun and has no more
 * ends as {@link Reason#LOST}. Of two sessions with one agent id the newer one counts from its beginning.
 *
 * <p>All methods are safe for use by many threads, and none blocks except {@link #start}, {@link #shutdown} and {@link #close}.
 */
public final class AgentServer implements AgentDirectory, Dispatcher, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(AgentServer.class);

    static final int MISSED_HEARTBEATS = 3;
    static final long HELLO_TIMEOUT_NANOS = 5_000_000_000L;
    static final long LEAVE_TIMEOUT_NANOS = 2_000_000_000L;
    static final long RECEIPT_TIMEOUT_NANOS = 30_000_000_000L;

    private static final long MAX_WATCH_INTERVAL_MILLIS = 1_000;

    private final Identity identity;
    private final @Nullable JoinTokens joinTokens;
    private final Duration heartbeat;
    private final int maxAgents;
    private final int maxCommands;
    private final long maxBytes;
    private final int maxPayload;
    private final Clock clock;
    private final LongSupplier ticker;
    private final SecureRandom random;
    private final long instance;
    private final boolean ownsThreads;
    private final TransportThreads threads;
    private final ServerSockets sockets;

    private final Map<String, RemoteAgent> agents = new ConcurrentHashMap<>();
    private final NavigableSet<String> agentIds = new ConcurrentSkipListSet<>();
    /** Those who are away, longest first. Guarded by itself. */
    private final Map<String, RemoteAgent> away = new LinkedHashMap<>();

    private final List<AgentListener> listeners = new CopyOnWriteArrayList<>();
    private final Map<EventExecutor, Set<ServerSession>> sessions = new ConcurrentHashMap<>();
    private final AtomicInteger openSessions = new AtomicInteger();
    private final AtomicInteger connected = new AtomicInteger();
    private final List<ScheduledFuture<?>> watches = new ArrayList<>();
    private volatile boolean stopping;
    private volatile @Nullable CompletableFuture<Void> lastSessionEnded;
    private boolean closed;
    private Duration reconnectWindow = Duration.ZERO;

    private final LongAdder sessionCount = new LongAdder();
    private final LongAdder takeovers = new LongAdder();
    private final LongAdder staleReports = new LongAdder();
    private final LongAdder unknownResults = new LongAdder();
    private final LongAdder protocolErrors = new LongAdder();
    private final LongAdder joins = new LongAdder();
    private final LongAdder joinsRefused = new LongAdder();

    private AgentServer(Builder builder) {
        identity = builder.identity;
        joinTokens = builder.joinTokens;
        heartbeat = builder.heartbeat;
        maxAgents = builder.maxAgents;
        maxCommands = builder.maxCommands;
        maxBytes = builder.maxBytes;
        maxPayload = builder.maxPayload;
        clock = builder.clock;
        ticker = builder.ticker;
        random = builder.random;
        instance = random.nextLong();
        ownsThreads = builder.threads == null;
        threads = builder.threads == null ? new TransportThreads(builder.eventLoops) : builder.threads;
        sockets = new ServerSockets(
                builder.bind, builder.eventLoops, heartbeat, threads, new RetryTokens(random, ticker), this::begin);
        listeners.addAll(builder.listeners);
    }

    /** Starts to build a server that presents {@code identity} and trusts the agents of the authorities in it. */
    public static Builder builder(Identity identity) {
        return new Builder(identity);
    }

    @Override
    public String name() {
        return "agents";
    }

    @Override
    public void registerAll(Registrar registrar) {
        registrar.register(CommandIds.AGENT_EXECUTE, new Execution());
    }

    private final class Execution implements QueueingHandler {
        @Override
        public CommandRequest admit(CommandRequest request) throws CommandRejectedException {
            String agentId = agentIdOf(request);
            RemoteAgent agent = agents.get(agentId);
            if (agent == null) {
                throw new CommandRejectedException(
                        Code.TARGET_UNKNOWN, "no agent '" + agentId + "' was ever connected here; check the id");
            }
            if (request.payload().length > maxPayload) {
                throw new CommandRejectedException(
                        Code.PAYLOAD_TOO_LARGE,
                        "the payload has " + request.payload().length + " bytes; the most for an agent is "
                                + maxPayload);
            }
            agent.admit(request);
            return request;
        }

        @Override
        public void handle(CommandContext context, Command command, long tag, ResultReceiver receiver)
                throws CommandException {
            RemoteCommand remote = remoteCommand(context, (RecordedCommand) command, tag, receiver);
            remote.agent.add(remote);
        }

        @Override
        public void resume(CommandContext context, RecordedCommand command, long tag, ResultReceiver receiver) {
            try {
                boolean started = command.record().startedAt() != null;
                RemoteCommand remote = remoteCommand(context, command, tag, receiver);
                remote.agent.resume(remote, started);
            } catch (CommandException e) {
                receiver.completeYield(tag, null, e);
            }
        }

        /** What was given to an agent goes on there. */
        @Override
        public boolean outlivesServer(RecordedCommand command) {
            return true;
        }

        /** An agent that is not known may have been before this server was started: the command waits for it. */
        private RemoteCommand remoteCommand(
                CommandContext context, RecordedCommand command, long tag, ResultReceiver receiver)
                throws CommandException {
            String agentId = agentIdOf(command.request());
            RemoteAgent agent = agents.get(agentId);
            if (agent == null) {
                agent = newAgent(agentId);
                if (agent == null) {
                    throw new CommandException(
                            Reason.AGENT_UNREACHABLE,
                            "the agent is not here, and the server knows as many agents as it may (" + maxAgents + ")");
                }
                synchronized (away) {
                    if (agent.session() == null) {
                        away.put(agentId, agent);
                    }
                }
            }
            RemoteCommand remote = new RemoteCommand(agent, command, context, tag, receiver);
            context.onCancel(remote);
            return remote;
        }

        private String agentIdOf(CommandRequest request) {
            return ((Target.Agent) request.target()).id();
        }
    }

    /**
     * Binds the address, for QUIC on UDP and for TLS on TCP with the same port number, and lets agents in.
     *
     * @throws IOException if one of them cannot be bound; then nothing is bound
     */
    public void start() throws IOException {
        sockets.bind(identity, identity.trustManager(clock));
        long interval = watchIntervalMillis(heartbeat);
        for (EventExecutor loop : threads.group()) {
            watches.add(loop.scheduleWithFixedDelay(() -> watch(loop), interval, interval, TimeUnit.MILLISECONDS));
        }
        LOG.info("agents are let in at {}", address());
    }

    static long watchIntervalMillis(Duration heartbeat) {
        return Math.max(1, Math.min(MAX_WATCH_INTERVAL_MILLIS, heartbeat.toMillis() / 10));
    }

    private ServerSession begin(Channel channel) {
        X509Certificate certificate = TransportChannels.peerCertificate(channel);
        String agentId =
                certificate == null ? null : Identity.agentId(certificate).orElse(null);
        ServerSession session = new ServerSession(this, certificate, agentId);
        session.transport(channel);
        openSessions.incrementAndGet();
        sessions.computeIfAbsent(channel.eventLoop(), loop -> new HashSet<>()).add(session);
        return session;
    }

    private void watch(EventExecutor loop) {
        Set<ServerSession> ofLoop = sessions.get(loop);
        if (ofLoop != null) {
            long now = ticker.getAsLong();
            // a session that is closed takes itself out
            for (ServerSession session : ofLoop.toArray(new ServerSession[0])) {
                session.watch(now);
            }
        }
    }

    /** Decides whether a session may come in that has said hello. */
    void check(ServerSession session, String agentId, @Nullable X509Certificate certificate) {
        JoinTokens tokens = joinTokens;
        if (tokens == null || certificate == null) {
            letIn(session, agentId);
            return;
        }
        inBackground(session, () -> {
            boolean current = tokens.isCurrent(certificate);
            session.eventLoop().execute(() -> {
                if (current) {
                    letIn(session, agentId);
                } else {
                    session.refuse("the certificate of agent '" + agentId
                            + "' is no longer valid: its id was released, or given to another key");
                }
            });
        });
    }

    private void letIn(ServerSession session, String agentId) {
        if (session.isEnded()) {
            return;
        }
        if (stopping) {
            session.leave(Goaway.Cause.SHUTTING_DOWN, "the server is shutting down", reconnectWindow);
            return;
        }
        while (true) {
            RemoteAgent agent = agents.get(agentId);
            if (agent == null) {
                agent = newAgent(agentId);
                if (agent == null) {
                    session.refuse("the server knows as many agents as it may (" + maxAgents
                            + "), and none of them can be forgotten");
                    return;
                }
            }
            session.open(agent);
            if (agent.attach(session, session.takeHellos())) {
                synchronized (away) {
                    away.remove(agentId);
                }
                sessionCount.increment();
                tell(agent, AgentListener::onConnected);
                return;
            }
        }
    }

    private @Nullable RemoteAgent newAgent(String agentId) {
        synchronized (away) {
            var longestGone = away.values().iterator();
            while (agents.size() >= maxAgents && longestGone.hasNext()) {
                RemoteAgent candidate = longestGone.next();
                if (candidate.forget()) {
                    longestGone.remove();
                    agents.remove(candidate.id(), candidate);
                    agentIds.remove(candidate.id());
                }
            }
            if (agents.size() >= maxAgents) {
                return null;
            }
            RemoteAgent made = agents.computeIfAbsent(agentId, id -> new RemoteAgent(id, clock, maxCommands, maxBytes));
            agentIds.add(agentId);
            return made;
        }
    }

    /** A session is over. */
    void ended(ServerSession session, @Nullable RemoteAgent agent, String reason) {
        Set<ServerSession> ofLoop = sessions.get(session.eventLoop());
        if (ofLoop != null) {
            ofLoop.remove(session);
        }
        if (agent != null && agent.detach(session, reason)) {
            synchronized (away) {
                away.put(agent.id(), agent);
            }
            tell(agent, AgentListener::onDisconnected);
        }
        int left = openSessions.decrementAndGet();
        CompletableFuture<Void> allLeft = lastSessionEnded;
        if (left == 0 && allLeft != null) {
            allLeft.complete(null);
        }
    }

    /** An agent said something else of itself. */
    void changed(RemoteAgent agent) {
        tell(agent, AgentListener::onChanged);
    }

    private interface Telling {
        void tell(AgentListener listener, AgentInfo info);
    }

    private void tell(RemoteAgent agent, Telling telling) {
        if (listeners.isEmpty()) {
            return;
        }
        AgentInfo info = agent.info();
        if (info != null) {
            forEachListener(listener -> telling.tell(listener, info));
        }
    }

    void tellMessage(String agentId, AgentMessage message) {
        forEachListener(listener -> listener.onMessage(agentId, message));
    }

    @SuppressWarnings("IllegalCatch")
    private void forEachListener(Consumer<AgentListener> call) {
        for (AgentListener listener : listeners) {
            try {
                call.accept(listener);
            } catch (RuntimeException e) {
                LOG.error("an agent listener failed", e);
            }
        }
    }

    /** Answers a request to join. */
    void join(ServerSession session, JoinRequest request) {
        JoinTokens tokens = joinTokens;
        if (tokens == null) {
            joinsRefused.increment();
            session.reply(true, List.of(), "", "this server hands out no certificates");
            return;
        }
        inBackground(session, () -> {
            try {
                List<X509Certificate> chain = tokens.redeem(
                        request.getToken(),
                        request.getAgentId(),
                        request.getRequest().toByteArray());
                joins.increment();
                session.reply(true, chain, "", "");
            } catch (JoinRefusedException e) {
                joinsRefused.increment();
                session.reply(true, List.of(), e.reason().name(), String.valueOf(e.getMessage()));
            }
        });
    }

    /** Answers a request to renew a certificate. */
    void renew(ServerSession session, X509Certificate current, byte[] request) {
        JoinTokens tokens = joinTokens;
        if (tokens == null) {
            session.reply(false, List.of(), "", "this server hands out no certificates");
            return;
        }
        inBackground(session, () -> {
            try {
                session.reply(false, tokens.renew(current, request), "", "");
            } catch (JoinRefusedException e) {
                session.reply(false, List.of(), e.reason().name(), String.valueOf(e.getMessage()));
            }
        });
    }

    private interface BlockingTask {
        void run() throws IOException;
    }

    private void inBackground(ServerSession session, BlockingTask task) {
        try {
            threads.blocking().execute(() -> {
                try {
                    task.run();
                } catch (IOException e) {
                    LOG.error("the journal of those who joined cannot be used", e);
                    session.refuse("the server cannot read or write its journal of those who joined");
                }
            });
        } catch (RejectedExecutionException e) {
            session.refuse("the server is too busy; try again later");
        }
    }

    /**
     * Where it is bound.
     *
     * @throws IllegalStateException if it was not started
     */
    public InetSocketAddress address() {
        return sockets.address();
    }

    @Override
    public Optional<AgentInfo> find(String agentId) {
        RemoteAgent agent = agents.get(agentId);
        return agent == null ? Optional.empty() : Optional.ofNullable(agent.info());
    }

    @Override
    public List<AgentInfo> list(@Nullable Boolean connectedOnly, @Nullable String afterId, int limit) {
        List<AgentInfo> found = new ArrayList<>();
        for (String id : afterId == null ? agentIds : agentIds.tailSet(afterId, false)) {
            if (found.size() >= limit) {
                break;
            }
            find(id).filter(info -> connectedOnly == null || info.connected() == connectedOnly)
                    .ifPresent(found::add);
        }
        return found;
    }

    @Override
    public int connectedCount() {
        return connected.get();
    }

    @Override
    public int knownCount() {
        return agents.size();
    }

    @Override
    public CompletableFuture<Void> send(String agentId, AgentMessage message, boolean awaitReceipt) {
        RemoteAgent agent = agents.get(agentId);
        ServerSession session = agent == null ? null : agent.session();
        return session == null
                ? CompletableFuture.failedFuture(new AgentAwayException("agent '" + agentId + "' is not connected"))
                : session.send(message, awaitReceipt);
    }

    @Override
    public void addListener(AgentListener listener) {
        listeners.add(listener);
    }

    /** Counts, at this moment. */
    public AgentServerStats stats() {
        return new AgentServerStats(
                connectedCount(),
                knownCount(),
                sessionCount.sum(),
                takeovers.sum(),
                staleReports.sum(),
                unknownResults.sum(),
                protocolErrors.sum(),
                joins.sum(),
                joinsRefused.sum());
    }

    /**
     * Tells all agents that the server goes away and when to come back, gives them 2 s to close their connections, and closes. Blocks.
     *
     * @param window agents come back at random moments within it, so that they do not all come at once
     */
    public void shutdown(Duration window) {
        reconnectWindow = window;
        stopping = true;
        forEachSession(session -> session.leave(Goaway.Cause.SHUTTING_DOWN, "the server is shutting down", window));
        CompletableFuture<Void> allLeft = new CompletableFuture<>();
        lastSessionEnded = allLeft;
        if (openSessions.get() == 0) {
            allLeft.complete(null);
        }
        try {
            allLeft.get(LEAVE_TIMEOUT_NANOS, TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            LOG.debug("{} sessions did not leave in time", openSessions, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException e) {
            throw new IllegalStateException("leaving cannot fail", e);
        }
        close();
    }

    private void forEachSession(Consumer<ServerSession> action) {
        for (Map.Entry<EventExecutor, Set<ServerSession>> entry : sessions.entrySet()) {
            entry.getKey()
                    .submit(() -> List.copyOf(entry.getValue()).forEach(action))
                    .awaitUninterruptibly();
        }
    }

    /** Ends all sessions at once and unbinds the address. Commands that were sent stay open until their time is over. Blocks. */
    @Override
    public void close() {
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
        }
        stopping = true;
        watches.forEach(watch -> watch.cancel(false));
        forEachSession(session -> session.close("the server was closed"));
        sockets.close();
        if (ownsThreads) {
            threads.close();
        }
    }

    Clock clock() {
        return clock;
    }

    LongSupplier ticker() {
        return ticker;
    }

    Duration heartbeat() {
        return heartbeat;
    }

    long instance() {
        return instance;
    }

    int maxCommands() {
        return maxCommands;
    }

    long maxBytes() {
        return maxBytes;
    }

    int maxPayload() {
        return maxPayload;
    }

    void countConnected(int change) {
        connected.addAndGet(change);
    }

    void countStale() {
        staleReports.increment();
    }

    void countTakeover() {
        takeovers.increment();
    }

    void countUnknownResult() {
        unknownResults.increment();
    }

    void countProtocolError() {
        protocolErrors.increment();
    }

    /**
     * Builds an {@link AgentServer}. Defaults: bound to 127.0.0.1:8474; no join tokens, so that agents need certificates from elsewhere; a
     * heartbeat every 10 s, of which three in a row may not be missed; 100,000 agents are known; each may have 1,000 commands with 64 MiB
     * waiting and in flight; payloads and results of 64 MiB; the system's clocks; one thread of its own. Not safe for use by many threads.
     */
    public static final class Builder {
        private final Identity identity;
        private final List<AgentListener> listeners = new ArrayList<>();
        private InetSocketAddress bind =
                new InetSocketAddress(InetAddress.getLoopbackAddress(), ServerAddress.DEFAULT_PORT);
        private @Nullable JoinTokens joinTokens;
        private Duration heartbeat = Duration.ofSeconds(10);
        private int maxAgents = 100_000;
        private int maxCommands = 1_000;
        private long maxBytes = 64L << 20;
        private int maxPayload = 64 << 20;
        private int eventLoops = 1;
        private Clock clock = Clock.systemUTC();
        private LongSupplier ticker = System::nanoTime;
        private SecureRandom random = new SecureRandom();
        private @Nullable TransportThreads threads;

        private Builder(Identity identity) {
            this.identity = identity;
        }

        /** Sets the address to bind; port 0 takes a free one. */
        public Builder bind(InetSocketAddress address) {
            bind = address;
            return this;
        }

        /**
         * Lets agents join, and renew their certificates. With this, an agent is let in only if its certificate is
         * {@linkplain JoinTokens#isCurrent current}.
         */
        public Builder joinTokens(@Nullable JoinTokens tokens) {
            joinTokens = tokens;
            return this;
        }

        /** Sets the longest silence: then a ping is sent, and three times as much from the other end ends its session. At least 10 ms. */
        public Builder heartbeat(Duration heartbeat) {
            this.heartbeat = heartbeat;
            return this;
        }

        /** Sets how many agents are known at most: the one that is away for longest and has no open command is forgotten for a new one. */
        public Builder maxAgents(int maxAgents) {
            this.maxAgents = maxAgents;
            return this;
        }

        /** Sets how many commands, and bytes of payload, may wait for an agent and be in flight to it: from 1. */
        public Builder maxPerAgent(int commands, long bytes) {
            maxCommands = commands;
            maxBytes = bytes;
            return this;
        }

        /** Sets the largest payload and the largest result, in bytes, from 1. */
        public Builder maxPayload(int bytes) {
            maxPayload = bytes;
            return this;
        }

        /** Sets how many threads serve agents, each with a socket of its own where the system can share a port: from 1. */
        public Builder eventLoops(int count) {
            eventLoops = count;
            return this;
        }

        /** Sets the clock, and the source of nanoseconds, as {@link System#nanoTime}, that silence is measured with. */
        public Builder time(Clock clock, LongSupplier ticker) {
            this.clock = clock;
            this.ticker = ticker;
            return this;
        }

        /** Sets the source of keys. */
        public Builder random(SecureRandom random) {
            this.random = random;
            return this;
        }

        /** Adds a listener. */
        public Builder listener(AgentListener listener) {
            listeners.add(listener);
            return this;
        }

        /** Sets shared threads; they stay the caller's. */
        public Builder threads(@Nullable TransportThreads threads) {
            this.threads = threads;
            return this;
        }

        /**
         * Makes the server, which does nothing until it is started.
         *
         * @throws IllegalArgumentException if a bound is out of range
         */
        public AgentServer build() {
            if (maxAgents < 1 || maxCommands < 1 || maxBytes < 1 || maxPayload < 1 || eventLoops < 1) {
                throw new IllegalArgumentException(
                        "maxAgents " + maxAgents + ", maxPerAgent " + maxCommands + " and " + maxBytes + ", maxPayload "
                                + maxPayload + " and eventLoops " + eventLoops + " must all be at least 1");
            }
            if (heartbeat.toMillis() < 10) {
                throw new IllegalArgumentException("the heartbeat must be 10 ms or more, not " + heartbeat);
            }
            return new AgentServer(this);
        }
    }
}
