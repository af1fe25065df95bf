package io.github.commandway.queue;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.ResultReceiver;
import java.time.Instant;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** What the handler behind one of ours gets as its context and receiver: passes everything on, so that a subclass sees what it needs to see. */
abstract class Passage implements CommandContext, ResultReceiver, Consumer<CancelCause> {
    private final CommandContext context;
    private final ResultReceiver receiver;
    private @Nullable Consumer<CancelCause> action;
    private @Nullable CancelCause cause;

    Passage(CommandContext context, ResultReceiver receiver) {
        this.context = context;
        this.receiver = receiver;
    }

    /** It is not wanted any more. */
    @Override
    public void accept(CancelCause why) {
        Consumer<CancelCause> present;
        synchronized (this) {
            cause = why;
            present = action;
        }
        if (present != null) {
            present.accept(why);
        }
    }

    /** Why it is not wanted any more, or null. */
    synchronized @Nullable CancelCause cause() {
        return cause;
    }

    @Override
    public void onCancel(Consumer<CancelCause> action) {
        CancelCause now;
        synchronized (this) {
            this.action = action;
            now = cause;
        }
        if (now != null) {
            action.accept(now);
        }
    }

    @Override
    public void completeYield(long tag, @Nullable Object data, @Nullable Throwable error) {
        receiver.completeYield(tag, data, error);
    }

    @Override
    public CompletableFuture<Boolean> assign(long tag, String assignee) {
        return receiver.assign(tag, assignee);
    }

    @Override
    public boolean handOver(long tag) {
        return receiver.handOver(tag);
    }

    @Override
    public void started(long tag) {
        receiver.started(tag);
    }

    @Override
    public void progress(long tag, double fraction, String message) {
        receiver.progress(tag, fraction, message);
    }

    @Override
    public void output(long tag, String channel, byte[] data) {
        receiver.output(tag, channel, data);
    }

    @Override
    public Instant deadline() {
        return context.deadline();
    }

    @Override
    public boolean isCancelled() {
        return context.isCancelled();
    }

    @Override
    public @Nullable String principal() {
        return context.principal();
    }

    @Override
    public @Nullable String traceParent() {
        return context.traceParent();
    }
}
