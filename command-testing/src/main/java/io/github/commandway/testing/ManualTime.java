package io.github.commandway.testing;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import java.util.concurrent.AbstractExecutorService;
import java.util.concurrent.Callable;
import java.util.concurrent.Delayed;
import java.util.concurrent.FutureTask;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.RunnableScheduledFuture;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Time that stands still until a test moves it: a wall clock, a source of nanoseconds and a scheduler that agree with each other.
 *
 * <p>Tasks of the {@link #scheduler()} run only in {@link #advance}, in the thread that calls it, in the order of their times, and each sees its
 * own time. What a task throws is in its future, as with any executor. Safe for use by many threads; if two advance at once, the time moves by both amounts.
 */
public final class ManualTime {
    /** Where the wall clock begins: 2026-01-01T00:00:00Z. */
    public static final Instant START = Instant.parse("2026-01-01T00:00:00Z");

    private final Object lock = new Object();
    private final PriorityQueue<Task<?>> tasks = new PriorityQueue<>(
            Comparator.comparingLong((Task<?> task) -> task.dueNanos).thenComparing(task -> task.order));
    private final Scheduler scheduler = new Scheduler();
    private long elapsedNanos;
    private Duration wallClockOffset = Duration.ZERO;
    private long tasksScheduled;

    /** Stands at {@link #START} and at 0 ns. */
    public ManualTime() {}

    /** The wall clock, in UTC. */
    public Clock clock() {
        return new ManualClock(ZoneOffset.UTC);
    }

    /** How many nanoseconds have passed; stands in for {@link System#nanoTime}. */
    public long nanos() {
        synchronized (lock) {
            return elapsedNanos;
        }
    }

    /** Runs its tasks when their time has come, in {@link #advance}. A task without a delay runs at the next advance, also by zero. */
    public ScheduledExecutorService scheduler() {
        return scheduler;
    }

    /**
     * Moves the time forward and runs what falls due on the way, including what those tasks schedule.
     *
     * @param by zero or more
     */
    public void advance(Duration by) {
        if (by.isNegative()) {
            throw new IllegalArgumentException("time does not go back, but by is " + by + "; see stepWallClock");
        }
        long target;
        synchronized (lock) {
            target = elapsedNanos + by.toNanos();
        }
        for (Task<?> task = takeDue(target); task != null; task = takeDue(target)) {
            task.run();
        }
        synchronized (lock) {
            elapsedNanos = Math.max(elapsedNanos, target);
        }
    }

    /** Sets the wall clock forward or back, as an administrator may; the nanoseconds and the scheduler do not notice. */
    public void stepWallClock(Duration by) {
        synchronized (lock) {
            wallClockOffset = wallClockOffset.plus(by);
        }
    }

    private @Nullable Task<?> takeDue(long untilNanos) {
        synchronized (lock) {
            Task<?> first = tasks.peek();
            if (first == null || first.dueNanos > untilNanos) {
                return null;
            }
            tasks.remove();
            elapsedNanos = Math.max(elapsedNanos, first.dueNanos);
            return first;
        }
    }

    private final class ManualClock extends Clock {
        private final ZoneId zone;

        ManualClock(ZoneId zone) {
            this.zone = zone;
        }

        @Override
        public ZoneId getZone() {
            return zone;
        }

        @Override
        public Clock withZone(ZoneId other) {
            return new ManualClock(other);
        }

        @Override
        public Instant instant() {
            synchronized (lock) {
                return START.plus(wallClockOffset).plusNanos(elapsedNanos);
            }
        }
    }

    private final class Task<V> extends FutureTask<V> implements RunnableScheduledFuture<V> {
        final long order;
        final long periodNanos;
        final boolean fixedRate;
        long dueNanos;

        /** @param periodNanos 0 for a task that runs once */
        Task(Callable<V> work, long dueNanos, long periodNanos, boolean fixedRate, long order) {
            super(work);
            this.dueNanos = dueNanos;
            this.periodNanos = periodNanos;
            this.fixedRate = fixedRate;
            this.order = order;
        }

        @Override
        public boolean isPeriodic() {
            return periodNanos > 0;
        }

        @Override
        public void run() {
            if (!isPeriodic()) {
                super.run();
            } else if (runAndReset()) {
                synchronized (lock) {
                    dueNanos = (fixedRate ? dueNanos : elapsedNanos) + periodNanos;
                    if (!isCancelled() && !scheduler.isShutdown()) {
                        tasks.add(this);
                    }
                }
            }
        }

        @Override
        public boolean cancel(boolean mayInterruptIfRunning) {
            synchronized (lock) {
                tasks.remove(this);
            }
            return super.cancel(mayInterruptIfRunning);
        }

        @Override
        public long getDelay(TimeUnit unit) {
            synchronized (lock) {
                return unit.convert(dueNanos - elapsedNanos, TimeUnit.NANOSECONDS);
            }
        }

        @Override
        public int compareTo(Delayed other) {
            return Long.compare(getDelay(TimeUnit.NANOSECONDS), other.getDelay(TimeUnit.NANOSECONDS));
        }
    }

    private final class Scheduler extends AbstractExecutorService implements ScheduledExecutorService {
        private boolean shutdown;

        private <V> Task<V> add(Callable<V> work, long delayNanos, long periodNanos, boolean fixedRate) {
            synchronized (lock) {
                if (shutdown) {
                    throw new RejectedExecutionException("the scheduler was shut down");
                }
                Task<V> task = new Task<>(
                        work, elapsedNanos + Math.max(0, delayNanos), periodNanos, fixedRate, tasksScheduled++);
                tasks.add(task);
                return task;
            }
        }

        @Override
        public ScheduledFuture<?> schedule(Runnable command, long delay, TimeUnit unit) {
            return add(asCallable(command), unit.toNanos(delay), 0, false);
        }

        @Override
        public <V> ScheduledFuture<V> schedule(Callable<V> callable, long delay, TimeUnit unit) {
            return add(callable, unit.toNanos(delay), 0, false);
        }

        @Override
        public ScheduledFuture<?> scheduleAtFixedRate(Runnable command, long initialDelay, long period, TimeUnit unit) {
            return add(asCallable(command), unit.toNanos(initialDelay), requirePositive(unit.toNanos(period)), true);
        }

        @Override
        public ScheduledFuture<?> scheduleWithFixedDelay(
                Runnable command, long initialDelay, long delay, TimeUnit unit) {
            return add(asCallable(command), unit.toNanos(initialDelay), requirePositive(unit.toNanos(delay)), false);
        }

        @Override
        public void execute(Runnable command) {
            add(asCallable(command), 0, 0, false);
        }

        private Callable<@Nullable Object> asCallable(Runnable command) {
            return () -> {
                command.run();
                return null;
            };
        }

        private long requirePositive(long nanos) {
            if (nanos <= 0) {
                throw new IllegalArgumentException("the period must be more than zero");
            }
            return nanos;
        }

        /** Takes no more tasks; periodic ones end, and those that run once still do when their time comes. */
        @Override
        public void shutdown() {
            synchronized (lock) {
                shutdown = true;
                tasks.removeIf(Task::isPeriodic);
            }
        }

        @Override
        public List<Runnable> shutdownNow() {
            synchronized (lock) {
                shutdown = true;
                List<Runnable> never = new ArrayList<>(tasks);
                tasks.clear();
                return never;
            }
        }

        @Override
        public boolean isShutdown() {
            synchronized (lock) {
                return shutdown;
            }
        }

        @Override
        public boolean isTerminated() {
            synchronized (lock) {
                return shutdown && tasks.isEmpty();
            }
        }

        /** Does not wait, since nothing happens until somebody advances the time. */
        @Override
        public boolean awaitTermination(long timeout, TimeUnit unit) {
            return isTerminated();
        }
    }
}
