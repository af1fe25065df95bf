package io.github.commandway.agent;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.quic.Assignment;
import java.time.Instant;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One command on this agent, from its arrival to its outcome: the command that the handler gets, the context that it is executed under, and the receiver of what
 * the handler has to say, all three bound to this one execution. Its lock guards the state; lock order: execution, then journal and link.
 */
final class Execution implements Command, CommandContext, ResultReceiver {
    /** How far it is. */
    enum State {
        WAITING,
        RUNNING,
        ENDED
    }

    private static final byte[] NO_RESULT = {};

    private final AgentRuntime runtime;
    private final Assignment assignment;
    private State state = State.WAITING;
    private long startedNanos;
    private @Nullable CancelCause cancelCause;
    private @Nullable Consumer<CancelCause> cancelAction;

    Execution(AgentRuntime runtime, Assignment assignment) {
        this.runtime = runtime;
        this.assignment = assignment;
    }

    Assignment assignment() {
        return assignment;
    }

    long tag() {
        return assignment.tag();
    }

    @Override
    public int commandId() {
        return assignment.commandId();
    }

    synchronized State state() {
        return state;
    }

    @Override
    public boolean handOver(long tag) {
        synchronized (this) {
            if (state != State.WAITING || cancelCause != null) {
                return false;
            }
            state = State.RUNNING;
            startedNanos = runtime.nanoTime();
        }
        return runtime.begin(this);
    }

    @Override
    public void progress(long tag, double fraction, String message) {
        runtime.progress(this, fraction, message);
    }

    /** Passes on output and waits while too much of it is unsent, and while there is no session. */
    void awaitOutput(String channel, byte[] data) throws InterruptedException {
        runtime.output(this, channel, data);
    }

    @Override
    public void completeYield(long tag, @Nullable Object data, @Nullable Throwable error) {
        if (error instanceof CommandException failure) {
            runtime.finish(this, failure.reason(), String.valueOf(failure.getMessage()), NO_RESULT);
        } else if (error != null) {
            String message = error.getMessage();
            String text =
                    message == null || message.isBlank() ? error.getClass().getName() : message;
            runtime.finish(this, Reason.EXECUTOR_ERROR, text, NO_RESULT);
        } else if (data == null || data instanceof byte[]) {
            runtime.complete(this, data == null ? NO_RESULT : (byte[]) data);
        } else {
            String problem = "the handler returned a " + data.getClass().getName() + "; a result is a byte[] or null";
            runtime.finish(this, Reason.EXECUTOR_ERROR, problem, NO_RESULT);
        }
    }

    /** Moves to ended; returns the state before, which is ended if somebody was first. */
    synchronized State end() {
        State before = state;
        state = State.ENDED;
        return before;
    }

    synchronized long nanosSinceStart(long nowNanos) {
        return startedNanos == 0 ? 0 : nowNanos - startedNanos;
    }

    /** Marks it as not wanted. Only the first cause counts, and only for it the action is returned. */
    synchronized @Nullable Consumer<CancelCause> cancel(CancelCause cause) {
        if (cancelCause != null || state == State.ENDED) {
            return null;
        }
        cancelCause = cause;
        return cancelAction;
    }

    synchronized @Nullable CancelCause cancelCause() {
        return cancelCause;
    }

    @Override
    public Instant deadline() {
        return assignment.deadline();
    }

    @Override
    public synchronized boolean isCancelled() {
        return cancelCause != null;
    }

    @Override
    public void onCancel(Consumer<CancelCause> action) {
        CancelCause cause;
        synchronized (this) {
            cancelAction = action;
            cause = cancelCause;
        }
        if (cause != null) {
            action.accept(cause);
        }
    }

    @Override
    public @Nullable String principal() {
        return assignment.principal();
    }

    @Override
    public @Nullable String traceParent() {
        return assignment.traceParent();
    }

    @Override
    public String toString() {
        return "command " + assignment.id() + " (" + assignment.type() + ")";
    }
}
