package io.github.commandway.process;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Dispatcher;
import io.github.commandway.dispatch.Handler;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.process.ProcessException.Code;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Commands 1 to 9, by which processes deal with other processes. All but {@link Exec} end at once. What cannot be done fails the command, mostly with a {@link ProcessException}. Where a command
 * speaks for the process that yields it, it can be executed for a process only.
 */
public final class ProcessCommands implements Dispatcher {
    /** {@link Send}. */
    public static final int SEND = 1;

    /** {@link Spawn}. */
    public static final int SPAWN = 2;

    /** {@link Terminate}. */
    public static final int TERMINATE = 3;

    /** {@link Cancel}. */
    public static final int CANCEL = 4;

    /** {@link Monitor}. */
    public static final int MONITOR = 5;

    /** {@link Unmonitor}. */
    public static final int UNMONITOR = 6;

    /** {@link Link}. */
    public static final int LINK = 7;

    /** {@link Unlink}. */
    public static final int UNLINK = 8;

    /** {@link Exec}. */
    public static final int EXEC = 9;

    private final Processes processes;

    /** Commands for these processes. */
    public ProcessCommands(Processes processes) {
        this.processes = processes;
    }

    @Override
    public String name() {
        return "process";
    }

    @Override
    public void registerAll(Registrar registrar) {
        registrar.register(SEND, now((context, command) -> send(context, (Send) command)));
        registrar.register(SPAWN, now((context, command) -> spawn(context, (Spawn) command)));
        registrar.register(TERMINATE, now((context, command) -> {
            Pid target = ((Terminate) command).target();
            return mustBe(processes.terminate(target), target);
        }));
        registrar.register(CANCEL, now((context, command) -> {
            Cancel cancel = (Cancel) command;
            return mustBe(processes.cancel(cancel.target(), pidOf(context), cancel.reason()), cancel.target());
        }));
        registrar.register(MONITOR, now((context, command) -> {
            processes.monitor(caller(context), ((Monitor) command).target());
            return null;
        }));
        registrar.register(UNMONITOR, now((context, command) -> {
            processes.unmonitor(caller(context), ((Unmonitor) command).target());
            return null;
        }));
        registrar.register(LINK, now((context, command) -> {
            processes.link(caller(context), ((Link) command).target());
            return null;
        }));
        registrar.register(UNLINK, now((context, command) -> {
            processes.unlink(caller(context), ((Unlink) command).target());
            return null;
        }));
        registrar.register(EXEC, this::exec);
    }

    private static Handler now(Action action) {
        return (context, command, tag, receiver) -> receiver.completeYield(tag, action.run(context, command), null);
    }

    static @Nullable Pid pidOf(CommandContext context) {
        return context instanceof ProcessContext process ? process.pid() : null;
    }

    static Pid caller(CommandContext context) throws CommandException {
        Pid pid = pidOf(context);
        if (pid == null) {
            throw new CommandException(Reason.EXECUTOR_ERROR, "only a process can do this");
        }
        return pid;
    }

    private @Nullable Object send(CommandContext context, Send send) {
        Message message = new Message(pidOf(context), send.topic(), send.payload());
        if (!processes.send(send.to(), message)) {
            throw processes.live(send.to()) == null
                    ? new ProcessException(Code.NOT_FOUND, "there is no " + send.to())
                    : new ProcessException(Code.MAILBOX_FULL, "the mailbox of " + send.to() + " is full");
        }
        return null;
    }

    private Pid spawn(CommandContext context, Spawn spawn) {
        SpawnOptions options = inherit(context, spawn.options());
        if (options.name() != null && !spawn.signals().isEmpty()) {
            return processes.spawnOrSignal(spawn.process(), spawn.input(), options, spawn.signals());
        }
        return processes.spawn(spawn.process().get(), spawn.input(), options);
    }

    private static SpawnOptions inherit(CommandContext context, SpawnOptions options) {
        return context instanceof ProcessContext process ? options.startedBy(process) : options;
    }

    private static @Nullable Object mustBe(boolean found, Pid target) {
        if (!found) {
            throw new ProcessException(Code.NOT_FOUND, "there is no " + target);
        }
        return null;
    }

