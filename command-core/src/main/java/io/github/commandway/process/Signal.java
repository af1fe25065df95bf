package io.github.commandway.process;

import org.jspecify.annotations.Nullable;

/** An event that is not the end of a yield. Immutable but for its place in the inbox. */
final class Signal extends Event {
    private final Kind kind;
    private final @Nullable Pid from;
    private final String topic;
    private final @Nullable Object data;
    private final @Nullable Throwable error;

    private Signal(Kind kind, @Nullable Pid from, String topic, @Nullable Object data, @Nullable Throwable error) {
        this.kind = kind;
        this.from = from;
        this.topic = topic;
        this.data = data;
        this.error = error;
    }

    static Signal message(Message message) {
        return new Signal(Kind.MESSAGE, message.from(), message.topic(), message.payload(), null);
    }

    static Signal exit(Exit exit) {
        return new Signal(Kind.EXIT, exit.pid(), "", exit.result(), exit.error());
    }

    static Signal linkDown(Exit exit) {
        return new Signal(Kind.LINK_DOWN, exit.pid(), "", null, exit.error());
    }

    static Signal cancel(@Nullable Pid from, String reason) {
        return new Signal(Kind.CANCEL, from, reason, null, null);
    }

    @Override
    public Kind kind() {
        return kind;
    }

    @Override
    public @Nullable Object data() {
        return data;
    }

    @Override
    public @Nullable Throwable error() {
        return error;
    }

    @Override
    public @Nullable Pid from() {
        return from;
    }

    @Override
    public String topic() {
        return topic;
    }

    @Override
    public String toString() {
        return kind + " from " + from + ": " + topic;
    }
}
