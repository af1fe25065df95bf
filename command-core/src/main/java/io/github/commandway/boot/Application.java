package io.github.commandway.boot;

import io.github.commandway.dispatch.Registry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Components that make up a system. {@link #start} loads all of them, freezes the registry, and starts them; {@link #stop} stops them in the reverse order. Components that do not depend on each other are loaded, started and stopped
 * side by side. If one fails on the way up, all that had begun are stopped again, and the failure is thrown.
 *
 * <p>Goes up and down once. Safe for use by many threads, one of which starts or stops at a time.
 */
public final class Application {
    private final Registry registry;
    private final List<List<Component>> levels;
    private final Duration stopTime;
    private final LongSupplier nanoTicker;
    private final List<List<Component>> up = new ArrayList<>();
    private State state = State.NEW;

    /**
     * Sorts the components.
     *
     * @param registry takes the components' handlers, and is frozen when all are loaded
     * @param stopTime how long all of {@link #stop} takes at most; then those that still stop are interrupted and left behind
     * @param nanoTicker such as {@link System#nanoTime}
     * @throws BootException if a name is there twice, one that is depended on is missing, or some depend on each other in a circle, which the message shows
     */
    public Application(
            Registry registry, Collection<? extends Component> components, Duration stopTime, LongSupplier nanoTicker)
            throws BootException {
        this.registry = registry;
        this.levels = Levels.of(components);
        this.stopTime = stopTime;
        this.nanoTicker = nanoTicker;
    }

    /**
     * Loads and starts everything. Returns when all have started.
     *
     * @throws BootException if one could not be loaded or started; what had begun has been stopped then, and what went wrong with that is suppressed in the exception
     * @throws InterruptedException if the thread was interrupted; what had begun has been stopped then
     * @throws IllegalStateException if it was called before
     */
    public synchronized void start() throws BootException, InterruptedException {
        if (state != State.NEW) {
            throw new IllegalStateException("the application was started before");
        }
        state = State.UP;
        try {
            for (List<Component> level : levels) {
                up.add(level);
                forEach(level, "loaded", component -> component.load(registry));
            }
            registry.freeze();
            for (List<Component> level : levels) {
                forEach(level, "started", Component::start);
            }
        } catch (BootException | InterruptedException e) {
            boolean interrupted = Thread.interrupted();
            try {
                stop();
            } catch (BootException again) {
                e.addSuppressed(again);
            } finally {
                if (interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
            throw e;
        }
    }

    /**
     * Stops everything, in the reverse order. Returns when all have stopped, or their time is over. A second call does nothing.
     *
     * @throws BootException if some could not be stopped, or not in time; all were tried
     * @throws InterruptedException if the thread was interrupted; those that were being stopped at that moment were interrupted, too, and the others were stopped
     */
    public synchronized void stop() throws BootException, InterruptedException {
        if (state != State.UP) {
            state = State.DOWN;
            return;
        }
        state = State.DOWN;
        long end = nanoTicker.getAsLong() + stopTime.toNanos();
        BootException failure = null;
        InterruptedException interrupted = null;
        for (int i = up.size() - 1; i >= 0; i--) {
            try {
                forEach(up.get(i), "stopped", Component::stop, end);
            } catch (BootException e) {
                failure = add(failure, e);
            } catch (InterruptedException e) {
                interrupted = e;
            }
        }
        if (interrupted != null) {
            throw interrupted;
        }
        if (failure != null) {
            throw failure;
        }
    }

    private void forEach(List<Component> level, String what, Action action) throws BootException, InterruptedException {
        forEach(level, what, action, null);
    }

    /**
     * Does it to all of a level side by side, and waits for all.
     *
     * @param end when the waiting is over, on the ticker; null for never
     */
    private void forEach(List<Component> level, String what, Action action, @Nullable Long end)
            throws BootException, InterruptedException {
        if (level.isEmpty()) {
            return;
        }
        AtomicInteger number = new AtomicInteger();
        ExecutorService threads = Executors.newFixedThreadPool(level.size(), work -> {
            Thread thread = new Thread(work, "commandway-boot-" + number.incrementAndGet());
            thread.setDaemon(true);
            return thread;
        });
        BootException failure = null;
        try {
            List<Future<?>> results = new ArrayList<>();
            for (Component component : level) {
                results.add(threads.submit(() -> {
                    action.apply(component);
                    return null;
                }));
            }
            for (int i = 0; i < level.size(); i++) {
                String name = level.get(i).name();
                try {
                    if (end == null) {
                        results.get(i).get();
                    } else {
                        results.get(i).get(Math.max(0, end - nanoTicker.getAsLong()), TimeUnit.NANOSECONDS);
                    }
                } catch (ExecutionException e) {
                    failure = add(
                            failure, new BootException("component '" + name + "' could not be " + what, causeOf(e)));
                } catch (TimeoutException e) {
                    failure = add(failure, new BootException("component '" + name + "' was not " + what + " in time"));
                }
            }
        } finally {
            threads.shutdownNow();
        }
        if (failure != null) {
            throw failure;
        }
    }

    private static Throwable causeOf(ExecutionException e) {
        return e.getCause() == null ? e : e.getCause();
    }

    private static BootException add(@Nullable BootException first, BootException next) {
        if (first == null) {
            return next;
        }
        first.addSuppressed(next);
        return first;
    }

    private enum State {
        NEW,
        UP,
        DOWN
    }

    @FunctionalInterface
    private interface Action {
        void apply(Component component) throws Exception;
    }
}
