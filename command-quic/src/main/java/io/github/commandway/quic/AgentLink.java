package io.github.commandway.quic;

import io.github.commandway.directory.AgentMessage;
import io.github.commandway.quic.identity.Identity;
import java.time.Clock;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * An agent's connection to its server, kept up until it is closed: what comes is given to the {@link AgentLinkListener}, and reports
 * go out. All methods may be called from any thread and none blocks, except {@link #shutdown} and {@link #close}.
 */
public final class AgentLink implements AutoCloseable {

    private AgentLink(Builder builder) {}

    /** Starts to build a link. */
    public static Builder builder(AgentLinkListener listener) {
        return new Builder(listener);
    }

    /** Begins to connect, and goes on until it succeeds or the link is closed. */
    public void start() {
        throw new UnsupportedOperationException();
    }

    /** Whether there is a session now. */
    public boolean isConnected() {
        throw new UnsupportedOperationException();
    }

    /** The agent's id, as in its certificate. */
    public String agentId() {
        throw new UnsupportedOperationException();
    }

    /**
     * Reports that the executor has begun. The report goes out within a few milliseconds, unless the outcome is reported before:
     * that implies it.
     */
    public void started(Assignment assignment) {
        throw new UnsupportedOperationException();
    }

    /**
     * Reports progress. Only the newest report of a command is kept for sending, and none while there is no session.
     *
     * @param fraction from 0 to 1, or negative if unknown
     */
    public void progress(Assignment assignment, double fraction, String message) {
        throw new UnsupportedOperationException();
    }

    /**
     * Sends a piece of output.
     *
     * @param data belongs to the link from now on
     * @return completes when there is room for more, which is at once while less than 1 MiB of this command's output is unsent: with true if this piece
     *     was taken, with false if it was dropped because there is no session
     */
    public CompletionStage<Boolean> output(Assignment assignment, String channel, byte[] data) {
        throw new UnsupportedOperationException();
    }

    /**
     * Reports how a command ended. If there is no session the report is dropped: the outcome must be kept until it is acknowledged, and
     * is reported again after the next {@link AgentLinkListener#onConnected}.
     */
    public void finished(Assignment assignment, Outcome outcome) {
        throw new UnsupportedOperationException();
    }

    /** The same for an outcome whose assignment is not at hand, such as one that was kept over a restart. */
    public void report(Outcome outcome) {
        throw new UnsupportedOperationException();
    }

    /**
     * Sends a message that is not a command.
     *
     * @return completes when the server has taken it; fails with {@link io.github.commandway.directory.AgentAwayException} if there is no session, it ends, or there is
     *     no receipt within 30 s
     */
    public CompletableFuture<Void> send(AgentMessage message) {
        throw new UnsupportedOperationException();
    }

    /**
     * Says goodbye, sends what is waiting to be sent, and closes. Blocks.
     *
     * @param timeout the longest time that it may take
     */
    public void shutdown(Duration timeout) {
        throw new UnsupportedOperationException();
    }

    /** Ends the session at once and does not connect again. Blocks until the connection is closed. */
    @Override
    public void close() {
        throw new UnsupportedOperationException();
    }

    /**
     * Builds an {@link AgentLink}. Needed are servers and an identity. Defaults: no version, labels or capabilities; at most 1,000 commands with
     * 64 MiB together at a time; a heartbeat every 10 s; QUIC, and TCP where that is blocked; reconnects at once, then after 1 s
     * to 60 s with full jitter; the system's clocks, one thread of its own. Not safe for use by many threads.
     */
    public static final class Builder {
        private final AgentLinkListener listener;

        private Builder(AgentLinkListener listener) {
            this.listener = listener;
        }

        /** Sets the servers, which are tried in this order. */
        public Builder servers(List<ServerAddress> servers) {
            return this;
        }

        /** Sets who this agent is. */
        public Builder identity(Identity identity) {
            return this;
        }

        /** Sets what the agent says of its own version. */
        public Builder version(String version) {
            return this;
        }

        /** Sets what the agent says of itself. */
        public Builder labels(Map<String, String> labels) {
            return this;
        }

        /** Sets the command types that the agent says it has. */
        public Builder capabilities(Collection<String> capabilities) {
            return this;
        }

        /** Sets how many commands, and how many bytes of payload, the server may have given to this agent at a time: from 1. */
        public Builder maxInFlight(int commands, long bytes) {
            return this;
        }

        /** Sets the longest silence: then a ping is sent, and a session with three times as much silence from the other end is over. */
        public Builder heartbeat(Duration heartbeat) {
            return this;
        }

        /** Sets the shortest and the longest wait before another attempt to connect. */
        public Builder backoff(Duration min, Duration max) {
            return this;
        }

        /** Sets what the connection runs on. */
        public Builder transport(Transport transport) {
            return this;
        }

        /** Sets the clock of deadlines, and the source of nanoseconds, as {@link System#nanoTime}, for heartbeats. */
        public Builder time(Clock clock, LongSupplier ticker) {
            return this;
        }

        /** Sets the source of jitter. */
        public Builder random(RandomGenerator random) {
            return this;
        }

        /** Sets shared threads; they stay the caller's. */
        public Builder threads(@Nullable TransportThreads threads) {
            return this;
        }

        /**
         * Makes the link, which does nothing until it is started.
         *
         * @throws IllegalArgumentException if something needed is missing or out of range
         */
        public AgentLink build() {
            return new AgentLink(this);
        }
    }
}