    private void exec(CommandContext context, Command command, long tag, ResultReceiver receiver) {
        Exec exec = (Exec) command;
        SpawnOptions options = inherit(context, exec.options());
        Consumer<Exit> ownAction = options.onExit();
        // a process that could not be started may have had an exit or not
        AtomicBoolean completed = new AtomicBoolean();
        AtomicReference<@Nullable CancelCause> stopped = new AtomicReference<>();
        SpawnOptions watched = options.toBuilder()
                .onExit(exit -> {
                    if (ownAction != null) {
                        ownAction.accept(exit);
                    }
                    if (completed.compareAndSet(false, true)) {
                        CancelCause why = stopped.get();
                        Throwable error = exit.error() == null || why == null
                                ? exit.error()
                                : new CommandException(why.reason(), "the process was stopped: " + exit.error());
                        receiver.completeYield(tag, exit.result(), error);
                    }
                })
                .build();
        Pid child;
        try {
            child = processes.spawn(exec.process().get(), exec.input(), watched);
        } catch (ProcessException e) {
            if (completed.compareAndSet(false, true)) {
                receiver.completeYield(tag, null, e);
            }
            return;
        }
        context.onCancel(why -> {
            stopped.set(why);
            processes.terminate(child);
        });
    }

    /** What is done for a command that ends at once. */
    @FunctionalInterface
    interface Action {
        @Nullable Object run(CommandContext context, Command command) throws Exception;
    }

    /**
     * Sends a message to a process, in the name of the one that yields this. Fails with {@link Code#NOT_FOUND} or {@link Code#MAILBOX_FULL}.
     *
     * @param to the receiver
     * @param topic what it is about
     * @param payload anything, or null
     */
    public record Send(Pid to, String topic, @Nullable Object payload) implements Command {
        @Override
        public int commandId() {
            return SEND;
        }
    }

    /**
     * Starts a process; the result is its {@link Pid}. The process that yields this is its parent, unless the options name another one.
     *
     * @param process makes it
     * @param input what it is initialised with
     * @param options how it is started
     * @param signals with a name in the options and messages here, a process that has the name gets them instead, as with {@link Processes#spawnOrSignal}
     */
    public record Spawn(
            Supplier<? extends Process> process, @Nullable Object input, SpawnOptions options, List<Message> signals)
            implements Command {
        /** Starts one with the default options. */
        public Spawn(Supplier<? extends Process> process, @Nullable Object input) {
            this(process, input, SpawnOptions.defaults(), List.of());
        }

        @Override
        public int commandId() {
            return SPAWN;
        }
    }

    /**
     * Ends a process.
     *
     * @param target which one
     */
    public record Terminate(Pid target) implements Command {
        @Override
        public int commandId() {
            return TERMINATE;
        }
    }

    /**
     * Asks a process to come to its end by itself.
     *
     * @param target which one
     * @param reason why, for people
     */
    public record Cancel(Pid target, String reason) implements Command {
        @Override
        public int commandId() {
            return CANCEL;
        }
    }

    /**
     * The process that yields this is told how another one ends.
     *
     * @param target the other one
     */
    public record Monitor(Pid target) implements Command {
        @Override
        public int commandId() {
            return MONITOR;
        }
    }

    /**
     * Undoes that.
     *
     * @param target the other one
     */
    public record Unmonitor(Pid target) implements Command {
        @Override
        public int commandId() {
            return UNMONITOR;
        }
    }

    /**
     * The process that yields this and another one fail together.
     *
     * @param target the other one
     */
    public record Link(Pid target) implements Command {
        @Override
        public int commandId() {
            return LINK;
        }
    }

    /**
     * Undoes that.
     *
     * @param target the other one
     */
    public record Unlink(Pid target) implements Command {
        @Override
        public int commandId() {
            return UNLINK;
        }
    }

    /**
     * Runs a process; the result is that of the process, and if it fails so does this. If this is not wanted any more the process is terminated.
     *
     * @param process makes it
     * @param input what it is initialised with
     * @param options how it is started
     */
    public record Exec(
            Supplier<? extends Process> process, @Nullable Object input, SpawnOptions options) implements Command {
        /** Runs one with the default options. */
        public Exec(Supplier<? extends Process> process, @Nullable Object input) {
            this(process, input, SpawnOptions.defaults());
        }

        @Override
        public int commandId() {
            return EXEC;
        }
    }
}
