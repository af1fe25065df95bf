package io.github.commandway.manager;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.timing.Timed;
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
 * mutable fields are guarded by this object's own lock, except those of the wheel and the in-memory store, which these guard. (Once it has
 * ended, and so left the wheel, {@link #next} is the in-memory store's: what ended after it.) Lock
 * order: command, then store, table and wheel.
 */
final class LiveCommand extends Timed<LiveCommand> implements RecordedCommand, CommandContext, CommandHandle {
    /** The store has said that it is safe. */
    static final int RECORDED = 1;

    /** Somebody wants it cancelled. */
    static final int CANCEL_REQUESTED = 2;

    /** It was not submitted to this server since it started. */
    static final int GUEST = 4;

    /** Its end is safe. */
    static final int END_RECORDED = 8;

    /** Its end is visible to everybody. */
    static final int PUBLISHED = 16;

    /** Its time is over, and its handler is ending it. */
    static final int STOPPING = 32;

    /** That it executes could not be written: its record still says that it waits. */
    static final int START_UNRECORDED = 64;

    final RecordId id;
    final CommandRequest request;
    final long createdAtMillis;

    /** Of the current attempt; guarded by the lock once the command is recorded. */
    long tag;

    CommandStatus status = CommandStatus.PENDING;

    @Nullable Reason reason;

    @Nullable String message;

    @Nullable String assignedTo;

    byte @Nullable [] result;
    long sentAtMillis;
    long startedAtMillis;
    long endedAtMillis;
    private long deadlineNanosOrEndedBytes;
    int lastSequence = 1;

    /** Several in one byte, since every open command has them. */
    private byte flags;

    /** Whether it belongs to this server: one to a queue does once it was claimed or taken, any other one always. */
    volatile boolean owned;

    /** Of the first attempt; those of a later one are in {@link #later}. */
    private @Nullable CancelCause cancelCause;

    private @Nullable Consumer<CancelCause> cancelAction;

    /** The current attempt, unless it is the first. */
    @Nullable Attempt later;

    private List<Consumer<? super CommandHandle>> endActions = List.of();
    private @Nullable Runnable outcomeAction;

    /** Only there once somebody listens or watches. */
    @Nullable Observers observers;

    /** The in-memory store's: only there once more than the bare life has happened, which can be told from the times above. */
    @Nullable EventLog log;

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
        this.owned = !(request.target() instanceof Target.Queue);
    }

    /** One that was recorded elsewhere, or by an earlier run of this server. */
    LiveCommand(CommandRecord record, long tag) {
        this(record.id(), record.request(), tag, record.createdAt().toEpochMilli());
        if (record.attempt() > 1) {
            later = new Attempt(this, record.attempt(), tag, millisOrZero(record.notBefore()));
        }
        mark(GUEST);
        mark(RECORDED);
        take(record);
    }

    /** Whether that is so. The lock is held. */
    boolean is(int flag) {
        return (flags & flag) != 0;
    }

    /** Says that it is so from now on. The lock is held, or nobody else knows this object. */
    void mark(int flag) {
        flags = (byte) (flags | flag);
    }

    /** Says that it is not so any more. The lock is held. */
    void unmark(int flag) {
        flags = (byte) (flags & ~flag);
    }

    /** Whether anybody wants to know of its end or its changes. */
    synchronized boolean isWaitedFor() {
        Observers present = observers;
        return !endActions.isEmpty() || (present != null && !present.watchers.isEmpty());
    }

    /** Becomes what the record says. The lock is held, or nobody else knows this object. */
    void take(CommandRecord record) {
        status = record.status();
        reason = record.reason();
        message = record.message();
        result = record.result();
        sentAtMillis = millisOrZero(record.sentAt());
        startedAtMillis = millisOrZero(record.startedAt());
        endedAtMillis = millisOrZero(record.endedAt());
        if (record.cancelRequested()) {
            mark(CANCEL_REQUESTED);
        }
        lastSequence = (int) record.lastSequence();
        assignedTo = record.assignedTo();
    }

    /** What the handler of the current attempt gets as its context. */
    CommandContext context() {
        Attempt attempt = later;
        return attempt == null ? this : attempt;
    }

    /** Goes on with the next attempt. The lock is held. */
    void nextAttempt(long nextTag, long notBeforeMillis) {
        long first = order();
        later = new Attempt(this, attempt() + 1, first, notBeforeMillis);
        tag = nextTag;
        owned = !(request.target() instanceof Target.Queue);
        sentAtMillis = 0;
        startedAtMillis = 0;
    }

    /** Those accepted earlier have a lower number; it stays the same through all attempts. */
    long order() {
        Attempt attempt = later;
        return attempt == null ? tag : attempt.order;
    }

    /** When it may begin at the earliest, or 0 for at once. */
    long notBeforeMillis() {
        Attempt attempt = later;
        return attempt == null ? millisOrZero(request.notBefore()) : attempt.notBeforeMillis;
    }

    /** From when on its ttl counts. */
    private long waitingSinceMillis() {
        return Math.max(createdAtMillis, notBeforeMillis());
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
        Attempt attempt = later;
        return attempt == null ? 1 : attempt.number;
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
                attempt(),
                Instant.ofEpochMilli(createdAtMillis),
                instantOrNull(sentAtMillis),
                instantOrNull(startedAtMillis),
                instantOrNull(endedAtMillis),
                is(CANCEL_REQUESTED),
                lastSequence,
                status.isTerminal() ? 0 : tag,
                instantOrNull(notBeforeMillis()),
                assignedTo);
    }

    @Override
    public synchronized Instant deadline() {
        return sentAtMillis == 0 ? after(waitingSinceMillis(), request.ttl()) : after(sentAtMillis, request.timeout());
    }

    @Override
    public synchronized boolean isCancelled() {
        // for the first attempt's handler, which is not to go on once there is a second one
        return cancelCause != null || later != null;
    }

    /** Why the current attempt is not wanted, or null. The lock is held. */
    @Nullable CancelCause cancelCause() {
        Attempt attempt = later;
        return attempt == null ? cancelCause : attempt.cancelCause;
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
            if (!is(PUBLISHED)) {
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

    @Override
    public void whenOutcomeRecorded(Runnable action) {
        synchronized (this) {
            if (!is(PUBLISHED)) {
                outcomeAction = action;
                return;
            }
            if (!is(END_RECORDED)) {
                return;
            }
        }
        action.run();
    }

    /** Returns what is to be called now that the outcome of the attempt is recorded, or that it is known not to be. */
    synchronized @Nullable Runnable takeOutcomeAction() {
        Runnable action = outcomeAction;
        outcomeAction = null;
        return action;
    }

    /** Marks the end as visible and returns what is to be called now. */
    synchronized List<Consumer<? super CommandHandle>> publish() {
        mark(PUBLISHED);
        cancelAction = null;
        List<Consumer<? super CommandHandle>> actions = endActions;
        endActions = List.of();
        return actions;
    }

    /**
     * Marks the attempt with this tag as not wanted and returns what ends the work, if anything does. Only the first cause counts.
     */
    synchronized @Nullable Consumer<CancelCause> cancel(long attemptTag, CancelCause cause) {
        if (attemptTag != tag) {
            return null;
        }
        Attempt attempt = later;
        if (attempt != null) {
            return attempt.cancel(cause);
        }
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

    private static long millisOrZero(@Nullable Instant instant) {
        return instant == null ? 0 : instant.toEpochMilli();
    }

    private static @Nullable Instant instantOrNull(long millis) {
        return millis == 0 ? null : Instant.ofEpochMilli(millis);
    }

    @Override
    public String toString() {
        return "command " + id + " (" + request.type() + " to " + request.target() + ")";
    }

    /** A second or later attempt, and the context of its handler. The mutable fields are guarded by the command's lock. */
    static final class Attempt implements CommandContext {
        private final LiveCommand command;
        final int number;
        final long order;
        final long notBeforeMillis;
        private @Nullable CancelCause cancelCause;
        private @Nullable Consumer<CancelCause> cancelAction;

        Attempt(LiveCommand command, int number, long order, long notBeforeMillis) {
            this.command = command;
            this.number = number;
            this.order = order;
            this.notBeforeMillis = notBeforeMillis;
        }

        @Nullable Consumer<CancelCause> cancel(CancelCause cause) {
            if (cancelCause == null) {
                cancelCause = cause;
            }
            return cancelAction;
        }

        @Override
        public Instant deadline() {
            return command.deadline();
        }

        @Override
        public boolean isCancelled() {
            synchronized (command) {
                return cancelCause != null || command.later != this;
            }
        }

        @Override
        public void onCancel(Consumer<CancelCause> action) {
            CancelCause cause;
            synchronized (command) {
                cancelAction = action;
                cause = cancelCause;
            }
            if (cause != null) {
                action.accept(cause);
            }
        }

        @Override
        public @Nullable String principal() {
            return command.principal();
        }

        @Override
        public @Nullable String traceParent() {
            return command.traceParent();
        }
    }

    /** Those who want to know of every change of one command, and the events that they have not been told yet. */
    static final class Observers {
        final List<Runnable> watchers = new ArrayList<>(1);
        final Deque<CommandEvent> undelivered = new ArrayDeque<>(4);
        boolean delivering;
    }
}
