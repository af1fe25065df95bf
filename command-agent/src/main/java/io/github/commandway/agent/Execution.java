package io.github.commandway.agent;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.quic.Assignment;
import java.time.Instant;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One command on this agent, from its arrival to its outcome: the command that the handler gets and the context that it is executed under. Its lock guards the
 * state; lock order: execution, then journal and link.
 */
final class Execution implements Command, CommandContext {
    /** How far it is. */
    enum State {
        WAITING,
        RUNNING,
        ENDED
    }

    private final AgentRuntime runtime;
    private final Assignment assignment;
    private final long tag;
    private State state = State.WAITING;
    private long startedNanos;
    private @Nullable CancelCause cancelCause;
    private @Nullable Consumer<CancelCause> cancelAction;

    Execution(AgentRuntime runtime, Assignment assignment, long tag) {
        this.runtime = runtime;
        this.assignment = assignment;
        this.tag = tag;
    }

    Assignment assignment() {
        return assignment;
    }

    long tag() {
        return tag;
    }

    AgentRuntime runtime() {
        return runtime;
    }

    @Override
    public int commandId() {
        return assignment.commandId();
    }

    synchronized State state() {
        return state;
    }

    /** Moves from waiting to running; false if it has ended or is not wanted any more. */
    synchronized boolean start(long nowNanos) {
        if (state != State.WAITING || cancelCause != null) {
            return false;
        }
        state = State.RUNNING;
        startedNanos = nowNanos;
        return true;
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
