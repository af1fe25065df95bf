package io.github.commandway.agent;

import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A context that ends before the one around it. One for each execution; {@link #execute} belongs to the executing thread. */
final class TimeLimitedContext implements ExecutionContext {
    private static final Logger LOG = LoggerFactory.getLogger(TimeLimitedContext.class);

    private final ExecutionContext outer;
    private final Instant deadline;
    private final Thread thread = Thread.currentThread();
    private final Object lock = new Object();

    // All three guarded by lock.
    private boolean expired;
    private boolean done;
    private final List<Runnable> cancelActions = new ArrayList<>();

    TimeLimitedContext(ExecutionContext outer, Instant deadline) {
        this.outer = outer;
        this.deadline = deadline;
    }

    byte[] execute(
            String type, byte[] payload, Middleware.Next next, Duration limit, ScheduledExecutorService scheduler)
            throws Exception {
        ScheduledFuture<?> timer = scheduler.schedule(this::expire, limit.toNanos(), TimeUnit.NANOSECONDS);
        try {
            byte[] result = next.execute(this, payload);
            if (end()) {
                throw timedOut(type, limit, null);
            }
            return result;
        } catch (Exception e) {
            if (end()) {
                throw timedOut(type, limit, e);
            }
            throw e;
        } finally {
            end();
            timer.cancel(false);
        }
    }

    /** From here on the time cannot end any more. Returns whether it had ended before. */
    private boolean end() {
        synchronized (lock) {
            done = true;
            if (expired && Thread.interrupted() && outer.isCancelled()) {
                // The interrupt may have been ours, but the outer one still has to be seen.
                thread.interrupt();
            }
            return expired;
        }
    }

    private void expire() {
        List<Runnable> actions;
        synchronized (lock) {
            if (done) {
                return;
            }
            expired = true;
            // Under the lock: once done is set, the thread may be at work on another command.
            thread.interrupt();
            actions = List.copyOf(cancelActions);
            cancelActions.clear();
        }
        for (Runnable action : actions) {
            try {
                action.run();
            } catch (RuntimeException e) {
                LOG.warn("a cancel action of command {} failed", commandId(), e);
            }
        }
    }

    private static CommandException timedOut(String type, Duration limit, @Nullable Exception failure) {
        if (failure instanceof CommandException known && known.reason() == Reason.EXECUTION_TIMEOUT) {
            return known;
        }
        return new CommandException(
                Reason.EXECUTION_TIMEOUT, "'" + type + "' took longer than " + limit.toMillis() + " ms");
    }

    @Override
    public String commandId() {
        return outer.commandId();
    }

    @Override
    public int attempt() {
        return outer.attempt();
    }

    @Override
    public Instant deadline() {
        return deadline;
    }

    @Override
    public boolean isCancelled() {
        synchronized (lock) {
            return expired || outer.isCancelled();
        }
    }

    @Override
    public void onCancel(Runnable action) {
        Runnable once = new Once(action);
        boolean runNow;
        synchronized (lock) {
            runNow = expired;
            if (!runNow) {
                cancelActions.add(once);
            }
        }
        if (runNow) {
            once.run();
        } else {
            outer.onCancel(once);
        }
    }

    @Override
    public void progress(double fraction, String message) {
        outer.progress(fraction, message);
    }

    @Override
    public void output(String channel, byte[] data) throws InterruptedException {
        outer.output(channel, data);
    }

    @Override
    public @Nullable String principal() {
        return outer.principal();
    }

    @Override
    public @Nullable String traceParent() {
        return outer.traceParent();
    }

    /** Both ends can come at once, but what was registered runs only once. */
    private static final class Once implements Runnable {
        private @Nullable Runnable action;

        Once(Runnable action) {
            this.action = action;
        }

        @Override
        public void run() {
            Runnable first;
            synchronized (this) {
                first = action;
                action = null;
            }
            if (first != null) {
                first.run();
            }
        }
    }
}
