package io.github.commandway.testing;

import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandPage;
import io.github.commandway.manager.CommandQuery;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.CommandStore;
import io.github.commandway.manager.Companion;
import io.github.commandway.manager.QueueStore;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.manager.StoreListener;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A store whose writes complete when a test says so, in the order it chooses, or fail. Everything else is done by the store
 * behind it. Safe for use by many threads.
 */
public final class FaultyCommandStore implements CommandStore {
    /** The kinds of writes. */
    public enum Operation {
        /** {@link CommandStore#create}. */
        CREATE,
        /** {@link CommandStore#update}. */
        UPDATE,
        /** {@link CommandStore#append}. */
        APPEND
    }

    private final CommandStore store;
    private final Object lock = new Object();
    private final Deque<Write> held = new ArrayDeque<>();
    private final Map<Operation, Deque<RuntimeException>> failures = new EnumMap<>(Operation.class);
    private boolean holding;

    /** Passes everything on to {@code store} until told otherwise, and closes it. */
    public FaultyCommandStore(CommandStore store) {
        this.store = store;
    }

    /** From now on every write waits until it is completed, failed or released. */
    public void hold() {
        synchronized (lock) {
            holding = true;
        }
    }

    /** The writes that wait, oldest first. */
    public List<Write> held() {
        synchronized (lock) {
            return List.copyOf(held);
        }
    }

    /** From now on writes do not wait any more; completes those that do, oldest first. */
    public void release() {
        List<Write> waiting;
        synchronized (lock) {
            holding = false;
            waiting = List.copyOf(held);
        }
        waiting.forEach(Write::complete);
    }

    /** Lets the next write of this kind fail; called twice, the next two. A failed write changes nothing. */
    public void failNext(Operation operation, RuntimeException error) {
        synchronized (lock) {
            failures.computeIfAbsent(operation, none -> new ArrayDeque<>()).add(error);
        }
    }

    /** Creates the record when the write is completed, not before. */
    @Override
    public CompletableFuture<Creation> create(RecordedCommand command, @Nullable Companion companion) {
        return nextFailure(Operation.CREATE)
                .<CompletableFuture<Creation>>map(CompletableFuture::failedFuture)
                .orElseGet(() -> answer(Operation.CREATE, command.id(), () -> store.create(command, companion)));
    }

    /** Passes the change on at once, because the command moves on meanwhile; only the answer waits. */
    @Override
    public CompletableFuture<Boolean> update(RecordedCommand command, CommandStatus from) {
        return nextFailure(Operation.UPDATE)
                .<CompletableFuture<Boolean>>map(CompletableFuture::failedFuture)
                .orElseGet(() -> {
                    CompletableFuture<Boolean> written = store.update(command, from);
                    return answer(Operation.UPDATE, command.id(), () -> written);
                });
    }

    /** Passes the event on at once; only the answer waits. */
    @Override
    public CompletableFuture<Boolean> append(RecordedCommand command, CommandEvent event) {
        return nextFailure(Operation.APPEND)
                .<CompletableFuture<Boolean>>map(CompletableFuture::failedFuture)
                .orElseGet(() -> {
                    CompletableFuture<Boolean> written = store.append(command, event);
                    return answer(Operation.APPEND, command.id(), () -> written);
                });
    }

    @Override
    public CompletableFuture<Boolean> assign(RecordedCommand command, String assignee) {
        return store.assign(command, assignee);
    }

    private Optional<RuntimeException> nextFailure(Operation operation) {
        synchronized (lock) {
            Deque<RuntimeException> next = failures.get(operation);
            return next == null ? Optional.empty() : Optional.ofNullable(next.poll());
        }
    }

    private <T> CompletableFuture<T> answer(Operation operation, RecordId id, Supplier<CompletableFuture<T>> rest) {
        synchronized (lock) {
            if (holding) {
                CompletableFuture<T> later = new CompletableFuture<>();
                held.addLast(new Write(this, operation, id, () -> copy(rest.get(), later), later));
                return later;
            }
        }
        return rest.get();
    }

    private static <T> void copy(CompletableFuture<T> from, CompletableFuture<T> to) {
        from.whenComplete((value, error) -> {
            if (error != null) {
                to.completeExceptionally(error);
            } else {
                to.complete(value);
            }
        });
    }

    private boolean take(Write write) {
        synchronized (lock) {
            return held.remove(write);
        }
    }

    @Override
    public CompletableFuture<Optional<CommandRecord>> find(RecordId id) {
        return store.find(id);
    }

    @Override
    public CompletableFuture<CommandPage> list(CommandQuery query) {
        return store.list(query);
    }

    @Override
    public CompletableFuture<List<CommandEvent>> events(RecordId id, long after, int limit) {
        return store.events(id, after, limit);
    }

    @Override
    public void purge() {
        store.purge();
    }

    @Override
    public QueueStore queues() {
        return store.queues();
    }

    @Override
    public boolean isDurable() {
        return store.isDurable();
    }

    @Override
    public boolean isAvailable() {
        return store.isAvailable();
    }

    @Override
    public CompletableFuture<List<CommandRecord>> adopt(int limit) {
        return store.adopt(limit);
    }

    @Override
    public CompletableFuture<Boolean> requestCancel(RecordId id) {
        return store.requestCancel(id);
    }

    @Override
    public void listen(StoreListener listener) {
        store.listen(listener);
    }

    @Override
    public long size() {
        return store.size();
    }

    @Override
    public void close() {
        store.close();
    }

    /** A write that waits. */
    public static final class Write {
        private final FaultyCommandStore owner;
        private final Operation operation;
        private final RecordId id;
        private final Runnable completion;
        private final CompletableFuture<?> answer;

        private Write(
                FaultyCommandStore owner,
                Operation operation,
                RecordId id,
                Runnable completion,
                CompletableFuture<?> answer) {
            this.owner = owner;
            this.operation = operation;
            this.id = id;
            this.completion = completion;
            this.answer = answer;
        }

        /** What kind of write it is. */
        public Operation operation() {
            return operation;
        }

        /** Which record it is for. */
        public RecordId id() {
            return id;
        }

        /** Completes it in the calling thread; does nothing if it does not wait any more. */
        public void complete() {
            if (owner.take(this)) {
                completion.run();
            }
        }

        /**
         * Fails it in the calling thread; does nothing if it does not wait any more. A record to be created is not there then; a change that
         * was passed on stays.
         */
        public void fail(RuntimeException error) {
            if (owner.take(this)) {
                answer.completeExceptionally(error);
            }
        }

        @Override
        public String toString() {
            return operation + " " + id;
        }
    }
}
