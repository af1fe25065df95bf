package io.github.commandway.process;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.process.ProcessException.Code;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The process that a {@link ProcessBody} is to the others. Calls go from the body's thread to the next step, which yields them; their ends go back with the step that sees them. It hears messages
 * only while the body receives, so that the others stay in the mailbox and count there.
 */
final class BlockingProcess implements Process, ProcessBody.Self, Runnable {
    private final Processes processes;
    private final BodyThreads threads;
    private final ProcessBody body;
    private final Queue<Call> calls = new ConcurrentLinkedQueue<>();
    private final BlockingQueue<Event> received = new LinkedBlockingQueue<>();

    /** Belongs to the steps. */
    private final Map<Long, Call> open = new HashMap<>();

    /** Belongs to the steps. */
    private long lastTag;

    private volatile @Nullable ProcessContext self;
    private volatile boolean receiving;
    private volatile @Nullable Exit outcome;

    /** The body's; guarded by the lock, so that no interrupt comes after its end. */
    private @Nullable Thread thread;

    private volatile boolean closed;

    BlockingProcess(Processes processes, BodyThreads threads, ProcessBody body) {
        this.processes = processes;
        this.threads = threads;
        this.body = body;
    }

    @Override
    public void init(ProcessContext context, @Nullable Object input) {
        self = context;
        threads.execute(this);
    }

    @Override
    @SuppressWarnings("IllegalCatch")
    public void run() {
        synchronized (this) {
            if (closed) {
                return;
            }
            thread = Thread.currentThread();
        }
        Object result = null;
        Throwable error = null;
        try {
            result = body.run(this);
        } catch (Throwable e) {
            error = e;
        }
        synchronized (this) {
            thread = null;
        }
        // a thread of a pool must not take it along
        Thread.interrupted();
        outcome = new Exit(pid(), result, error);
        wakeUp();
    }

    @Override
    public void step(List<Event> events, StepOutput out) throws Exception {
        for (Event event : events) {
            if (event.kind() == Event.Kind.YIELD_COMPLETE) {
                Call call = open.remove(event.tag());
                if (call != null) {
                    call.end(event.data(), event.error());
                }
            } else {
                received.add(event);
                if (event.kind() == Event.Kind.CANCEL) {
                    interrupt();
                }
            }
        }
        for (Call call = calls.poll(); call != null; call = calls.poll()) {
            open.put(++lastTag, call);
            if (call.timeout == null) {
                out.yield(call.command, lastTag);
            } else {
                out.yield(call.command, lastTag, call.timeout);
            }
        }
        Exit ended = outcome;
        if (ended == null) {
            if (receiving && received.isEmpty()) {
                out.idle();
            } else {
                out.park();
            }
        } else if (ended.error() == null) {
            out.done(ended.result());
        } else {
            throw asException(ended.error());
        }
    }

    private static Exception asException(Throwable error) {
        return error instanceof Exception exception
                ? exception
                : new CommandException(Reason.EXECUTOR_ERROR, error.toString());
    }

    @Override
    public void close() {
        closed = true;
        interrupt();
        ProcessException gone = new ProcessException(Code.TERMINATED, "the process has ended");
        open.values().forEach(call -> call.end(null, gone));
        open.clear();
        for (Call call = calls.poll(); call != null; call = calls.poll()) {
            call.end(null, gone);
        }
    }

    private synchronized void interrupt() {
        if (thread != null) {
            thread.interrupt();
        }
    }

    private boolean wakeUp() {
        LiveProcess live = processes.live(pid());
        return live != null && live.wakeUp();
    }

    @Override
    public @Nullable Object call(Command command) throws Exception {
        return await(new Call(command, null));
    }

    @Override
    public @Nullable Object call(Command command, Duration timeout) throws Exception {
        return await(new Call(command, timeout));
    }

    private @Nullable Object await(Call call) throws Exception {
        calls.add(call);
        if (closed || !wakeUp()) {
            throw new ProcessException(Code.TERMINATED, "the process has ended");
        }
        try {
            return call.ended.get();
        } catch (ExecutionException e) {
            Throwable cause = e.getCause();
            throw cause == null ? e : asException(cause);
        }
    }

    @Override
    public Event receive() throws InterruptedException {
        Event event = received.poll();
        if (event == null) {
            listen();
            event = received.take();
            receiving = false;
        }
        return event;
    }

    @Override
    public @Nullable Event receive(Duration timeout) throws InterruptedException {
        Event event = received.poll();
        if (event == null) {
            listen();
            event = received.poll(timeout.toNanos(), TimeUnit.NANOSECONDS);
            receiving = false;
        }
        return event;
    }

    private void listen() {
        receiving = true;
        if (!wakeUp()) {
            throw new ProcessException(Code.TERMINATED, "the process has ended");
        }
    }

    private ProcessContext self() {
        ProcessContext present = self;
        if (present == null) {
            throw new IllegalStateException("not started");
        }
        return present;
    }

    @Override
    public Pid pid() {
        return self().pid();
    }

    @Override
    public Mail mail() {
        return processes;
    }

    @Override
    public Instant deadline() {
        return self().deadline();
    }

    @Override
    public boolean isCancelled() {
        return self().isCancelled();
    }

    @Override
    public void onCancel(Consumer<CancelCause> action) {
        self().onCancel(action);
    }

    @Override
    public @Nullable String principal() {
        return self().principal();
    }

    @Override
    public @Nullable String traceParent() {
        return self().traceParent();
    }

    /** One call of the body. */
    private static final class Call {
        final Command command;
        final @Nullable Duration timeout;
        final CompletableFuture<@Nullable Object> ended = new CompletableFuture<>();

        Call(Command command, @Nullable Duration timeout) {
            this.command = command;
            this.timeout = timeout;
        }

        void end(@Nullable Object result, @Nullable Throwable error) {
            if (error == null) {
                ended.complete(result);
            } else {
                ended.completeExceptionally(error);
            }
        }
    }
}
