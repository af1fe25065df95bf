package io.github.commandway.system;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.ResultReceiver;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * A bounded number of threads for work that blocks, with a bounded number of places to wait. When all are taken, work is refused at once: the
 * caller neither waits nor does it itself. Each piece of work has exactly one outcome, also when it is cancelled or the workers are closed before it
 * began. Safe for use by many threads.
 */
public final class Workers implements AutoCloseable {
    private static final long IDLE_SECONDS = 30;

    private final String name;
    private final int threads;
    private final int places;
    private final ThreadPoolExecutor pool;
    private final Set<Job> jobs = ConcurrentHashMap.newKeySet();
    private final AtomicInteger admitted = new AtomicInteger();

    /**
     * @param name of the service that the work is done for; threads are named after it
     * @param threads how many pieces of work run at once; 1 or more
     * @param places how many wait for a thread; 0 or more
     */
    public Workers(String name, int threads, int places) {
        if (threads < 1 || places < 0) {
            throw new IllegalArgumentException(
                    "'" + name + "' needs at least one thread and no negative number of places, not " + threads
                            + " and " + places);
        }
        this.name = name;
        this.threads = threads;
        this.places = places;
        AtomicInteger number = new AtomicInteger();
        pool = new ThreadPoolExecutor(
                threads,
                threads,
                IDLE_SECONDS,
                TimeUnit.SECONDS,
                // bounded by what is admitted; a place is free before a thread is, so that who is told of an end may go
                // on at once
                new LinkedBlockingQueue<>(),
                work -> {
                    Thread thread = new Thread(work, "commandway-" + name + "-" + number.incrementAndGet());
                    thread.setDaemon(true);
                    return thread;
                });
        pool.allowCoreThreadTimeOut(true);
    }

    /** What is done in a thread of its own. */
    @FunctionalInterface
    public interface Work {
        /**
         * Does it. Is interrupted when the work is not wanted any more.
         *
         * @param job takes what else is to be done to stop it
         * @throws Exception it has failed
         */
        @Nullable Object run(Job job) throws Exception;
    }

    /**
     * Does the work of a command and completes its tag with what the work returns or throws. When the command is cancelled the work is stopped, and the tag is completed
     * once it has ended. Work that is refused completes the tag, too.
     */
    public void run(CommandContext context, long tag, ResultReceiver receiver, Work work) {
        run(context, work, (result, error) -> receiver.completeYield(tag, result, error));
    }

    /**
     * Does work for a command, and stops it when the command is cancelled.
     *
     * @param done completes the command; called exactly once, in any thread, with the result or the error, of which one is null; must not block
     */
    public void run(CommandContext context, Work work, BiConsumer<@Nullable Object, @Nullable Throwable> done) {
        Job job = new Job(work, done);
        jobs.add(job);
        context.onCancel(job::cancel);
        launch(job);
    }

    /**
     * Does work for nobody's tag.
     *
     * @param done called exactly once, in any thread, with the result or the error, of which one is null; must not block
     */
    public Job start(Work work, BiConsumer<@Nullable Object, @Nullable Throwable> done) {
        Job job = new Job(work, done);
        jobs.add(job);
        launch(job);
        return job;
    }

    private void launch(Job job) {
        if (admitted.incrementAndGet() > threads + places) {
            admitted.decrementAndGet();
            job.refuse(
                    pool.isShutdown()
                            ? Completion.stopped(name)
                            : new RejectedExecutionException("'" + name + "' is busy: " + threads + " commands run and "
                                    + places + " wait, which are all it takes; try again later"));
        } else if (!job.admit()) {
            admitted.decrementAndGet();
        } else {
            try {
                pool.execute(job);
            } catch (RejectedExecutionException e) {
                job.refuse(Completion.stopped(name));
            }
        }
    }

