package io.github.commandway.agent.command;

import io.github.commandway.agent.ExecutionContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.exec.Containment;
import io.github.commandway.exec.ProcessTreeRunner;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/** Runs a process to its end in the calling thread, and ends its whole tree when the thread is interrupted or the time is over. Thread-safe. */
final class ProcessRunner {
    static final boolean WINDOWS = System.getProperty("os.name", "").startsWith("Windows");

    private final ProcessTreeRunner runner;
    private final Duration grace;

    ProcessRunner(LongSupplier nanoTicker, Duration grace) {
        this.runner = new ProcessTreeRunner(nanoTicker);
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
        Capture stdout = new Capture(task.outputLimit);
        Capture stderr = new Capture(task.outputLimit);
        ProcessTreeRunner.Outcome outcome = runner.run(
                new ProcessTreeRunner.Task(
                        context.commandId() + "/" + context.attempt(),
                        task.argv,
                        task.directory,
                        task.environment,
                        null,
                        Containment.basic(),
                        task.timeout,
                        grace,
                        false),
                (channel, data, count) -> {
                    (channel.equals("stdout") ? stdout : stderr).take(data, count);
                    if (task.live) {
                        context.output(channel, Arrays.copyOf(data, count));
                    }
                });
        return switch (outcome.end()) {
            case EXITED -> new Outcome(outcome.exitCode(), stdout.captured(), stderr.captured());
            case INTERRUPTED -> throw new InterruptedException("cancelled");
            case TIMED_OUT ->
                throw new CommandException(
                        Reason.EXECUTION_TIMEOUT,
                        "not finished within " + task.timeout.toMillis() + " ms; "
                                + (outcome.allEnded()
                                        ? "its processes were ended"
                                        : "some of its processes could not be ended"));
        };
    }

    private static final class Capture {
        private final int limit;
        private final ByteArrayOutputStream kept = new ByteArrayOutputStream();
        private boolean truncated;

        Capture(int limit) {
            this.limit = limit;
        }

        void take(byte[] data, int count) {
            int keep = Math.min(count, limit - kept.size());
            kept.write(data, 0, keep);
            truncated |= keep < count;
        }

        Captured captured() {
            byte[] bytes = kept.toByteArray();
            int length = truncated ? Utf8.wholeCharacters(bytes) : bytes.length;
            String text = new String(bytes, 0, length, StandardCharsets.UTF_8);
            return new Captured(truncated ? text + "... (truncated)" : text, truncated);
        }
    }
}
