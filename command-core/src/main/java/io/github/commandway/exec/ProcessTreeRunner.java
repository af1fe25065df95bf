package io.github.commandway.exec;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Runs a program to its end in the calling thread, and ends all that came from it when the thread is interrupted or the time is over. Thread-safe.
 *
 * <p>What came from it is found in three ways, as each misses some: by process group, by parent, and by an environment variable that only they
 * have (Linux). It gets SIGTERM, and what is left after the grace time SIGKILL. A wrapper that makes a namespace of processes is ended last, and its end
 * ends whatever is left in there.
 */
public final class ProcessTreeRunner {
    /** In the environment of everything that is started. */
    private static final String MARKER = "COMMANDWAY_COMMAND";

    private static final Path PROC = Path.of("/proc");
    private static final int CHUNK = 64 << 10;
    private static final long POLL_MILLIS = 10;

    /** The first wait after there was output, as there will often be more of it soon; then twice as long each time. */
    private static final long SHORTEST_POLL_NANOS = 50_000;

    private static final Duration AFTER_KILL = Duration.ofSeconds(5);

    /** With the number of the run: ids alone repeat when several of us share a machine. */
    private static final long SELF = ProcessHandle.current().pid();

    private final LongSupplier nanoTicker;
    private final AtomicLong runs = new AtomicLong();

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
        String mark = task.id + "/" + SELF + "." + runs.incrementAndGet();
        builder.environment().clear();
        builder.environment().putAll(task.environment);
        builder.environment().put(MARKER, mark);

        long start = nanoTicker.getAsLong();
        Process process = builder.start();
        Tree tree = new Tree(process, task, MARKER + "=" + mark);
        // Not after the output has been read: a process in the background that goes on writing would keep the JDK's own
        // reading at exit busy for ever.
        CompletableFuture<Boolean> sweep = tree.isNamespace()
                ? CompletableFuture.completedFuture(true)
                : process.onExit().thenApply(exited -> tree.endRest());
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
                outcome = new Outcome(end, -1, tree.end());
                takeLastWords(process, sink);
            }
            return outcome;
        } finally {
            if (outcome == null) {
                tree.end();
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

    /** A process and everything that came from it. */
    private final class Tree {
        private final Process process;
        private final Task task;
        private final byte[] marker;
        private volatile boolean ending;

        Tree(Process process, Task task, String marker) {
            this.process = process;
            this.task = task;
            this.marker = marker.getBytes(StandardCharsets.UTF_8);
        }

        /** The end of a namespace's wrapper is the end of all that is in it. */
        boolean isNamespace() {
            return task.containment.means() == Containment.Means.PID_NAMESPACE;
        }

        /** When the process has ended by itself: ends what it left. Returns whether nothing known is left. */
        boolean endRest() {
            if (ending) {
                return true;
            }
            signalGroup("KILL");
            return !task.endDetached || killUntilNoneIsFound();
        }

        private boolean killUntilNoneIsFound() {
            long start = nanoTicker.getAsLong();
            while (true) {
                Set<ProcessHandle> rest = members();
                rest.removeIf(member -> !isRunning(member));
                if (rest.isEmpty() || nanoTicker.getAsLong() - start >= AFTER_KILL.toNanos()) {
                    return rest.isEmpty();
                }
                rest.forEach(ProcessHandle::destroyForcibly);
                awaitEnd(rest, AFTER_KILL);
            }
        }

        /** Ends all of it. Keeps on although the thread is interrupted, but then without the grace time. Returns whether nothing known is left. */
        boolean end() {
            ending = true;
            Set<ProcessHandle> members = members();
            if (!task.grace.isZero()) {
                signalGroup("TERM");
                members.stream().filter(this::isNoWrapper).forEach(ProcessHandle::destroy);
            }
            boolean interrupted = awaitEnd(members, task.grace);
            signalGroup("KILL");
            members.forEach(ProcessHandle::destroyForcibly);
            boolean allEnded = killUntilNoneIsFound();
            interrupted |= awaitEnd(members, AFTER_KILL);
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
            return allEnded && members.stream().noneMatch(ProcessTreeRunner::isRunning);
        }

        /** A wrapper that ends on SIGTERM would end all the others at once, without their grace time. */
        private boolean isNoWrapper(ProcessHandle member) {
            return !isNamespace()
                    || member.info()
                            .command()
                            .map(program -> !task.containment.wrapper().contains(program))
                            .orElse(true);
        }

        /** Returns early, with true, if the thread is interrupted. */
        private boolean awaitEnd(Set<ProcessHandle> members, Duration limit) {
            long start = nanoTicker.getAsLong();
            try {
                while (members.stream().anyMatch(ProcessTreeRunner::isRunning)
                        && nanoTicker.getAsLong() - start < limit.toNanos()) {
                    TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
                }
                return false;
            } catch (InterruptedException e) {
                return true;
            }
        }

        private Set<ProcessHandle> members() {
            Set<ProcessHandle> members = new LinkedHashSet<>();
            members.add(process.toHandle());
            process.descendants().forEach(members::add);
            if (Files.isDirectory(PROC)) {
                ProcessHandle.allProcesses().filter(this::isMarked).forEach(members::add);
            }
            return members;
        }

        private boolean isMarked(ProcessHandle candidate) {
            try {
                return contains(Files.readAllBytes(PROC.resolve(candidate.pid() + "/environ")), marker);
            } catch (IOException e) {
                // It has ended meanwhile, or it is somebody else's.
                return false;
            }
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
                kill.waitFor(AFTER_KILL.toSeconds(), TimeUnit.SECONDS);
            } catch (IOException e) {
                throw new UncheckedIOException("the processes of a command cannot be ended", e);
            } catch (InterruptedException e) {
                // The signal is on its way, and the caller looks at the outcome.
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Whether the process runs. One that has ended but that nobody has waited for, as happens in containers, does not count. */
    public static boolean isRunning(ProcessHandle process) {
        if (!process.isAlive()) {
            return false;
        }
        Path stat = PROC.resolve(process.pid() + "/stat");
        if (!Files.exists(stat)) {
            return process.isAlive();
        }
        try {
            String line = Files.readString(stat, StandardCharsets.ISO_8859_1);
            return line.charAt(line.lastIndexOf(')') + 2) != 'Z';
        } catch (IOException e) {
            return process.isAlive();
        }
    }

    private static boolean contains(byte[] environment, byte[] variable) {
        int start = 0;
        for (int i = 0; i <= environment.length; i++) {
            if (i == environment.length || environment[i] == 0) {
                if (Arrays.equals(environment, start, i, variable, 0, variable.length)) {
                    return true;
                }
                start = i + 1;
            }
        }
        return false;
    }
}
