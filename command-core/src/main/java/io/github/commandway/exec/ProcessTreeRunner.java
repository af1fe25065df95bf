package io.github.commandway.exec;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Runs a program to its end in the calling thread, and ends all that came from it when the thread is interrupted or the time is over. Thread-safe.
 *
 * <p>What came from it is found by process group, and as a {@link ProcessTree} finds it. It gets SIGTERM, and what is left after the grace time SIGKILL. A wrapper that makes a namespace of processes is ended last, and its end
 * ends whatever is left in there.
 */
public final class ProcessTreeRunner {
    private static final int CHUNK = 64 << 10;
    private static final long POLL_MILLIS = 10;
    private static final Duration SIGNAL_LIMIT = Duration.ofSeconds(5);

    /** The first wait after there was output, as there will often be more of it soon; then twice as long each time. */
    private static final long SHORTEST_POLL_NANOS = 50_000;

    private final LongSupplier nanoTicker;

    /** @param nanoTicker measures timeouts, such as {@link System#nanoTime} */
    public ProcessTreeRunner(LongSupplier nanoTicker) {
        this.nanoTicker = nanoTicker;
    }

    /**
     * What to run.
     *
     * @param id for whom; stands in the environment of all that is started, without control characters
     * @param argv the program and its arguments
     * @param directory where, or null for our own
     * @param environment all of it; nothing is inherited
     * @param stdin a file that it reads, or null for none
     * @param containment what holds its processes together
     * @param timeout for all of it
     * @param grace from SIGTERM to SIGKILL
     * @param endDetached whether what it leaves running when it ends by itself is ended even if it has left the group
     */
    public record Task(
            String id,
            List<String> argv,
            @Nullable Path directory,
            Map<String, String> environment,
            @Nullable Path stdin,
            Containment containment,
            Duration timeout,
            Duration grace,
            boolean endDetached) {}

    /** Takes what the program writes, in the thread that runs it. What it throws ends the program. */
    public interface Sink {
        /**
         * A piece of output, in the order in which it was read.
         *
         * @param channel {@code stdout} or {@code stderr}
         * @param data valid until this returns
         * @param count how many bytes of it
         */
        void output(String channel, byte[] data, int count) throws IOException, InterruptedException;

        /** Called again and again while the program runs, with or without output: the place for checks of what it does. */
        default void whileRunning() throws IOException {}
    }

    /** How it went. */
    public enum End {
        /** The program has ended by itself. */
        EXITED,
        /** Its time was over, and it was ended. */
        TIMED_OUT,
        /** The thread was interrupted, and it was ended. */
        INTERRUPTED
    }

    /**
     * The outcome.
     *
     * @param end how it went
     * @param exitCode of the program or, above 128, the signal that ended it; -1 if it did not end by itself
     * @param allEnded whether nothing that is known to have come from it is left
     */
    public record Outcome(End end, int exitCode, boolean allEnded) {}

    /**
     * Returns when the program has ended, or was ended. Does not keep an interrupt that ended it. What it left running in its group, or all over if so asked, is killed.
     *
     * @throws IOException if it cannot be started, or the sink failed; nothing of it is left running
     */
    public Outcome run(Task task, Sink sink) throws IOException {
        List<String> command = new ArrayList<>(task.containment.wrapper());
        command.addAll(task.argv);
        ProcessBuilder builder = new ProcessBuilder(command);
        if (task.directory != null) {
            builder.directory(task.directory.toFile());
        }
        if (task.stdin != null) {
            builder.redirectInput(task.stdin.toFile());
        }
        builder.environment().clear();
        builder.environment().putAll(task.environment);

        long start = nanoTicker.getAsLong();
        Ending ending = new Ending(task, ProcessTree.start(builder, task.id, nanoTicker));
        Process process = ending.process;
        // Not after the output has been read: a process in the background that goes on writing would keep the JDK's own
        // reading at exit busy for ever.
        CompletableFuture<Boolean> sweep = ending.isNamespace()
                ? CompletableFuture.completedFuture(true)
                : process.onExit().thenApply(exited -> ending.endRest());
        Outcome outcome = null;
        try {
            process.getOutputStream().close();
            End end;
            try {
                end = await(task, sink, process, start);
            } catch (InterruptedException e) {
                end = End.INTERRUPTED;
            }
            if (end == End.EXITED) {
                outcome = new Outcome(end, process.exitValue(), sweep.join());
            } else {
                outcome = new Outcome(end, -1, ending.end());
                takeLastWords(process, sink);
            }
            return outcome;
        } finally {
            if (outcome == null) {
                ending.end();
            }
            process.getInputStream().close();
            process.getErrorStream().close();
        }
    }

