package io.github.commandway.agent.command;

import io.github.commandway.agent.ExecutionContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Runs a process to its end in the calling thread, and ends its whole tree when the thread is interrupted or the time is over. Thread-safe.
 *
 * <p>The process leads a session and process group of its own where there is {@code setsid}. Its descendants are found in three ways, as each misses some: by
 * group, by parent, and by an environment variable that only they have (Linux). They get SIGTERM, and what is left after the grace time SIGKILL.
 */
final class ProcessRunner {
    static final boolean WINDOWS = System.getProperty("os.name", "").startsWith("Windows");

    /** In the environment of everything that is started for a command. */
    private static final String MARKER = "COMMANDWAY_COMMAND";

    private static final Path SETSID = Path.of("/usr/bin/setsid");
    private static final Path PROC = Path.of("/proc");
    private static final int CHUNK = 64 << 10;
    private static final long POLL_MILLIS = 10;
    private static final Duration AFTER_KILL = Duration.ofSeconds(5);

    /** With the number of the run: ids alone repeat when several agents share a machine. */
    private static final long AGENT = ProcessHandle.current().pid();

    private final LongSupplier nanoTicker;
    private final Duration grace;
    private final AtomicLong runs = new AtomicLong();

    ProcessRunner(LongSupplier nanoTicker, Duration grace) {
        this.nanoTicker = nanoTicker;
        this.grace = grace;
    }

    /**
     * What to run.
     *
     * @param argv the program and its arguments
     * @param directory where, or null for the agent's own
     * @param environment all of it; nothing is inherited
     * @param timeout for all of it
     * @param outputLimit how many bytes of stdout, and of stderr, are kept; the rest is read and dropped
     * @param live whether output also goes to the context as it comes, without a limit
     */
    record Task(
            List<String> argv,
            @Nullable Path directory,
            Map<String, String> environment,
            Duration timeout,
            int outputLimit,
            boolean live) {}

    /** How it ended. */
    record Outcome(int exitCode, Captured stdout, Captured stderr) {}

    /** The beginning of an output, with a mark at its end if that is not all. */
    record Captured(String text, boolean truncated) {}

    /**
     * Returns when the process has ended. What it left running in its group is killed then; what it started in a session of its own goes on.
     *
     * @throws IOException if it cannot be started
     * @throws CommandException {@code EXECUTION_TIMEOUT}; its tree has been ended
     * @throws InterruptedException if the thread is interrupted; its tree has been ended
     */
    Outcome run(ExecutionContext context, Task task) throws IOException, CommandException, InterruptedException {
        boolean ownGroup = Files.isExecutable(SETSID);
        ProcessBuilder builder = new ProcessBuilder(
                ownGroup
                        ? Stream.concat(Stream.of(SETSID.toString()), task.argv.stream())
                                .toList()
                        : task.argv);
        if (task.directory != null) {
            builder.directory(task.directory.toFile());
        }
        String marker = MARKER + "=" + context.commandId() + "/" + context.attempt() + "/" + AGENT + "."
                + runs.incrementAndGet();
        builder.environment().clear();
        builder.environment().putAll(task.environment);
        builder.environment().put(MARKER, marker.substring(MARKER.length() + 1));

        long start = nanoTicker.getAsLong();
        Process process = builder.start();
        Tree tree = new Tree(process, ownGroup, marker);
        // Not after the output has been read: a process in the background that goes on writing would keep the JDK's own
        // reading at exit busy for ever.
        CompletableFuture<Void> sweep = process.onExit().thenRun(tree::endRest);
        boolean finished = false;
        boolean allEnded = false;
        try {
            process.getOutputStream().close();
            Outcome outcome = await(context, task, process, start);
            if (outcome != null) {
                finished = true;
                sweep.join();
                return outcome;
            }
        } finally {
            if (!finished) {
                allEnded = tree.end();
            }
            process.getInputStream().close();
            process.getErrorStream().close();
        }
        throw new CommandException(
                Reason.EXECUTION_TIMEOUT,
                "not finished within " + task.timeout.toMillis() + " ms; "
                        + (allEnded ? "its processes were ended" : "some of its processes could not be ended"));
    }

