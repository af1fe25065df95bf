package io.github.commandway.manager;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.Reason;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One command of this manager: the record, the promise and the context in one object, since every command needs all three. All
 * mutable fields are guarded by this object's own lock, except those of the wheel, which the wheel guards. Lock order: command, then
 * store, table and wheel.
 */
final class LiveCommand implements RecordedCommand, CommandContext, CommandHandle {
    static final int NOT_IN_WHEEL = -1;

    final RecordId id;
    final CommandRequest request;
    final long tag;
    final long createdAtMillis;

    CommandStatus status = CommandStatus.PENDING;

    @Nullable Reason reason;

    @Nullable String message;

    byte @Nullable [] result;
    long sentAtMillis;
    long startedAtMillis;
    long endedAtMillis;
    long deadlineNanos;
    int attempt = 1;
    int lastSequence = 1;
    boolean recorded;
    boolean cancelRequested;
    boolean published;

    @Nullable CancelCause cancelCause;

    private @Nullable Consumer<CancelCause> cancelAction;
    private List<Consumer<? super CommandHandle>> endActions = List.of();

    /** Only there once somebody listens or watches. */
    @Nullable Observers observers;

    /** The in-memory store's: only there once more than the bare life has happened, which can be told from the times above. */
    @Nullable EventLog log;

    long wheelNanos;
    int wheelSpoke = NOT_IN_WHEEL;

    @Nullable LiveCommand wheelPrevious;

    @Nullable LiveCommand wheelNext;

    LiveCommand(RecordId id, CommandRequest request, long tag, long createdAtMillis) {
        this.id = id;
        this.request = request;
        this.tag = tag;
        this.createdAtMillis = createdAtMillis;
    }

    @Override
    public RecordId id() {
        return id;
    }

    @Override
    public CommandRequest request() {
        return request;
    }

    @Override
    public synchronized int attempt() {
        return attempt;
    }

    @Override
    public boolean isRepeated() {
        return false;
    }

    @Override
    public synchronized CommandRecord record() {
        return new CommandRecord(
                id,
                request,
                status,
                reason,
                message,
                result,
                attempt,
                Instant.ofEpochMilli(createdAtMillis),
                instantOrNull(sentAtMillis),
                instantOrNull(startedAtMillis),
                instantOrNull(endedAtMillis),
                cancelRequested,
                lastSequence,
                status.isTerminal() ? 0 : tag);
    }

    @Override
    public synchronized Instant deadline() {
        return sentAtMillis == 0
                ? Instant.ofEpochMilli(createdAtMillis).plus(request.ttl())
                : Instant.ofEpochMilli(sentAtMillis).plus(request.timeout());
    }

    @Override
    public synchronized boolean isCancelled() {
        return cancelCause != null;
    }

    @Override
    public void onCancel(Consumer<CancelCause> action) {
        CancelCause cause;
        synchronized (this) {
            cancelAction = action;
            cause = cancelCause;
        }
        if (cause != null) {
            action.accept(cause);
        }
    }

    @Override
    public @Nullable String principal() {
        return request.principal();
    }

    @Override
    public @Nullable String traceParent() {
        return request.traceParent();
    }

    @Override
    public void whenEnded(Consumer<? super CommandHandle> action) {
        synchronized (this) {
            if (!published) {
                if (endActions.isEmpty()) {
                    endActions = List.of(action);
                } else {
                    if (endActions.size() == 1) {
                        endActions = new ArrayList<>(endActions);
                    }
                    endActions.add(action);
                }
                return;
            }
        }
        CommandManager.runEndAction(action, this);
    }

    /** Marks the end as visible and returns what is to be called now. */
    synchronized List<Consumer<? super CommandHandle>> publish() {
        published = true;
        cancelAction = null;
        List<Consumer<? super CommandHandle>> actions = endActions;
        endActions = List.of();
        return actions;
    }

    /** Marks the command as not wanted and returns what ends the work, if anything does. Only the first cause counts. */
    synchronized @Nullable Consumer<CancelCause> cancel(CancelCause cause) {
        if (cancelCause == null) {
            cancelCause = cause;
        }
        return cancelAction;
    }

    Observers observers() {
        Observers present = observers;
        if (present == null) {
            present = new Observers();
            observers = present;
        }
        return present;
    }

    /** How many bytes the record holds beyond its own size. */
    long bytes() {
        byte[] bytes = result;
        String text = message;
        EventLog events = log;
        return (long) request.payload().length
                + (bytes == null ? 0 : bytes.length)
                + (text == null ? 0 : text.length())
                + (events == null ? 0 : events.bytes());
    }

    private static @Nullable Instant instantOrNull(long millis) {
        return millis == 0 ? null : Instant.ofEpochMilli(millis);
    }

    @Override
    public String toString() {
        return "command " + id + " (" + request.type() + " to " + request.target() + ")";
    }

    /** Those who want to know of every change of one command, and the events that they have not been told yet. */
    static final class Observers {
        final List<Runnable> watchers = new ArrayList<>(1);
        final Deque<CommandEvent> undelivered = new ArrayDeque<>(4);
        boolean delivering;
    }
}
