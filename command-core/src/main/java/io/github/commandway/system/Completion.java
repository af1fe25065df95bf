package io.github.commandway.system;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.ResultReceiver;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * The one outcome of one command, where several may want to end it: the work, its cancellation, the end of the service. Who comes first
 * decides; the others are told that they came too late. Safe for use by many threads.
 */
public final class Completion {
    private final AtomicBoolean ended = new AtomicBoolean();
    private final long tag;
    private final ResultReceiver receiver;

    /** The outcome of the command behind {@code tag}. */
    public Completion(long tag, ResultReceiver receiver) {
        this.tag = tag;
        this.receiver = receiver;
    }

    /**
     * Ends the command when it is cancelled: runs {@code stop}, which must not block, and fails it with the reason. If it is cancelled already, that happens
     * now. Replaces what was registered with the context before.
     */
    public void endOnCancel(CommandContext context, Runnable stop) {
        context.onCancel(cause -> {
            if (fail(cancelled(cause))) {
                stop.run();
            }
        });
    }

    /**
     * Ends the command with a result.
     *
     * @return false if it had ended before
     */
    public boolean complete(@Nullable Object result) {
        return end(result, null);
    }

    /**
     * Ends the command without success.
     *
     * @return false if it had ended before
     */
    public boolean fail(Throwable error) {
        return end(null, error);
    }

    /** Whether it has ended. */
    public boolean isDone() {
        return ended.get();
    }

    private boolean end(@Nullable Object result, @Nullable Throwable error) {
        if (!ended.compareAndSet(false, true)) {
            return false;
        }
        receiver.completeYield(tag, result, error);
        return true;
    }

    /** The failure of work that stopped because of {@code cause}. */
    static CommandException cancelled(CancelCause cause) {
        return new CommandException(
                cause.reason(),
                switch (cause) {
                    case REQUESTED -> "cancelled";
                    case DEADLINE -> "not done in time";
                    case SHUTDOWN -> "the system is being stopped";
                });
    }

    /** The failure of what waits in a service when it is closed. */
    static CommandException stopped(String service) {
        return new CommandException(Reason.SHUTDOWN, "the service '" + service + "' was stopped");
    }
}
