package io.github.commandway.tools;

import io.github.commandway.exec.ProcessTreeRunner.End;
import io.github.commandway.exec.ProcessTreeRunner.Outcome;
import io.github.commandway.exec.ProcessTreeRunner.Sink;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.LongSupplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import run.endive.wasi.WasiExitException;
import run.endive.wasi.WasiOptions;
import run.endive.wasi.WasiPreview1;

/**
 * Runs WebAssembly programs in this process, each in a thread of its own, while the calling thread looks after its time and its folder. A program sees the folder of its run and, read-only, its own; no
 * network, no other files, no processes. Thread-safe.
 */
final class WasmRunner {
    /** By what means runs are ended, as results name it. */
    static final String ENDED_BY = "in_process";

    /** The code of a program that was ended for what it did, as a process has it that was aborted. */
    private static final int TRAPPED = 134;

    private static final int MAX_EXIT_CODE = 255;
    private static final int DEFAULT_OPEN_FILES = 64;
    private static final int PIECE = 64 << 10;
    private static final long STACK_BYTES = 2 << 20;
    private static final long POLL_MILLIS = 50;
    private static final Duration AFTER_INTERRUPT = Duration.ofSeconds(5);

    private final LongSupplier nanoTicker;
    private final Random random;

    /**
     * @param nanoTicker measures timeouts
     * @param random what programs get when they ask for random bytes
     */
    WasmRunner(LongSupplier nanoTicker, Random random) {
        this.nanoTicker = nanoTicker;
        this.random = random;
    }

    /**
     * What to run.
     *
     * @param argv the module's file and the arguments
     * @param folder of the run
     * @param stdin a file that it reads, or null for none
     */
    record Task(
            Tool tool,
            List<String> argv,
            Path folder,
            Map<String, String> environment,
            @Nullable Path stdin,
            Duration timeout) {}

    /**
     * Returns when the program has ended, or was ended, as {@link io.github.commandway.exec.ProcessTreeRunner#run} does.
     *
     * @throws IOException if it cannot be started, or the sink failed; nothing of it is left running
     */
    Outcome run(Task task, Sink sink) throws IOException {
        long start = nanoTicker.getAsLong();
        Run run = new Run(task, new Channels(sink), random);
        Thread thread = new Thread(null, run, "wasm-" + task.tool.name(), STACK_BYTES);
        thread.setDaemon(true);
        thread.start();
        End end = End.EXITED;
        try {
            while (thread.isAlive() && end == End.EXITED) {
                thread.join(POLL_MILLIS);
                sink.whileRunning();
                if (thread.isAlive() && nanoTicker.getAsLong() - start >= task.timeout.toNanos()) {
                    end = End.TIMED_OUT;
                }
            }
        } catch (InterruptedException e) {
            end = End.INTERRUPTED;
        } finally {
            end(thread);
            run.channels.close();
        }
        IOException problem = run.problem;
        if (end == End.EXITED && problem != null) {
            throw problem;
        }
        boolean ended = !thread.isAlive();
        return new Outcome(end, end == End.EXITED && ended ? run.exitCode : -1, ended);
    }

    /** Interrupts it until it has ended. Keeps on although the calling thread is interrupted. */
    private void end(Thread thread) {
        long start = nanoTicker.getAsLong();
        boolean interrupted = false;
        while (thread.isAlive() && nanoTicker.getAsLong() - start < AFTER_INTERRUPT.toNanos()) {
            thread.interrupt();
            try {
                thread.join(POLL_MILLIS);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** What it writes, until it was ended. */
    private static final class Channels {
        private final Sink sink;
        private boolean closed;

        Channels(Sink sink) {
            this.sink = sink;
        }

        synchronized void close() {
            closed = true;
        }

        synchronized void write(String channel, byte[] data, int count) throws IOException {
            if (closed) {
                throw new IOException("the run has ended");
            }
            try {
                sink.output(channel, data, count);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("the run is being ended", e);
            }
        }
    }

    /** The program itself, in its thread. */
    private static final class Run implements Runnable {
        private final Task task;
        private final Channels channels;
        private final Random random;
        private volatile @Nullable IOException problem;
        private volatile int exitCode = -1;

        Run(Task task, Channels channels, Random random) {
            this.task = task;
            this.channels = channels;
            this.random = random;
        }

        @Override
        @SuppressWarnings("IllegalCatch")
        public void run() {
            try {
                execute();
                exitCode = 0;
            } catch (WasiExitException e) {
                exitCode = e.exitCode() < 0 ? MAX_EXIT_CODE : e.exitCode();
            } catch (IOException e) {
                problem = e;
            } catch (Throwable e) {
                // whatever a program does ends the program and nothing else
                trapped(e);
            }
        }

        private void execute() throws IOException {
            WasmProgram program = WasmProgram.read(Path.of(task.argv.get(0)), task.tool.limits());
            try (InputStream in =
                            task.stdin == null ? InputStream.nullInputStream() : Files.newInputStream(task.stdin);
                    WasiPreview1 wasi =
                            WasiPreview1.builder().withOptions(options(in)).build()) {
                Integer files = task.tool.limits().openFiles();
                WasiGuard guard = new WasiGuard(files == null ? DEFAULT_OPEN_FILES : files);
                program.run(guard.around(wasi.toHostFunctions()));
            }
        }

        private WasiOptions options(InputStream in) {
            List<String> argv = task.argv;
            WasiOptions.Builder options = WasiOptions.builder()
                    .withStdin(in)
                    .withStdout(channel("stdout"))
                    .withStderr(channel("stderr"))
                    .withRandom(random)
                    .withThrowOnExit0(true)
                    .withArguments(Stream.concat(
                                    Stream.of(task.tool.name()), argv.stream().skip(1))
                            .toList())
                    .withDirectory(Launcher.INSIDE_RUN, task.folder)
                    .withDirectory(Launcher.INSIDE_TOOL, task.tool.folder());
            task.environment.forEach(options::withEnvironment);
            return options.build();
        }

        private OutputStream channel(String name) {
            return new OutputStream() {
                @Override
                public void write(int data) throws IOException {
                    write(new byte[] {(byte) data}, 0, 1);
                }

                @Override
                public void write(byte[] data, int offset, int count) throws IOException {
                    try {
                        // it can write all of its memory at once
                        for (int from = offset; from < offset + count; from += PIECE) {
                            byte[] piece = Arrays.copyOfRange(data, from, Math.min(from + PIECE, offset + count));
                            channels.write(name, piece, piece.length);
                        }
                    } catch (IOException e) {
                        problem = e;
                        Thread.currentThread().interrupt();
                        throw e;
                    }
                }
            };
        }

        private void trapped(Throwable why) {
            byte[] text = ("trap: " + why.getMessage() + "\n").getBytes(StandardCharsets.UTF_8);
            exitCode = TRAPPED;
            try {
                channels.write("stderr", text, text.length);
            } catch (IOException e) {
                if (problem == null) {
                    problem = e;
                }
            }
        }
    }
}