    /** Polls, since a blocked read of a pipe can be neither interrupted nor given a time limit. */
    private End await(Task task, Sink sink, Process process, long start) throws IOException, InterruptedException {
        byte[] buffer = new byte[CHUNK];
        long pause = TimeUnit.MILLISECONDS.toNanos(POLL_MILLIS);
        while (true) {
            boolean over = nanoTicker.getAsLong() - start >= task.timeout.toNanos();
            boolean exited = !process.isAlive();
            boolean moved = take("stdout", process.getInputStream(), sink, buffer);
            moved |= take("stderr", process.getErrorStream(), sink, buffer);
            sink.whileRunning();
            if (exited && !moved) {
                return End.EXITED;
            }
            if (over) {
                return End.TIMED_OUT;
            }
            if (Thread.interrupted()) {
                return End.INTERRUPTED;
            }
            if (moved) {
                pause = SHORTEST_POLL_NANOS;
            } else if (pause < TimeUnit.MILLISECONDS.toNanos(POLL_MILLIS)) {
                LockSupport.parkNanos(pause);
                pause *= 2;
            } else {
                process.waitFor(POLL_MILLIS, TimeUnit.MILLISECONDS);
            }
        }
    }

    /** What was written while it was being ended; no more than the system keeps, in case somebody goes on writing. */
    private static void takeLastWords(Process process, Sink sink) throws IOException {
        byte[] buffer = new byte[CHUNK];
        try {
            take("stdout", process.getInputStream(), sink, buffer);
            take("stderr", process.getErrorStream(), sink, buffer);
        } catch (InterruptedException e) {
            // by the sink, which takes no more
            Thread.currentThread().interrupt();
        }
    }

    /** Takes what is there, at most one buffer. Returns whether there was anything. */
    private static boolean take(String channel, InputStream in, Sink sink, byte[] buffer)
            throws IOException, InterruptedException {
        int available = in.available();
        if (available <= 0) {
            return false;
        }
        int count = in.read(buffer, 0, Math.min(available, buffer.length));
        if (count <= 0) {
            return false;
        }
        sink.output(channel, buffer, count);
        return true;
    }

    /** How the processes of one run are ended. */
    private static final class Ending {
        private final Task task;
        private final ProcessTree tree;
        private final Process process;
        private volatile boolean begun;

        Ending(Task task, ProcessTree tree) {
            this.task = task;
            this.tree = tree;
            process = tree.process();
        }

        /** The end of a namespace's wrapper is the end of all that is in it. */
        boolean isNamespace() {
            return task.containment.means() == Containment.Means.PID_NAMESPACE;
        }

        /** When the process has ended by itself: ends what it left. Returns whether nothing known is left. */
        boolean endRest() {
            if (begun) {
                return true;
            }
            signalGroup("KILL");
            return !task.endDetached || tree.kill();
        }

        /** Ends all of it. Keeps on although the thread is interrupted, but then without the grace time. Returns whether nothing known is left. */
        boolean end() {
            begun = true;
            // before any signal, since what loses its parent is not found by it any more
            Set<ProcessHandle> members = tree.members();
            boolean interrupted = false;
            if (!task.grace.isZero()) {
                signalGroup("TERM");
                members.stream().filter(this::isNoWrapper).forEach(ProcessHandle::destroy);
                interrupted = tree.awaitEnd(members, task.grace);
            }
            signalGroup("KILL");
            boolean allEnded = tree.kill();
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
            return allEnded;
        }

        /** A wrapper that ends on SIGTERM would end all the others at once, without their grace time. */
        private boolean isNoWrapper(ProcessHandle member) {
            return !isNamespace()
                    || member.info()
                            .command()
                            .map(program -> !task.containment.wrapper().contains(program))
                            .orElse(true);
        }

        /** Java has no signal to a group, and the shell has it built in. */
        private void signalGroup(String signal) {
            if (task.containment.means() != Containment.Means.PROCESS_GROUP) {
                return;
            }
            try {
                Process kill = new ProcessBuilder(
                                "/bin/sh",
                                "-c",
                                "kill -s \"$1\" -- \"-$2\"",
                                "sh",
                                signal,
                                Long.toString(process.pid()))
                        .redirectErrorStream(true)
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .start();
                kill.waitFor(SIGNAL_LIMIT.toSeconds(), TimeUnit.SECONDS);
            } catch (IOException e) {
                throw new UncheckedIOException("the processes of a command cannot be ended", e);
            } catch (InterruptedException e) {
                // The signal is on its way, and the caller looks at the outcome.
                Thread.currentThread().interrupt();
            }
        }
    }
}