    /** Does work whose outcome a future takes. Cancelling the future completes it at once and stops the work. */
    public <T extends @Nullable Object> CompletableFuture<T> submit(Callable<T> work) {
        CompletableFuture<T> outcome = new CompletableFuture<>();
        Job job = start(
                own -> {
                    outcome.complete(work.call());
                    return null;
                },
                (none, error) -> {
                    if (error != null) {
                        outcome.completeExceptionally(error);
                    }
                });
        outcome.whenComplete((result, error) -> {
            if (outcome.isCancelled()) {
                job.cancel(CancelCause.REQUESTED);
            }
        });
        return outcome;
    }

    /** How many pieces of work run or wait. */
    public int active() {
        return jobs.size();
    }

    /** Takes no more work, ends what waits, and interrupts what runs. */
    @Override
    public void close() {
        pool.shutdown();
        jobs.forEach(job -> job.cancel(CancelCause.SHUTDOWN));
        pool.shutdownNow();
    }

    /** One piece of work, waiting, running or done. */
    public final class Job implements Runnable {
        private final Work work;
        private final BiConsumer<@Nullable Object, @Nullable Throwable> done;
        private boolean begun;
        private boolean holdsPlace;
        private @Nullable Thread thread;
        private @Nullable CancelCause cause;
        private @Nullable Runnable stop;

        Job(Work work, BiConsumer<@Nullable Object, @Nullable Throwable> done) {
            this.work = work;
            this.done = done;
        }

        /**
         * Registers what else stops the work, where an interrupt is not enough, such as closing what it reads from. Runs at once if the
         * work is not wanted already, otherwise in the thread that cancels, which it must not block. A second call replaces the first.
         */
        public void onCancel(Runnable stop) {
            synchronized (this) {
                this.stop = stop;
                if (cause == null) {
                    return;
                }
            }
            stop.run();
        }

        /** Stops the work, or takes it away if it has not begun. Does nothing if it has ended. */
        public void cancel(CancelCause why) {
            Runnable action;
            synchronized (this) {
                if (cause != null) {
                    return;
                }
                cause = why;
                if (!begun) {
                    begun = true;
                    action = () -> {
                        pool.remove(this);
                        end(null, new CommandException(beforeStart(why), "taken away before it began"));
                    };
                } else {
                    if (thread == null) {
                        return;
                    }
                    thread.interrupt();
                    action = stop == null ? () -> {} : stop;
                }
            }
            action.run();
        }

        @Override
        @SuppressWarnings("IllegalCatch")
        public void run() {
            if (pool.isShutdown()) {
                cancel(CancelCause.SHUTDOWN);
                return;
            }
            synchronized (this) {
                if (begun) {
                    return;
                }
                begun = true;
                thread = Thread.currentThread();
            }
            Object result = null;
            Throwable error = null;
            try {
                result = work.run(this);
            } catch (Throwable e) {
                error = e;
            }
            CancelCause why;
            synchronized (this) {
                thread = null;
                why = cause;
            }
            // an interrupt that came too late must not meet the next piece of work
            Thread.interrupted();
            end(result, error != null && why != null ? Completion.cancelled(why) : error);
        }

        /** Gives it one of the places; false if it has been taken away already. */
        synchronized boolean admit() {
            holdsPlace = !begun;
            return holdsPlace;
        }

        void refuse(Throwable error) {
            synchronized (this) {
                if (begun) {
                    return;
                }
                begun = true;
            }
            end(null, error);
        }

        private void end(@Nullable Object result, @Nullable Throwable error) {
            jobs.remove(this);
            boolean leaves;
            synchronized (this) {
                leaves = holdsPlace;
                holdsPlace = false;
            }
            if (leaves) {
                admitted.decrementAndGet();
            }
            done.accept(result, error);
        }

        private static Reason beforeStart(CancelCause cause) {
            return switch (cause) {
                case REQUESTED -> Reason.CANCELLED_BEFORE_START;
                case DEADLINE -> Reason.QUEUE_TIMEOUT;
                case SHUTDOWN -> Reason.SHUTDOWN;
            };
        }
    }
}