    /** Returns null if the time ended first. Polls, since a blocked read of a pipe can be neither interrupted nor given a time limit. */
    private @Nullable Outcome await(ExecutionContext context, Task task, Process process, long start)
            throws IOException, InterruptedException {
        Output stdout = new Output("stdout", process.getInputStream(), task);
        Output stderr = new Output("stderr", process.getErrorStream(), task);
        byte[] buffer = new byte[CHUNK];
        while (true) {
            boolean over = nanoTicker.getAsLong() - start >= task.timeout.toNanos();
            boolean exited = !process.isAlive();
            boolean moved = stdout.take(context, buffer);
            moved |= stderr.take(context, buffer);
            if (exited && !moved) {
                return new Outcome(process.exitValue(), stdout.captured(), stderr.captured());
            }
            if (over) {
                return null;
            }
            if (Thread.interrupted()) {
                throw new InterruptedException("cancelled");
            }
            if (!moved) {
                process.waitFor(POLL_MILLIS, TimeUnit.MILLISECONDS);
            }
        }
    }

    private static final class Output {
        private final String channel;
        private final InputStream in;
        private final Task task;
        private final ByteArrayOutputStream kept = new ByteArrayOutputStream();
        private boolean truncated;

        Output(String channel, InputStream in, Task task) {
            this.channel = channel;
            this.in = in;
            this.task = task;
        }

        /** Takes what is there, at most one buffer. Returns whether there was anything. */
        boolean take(ExecutionContext context, byte[] buffer) throws IOException, InterruptedException {
            int available = in.available();
            if (available <= 0) {
                return false;
            }
            int count = in.read(buffer, 0, Math.min(available, buffer.length));
            if (count <= 0) {
                return false;
            }
            int keep = Math.min(count, task.outputLimit - kept.size());
            kept.write(buffer, 0, keep);
            truncated |= keep < count;
            if (task.live) {
                context.output(channel, Arrays.copyOf(buffer, count));
            }
            return true;
        }

        Captured captured() {
            byte[] bytes = kept.toByteArray();
            int length = truncated ? Utf8.wholeCharacters(bytes) : bytes.length;
            String text = new String(bytes, 0, length, StandardCharsets.UTF_8);
            return new Captured(truncated ? text + "... (truncated)" : text, truncated);
        }
    }

    /** A process and everything that came from it. */
    private final class Tree {
        private final Process process;
        private final boolean ownGroup;
        private final byte[] marker;
        private volatile boolean ending;

        Tree(Process process, boolean ownGroup, String marker) {
            this.process = process;
            this.ownGroup = ownGroup;
            this.marker = marker.getBytes(StandardCharsets.UTF_8);
        }

        /** When the process has ended by itself: ends what it left in its group. */
        void endRest() {
            if (!ending) {
                signalGroup("KILL");
            }
        }

        /** Ends all of it. Keeps on although the thread is interrupted, but then without the grace time. Returns whether nothing known is left. */
        boolean end() {
            ending = true;
            Set<ProcessHandle> members = members();
            signalGroup("TERM");
            members.forEach(ProcessHandle::destroy);
            boolean interrupted = awaitEnd(members, grace);

            members.addAll(members());
            signalGroup("KILL");
            members.forEach(ProcessHandle::destroyForcibly);
            interrupted |= awaitEnd(members, AFTER_KILL);
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
            return members.stream().noneMatch(ProcessRunner::isRunning);
        }

        /** Returns early, with true, if the thread is interrupted. */
        private boolean awaitEnd(Set<ProcessHandle> members, Duration limit) {
            long start = nanoTicker.getAsLong();
            try {
                while (members.stream().anyMatch(ProcessRunner::isRunning)
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
            if (!ownGroup) {
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

    /** A process that has ended but that nobody has waited for, as happens in containers, does not count. */
    static boolean isRunning(ProcessHandle process) {
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
