package io.github.commandway.tools;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Keeps tools up to date: looks for new versions at once and then again and again, one look at a time. What goes wrong with one tool does not concern the others. */
public final class ToolUpdater implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ToolUpdater.class);

    private final ToolInstaller installer;
    private final Map<String, String> wanted;
    private final Executor worker;
    private final Consumer<ToolUpdate> listener;
    private final AtomicBoolean busy = new AtomicBoolean();
    private final ScheduledFuture<?> looking;
    private volatile boolean closed;

    private ToolUpdater(
            ToolInstaller installer,
            Map<String, String> wanted,
            ScheduledExecutorService timer,
            Executor worker,
            Duration every,
            Consumer<ToolUpdate> listener) {
        this.installer = installer;
        this.wanted = Map.copyOf(wanted);
        this.worker = worker;
        this.listener = listener;
        looking = timer.scheduleWithFixedDelay(this::begin, 0, every.toNanos(), TimeUnit.NANOSECONDS);
    }

    /**
     * Begins.
     *
     * @param wanted the tools, each with the versions that are allowed, such as {@code ^1.2}, or empty for all that are no pre-releases; if this map is empty, all tools that were
     *     installed from a repository
     * @param timer says when to look; stays the caller's
     * @param worker looks, downloads and unpacks; stays the caller's, who ends an update under way by interrupting it
     * @param every how long from one look to the next
     * @param listener gets what changed and what went wrong, in the worker's thread
     */
    public static ToolUpdater start(
            ToolInstaller installer,
            Map<String, String> wanted,
            ScheduledExecutorService timer,
            Executor worker,
            Duration every,
            Consumer<ToolUpdate> listener) {
        return new ToolUpdater(installer, wanted, timer, worker, every, listener);
    }

    private void begin() {
        if (busy.compareAndSet(false, true)) {
            try {
                worker.execute(this::look);
            } catch (RejectedExecutionException e) {
                busy.set(false);
                LOG.warn("tools are not updated: {}", e.toString());
            }
        }
    }

    private void look() {
        try {
            List<String> names = wanted.isEmpty() ? installer.installed() : List.copyOf(wanted.keySet());
            for (String name : names) {
                if (closed) {
                    return;
                }
                report(update(name, wanted.getOrDefault(name, "")));
            }
        } catch (IOException e) {
            LOG.warn("tools are not updated, as what is installed cannot be read: {}", e.toString());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            busy.set(false);
        }
    }

    private ToolUpdate update(String name, String range) throws InterruptedException {
        try {
            return installer.update(name, range);
        } catch (IOException | RuntimeException e) {
            String problem = e instanceof RepositoryException ? e.getMessage() : e.toString();
            return new ToolUpdate(name, null, null, List.of(), problem);
        }
    }

    private void report(ToolUpdate update) {
        if (update.problem() != null) {
            LOG.warn("tool {} was not updated: {}", update.tool(), update.problem());
        } else if (update.isChanged()) {
            String before = update.before() == null ? "nothing" : update.before();
            LOG.info("tool {} was updated from {} to {}", update.tool(), before, update.after());
        } else if (update.removed().isEmpty()) {
            return;
        }
        listener.accept(update);
    }

    /** Looks no more. An update under way goes on to the end of its tool. */
    @Override
    public void close() {
        closed = true;
        looking.cancel(false);
    }
}
