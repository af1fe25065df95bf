package io.github.commandway.system;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.exec.ProcessTree;
import io.github.commandway.process.Pid;
import java.io.File;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Programs of the operating system. Whoever starts one gets the numbers of its streams, which {@link StreamService} reads and writes. When a wait for its end is cancelled, when its owner ends and when the
 * service is closed, the program is killed with all that it started.
 */
public final class ExecService implements SystemService {
    /** The id of {@link ProcessWait}. */
    public static final int PROCESS_WAIT = 150;
    /** The id of {@link ProcessStart}. */
    public static final int PROCESS_START = 151;
    /** The id of {@link ProcessStop}. */
    public static final int PROCESS_STOP = 152;

    private static final Logger log = LoggerFactory.getLogger(ExecService.class);
    private static final int STREAMS_EACH = 3;
    private static final int STARTERS = 2;

    private final StreamService streams;
    private final Handles<Running> running;
    private final Workers starters;
    private final Workers io;
    private final Workers killers;

    /**
     * @param streams keeps the programs' streams; stays the caller's
     * @param limit how many programs there are at most, from their start until their end was told
     */
    public ExecService(StreamService streams, int limit) {
        this.streams = streams;
        running = new Handles<>("program", limit, Running::kill);
        starters = new Workers("exec-start", STARTERS, limit);
        // one for each stream, so that none waits for another
        io = new Workers("exec-io", STREAMS_EACH * limit, STREAMS_EACH * limit);
        killers = new Workers("exec-kill", STARTERS, STREAMS_EACH * limit);
    }

    @Override
    public String name() {
        return "exec";
    }

    @Override
    public void registerAll(Registrar registrar) {
        registrar.register(
                PROCESS_START,
                (context, command, tag, receiver) -> start(context, (ProcessStart) command, tag, receiver));
        registrar.register(PROCESS_WAIT, (context, command, tag, receiver) -> {
            long id = ((ProcessWait) command).program;
            Running program = running.get(id);
            AtomicReference<@Nullable CancelCause> cancelled = new AtomicReference<>();
            context.onCancel(cause -> {
                if (cancelled.compareAndSet(null, cause)) {
                    program.kill();
                }
            });
            program.process.onExit().thenAccept(ended -> {
                running.remove(id);
                CancelCause cause = cancelled.get();
                if (cause == null) {
                    receiver.completeYield(tag, ended.exitValue(), null);
                } else {
                    receiver.completeYield(tag, null, Completion.cancelled(cause));
                }
            });
        });
        registrar.register(PROCESS_STOP, (context, command, tag, receiver) -> {
            Running program = running.get(((ProcessStop) command).program);
            program.kill();
            program.process.onExit().thenAccept(ended -> receiver.completeYield(tag, null, null));
        });
    }

    /** How many programs there are. */
    public int active() {
        return running.size();
    }

    @Override
    public void ended(Pid process) {
        running.closeAll(process);
    }

    @Override
    public void close() {
        starters.close();
        running.close();
        io.close();
    }

    private void start(CommandContext context, ProcessStart command, long tag, ResultReceiver receiver) {
        starters.run(context, job -> new Running(launch(command)), (program, error) -> {
            if (program instanceof Running started) {
                running.open(context, tag, receiver, started, id -> opened(context, id, started));
            } else {
                receiver.completeYield(tag, null, error);
            }
        });
    }

    private static ProcessTree launch(ProcessStart command) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command.command);
        if (command.directory != null) {
            builder.directory(new File(command.directory));
        }
        if (command.environment != null) {
            builder.environment().clear();
            builder.environment().putAll(command.environment);
        }
        return ProcessTree.start(builder, "exec", System::nanoTime);
    }

    private Started opened(CommandContext context, long id, Running program) {
        Pid owner = Handles.ownerOf(context);
        Process process = program.process;
        List<ByteStream> wanted = List.of(
                ByteStream.of(io, process.getOutputStream()),
                ByteStream.of(io, process.getInputStream()),
                ByteStream.of(io, process.getErrorStream()));
        List<Long> numbers = new ArrayList<>();
        try {
            for (ByteStream stream : wanted) {
                numbers.add(streams.add(owner, stream));
            }
        } catch (RejectedExecutionException e) {
            numbers.forEach(streams::close);
            throw e;
        }
        return new Started(id, process.pid(), numbers.get(0), numbers.get(1), numbers.get(2));
    }

    /**
     * Starts a program. Completes with a {@link Started}. Its streams are to be closed, or they are when its owner ends.
     *
     * @param command the program and its arguments; no shell is involved
     * @param directory where it runs, or null for where we do
     * @param environment all its variables, or null for ours; it gets {@code COMMANDWAY_COMMAND} with them, as {@link ProcessTree#start} says
     */
    public record ProcessStart(
            List<String> command,
            @Nullable String directory,
            @Nullable Map<String, String> environment) implements Command {
        /** Copies what it gets. */
        public ProcessStart {
            command = List.copyOf(command);
            environment = environment == null ? null : Map.copyOf(environment);
            if (command.isEmpty()) {
                throw new IllegalArgumentException("a program is needed to start one");
            }
        }

        @Override
        public int commandId() {
            return PROCESS_START;
        }
    }

    /** Completes with the exit code, an Integer, once the program has ended, and forgets the program. If this is cancelled, the program is killed. */
    public record ProcessWait(long program) implements Command {
        @Override
        public int commandId() {
            return PROCESS_WAIT;
        }
    }

    /** Kills a program with all that it started. Completes with null once it has ended; the exit code can still be asked for. */
    public record ProcessStop(long program) implements Command {
        @Override
        public int commandId() {
            return PROCESS_STOP;
        }
    }

    /**
     * A program that was started.
     *
     * @param program its number here
     * @param pid its number in the operating system
     * @param stdin the number of the stream that it reads
     * @param stdout the number of the stream that it writes
     * @param stderr the number of the stream for errors
     */
    public record Started(long program, long pid, long stdin, long stdout, long stderr) {}

    private final class Running {
        final ProcessTree tree;
        final Process process;

        Running(ProcessTree tree) {
            this.tree = tree;
            process = tree.process();
        }

        void kill() {
            killers.start(job -> tree.kill(), (allEnded, error) -> {
                if (!Boolean.TRUE.equals(allEnded)) {
                    log.warn("Program {} may have left something behind", process.pid(), error);
                    process.destroyForcibly();
                }
            });
        }
    }
}
