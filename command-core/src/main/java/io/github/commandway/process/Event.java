package io.github.commandway.process;

import org.jspecify.annotations.Nullable;

/** Something that happened to a process, as its next step sees it. Valid until that step returns; what it carries may be kept. */
public abstract class Event {
    /** What was pushed before it, while it is in an inbox. */
    @Nullable Event below;

    /** Whether the process sleeps in spite of it. */
    boolean overSleep;

    Event() {}

    /** What happened. */
    public abstract Kind kind();

    /** The tag that the process gave the yield that is complete; 0 for other events. */
    public long tag() {
        return 0;
    }

    /** The result of a yield or of a process that has exited, the payload of a message, or null. */
    public abstract @Nullable Object data();

    /** Why the yield or the other process failed, or null. */
    public @Nullable Throwable error() {
        return null;
    }

    /** Where it comes from: the sender, the process that has exited, or who wants this one cancelled; null if that is no process. */
    public @Nullable Pid from() {
        return null;
    }

    /** The topic of a message, the reason of a cancellation; empty for other events. */
    public String topic() {
        return "";
    }

    /** The kinds of events. */
    public enum Kind {
        /** A yielded command has ended: {@link #tag}, {@link #data} and {@link #error}. */
        YIELD_COMPLETE,
        /** Another process or a service has sent a message: {@link #from}, {@link #topic} and {@link #data}. */
        MESSAGE,
        /** A monitored process has ended: {@link #from}, {@link #data} and {@link #error}. */
        EXIT,
        /** A linked process has failed: {@link #from} and {@link #error}. Only a process that traps links gets to see it. */
        LINK_DOWN,
        /** The process is asked to come to its end by itself: {@link #from}, and the reason in {@link #topic}. */
        CANCEL
    }
}
