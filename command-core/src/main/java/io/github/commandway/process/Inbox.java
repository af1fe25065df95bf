package io.github.commandway.process;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * The events of one process together with its state, in one word: {@link #top} is the newest event that nobody has taken yet, or says that the process
 * is awake with none, asleep, or closed. So whoever adds an event learns in the same compare-and-set whether it has to wake the process, and a process cannot
 * fall asleep over an event.
 *
 * <p>Many threads push; take, sleep and close are for the one that owns the process at that moment. An event is pushed once in its life.
 */
class Inbox {
    private static final Event IDLE = new Mark();
    private static final Event WAITING = new Mark();
    private static final Event CLOSED = new Mark();
    private static final VarHandle TOP;
    private static final VarHandle MESSAGES;

    static {
        try {
            MethodHandles.Lookup lookup = MethodHandles.lookup();
            TOP = lookup.findVarHandle(Inbox.class, "top", Event.class);
            MESSAGES = lookup.findVarHandle(Inbox.class, "messages", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private volatile @Nullable Event top;

    /** Those that were accepted and not yet delivered, wherever they are. */
    private volatile int messages;

    /** Counts a message that is going to be pushed, unless that would make more than {@code bound}. */
    final boolean reserveMessage(int bound) {
        int before;
        do {
            before = messages;
            if (before >= bound) {
                return false;
            }
        } while (!MESSAGES.compareAndSet(this, before, before + 1));
        return true;
    }

    /** Makes room for as many messages as were delivered. */
    final void delivered(int count) {
        int unused = (int) MESSAGES.getAndAdd(this, -count);
    }

    /** How many messages wait. */
    final int messages() {
        return messages;
    }

    /** Adds an event behind all others. A message wakes a process that is idle, but not one that waits for its yields. */
    final Pushed push(Event event) {
        boolean message = event instanceof Signal signal && signal.kind() == Event.Kind.MESSAGE;
        for (; ; ) {
            Event before = top;
            if (before == CLOSED) {
                return Pushed.REFUSED;
            }
            boolean idle = before == IDLE;
            boolean waiting = before != null && (before == WAITING || before.overSleep);
            event.below = before instanceof Mark ? null : before;
            event.overSleep = waiting && message;
            if (TOP.compareAndSet(this, before, event)) {
                return idle || (waiting && !message) ? Pushed.WAKES : Pushed.ADDED;
            }
        }
    }

    /** Takes all events, the newest of them on top of the others, or null if there is none. */
    final @Nullable Event take() {
        return top == null ? null : (Event) TOP.getAndSet(this, null);
    }

    /**
     * Falls asleep, unless there is an event. After that the process belongs to whoever wakes it: the caller may not touch it any more.
     *
     * @param deaf whether a message leaves it asleep
     */
    final boolean sleep(boolean deaf) {
        return TOP.compareAndSet(this, null, deaf ? WAITING : IDLE);
    }

    /** Refuses events from now on, and returns those that nobody has taken. */
    final @Nullable Event close() {
        Event last = (Event) TOP.getAndSet(this, CLOSED);
        return last instanceof Mark ? null : last;
    }

    /** What the process is doing, as far as it can be told from here. */
    final ProcessInfo.State state() {
        Event now = top;
        if (now == CLOSED) {
            return ProcessInfo.State.COMPLETE;
        }
        if (now == IDLE) {
            return ProcessInfo.State.IDLE;
        }
        return now != null && (now == WAITING || now.overSleep) ? ProcessInfo.State.WAITING : ProcessInfo.State.READY;
    }

    /** What became of a push. */
    enum Pushed {
        /** The process is awake and will see it, or goes on sleeping by its own wish. */
        ADDED,
        /** The process was asleep, and belongs to the caller now, who has to see that it runs. */
        WAKES,
        /** The process has ended. */
        REFUSED
    }

    /** Not an event, but what is there instead of one. */
    private static final class Mark extends Event {
        @Override
        public Kind kind() {
            throw new IllegalStateException();
        }

        @Override
        public @Nullable Object data() {
            throw new IllegalStateException();
        }
    }
}
