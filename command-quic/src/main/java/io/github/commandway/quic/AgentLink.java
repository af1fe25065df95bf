package io.github.commandway.quic;

import com.google.protobuf.CodedInputStream;
import io.github.commandway.directory.AgentAwayException;
import io.github.commandway.directory.AgentMessage;
import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.manager.RecordId;
import io.github.commandway.quic.TransportChannels.ClientTls;
import io.github.commandway.quic.identity.Identity;
import io.github.commandway.quic.identity.IdentityException;
import io.github.commandway.quic.wire.Goaway;
import io.github.commandway.quic.wire.Hello;
import io.github.commandway.quic.wire.JoinReply;
import io.netty.channel.EventLoop;
import java.io.IOException;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An agent's connection to its server, kept up until it is closed: what comes is given to the {@link AgentLinkListener}, and reports
 * go out. All methods may be called from any thread and none blocks, except {@link #shutdown} and {@link #close}.
 */
public final class AgentLink implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(AgentLink.class);

    static final long WELCOME_TIMEOUT_NANOS = 5_000_000_000L;
    private static final long QUIC_PROBE_NANOS = 300_000_000_000L;
    private static final long RENEWAL_CHECK_NANOS = 3_600_000_000_000L;
    private static final long CLOSE_TIMEOUT_SECONDS = 5;
    private static final int MAX_CHANNEL_CHARS = 256;
    private static final int MAX_ABOUT_BYTES = 64 * 1024;

    private final AgentLinkListener listener;
    private final String agentId;
    private volatile Hello about;

    /** What the server was told in the latest hello. */
    private Hello introducedAs;

    private final long maxBytes;
    private final Duration heartbeat;
    private final Duration minBackoff;
    private final Duration maxBackoff;
    private final Clock clock;
    private final LongSupplier ticker;
    private final RandomGenerator random;
    private final SecureRandom keyRandom;
    private final boolean ownsThreads;
    private final TransportThreads threads;
    private final EventLoop loop;
    private final List<Candidate> candidates;
    private final boolean probesQuic;
    private final CompletableFuture<Void> ended = new CompletableFuture<>();

    private volatile @Nullable AgentConnection session;
    private Identity identity;
    private ClientTls tls;
    private @Nullable AgentConnection current;
    private @Nullable ScheduledFuture<?> watch;
    private int nextCandidate;
    private int failures;
    private boolean started;
    private boolean stopped;
    private long lastProbeNanos;
    private long lastRenewalNanos;

    /** One way to a server. */
    private record Candidate(ServerAddress server, Transport transport) {}

    private AgentLink(Builder builder, Identity identity, String agentId) {
        listener = builder.listener;
        this.identity = identity;
        this.agentId = agentId;
        about = Hello.newBuilder()
                .setVersion(builder.version)
                .putAllLabels(builder.labels)
                .addAllCapabilities(builder.capabilities)
                .setMaxCommands(builder.maxCommands)
                .setMaxBytes(builder.maxBytes)
                .setConcurrency(builder.concurrency)
                .build();
        introducedAs = about;
        maxBytes = builder.maxBytes;
        heartbeat = builder.heartbeat;
        minBackoff = builder.minBackoff;
        maxBackoff = builder.maxBackoff;
        clock = builder.clock;
        ticker = builder.ticker;
        random = builder.random;
        keyRandom = builder.keyRandom;
        candidates = new ArrayList<>();
        for (ServerAddress server : builder.servers) {
            if (builder.transport != Transport.TCP) {
                candidates.add(new Candidate(server, Transport.QUIC));
            }
            if (builder.transport != Transport.QUIC) {
                candidates.add(new Candidate(server, Transport.TCP));
            }
        }
        probesQuic = builder.transport == Transport.AUTO;
        ownsThreads = builder.threads == null;
        threads = builder.threads == null ? new TransportThreads(1) : builder.threads;
        loop = threads.group().next();
        tls = new ClientTls(identity, identity.trustManager(clock));
    }

    /** Starts to build a link. */
    public static Builder builder(AgentLinkListener listener) {
        return new Builder(listener);
    }

    /** Begins to connect, and goes on until the link is closed. Only the first call does anything. */
    public void start() {
        loop.execute(() -> {
            if (!started && !stopped) {
                started = true;
                long interval = AgentServer.watchIntervalMillis(heartbeat);
                watch = loop.scheduleWithFixedDelay(this::watch, interval, interval, TimeUnit.MILLISECONDS);
                connect();
            }
        });
    }

    private void connect() {
        if (stopped) {
            return;
        }
        Candidate candidate = candidates.get(nextCandidate);
        AgentConnection connection = new AgentConnection(this, candidate.server, candidate.transport);
        current = connection;
        TransportChannels.connect(threads, loop, candidate.server, candidate.transport, tls, heartbeat, connection)
                .addListener(connected -> {
                    if (!connected.isSuccess()) {
                        connection.end(candidate.transport + " to " + candidate.server + ": "
                                + connected.cause().getMessage());
                    } else if (stopped) {
                        connection.close("the link was closed");
                    } else {
                        introducedAs = about;
                        connection.hello(about.toBuilder(), holdings());
                    }
                });
    }

    @SuppressWarnings("IllegalCatch")
    private List<Holding> holdings() {
        try {
            return listener.holdings();
        } catch (RuntimeException e) {
            // without them the server would send again what is being executed
            throw new IllegalStateException("the listener cannot say what this agent holds", e);
        }
    }

    void onOpen(AgentConnection connection) {
        session = connection;
        nextCandidate = 0;
        lastProbeNanos = ticker.getAsLong();
        LOG.info("agent '{}' is connected to {} over {}", agentId, connection.server(), connection.kind());
        tell(() -> listener.onConnected(connection.server(), connection.kind()));
        if (!about.equals(introducedAs)) {
            connection.changed(about.getCapabilitiesList());
        }
        renewIfNeeded();
    }

    void onEnded(AgentConnection connection, String reason) {
        if (connection != current) {
            return;
        }
        current = null;
        session = null;
        LOG.info("agent '{}' is not connected: {}", agentId, reason);
        tell(() -> listener.onDisconnected(reason));
        if (stopped) {
            ended.complete(null);
            return;
        }
        loop.schedule(this::connect, delayNanos(connection), TimeUnit.NANOSECONDS);
    }

    /** How long to wait before the next attempt. */
    private long delayNanos(AgentConnection connection) {
        Goaway goaway = connection.goaway();
        if (!connection.wasOpen() && goaway == null && ++nextCandidate < candidates.size()) {
            return 0;
        }
        nextCandidate = 0;
        if (connection.wasOpen() && connection.openForNanos() >= heartbeat.toNanos()) {
            failures = 0;
        }
        if (goaway != null && goaway.getCause() == Goaway.Cause.TAKEN_OVER) {
            return maxBackoff.toNanos();
        }
        if (goaway != null && goaway.getCause() == Goaway.Cause.SHUTTING_DOWN && goaway.getWindowMillis() > 0) {
            long window = Math.min(goaway.getWindowMillis(), TimeUnit.DAYS.toMillis(1));
            return random.nextLong(TimeUnit.MILLISECONDS.toNanos(window));
        }
        boolean firstLoss = connection.wasOpen() && failures == 0;
        failures++;
        if (firstLoss) {
            return 0;
        }
        double cap = Math.min((double) maxBackoff.toNanos(), (double) minBackoff.toNanos() * Math.pow(2, failures - 1));
        return (long) (random.nextDouble() * cap);
    }

    private void watch() {
        AgentConnection connection = current;
        long now = ticker.getAsLong();
        if (connection == null) {
            return;
        }
        connection.watch(now);
        if (session != null && now - lastRenewalNanos > RENEWAL_CHECK_NANOS) {
            renewIfNeeded();
        }
        if (session == connection
                && probesQuic
                && connection.kind() == Transport.TCP
                && now - lastProbeNanos > QUIC_PROBE_NANOS) {
            lastProbeNanos = now;
            probeQuic(connection);
        }
    }

    /** On TCP: finds out whether QUIC works now, and if so changes over as soon as nothing is held. */
    private void probeQuic(AgentConnection connection) {
        Connection probe = new Connection(ticker) {
            @Override
            void onMessage(int field, CodedInputStream in) {}

            @Override
            void onEnded(String reason) {}
        };
        TransportChannels.connect(threads, loop, connection.server(), Transport.QUIC, tls, heartbeat, probe)
                .addListener(connected -> {
                    if (connected.isSuccess()) {
                        probe.close("only to see whether QUIC works");
                        if (session == connection && holdings().isEmpty()) {
                            connection.close("QUIC works again");
                        }
                    }
                });
    }

    private void renewIfNeeded() {
        lastRenewalNanos = ticker.getAsLong();
        AgentConnection connection = session;
        if (connection == null || !identity.needsRenewal(clock)) {
            return;
        }
        try {
            connection.renew(identity.renewalRequest(keyRandom));
        } catch (IdentityException e) {
            LOG.warn(
                    "the certificate of agent '{}' expires at {} and cannot be renewed",
                    agentId,
                    identity.expiresAt(),
                    e);
        }
    }

    void onRenewed(JoinReply reply) {
        if (reply.getChainCount() == 0) {
            LOG.warn("the certificate of agent '{}' was not renewed: {}", agentId, reply.getMessage());
            return;
        }
        try {
            Identity renewed = identity.renewed(JoinClient.certificates(reply), clock);
            identity = renewed;
            tls = new ClientTls(renewed, renewed.trustManager(clock));
            tell(() -> listener.onIdentityRenewed(renewed));
        } catch (IOException e) {
            LOG.warn("the renewed certificate of agent '{}' is of no use", agentId, e);
        }
    }

    @SuppressWarnings("IllegalCatch")
    private static void tell(Runnable call) {
        try {
            call.run();
        } catch (RuntimeException e) {
            LOG.error("the link's listener failed", e);
        }
    }

    void tellAssigned(List<Assignment> assignments) {
        tell(() -> listener.onAssigned(assignments));
    }

    void tellCancel(RecordId id, CancelCause cause) {
        tell(() -> listener.onCancel(id, cause));
    }

    void tellAcknowledged(List<RecordId> ids) {
        tell(() -> listener.onResultAcknowledged(ids));
    }

    void tellMessage(AgentMessage message) {
        tell(() -> listener.onMessage(message));
    }

    /** Whether there is a session now. */
    public boolean isConnected() {
        return session != null;
    }

    /** The agent's id, as in its certificate. */
    public String agentId() {
        return agentId;
    }

    /**
     * Reports that the executor has begun. The report goes out within a few milliseconds, unless the outcome is reported before:
     * that implies it.
     */
    public void started(Assignment assignment) {
        AgentConnection connection = session;
        if (assignment.begin() && connection != null && connection.knows(assignment)) {
            connection.send(new Messages.Accepted(assignment));
        }
    }

    /**
     * Reports progress. Only the newest report of a command is kept for sending, and none while there is no session.
     *
     * @param fraction from 0 to 1, or negative if unknown
     */
    public void progress(Assignment assignment, double fraction, String message) {
        AgentConnection connection = session;
        if (connection != null
                && connection.knows(assignment)
                && assignment.putProgress(new Assignment.ProgressReport(fraction, message))) {
            connection.send(new Messages.Progress(assignment));
        }
    }

    /**
     * Sends a piece of output.
     *
     * @param channel which output this is, such as {@code stdout}: at most 256 characters
     * @param data belongs to the link from now on
     * @return completes when there is room for more, which is at once while less than 1 MiB of this command's output is unsent: with true if this piece
     *     was taken, with false if it was not, because there is no session; it may be sent again
     */
    public CompletionStage<Boolean> output(Assignment assignment, String channel, byte[] data) {
        if (channel.length() > MAX_CHANNEL_CHARS) {
            throw new IllegalArgumentException("an output channel has at most " + MAX_CHANNEL_CHARS + " characters");
        }
        AgentConnection connection = session;
        OutputFlow flow = assignment.output();
        if (connection == null) {
            return CompletableFuture.completedStage(false);
        }
        boolean byId = !connection.knows(assignment);
        for (int from = 0; from < data.length; from += Wire.CHUNK_BYTES) {
            int length = Math.min(Wire.CHUNK_BYTES, data.length - from);
            connection.send(new Messages.Output(assignment, channel, data, from, length, flow.add(length), byId));
        }
        return flow.whenRoom();
    }

    /**
     * Reports how a command ended. If there is no session the report is dropped: the outcome must be kept until it is acknowledged, and
     * is reported again after the next {@link AgentLinkListener#onConnected}.
     */
    public void finished(Assignment assignment, Outcome outcome) {
        assignment.finish();
        AgentConnection connection = session;
        if (connection != null) {
            connection.report(outcome, connection.knows(assignment) ? assignment.tag() : 0);
        }
    }

    /** The same for an outcome whose assignment is not at hand, such as one that was kept over a restart. */
    public void report(Outcome outcome) {
        AgentConnection connection = session;
        if (connection != null) {
            connection.report(outcome, 0);
        }
    }

    /**
     * Says from now on that the agent knows these command types, and tells the server that it is connected to.
     *
     * @throws IllegalArgumentException if that is too much to say
     */
    public void capabilities(Collection<String> capabilities) {
        Hello changed = requireShort(about.toBuilder()
                .clearCapabilities()
                .addAllCapabilities(capabilities)
                .build());
        loop.execute(() -> {
            about = changed;
            AgentConnection connection = session;
            if (connection != null) {
                connection.changed(capabilities);
            }
        });
    }

    private static Hello requireShort(Hello about) {
        if (about.getSerializedSize() > MAX_ABOUT_BYTES) {
            throw new IllegalArgumentException("version, labels and capabilities have " + about.getSerializedSize()
                    + " bytes together; the most is " + MAX_ABOUT_BYTES);
        }
        return about;
    }

    /**
     * Sends a message that is not a command.
     *
     * @return completes when the server has taken it; fails with {@link AgentAwayException} if there is no session, it ends, or there is
     *     no receipt within 30 s
     */
    public CompletableFuture<Void> send(AgentMessage message) {
        CompletableFuture<Void> received = new CompletableFuture<>();
        loop.execute(() -> {
            AgentConnection connection = session;
            if (connection == null) {
                received.completeExceptionally(
                        new AgentAwayException("agent '" + agentId + "' is not connected to its server"));
            } else {
                connection.send(message, received);
            }
        });
        return received;
    }

    /**
     * Says goodbye, sends what is waiting to be sent, and closes. Blocks.
     *
     * @param timeout the longest time that it may take
     */
    public void shutdown(Duration timeout) {
        loop.execute(() -> {
            AgentConnection connection = session;
            if (connection != null && !stopped) {
                stopped = true;
                connection.leave();
            } else {
                stop();
            }
        });
        await(timeout.toNanos());
        close();
    }

    /** Ends the session at once and does not connect again. Blocks until the connection is closed, at most for some seconds. */
    @Override
    public void close() {
        if (!loop.isShuttingDown()) {
            loop.execute(() -> {
                if (watch != null) {
                    watch.cancel(false);
                }
                stop();
            });
            await(TimeUnit.SECONDS.toNanos(CLOSE_TIMEOUT_SECONDS));
        }
        if (ownsThreads) {
            threads.close();
        }
    }

    private void stop() {
        stopped = true;
        AgentConnection connection = current;
        if (connection == null || connection.transport() == null) {
            ended.complete(null);
        } else {
            connection.close("the link was closed");
        }
    }

    private void await(long nanos) {
        if (loop.inEventLoop()) {
            return;
        }
        try {
            ended.get(nanos, TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            LOG.debug("agent '{}' did not get its connection closed in time", agentId, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException e) {
            throw new IllegalStateException("an end cannot fail", e);
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

    long maxBytes() {
        return maxBytes;
    }

    /**
     * Builds an {@link AgentLink}. Needed are servers and an identity. Defaults: no version, labels or capabilities; at most 1,000 commands with
     * 64 MiB together at a time; a heartbeat every 10 s; QUIC, and TCP where that is blocked; reconnects at once, then after 1 s
     * to 60 s with full jitter; the system's clocks, one thread of its own. Not safe for use by many threads.
     */
    public static final class Builder {
        private final AgentLinkListener listener;
        private List<ServerAddress> servers = List.of();
        private @Nullable Identity identity;
        private String version = "";
        private Map<String, String> labels = Map.of();
        private List<String> capabilities = List.of();
        private int concurrency;
        private int maxCommands = 1_000;
        private long maxBytes = 64L << 20;
        private Duration heartbeat = Duration.ofSeconds(10);
        private Duration minBackoff = Duration.ofSeconds(1);
        private Duration maxBackoff = Duration.ofSeconds(60);
        private Transport transport = Transport.AUTO;
        private Clock clock = Clock.systemUTC();
        private LongSupplier ticker = System::nanoTime;
        private RandomGenerator random = new SplittableRandom();
        private SecureRandom keyRandom = new SecureRandom();
        private @Nullable TransportThreads threads;

        private Builder(AgentLinkListener listener) {
            this.listener = listener;
        }

        /** Sets the servers, which are tried in this order. */
        public Builder servers(List<ServerAddress> servers) {
            this.servers = List.copyOf(servers);
            return this;
        }

        /** Sets who this agent is. */
        public Builder identity(Identity identity) {
            this.identity = identity;
            return this;
        }

        /** Sets what the agent says of its own version. */
        public Builder version(String version) {
            this.version = version;
            return this;
        }

        /** Sets what the agent says of itself; all that it says must fit into 64 KiB. */
        public Builder labels(Map<String, String> labels) {
            this.labels = Map.copyOf(labels);
            return this;
        }

        /** Sets the command types that the agent says it has. */
        public Builder capabilities(Collection<String> capabilities) {
            this.capabilities = List.copyOf(capabilities);
            return this;
        }

        /** Sets how many commands the agent says that it executes at a time; 0, the default, for as many as it takes. */
        public Builder concurrency(int concurrency) {
            this.concurrency = concurrency;
            return this;
        }

        /** Sets how many commands, and how many bytes of payload, the server may have given to this agent at a time: from 1. */
        public Builder maxInFlight(int commands, long bytes) {
            maxCommands = commands;
            maxBytes = bytes;
            return this;
        }

        /**
         * Sets the longest silence, unless the server wants a shorter one: then a ping is sent, and a session with three times as much silence
         * from the other end is over. At least 10 ms.
         */
        public Builder heartbeat(Duration heartbeat) {
            this.heartbeat = heartbeat;
            return this;
        }

        /** Sets the shortest and the longest bound of the random wait before another attempt to connect. */
        public Builder backoff(Duration min, Duration max) {
            minBackoff = min;
            maxBackoff = max;
            return this;
        }

        /** Sets what the connection runs on. */
        public Builder transport(Transport transport) {
            this.transport = transport;
            return this;
        }

        /** Sets the clock of deadlines, and the source of nanoseconds, as {@link System#nanoTime}, for heartbeats. */
        public Builder time(Clock clock, LongSupplier ticker) {
            this.clock = clock;
            this.ticker = ticker;
            return this;
        }

        /** Sets the source of jitter, and that of signatures. */
        public Builder random(RandomGenerator random, SecureRandom keyRandom) {
            this.random = random;
            this.keyRandom = keyRandom;
            return this;
        }

        /** Sets shared threads; they stay the caller's. */
        public Builder threads(@Nullable TransportThreads threads) {
            this.threads = threads;
            return this;
        }

        /**
         * Makes the link, which does nothing until it is started.
         *
         * @throws IllegalArgumentException if something needed is missing or out of range
         */
        public AgentLink build() {
            Identity own = identity;
            if (own == null || own.agentId().isEmpty()) {
                throw new IllegalArgumentException("a link needs the identity of an agent");
            }
            if (servers.isEmpty()) {
                throw new IllegalArgumentException("a link needs the address of a server");
            }
            if (maxCommands < 1 || maxBytes < 1 || heartbeat.toMillis() < 10) {
                throw new IllegalArgumentException("maxInFlight " + maxCommands + " and " + maxBytes
                        + " must be at least 1, heartbeat " + heartbeat + " at least 10 ms");
            }
            if (minBackoff.isNegative() || maxBackoff.compareTo(minBackoff) < 0) {
                throw new IllegalArgumentException("backoff " + minBackoff + " to " + maxBackoff + " is not a range");
            }
            AgentLink link = new AgentLink(this, own, own.agentId().get());
            requireShort(link.about);
            return link;
        }
    }
}
