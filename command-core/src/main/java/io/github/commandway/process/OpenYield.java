package io.github.commandway.process;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.timing.Timed;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.time.Instant;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One yielded command: what its handler gets as context and receiver, and the event of its end. It belongs to one process for ever. {@link #open} decides who ends it: the
 * first to change it from the tag.
 *
 * <p>If the handler completes it before it returns, and has not asked for cancellation, then nobody else knows of it, and the process uses it again for a later yield, under
 * another tag.
 */
final class OpenYield extends Event implements ProcessContext, ResultReceiver {
    private static final Logger log = LoggerFactory.getLogger(OpenYield.class);
    private static final VarHandle OPEN;

    static {
        try {
            OPEN = MethodHandles.lookup().findVarHandle(OpenYield.class, "open", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    final LiveProcess process;

    /** The handler's tag while nobody has ended this; 0 once the handler has; the negative tag if somebody else was first and the handler has still to. */
    private volatile long open;

    private long tag;
    private long processTag;

    @Nullable Command command;

    @Nullable Expiry expiry;

    /** Neighbours among the open yields of the process. */
    @Nullable OpenYield previousOpen;

    @Nullable OpenYield nextOpen;

    private @Nullable Object data;
    private @Nullable Throwable error;
    private boolean endedByHandler;

    /** Whether it was completed by the thread that handed it over, while it did so. */
    private boolean endedInline;

    private volatile @Nullable CancelCause cause;
    private @Nullable Consumer<CancelCause> cancelAction;

    OpenYield(LiveProcess process) {
        this.process = process;
    }

    /** Stands for a command from now on. */
    void open(Command yielded, long tagOfHandler, long tagOfProcess) {
        command = yielded;
        processTag = tagOfProcess;
        tag = tagOfHandler;
        open = tagOfHandler;
    }

    /** What the handler calls it. */
    long handlerTag() {
        return tag;
    }

    @Override
    public void completeYield(long completed, @Nullable Object result, @Nullable Throwable failure) {
        if (completed > 0 && OPEN.compareAndSet(this, completed, 0L)) {
            endedByHandler = true;
            ended(result, failure);
        } else if (completed > 0 && OPEN.compareAndSet(this, -completed, 0L)) {
            process.processes.counters.late.increment();
            release();
        } else {
            process.processes.counters.repeated.increment();
        }
    }

    /** The handler has thrown. */
    void failed(Throwable thrown) {
        long current = tag;
        if (OPEN.compareAndSet(this, current, 0L)) {
            endedByHandler = true;
            ended(null, thrown);
        } else {
            process.processes.counters.repeated.increment();
            log.warn("a handler has completed {} of {} and thrown after that", command, process.pid(), thrown);
            if (OPEN.compareAndSet(this, -current, 0L)) {
                release();
            }
        }
    }

    private void ended(@Nullable Object result, @Nullable Throwable failure) {
        data = failure == null ? result : null;
        error = failure;
        Expiry running = expiry;
        if (running != null) {
            process.processes.deadlines.cancel(running);
        }
        endedInline = process.ended(this);
    }

    /** Ends it as timed out, unless the handler is faster. */
    void expire() {
        cancel(CancelCause.DEADLINE);
        long current = tag;
        if (OPEN.compareAndSet(this, current, -current)) {
            process.processes.counters.expired.increment();
            error = new CommandException(Reason.EXECUTION_TIMEOUT, "the yield has not ended in time");
            process.ended(this);
        }
    }

    /** The process has no use for it any more. */
    void abandon(CancelCause why) {
        Expiry running = expiry;
        if (running != null) {
            process.processes.deadlines.cancel(running);
        }
        if (open > 0) {
            cancel(why);
            long current = tag;
            if (OPEN.compareAndSet(this, current, -current)) {
                process.processes.counters.abandoned.increment();
            }
        }
    }

    /**
     * The process has seen its end, or never will.
     *
     * @return whether nobody else knows of it, so that it can be used again
     */
    boolean settle() {
        boolean reusable = endedInline && cancelAction == null && expiry == null;
        if (endedByHandler) {
            release();
        }
        if (reusable) {
            command = null;
            data = null;
            error = null;
            endedByHandler = false;
            endedInline = false;
        }
        return reusable;
    }

    /** The process ended before it could see this end. */
    void endedTooLate() {
        if (endedByHandler) {
            process.processes.counters.late.increment();
        }
        settle();
    }

    private void release() {
        Command released = command;
        if (released != null) {
            process.processes.release(released);
        }
    }

    @SuppressWarnings("IllegalCatch")
    private void cancel(CancelCause why) {
        Consumer<CancelCause> action;
        synchronized (this) {
            if (cause != null) {
                return;
            }
            cause = why;
            action = cancelAction;
        }
        if (action != null) {
            try {
                action.accept(why);
            } catch (Throwable e) {
                log.warn("cancelling {} of {} has failed", command, process.pid(), e);
            }
        }
    }

    @Override
    public void onCancel(Consumer<CancelCause> action) {
        CancelCause why;
        synchronized (this) {
            cancelAction = action;
            why = cause;
        }
        if (why != null) {
            action.accept(why);
        }
    }

    @Override
    public boolean handOver(long asked) {
        return asked > 0 && open == asked && cause == null;
    }

    @Override
    public boolean isCancelled() {
        return cause != null;
    }

    @Override
    public Instant deadline() {
        Expiry running = expiry;
        return running == null ? Instant.MAX : running.at;
    }

    @Override
    public @Nullable String principal() {
        return process.principal();
    }

    @Override
    public @Nullable String traceParent() {
        return process.traceParent();
    }

    @Override
    public Pid pid() {
        return process.pid();
    }

    @Override
    public Mail mail() {
        return process.processes;
    }

    @Override
    public Kind kind() {
        return Kind.YIELD_COMPLETE;
    }

    @Override
    public long tag() {
        return processTag;
    }

    @Override
    public @Nullable Object data() {
        return data;
    }

    @Override
    public @Nullable Throwable error() {
        return error;
    }

    /** The deadline of a yield that has one. */
    static final class Expiry extends Timed<Expiry> {
        final OpenYield yield;
        final Instant at;

        Expiry(OpenYield yield, Instant at) {
            this.yield = yield;
            this.at = at;
        }
    }
}
