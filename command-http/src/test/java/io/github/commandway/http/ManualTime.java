package io.github.commandway.http;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.AbstractExecutorService;
import java.util.concurrent.Callable;
import java.util.concurrent.Delayed;
import java.util.concurrent.FutureTask;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/** A timer whose time stands still until the test moves it; its tasks run in the thread of the test. */
final class ManualTime extends AbstractExecutorService implements ScheduledExecutorService {
    private static final Instant START = Instant.parse("2024-01-01T12:00:00Z");

    private final List<Task<?>> tasks = new ArrayList<>();
    private long nanos;

    /** Tells this time. */
    Clock clock() {
        return new Clock() {
            @Override
            public ZoneId getZone() {
                return ZoneOffset.UTC;
            }

            @Override
            public Clock withZone(ZoneId zone) {
                throw new UnsupportedOperationException();
            }

            @Override
            public Instant instant() {
                return START.plusNanos(nanos());
            }
        };
    }

    synchronized long nanos() {
        return nanos;
    }

    /** How many tasks wait that were scheduled with this delay. */
    synchronized long waiting(Duration delay) {
        return tasks.stream()
                .filter(task -> !task.isDone() && task.delay == delay.toNanos())
                .count();
    }

    /** Moves the time on, and runs what is due on the way, in order. */
    void advance(Duration by) {
        long end = nanos() + by.toNanos();
        while (true) {
            Task<?> next = takeDue(end);
            if (next == null) {
                return;
            }
            next.execute();
        }
    }

    private synchronized Task<?> takeDue(long end) {
        tasks.removeIf(FutureTask::isDone);
        Task<?> next = null;
        for (Task<?> task : tasks) {
            if (task.due <= end && (next == null || task.due < next.due)) {
                next = task;
            }
        }
        nanos = next == null ? end : Math.max(nanos, next.due);
        if (next != null) {
            tasks.remove(next);
        }
        return next;
    }

    private synchronized <V> Task<V> add(Task<V> task) {
        tasks.add(task);
        return task;
    }

    @Override
    public ScheduledFuture<?> schedule(Runnable command, long delay, TimeUnit unit) {
        return add(new Task<>(
                () -> {
                    command.run();
                    return null;
                },
                unit.toNanos(delay),
                0));
    }

    @Override
    public <V> ScheduledFuture<V> schedule(Callable<V> callable, long delay, TimeUnit unit) {
        return add(new Task<>(callable, unit.toNanos(delay), 0));
    }

    @Override
    public ScheduledFuture<?> scheduleAtFixedRate(Runnable command, long initialDelay, long period, TimeUnit unit) {
        return scheduleWithFixedDelay(command, initialDelay, period, unit);
    }

    @Override
    public ScheduledFuture<?> scheduleWithFixedDelay(Runnable command, long initialDelay, long delay, TimeUnit unit) {
        return add(new Task<>(
                () -> {
                    command.run();
                    return null;
                },
                unit.toNanos(initialDelay),
                unit.toNanos(delay)));
    }

    @Override
    public void execute(Runnable command) {
        schedule(command, 0, TimeUnit.NANOSECONDS);
    }

    @Override
    public void shutdown() {}

    @Override
    public List<Runnable> shutdownNow() {
        return List.of();
    }

    @Override
    public boolean isShutdown() {
        return false;
    }

    @Override
    public boolean isTerminated() {
        return false;
    }

    @Override
    public boolean awaitTermination(long timeout, TimeUnit unit) {
        return false;
    }

    private final class Task<V> extends FutureTask<V> implements ScheduledFuture<V> {
        private final long delay;
        private final long period;
        private long due;

        Task(Callable<V> callable, long delay, long period) {
            super(callable);
            this.delay = delay;
            this.period = period;
            due = nanos() + delay;
        }

        void execute() {
            if (period == 0) {
                run();
            } else if (runAndReset()) {
                due += period;
                add(this);
            }
        }

        @Override
        public long getDelay(TimeUnit unit) {
            return unit.convert(due - nanos(), TimeUnit.NANOSECONDS);
        }

        @Override
        public int compareTo(Delayed other) {
            return Long.compare(getDelay(TimeUnit.NANOSECONDS), other.getDelay(TimeUnit.NANOSECONDS));
        }
    }
}
