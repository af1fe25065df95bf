package io.github.commandway.agent;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** What a command is executed under. Safe for use by many threads until the execution has ended; after that reports are dropped. */
public interface ExecutionContext {
    /** The id of the command's record on the server. */
    String commandId();

    /** Which try this is, from 1. */
    int attempt();

    /** When its time is over, in this machine's clock. */
    Instant deadline();

    /** Whether it is not wanted any more: cancelled, or past its deadline. The thread that executes it is interrupted as well. */
    boolean isCancelled();

    /** Registers what ends the work when it is not wanted any more, in addition to the interrupt; runs at once if it already is not. Must not block. */
    void onCancel(Runnable action);

    /**
     * Reports how far it is. Only the newest report matters: one that the connection has no room for is dropped.
     *
     * @param fraction from 0 to 1, or negative if unknown
     * @param message what is being done, in a few words; may be empty
     */
    void progress(double fraction, String message);

    /**
     * Sends a piece of output. Pieces arrive in the order of the calls. Blocks while more than 1 MiB of this command's output waits to be sent.
     *
     * @param channel which output this is, such as {@code stdout}
     * @param data belongs to the agent from now on
     * @throws InterruptedException if the command is cancelled meanwhile
     */
    void output(String channel, byte[] data) throws InterruptedException;

    /** On whose behalf it is executed, or null if nobody was authenticated. */
    @Nullable String principal();

    /** The W3C {@code traceparent} of the caller, or null. */
    @Nullable String traceParent();
}
