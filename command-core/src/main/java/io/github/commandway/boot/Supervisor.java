package io.github.commandway.boot;

import io.github.commandway.dispatch.CommandException;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps one service running: starts it, and starts it again when it fails, waiting longer each time, until it is stopped, ends by itself, fails for good, or has failed too often. Safe for use by many threads.
 */
public final class Supervisor {
    /** How long a start, and a stop, may take where nobody says. */
    public static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(10);

    private static final Logger log = LoggerFactory.getLogger(Supervisor.class);

    private final Service service;
    private final RestartPolicy policy;
    private final Duration startTimeout;
    private final Duration stopTimeout;
    private final ScheduledExecutorService timer;
    private final Executor threads;
    private final LongSupplier nanoTicker;
    private final RandomGenerator random;
    private final CompletableFuture<@Nullable Void> firstStart = new CompletableFuture<>();
    private final CompletableFuture<@Nullable Void> stopped = new CompletableFuture<>();
    private State state = State.NEW;
    private long life;
    private int failures;
    private long runningSince;
    private boolean stopOwed;
    private @Nullable Throwable lastFailure;
    private @Nullable Thread starter;
    private @Nullable ScheduledFuture<?> pending;

    /**
     * @param startTimeout how long {@link Service#start} may take; then the thread is interrupted, and the start has failed
     * @param stopTimeout how long {@link Service#stop} may take; then the service counts as stopped
     * @param timer waits; stays the caller's
     * @param threads runs the service's methods; stays the caller's
     * @param nanoTicker such as {@link System#nanoTime}
     * @param random spreads the waits
     */
    public Supervisor(
            Service service,
            RestartPolicy policy,
            Duration startTimeout,
            Duration stopTimeout,
            ScheduledExecutorService timer,
            Executor threads,
            LongSupplier nanoTicker,
            RandomGenerator random) {
        this.service = service;
        this.policy = policy;
        this.startTimeout = startTimeout;
        this.stopTimeout = stopTimeout;
        this.timer = timer;
        this.threads = threads;
        this.nanoTicker = nanoTicker;
        this.random = random;
    }

    /** Where a service is in its life. */
    public enum State {
        /** It was never started. */
        NEW,
        /** It is being started. */
        STARTING,
        /** It runs. */
        RUNNING,
        /** It failed, and will be started again. */
        WAITING,
        /** It is being stopped. */
        STOPPING,
        /** It was stopped. */
        STOPPED,
        /** It ended by itself. */
        EXITED,
        /** It failed, and will not be started again. */
        FAILED
    }

    /**
     * Starts the service, in another thread.
     *
     * @return completes when it runs for the first time; exceptionally if it never did and will not be started again
     * @throws IllegalStateException if this was called before
     */
    public CompletableFuture<@Nullable Void> start() {
        synchronized (this) {
            if (state != State.NEW) {
                throw new IllegalStateException("service '" + service.name() + "' is " + state + " already");
            }
        }
        begin();
        return firstStart.copy();
    }

    /**
     * Stops the service, or keeps it from being started again.
     *
     * @return completes when it has ended, or its time to do so is over; exceptionally if its stop failed
     */
    public CompletableFuture<@Nullable Void> stop() {
        boolean owed;
        synchronized (this) {
            if (state == State.STOPPING || state == State.STOPPED || state == State.EXITED || state == State.FAILED) {
                if (state != State.STOPPING) {
                    stopped.complete(null);
                }
                return stopped.copy();
            }
            state = State.STOPPING;
            life++;
            owed = stopOwed;
            stopOwed = false;
            if (starter != null) {
                starter.interrupt();
            }
            cancelPending();
            pending = owed
                    ? schedule(
                            stopTimeout, () -> stopEnded(new TimeoutException("it did not stop within " + stopTimeout)))
                    : null;
        }
        firstStart.completeExceptionally(new CancellationException("service '" + service.name() + "' was stopped"));
        if (owed) {
            threads.execute(() -> stopEnded(stopService()));
        } else {
            stopEnded(null);
        }
        return stopped.copy();
    }

    /** Where the service is in its life. */
    public synchronized State state() {
        return state;
    }

    /** How many times it has failed since it was stable, or since it was started. */
    public synchronized int failures() {
        return failures;
    }

    /** Why it failed last; null if it never did. */
    public synchronized @Nullable Throwable lastFailure() {
        return lastFailure;
    }

