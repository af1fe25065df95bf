package io.github.commandway.agent;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.quic.Assignment;
import java.time.Duration;
import java.time.Instant;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One command on this agent, from its arrival to its outcome: the command that the handler gets, the context that it is executed under, and the receiver of what
 * the handler has to say, all three bound to this one execution. Its lock guards the state; lock order: execution, then journal and link.
 */
final class Execution implements RecordedCommand, CommandContext, ResultReceiver {
    /** How far it is. */
    enum State {
        WAITING,
        RUNNING,
        ENDED
    }

    private static final byte[] NO_RESULT = {};
    private static final Duration LEAST = Duration.ofMillis(1);

    private final AgentRuntime runtime;
    private final Assignment assignment;
    private final Instant arrivedAt;
    private State state = State.WAITING;
    private long startedNanos;
    private @Nullable CancelCause cancelCause;
    private @Nullable Consumer<CancelCause> cancelAction;
    private @Nullable CommandRequest request;
    private @Nullable Instant startedAt;

    Execution(AgentRuntime runtime, Assignment assignment, Instant arrivedAt) {
        this.runtime = runtime;
        this.assignment = assignment;
        this.arrivedAt = arrivedAt;
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
    public RecordId id() {
        return assignment.id();
    }

    @Override
    public int attempt() {
        return assignment.attempt();
    }

    /** As far as it is known here: what the server was asked for may have had another target, and the timeout is what is left of it. */
    @Override
    public synchronized CommandRequest request() {
        CommandRequest present = request;
        if (present == null) {
            Duration left = Duration.between(arrivedAt, assignment.deadline());
            present = CommandRequest.toAgent(runtime.agentId(), assignment.type())
                    .payload(assignment.payload())
                    .timeout(
                            left.compareTo(LEAST) < 0
                                    ? LEAST
                                    : left.compareTo(CommandRequest.MAX_DURATION) > 0
                                            ? CommandRequest.MAX_DURATION
                                            : left)
                    .principal(assignment.principal())
                    .traceParent(assignment.traceParent())
                    .build();
            request = present;
        }
        return present;
    }

    @Override
    public synchronized CommandRecord record() {
        return new CommandRecord(
                id(),
                request(),
                startedAt == null ? CommandStatus.PENDING : CommandStatus.EXECUTING,
                null,
                null,
                null,
                attempt(),
                arrivedAt,
                arrivedAt,
                startedAt,
                null,
                cancelCause == CancelCause.REQUESTED,
                0,
                tag(),
                null,
                null);
    }

    @Override
    public void whenOutcomeRecorded(Runnable action) {
        throw new UnsupportedOperationException(
                "outcomes are recorded by the server, and an agent is not told of each");
    }

    @Override
    public boolean handOver(long tag) {
        synchronized (this) {
            if (state != State.WAITING || cancelCause != null) {
                return false;
            }
            state = State.RUNNING;
            startedNanos = runtime.nanoTime();
            startedAt = runtime.now();
        }
        return runtime.begin(this);
    }

    /** Waits, as {@link ExecutionContext#output} does: a handler on an agent has threads for that. */
    @Override
    public void output(long tag, String channel, byte[] data) {
        try {
            awaitOutput(channel, data);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
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
        if (error != null) {
            Reason reason = error instanceof CommandException failure ? failure.reason() : Reason.EXECUTOR_ERROR;
            String message = error.getMessage();
            String text =
                    message == null || message.isBlank() ? error.getClass().getName() : message;
            runtime.fail(this, reason, text, data instanceof byte[] kept ? kept : NO_RESULT);
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
