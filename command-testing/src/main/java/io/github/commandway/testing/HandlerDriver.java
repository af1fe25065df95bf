package io.github.commandway.testing;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Dispatcher;
import io.github.commandway.dispatch.Handler;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.process.Mail;
import io.github.commandway.process.Message;
import io.github.commandway.process.Pid;
import io.github.commandway.process.ProcessContext;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Gives commands to handlers as a process would, and watches that each completes exactly once. Safe for use by many threads.
 */
public final class HandlerDriver {
    private final Registry registry = new Registry();
    private final AtomicLong tags = new AtomicLong();
    private final List<Call> calls = new ArrayList<>();
    private final Map<Pid, Queue<Message>> mailboxes = new ConcurrentHashMap<>();
    private final Mail mail = this::deliver;
    private volatile int mailboxLimit = Integer.MAX_VALUE;

    /** Drives the handlers of these dispatchers. */
    public HandlerDriver(Dispatcher... dispatchers) {
        for (Dispatcher dispatcher : dispatchers) {
            registry.register(dispatcher);
        }
        registry.freeze();
    }

    /** A process that can call; it has a mailbox from now on, until {@link Caller#end}. */
    public Caller process(long pid) {
        mailboxes.putIfAbsent(new Pid(pid), new ConcurrentLinkedQueue<>());
        return new Caller(new Pid(pid));
    }

    /** Calls for process 1. */
    public Call call(Command command) {
        return process(1).call(command);
    }

    /** The result of a command of process 1 that has ended when its handler returns. */
    public @Nullable Object result(Command command) {
        return call(command).result();
    }

    /** Lets mailboxes refuse more than so many messages. */
    public void limitMailboxes(int limit) {
        mailboxLimit = limit;
    }

    /**
     * Throws if a command completed more than once, or threw after it had completed, or has not completed.
     */
    public void verify() {
        synchronized (calls) {
            for (Call call : calls) {
                if (call.completions.get() != 1) {
                    throw new AssertionError(call.command + " completed " + call.completions + " times");
                }
            }
        }
    }

    private boolean deliver(Pid to, Message message) {
        Queue<Message> mailbox = mailboxes.get(to);
        return mailbox != null && mailbox.size() < mailboxLimit && mailbox.add(message);
    }

    /** One process. */
    public final class Caller {
        private final Pid pid;

        private Caller(Pid pid) {
            this.pid = pid;
        }

        /** Its number. */
        public Pid pid() {
            return pid;
        }

        /** Hands a command to its handler. */
        @SuppressWarnings("IllegalCatch")
        public Call call(Command command) {
            Handler handler = registry.get(command.commandId());
            if (handler == null) {
                throw new IllegalArgumentException("nobody handles " + command);
            }
            Call call = new Call(pid, command, tags.incrementAndGet());
            synchronized (calls) {
                calls.add(call);
            }
            try {
                handler.handle(call, command, call.tag, call);
            } catch (Exception e) {
                call.completeYield(call.tag, null, e);
            }
            return call;
        }

        /** The messages that came and were not taken yet, the oldest first. */
        public List<Message> messages() {
            Queue<Message> mailbox = mailboxes.get(pid);
            return mailbox == null ? List.of() : List.copyOf(mailbox);
        }

        /** Takes out all messages. */
        public List<Message> takeMessages() {
            Queue<Message> mailbox = mailboxes.get(pid);
            List<Message> taken = new ArrayList<>();
            if (mailbox != null) {
                for (Message message = mailbox.poll(); message != null; message = mailbox.poll()) {
                    taken.add(message);
                }
            }
            return taken;
        }

        /** Ends the process: its mailbox is gone, and what it waits for is cancelled. */
        public void end() {
            mailboxes.remove(pid);
            List<Call> open;
            synchronized (calls) {
                open = calls.stream()
                        .filter(call -> call.pid.equals(pid) && call.completions.get() == 0)
                        .toList();
            }
            open.forEach(call -> call.cancel(CancelCause.SHUTDOWN));
        }
    }

    /** One command on its way. */
    public final class Call implements ProcessContext, ResultReceiver {
        private final Pid pid;
        private final Command command;
        private final long tag;
        private final AtomicInteger completions = new AtomicInteger();
        private final CompletableFuture<@Nullable Object> outcome = new CompletableFuture<>();
        private @Nullable Consumer<CancelCause> action;
        private @Nullable CancelCause cause;

        private Call(Pid pid, Command command, long tag) {
            this.pid = pid;
            this.command = command;
            this.tag = tag;
        }

        /** Completes as the command does. */
        public CompletableFuture<@Nullable Object> outcome() {
            return outcome;
        }

        /** Whether the command has ended. */
        public boolean isDone() {
            return outcome.isDone();
        }

        /**
         * The result.
         *
         * @throws IllegalStateException if the command has not ended, or without success
         */
        public @Nullable Object result() {
            if (!outcome.isDone()) {
                throw new IllegalStateException(command + " has not ended");
            }
            if (outcome.isCompletedExceptionally()) {
                throw new IllegalStateException(command + " failed", error());
            }
            return outcome.getNow(null);
        }

        /**
         * Why the command failed.
         *
         * @throws IllegalStateException if it has not ended, or with success
         */
        public Throwable error() {
            if (!outcome.isCompletedExceptionally()) {
                throw new IllegalStateException(command + " has not failed");
            }
            Throwable error = outcome.handle((result, failure) -> failure).getNow(null);
            if (error == null) {
                throw new IllegalStateException(command + " has not failed");
            }
            return error;
        }

        /** The reason that the failure carries; null if it carries none. */
        public @Nullable Reason reason() {
            return error() instanceof CommandException failure ? failure.reason() : null;
        }

        /** Cancels the command, as its process or its deadline would. */
        public void cancel(CancelCause why) {
            Consumer<CancelCause> present;
            synchronized (this) {
                if (cause != null) {
                    return;
                }
                cause = why;
                present = action;
            }
            if (present != null) {
                present.accept(why);
            }
        }

        @Override
        public void completeYield(long completed, @Nullable Object data, @Nullable Throwable error) {
            if (completed != tag) {
                throw new IllegalArgumentException("tag " + completed + " instead of " + tag + " for " + command);
            }
            if (completions.incrementAndGet() > 1) {
                return;
            }
            if (error == null) {
                outcome.complete(data);
            } else {
                outcome.completeExceptionally(error);
            }
        }

        @Override
        public Pid pid() {
            return pid;
        }

        @Override
        public Mail mail() {
            return mail;
        }

        @Override
        public Instant deadline() {
            return Instant.MAX;
        }

        @Override
        public synchronized boolean isCancelled() {
            return cause != null;
        }

        @Override
        public void onCancel(Consumer<CancelCause> wanted) {
            CancelCause why;
            synchronized (this) {
                action = wanted;
                why = cause;
            }
            if (why != null) {
                wanted.accept(why);
            }
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
}
