package io.github.commandway.agent;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A context that keeps what is reported, and that a test can cancel as the agent does: flag, interrupt, actions. */
public final class RecordingContext implements ExecutionContext {
    private final Thread thread = Thread.currentThread();
    private final ByteArrayOutputStream stdout = new ByteArrayOutputStream();
    private final ByteArrayOutputStream stderr = new ByteArrayOutputStream();
    private final List<Runnable> actions = new ArrayList<>();
    private final Instant deadline;
    private boolean cancelled;

    public RecordingContext() {
        this(Instant.MAX);
    }

    public RecordingContext(Instant deadline) {
        this.deadline = deadline;
    }

    /** From another thread than the one that made this context and executes the command. */
    public void cancel() {
        List<Runnable> toRun;
        synchronized (this) {
            cancelled = true;
            toRun = List.copyOf(actions);
        }
        thread.interrupt();
        toRun.forEach(Runnable::run);
    }

    public synchronized String stdout() {
        return stdout.toString(StandardCharsets.UTF_8);
    }

    public synchronized String stderr() {
        return stderr.toString(StandardCharsets.UTF_8);
    }

    @Override
    public String commandId() {
        return "0198-test";
    }

    @Override
    public int attempt() {
        return 1;
    }

    @Override
    public Instant deadline() {
        return deadline;
    }

    @Override
    public synchronized boolean isCancelled() {
        return cancelled;
    }

    @Override
    public synchronized void onCancel(Runnable action) {
        actions.add(action);
    }

    @Override
    public void progress(double fraction, String message) {}

    @Override
    public synchronized void output(String channel, byte[] data) {
        (channel.equals("stdout") ? stdout : stderr).writeBytes(data);
    }

    @Override
    public @Nullable String principal() {
        return null;
    }

    @Override
    public @Nullable String traceParent() {
        return null;
    }
}
