package io.github.commandway.exec;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;

/**
 * A program and all that came from it. That is found in two ways, as each misses some: by parent, and, on Linux, by an environment variable that only they have. Safe for use by many threads.
 */
public final class ProcessTree {
    private static final String MARKER = "COMMANDWAY_COMMAND";
    private static final Path PROC = Path.of("/proc");
    private static final long POLL_MILLIS = 10;
    private static final Duration AFTER_KILL = Duration.ofSeconds(5);

    /** With the number of the start: ids alone repeat, also when several of us share a machine. */
    private static final long SELF = ProcessHandle.current().pid();

    private static final AtomicLong STARTS = new AtomicLong();

    private final Process process;
    private final byte[] marker;
    private final LongSupplier nanoTicker;
    private final Set<ProcessHandle> known = ConcurrentHashMap.newKeySet();

    private ProcessTree(Process process, String marker, LongSupplier nanoTicker) {
        this.process = process;
        this.marker = marker.getBytes(StandardCharsets.UTF_8);
        this.nanoTicker = nanoTicker;
        known.add(process.toHandle());
    }

    /**
     * Starts a program.
     *
     * @param builder its environment gets the variable {@code COMMANDWAY_COMMAND}
     * @param id for whom; stands in that variable, without control characters
     * @param nanoTicker measures how long to wait, such as {@link System#nanoTime}
     * @throws IOException if it cannot be started
     */
    public static ProcessTree start(ProcessBuilder builder, String id, LongSupplier nanoTicker) throws IOException {
        String mark = id + "/" + SELF + "." + STARTS.incrementAndGet();
        builder.environment().put(MARKER, mark);
        return new ProcessTree(builder.start(), MARKER + "=" + mark, nanoTicker);
    }

    /** The program itself. */
    public Process process() {
        return process;
    }

    /**
     * Kills all of it, again and again as long as there is something new. Keeps on although the thread is interrupted.
     *
     * @return whether nothing known is left; false after 5 s in which it did not end
     */
    public boolean kill() {
        long start = nanoTicker.getAsLong();
        boolean interrupted = false;
        try {
            while (true) {
                List<ProcessHandle> rest =
                        members().stream().filter(ProcessTree::isRunning).toList();
                if (rest.isEmpty() || nanoTicker.getAsLong() - start >= AFTER_KILL.toNanos()) {
                    return rest.isEmpty();
                }
                rest.forEach(ProcessHandle::destroyForcibly);
                interrupted |= awaitEnd(rest, AFTER_KILL);
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** All that is known to have come from it up to now, with what has ended. */
    Set<ProcessHandle> members() {
        List.copyOf(known).forEach(member -> member.descendants().forEach(known::add));
        if (Files.isDirectory(PROC)) {
            ProcessHandle.allProcesses().filter(this::isMarked).forEach(known::add);
        }
        return Set.copyOf(known);
    }

    private boolean isMarked(ProcessHandle candidate) {
        try {
            return contains(Files.readAllBytes(PROC.resolve(candidate.pid() + "/environ")), marker);
        } catch (IOException e) {
            // It has ended meanwhile, or it is somebody else's.
            return false;
        }
    }

    /** Returns early, with true, if the thread is interrupted. */
    boolean awaitEnd(Collection<ProcessHandle> members, Duration limit) {
        long start = nanoTicker.getAsLong();
        try {
            while (members.stream().anyMatch(ProcessTree::isRunning)
                    && nanoTicker.getAsLong() - start < limit.toNanos()) {
                TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
            }
            return false;
        } catch (InterruptedException e) {
            return true;
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
