package io.github.commandway.system;

import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.process.Pid;
import io.github.commandway.process.ProcessContext;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/**
 * What a service keeps open from one command to the next, each under a number, with a limit. A number is never used again. What was
 * opened in a command of a process belongs to it. Safe for use by many threads.
 *
 * @param <T> what is kept
 */
public final class Handles<T> implements AutoCloseable {
    private final String kind;
    private final int limit;
    private final Consumer<? super T> closer;
    private final Map<Long, Entry<T>> entries = new HashMap<>();
    private final Map<Pid, Set<Long>> byOwner = new HashMap<>();
    private long last;
    private boolean closed;

    /**
     * @param kind what is kept, for messages, such as {@code stream}
     * @param limit how many may be open at once; 1 or more
     * @param closer ends one that its owner did not end; must neither block nor throw
     */
    public Handles(String kind, int limit, Consumer<? super T> closer) {
        if (limit < 1) {
            throw new IllegalArgumentException("at least one " + kind + " must be allowed, not " + limit);
        }
        this.kind = kind;
        this.limit = limit;
        this.closer = closer;
    }

    /** The process that a command is executed for, or null if it comes from elsewhere. */
    public static @Nullable Pid ownerOf(CommandContext context) {
        return context instanceof ProcessContext process ? process.pid() : null;
    }

    /**
     * Keeps {@code item} for {@code owner}.
     *
     * @return its number, 1 or more
     * @throws RejectedExecutionException if as many are open as may, or the service was stopped; {@code item} is not closed then
     */
    public synchronized long add(@Nullable Pid owner, T item) {
        if (closed) {
            throw new RejectedExecutionException("no " + kind + " can be opened any more: the service was stopped");
        }
        if (entries.size() >= limit) {
            throw new RejectedExecutionException(
                    "as many of kind " + kind + " are open as may be (" + limit + "); close one that is not needed");
        }
        long id = ++last;
        entries.put(id, new Entry<>(owner, item));
        if (owner != null) {
            byOwner.computeIfAbsent(owner, any -> new HashSet<>()).add(id);
        }
        return id;
    }

    /**
     * Keeps {@code item} for whoever the command is executed for, and completes the command with what {@code result} makes of the number. If the command is not wanted
     * any more, so that nobody would get to know the number, the item is closed; so it is when there is no room for it, or {@code result} throws.
     */
    public void open(
            CommandContext context, long tag, ResultReceiver receiver, T item, LongFunction<@Nullable Object> result) {
        open(context, new Completion(tag, receiver), item, result);
    }

    /** The same for a command that others may complete meanwhile, in which case the item is closed. */
    public void open(CommandContext context, Completion completion, T item, LongFunction<@Nullable Object> result) {
        long id;
        try {
            id = add(ownerOf(context), item);
        } catch (RejectedExecutionException e) {
            closer.accept(item);
            completion.fail(e);
            return;
        }
        context.onCancel(cause -> {
            close(id);
            completion.fail(Completion.cancelled(cause));
        });
        try {
            if (!completion.complete(result.apply(id))) {
                close(id);
            }
        } catch (RuntimeException e) {
            close(id);
            completion.fail(e);
        }
    }

    /**
     * The one with this number.
     *
     * @throws NoSuchElementException if it is not open
     */
    public synchronized T get(long id) {
        Entry<T> entry = entries.get(id);
        if (entry == null) {
            throw new NoSuchElementException("there is no open " + kind + " " + id);
        }
        return entry.item;
    }

    /** Takes out the one with this number without closing it; null if it is not open. */
    public synchronized @Nullable T remove(long id) {
        Entry<T> entry = entries.remove(id);
        if (entry == null) {
            return null;
        }
        if (entry.owner != null) {
            Set<Long> ids = byOwner.get(entry.owner);
            if (ids != null && ids.remove(id) && ids.isEmpty()) {
                byOwner.remove(entry.owner);
            }
        }
        return entry.item;
    }

    /**
     * Takes out and closes the one with this number.
     *
     * @return false if it was not open
     */
    public boolean close(long id) {
        T item = remove(id);
        if (item == null) {
            return false;
        }
        closer.accept(item);
        return true;
    }

    /** Closes all that belong to {@code owner}. */
    public void closeAll(Pid owner) {
        List<Long> ids;
        synchronized (this) {
            ids = List.copyOf(byOwner.getOrDefault(owner, Set.of()));
        }
        ids.forEach(this::close);
    }

    /** How many are open. */
    public synchronized int size() {
        return entries.size();
    }

    /** Closes all of them, and keeps none from now on. */
    @Override
    public void close() {
        List<Long> ids;
        synchronized (this) {
            closed = true;
            ids = List.copyOf(entries.keySet());
        }
        ids.forEach(this::close);
    }

    private record Entry<T>(@Nullable Pid owner, T item) {}
}
