package io.github.commandway.manager;

import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Handler;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.ResultReceiver;
import java.time.Duration;

/**
 * A handler that may keep a command waiting before its executor gets it. The manager asks it before it records a command, and leaves it to
 * call {@link io.github.commandway.dispatch.ResultReceiver#handOver} and {@link io.github.commandway.dispatch.ResultReceiver#started}; for any
 * other handler the manager takes both as done when it calls the handler.
 */
public interface QueueingHandler extends Handler {
    /** What is said of a command whose executor went away with an earlier run of the server. */
    String LOST = "the server was stopped while it was running; whether it had an effect is unknown";

    /**
     * Refuses a request that has no chance, or for which there is no room. Must not block.
     *
     * @return the request as it is to be recorded: the same, or with what it leaves open filled in
     * @throws CommandRejectedException with which the submit fails; nothing is recorded
     */
    CommandRequest admit(CommandRequest request) throws CommandRejectedException;

    /**
     * Takes up a command again that an earlier run of the server had handed over: finds out what has become of it, or leaves that to its deadline. Unless
     * this is overridden it ends as {@code lost}.
     */
    default void resume(CommandContext context, RecordedCommand command, long tag, ResultReceiver receiver) {
        receiver.completeYield(tag, null, new CommandException(Reason.LOST, LOST));
    }

    /** Whether the command, which has been handed over, goes on when this process ends, so that {@link #resume} may find it. */
    default boolean outlivesServer(RecordedCommand command) {
        return false;
    }

    /**
     * How long after its timeout the command, which has been handed over and is told then that its time is over, may still be open, so that this can say what became of it. Not negative.
     * Must not block.
     */
    default Duration stopGrace(RecordedCommand command) {
        return Duration.ZERO;
    }
}
