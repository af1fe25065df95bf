package io.github.commandway.manager;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.Reason;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One command of this manager: the record, the promise and the context in one object, since every command needs all three. All
 * mutable fields are guarded by this object's own lock, except those of the wheel and the in-memory store, which these guard. Lock
 * order: command, then store, table and wheel.
 */
final class LiveCommand implements RecordedCommand, CommandContext, CommandHandle {
    private static final int FIRST_ATTEMPT = 1;

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
    private long deadlineNanosOrEndedBytes;
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
    boolean inWheel;

    @Nullable LiveCommand wheelPrevious;

    /** What is behind it in the wheel; once it has ended, and so left the wheel, the in-memory store's: what ended after it. */
    @Nullable LiveCommand nextInWheelOrEnded;

    /** The in-memory store's: by which its table finds the row without a look at the id. */
    final int idHash;

    /** The in-memory store's: what is behind this row in the chain of its table. */
    @Nullable LiveCommand nextRow;

    LiveCommand(RecordId id, CommandRequest request, long tag, long createdAtMillis) {
        this.id = id;
        this.idHash = id.hashCode();
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
    public int attempt() {
        return FIRST_ATTEMPT;
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
                FIRST_ATTEMPT,
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
        return sentAtMillis == 0 ? after(createdAtMillis, request.ttl()) : after(sentAtMillis, request.timeout());
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

    /** When the time of the open command is over, on the ticker. Once it has ended this is not kept, to make room for its bytes. */
    long deadlineNanos() {
        return deadlineNanosOrEndedBytes;
    }

    void deadlineNanos(long nanos) {
        deadlineNanosOrEndedBytes = nanos;
    }

    /** The in-memory store's: what it has counted for the ended record. */
    long endedBytes() {
        return deadlineNanosOrEndedBytes;
    }

    void endedBytes(long bytes) {
        deadlineNanosOrEndedBytes = bytes;
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

    private static Instant after(long millis, Duration duration) {
        return Instant.ofEpochSecond(
                Math.floorDiv(millis, 1_000L) + duration.getSeconds(),
                Math.floorMod(millis, 1_000L) * 1_000_000 + duration.getNano());
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