    /**
     * The service as a part of an application, named after it.
     *
     * @param required whether the application cannot start without it; if not, it may come later
     */
    public Component asComponent(Set<String> dependsOn, boolean required) {
        Set<String> needed = Set.copyOf(dependsOn);
        return new Component() {
            @Override
            public String name() {
                return service.name();
            }

            @Override
            public Set<String> dependsOn() {
                return needed;
            }

            @Override
            public void start() throws Exception {
                CompletableFuture<@Nullable Void> running = Supervisor.this.start();
                if (required) {
                    await(running);
                }
            }

            @Override
            public void stop() throws Exception {
                await(Supervisor.this.stop());
            }
        };
    }

    private static void await(CompletableFuture<@Nullable Void> outcome) throws Exception {
        try {
            outcome.get();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof Exception cause ? cause : e;
        }
    }

    private void begin() {
        long mine;
        synchronized (this) {
            if (state != State.NEW && state != State.WAITING) {
                return;
            }
            state = State.STARTING;
            stopOwed = true;
            mine = ++life;
            pending = schedule(
                    startTimeout, () -> ended(mine, new TimeoutException("it did not start within " + startTimeout)));
        }
        threads.execute(() -> launch(mine));
    }

    @SuppressWarnings("IllegalCatch")
    private void launch(long mine) {
        synchronized (this) {
            if (life != mine) {
                return;
            }
            starter = Thread.currentThread();
        }
        CompletionStage<?> end = null;
        Throwable failure = null;
        boolean current;
        try {
            end = service.start();
        } catch (Throwable e) {
            failure = e;
        }
        synchronized (this) {
            starter = null;
            // an interrupt that came too late must not meet what the thread does next
            Thread.interrupted();
            current = life == mine;
            if (current && end != null) {
                state = State.RUNNING;
                runningSince = nanoTicker.getAsLong();
                cancelPending();
            }
        }
        if (failure != null || end == null) {
            ended(mine, failure == null ? new IllegalStateException("its start gave nothing to wait for") : failure);
            return;
        }
        if (!current) {
            stopService();
            return;
        }
        firstStart.complete(null);
        end.whenComplete((value, error) -> ended(mine, error == null ? null : CommandException.unwrap(error)));
    }

    /** The service has ended in this life, by itself if there is no failure. */
    private void ended(long mine, @Nullable Throwable failure) {
        boolean stopFirst;
        boolean again;
        Duration delay;
        long waiting;
        synchronized (this) {
            if (life != mine) {
                return;
            }
            life++;
            cancelPending();
            if (failure == null) {
                state = State.EXITED;
                stopOwed = false;
                return;
            }
            // one that hangs in its start, or is half started, is not to run beside the next
            stopFirst = stopOwed;
            stopOwed = false;
            if (starter != null) {
                starter.interrupt();
            }
            boolean wasStable = state == State.RUNNING
                    && nanoTicker.getAsLong() - runningSince
                            >= policy.stableAfter().toNanos();
            failures = wasStable ? 1 : failures + 1;
            lastFailure = failure;
            again = !policy.terminal().test(failure)
                    && (policy.mostAttempts() == 0 || failures <= policy.mostAttempts());
            state = again ? State.WAITING : State.FAILED;
            delay = policy.delay(failures, random);
            waiting = life;
            if (again && stopFirst) {
                pending = schedule(stopTimeout, () -> await(waiting, delay));
            }
        }
        if (again) {
            log.warn("Service '{}' failed, and is started again in {}", service.name(), delay, failure);
        } else {
            log.error("Service '{}' failed, and is not started again", service.name(), failure);
            firstStart.completeExceptionally(failure);
        }
        if (stopFirst) {
            threads.execute(() -> {
                stopService();
                await(waiting, delay);
            });
        } else {
            await(waiting, delay);
        }
    }

    /** Lets the time before the next start begin, unless that was done or the service is not wanted any more. */
    private synchronized void await(long waiting, Duration delay) {
        if (life == waiting && state == State.WAITING) {
            life++;
            cancelPending();
            pending = schedule(delay, this::begin);
        }
    }

    @SuppressWarnings("IllegalCatch")
    private @Nullable Throwable stopService() {
        try {
            service.stop();
            return null;
        } catch (Throwable e) {
            log.warn("Service '{}' could not be stopped cleanly", service.name(), e);
            return e;
        }
    }

    private void stopEnded(@Nullable Throwable failure) {
        synchronized (this) {
            if (state == State.STOPPING) {
                state = State.STOPPED;
            }
            cancelPending();
        }
        if (failure == null) {
            stopped.complete(null);
        } else {
            stopped.completeExceptionally(failure);
        }
    }

    private void cancelPending() {
        if (pending != null) {
            pending.cancel(false);
            pending = null;
        }
    }

    private ScheduledFuture<?> schedule(Duration delay, Runnable action) {
        return timer.schedule(action, delay.toNanos(), TimeUnit.NANOSECONDS);
    }
}
