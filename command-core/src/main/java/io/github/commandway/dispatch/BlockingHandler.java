package io.github.commandway.dispatch;

import java.util.concurrent.Executor;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A handler whose work blocks: runs it in a thread of an executor, which is interrupted when the command is not wanted any more. What the work returns is the result;
 * what it throws is the failure. Work that had been interrupted and ends because of that counts as cancelled, timed out or shut down, whichever it was.
 */
public final class BlockingHandler implements Handler {
    private final Executor threads;
    private final Work work;

    /**
     * @param threads runs the work; stays the caller's
     * @param work is called once for each attempt of each command, for several at once
     */
    public BlockingHandler(Executor threads, Work work) {
        this.threads = threads;
        this.work = work;
    }

    @Override
    public void handle(CommandContext context, Command command, long tag, ResultReceiver receiver) {
        threads.execute(new Run(work, new Task(context, command, tag, receiver)));
    }

    /** What is done for a command. */
    @FunctionalInterface
    public interface Work {
        /**
         * Does it, in one of the executor's threads, which it may block.
         *
         * @return the result: bytes, text, or null for an empty one
         * @throws Exception the command has failed, with this message; a {@link CommandException} with its reason
         */
        @Nullable Object run(Task task) throws Exception;
    }

    /** One attempt of one command, as its work sees it. Safe for use by many threads. */
    public static final class Task {
        private final CommandContext context;
        private final Command command;
        private final long tag;
        private final ResultReceiver receiver;

        Task(CommandContext context, Command command, long tag, ResultReceiver receiver) {
            this.context = context;
            this.command = command;
            this.tag = tag;
            this.receiver = receiver;
        }

        /** What it is done under; its cancel action belongs to the handler. */
        public CommandContext context() {
            return context;
        }

        /** What is to be done; from a manager a {@code RecordedCommand}. */
        public Command command() {
            return command;
        }

        /** Reports progress, see {@link ResultReceiver#progress}. */
        public void progress(double fraction, String message) {
            receiver.progress(tag, fraction, message);
        }

        /** Passes on output, see {@link ResultReceiver#output}. */
        public void output(String channel, byte[] data) {
            receiver.output(tag, channel, data);
        }
    }

    /** The lock guards the fields that are not final. */
    private static final class Run implements Runnable, Consumer<CancelCause> {
        private final Work work;
        private final Task task;
        private @Nullable Thread thread;
        private @Nullable CancelCause cause;

        Run(Work work, Task task) {
            this.work = work;
            this.task = task;
        }

        @Override
        @SuppressWarnings("IllegalCatch")
        public void run() {
            synchronized (this) {
                thread = Thread.currentThread();
            }
            task.context.onCancel(this);
            Object result = null;
            Throwable error = null;
            try {
                result = work.run(task);
            } catch (Throwable e) {
                error = e;
            }
            CancelCause why;
            synchronized (this) {
                thread = null;
                why = cause;
            }
            // an interrupt that came too late must not meet the next command
            boolean interrupted = Thread.interrupted() || error instanceof InterruptedException;
            if (error != null && why != null) {
                error = new CommandException(why.reason(), interrupted ? "interrupted" : "stopped: " + error);
            }
            task.receiver.completeYield(task.tag, result, error);
        }

        @Override
        public synchronized void accept(CancelCause why) {
            if (cause == null) {
                cause = why;
            }
            if (thread != null) {
                thread.interrupt();
            }
        }
    }
}
