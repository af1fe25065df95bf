package io.github.commandway.tools;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.exec.ProcessTreeRunner;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/** Runs one tool to its end in the calling thread, again if that is declared. Thread-safe. */
final class ToolExecution {
    /** How much of stdout the next step of a toolchain can have. */
    static final int CAPTURED = 1 << 20;

    /** More files and folders than this are too much for any run. */
    private static final int MAX_ENTRIES = 1_000_000;

    /** What is said of a run whose time is over, before what became of its processes. */
    static final String NOT_IN_TIME = "not finished in time; ";

    private static final long QUOTA_CHECK_NANOS = Duration.ofMillis(500).toNanos();

    private final Launcher launcher;
    private final ProcessTreeRunner runner;
    private final WasmRunner wasm;
    private final LongSupplier nanoTicker;

    ToolExecution(Launcher launcher, LongSupplier nanoTicker) {
        this.launcher = launcher;
        this.runner = new ProcessTreeRunner(nanoTicker);
        this.wasm = new WasmRunner(nanoTicker, new SecureRandom());
        this.nanoTicker = nanoTicker;
    }

    /** Takes what a run has to say while it runs. */
    interface Reporter {
        void progress(String message);

        void output(String channel, byte[] data);
    }

    /**
     * What to run.
     *
     * @param runId the id of the record
     * @param step the name of the step, by which its folder is called
     * @param traceParent of the caller, or null
     * @param resource which of its pool the tool holds, or null
     * @param timeout for all tries together
     * @param retry how often
     */
    record Job(
            String runId,
            String step,
            Invocation invocation,
            RunFolder folder,
            OutputFile output,
            @Nullable String traceParent,
            @Nullable String resource,
            Duration timeout,
            Tool.Retry retry,
            Reporter reporter) {}

    /**
     * What came of it.
     *
     * @param reason {@code OK}, {@code EXECUTOR_ERROR} or {@code EXECUTION_TIMEOUT}; if it was interrupted {@code CANCELLED_WHILE_RUNNING}
     * @param message what went wrong; empty if nothing did
     * @param exitCode of the program; -1 if it did not end by itself
     * @param fields all that there is to say, for JSON
     * @param stdout the beginning of what it wrote there
     * @param stdoutWhole whether that is all of it
     */
    @SuppressWarnings("ArrayRecordComponent") // nobody compares them
    record Result(
            Reason reason,
            String message,
            int exitCode,
            Map<String, Object> fields,
            byte[] stdout,
            boolean stdoutWhole) {
        boolean isSuccess() {
            return reason == Reason.OK;
        }
    }

    Result run(Job job) {
        long start = nanoTicker.getAsLong();
        Tool.Retry retry = job.retry;
        Tool tool = job.invocation.tool();
        try {
            job.output.begin(tool.limits().output(), tool.encoding());
        } catch (IOException e) {
            return failed(new LinkedHashMap<>(), new Output(job, start), -1, "it could not be run: " + e.getMessage());
        }
        for (int attempt = 1; ; attempt++) {
            Duration left = job.timeout.minusNanos(nanoTicker.getAsLong() - start);
            Result result = runOnce(job, attempt, left);
            Duration delay = delay(retry, attempt);
            boolean again = result.reason == Reason.EXECUTOR_ERROR
                    && result.exitCode >= 0
                    && attempt < retry.attempts()
                    && (retry.on().isEmpty() || retry.on().contains(result.exitCode))
                    && left.compareTo(delay) > 0;
            if (!again) {
                return result;
            }
            job.reporter.progress("try " + attempt + " of " + retry.attempts() + " failed: " + result.message
                    + "; the next one in " + delay.toMillis() + " ms");
            try {
                TimeUnit.NANOSECONDS.sleep(delay.toNanos());
            } catch (InterruptedException e) {
                return new Result(
                        Reason.CANCELLED_WHILE_RUNNING,
                        "it waited for its next try",
                        result.exitCode,
                        result.fields,
                        result.stdout,
                        result.stdoutWhole);
            }
        }
    }

    private static Duration delay(Tool.Retry retry, int attempt) {
        long millis = retry.delay().toMillis() << Math.min(attempt - 1, 20);
        return Duration.ofMillis(Math.min(millis, retry.maxDelay().toMillis()));
    }

    private Result runOnce(Job job, int attempt, Duration left) {
        Tool tool = job.invocation.tool();
        long start = nanoTicker.getAsLong();
        Output output = new Output(job, start);
        String problem;
        try {
            Path work = prepare(job);
            output.work = work;
            Map<String, String> builtIn = builtIn(job, work);
            Start prepared = start(job, attempt, work, builtIn, left.isNegative() ? Duration.ZERO : left);
            ProcessTreeRunner.Outcome outcome = prepared.program.run(output);
            Map<String, Object> fields = fields(job, attempt, output, start, prepared.endedBy);
            fields.put("files", WorkTree.files(work));
            String tooMuch = tooMuch(tool, work);
            if (outcome.end() == ProcessTreeRunner.End.EXITED && tooMuch != null) {
                return failed(fields, output, outcome.exitCode(), tooMuch);
            }
            return result(tool, outcome, fields, output);
        } catch (IllegalArgumentException | IOException e) {
            problem = e instanceof FolderFullException
                    ? String.valueOf(e.getMessage())
                    : (output.bytes == 0
                                    ? "it could not be run: "
                                    : "it was ended, as what it wrote could not be kept: ")
                            + e.getMessage();
        }
        return failed(fields(job, attempt, output, start, null), output, -1, problem);
    }

    /** @param endedBy the name of the means by which it is ended */
    private record Start(String endedBy, Program program) {}

    private interface Program {
        ProcessTreeRunner.Outcome run(ProcessTreeRunner.Sink sink) throws IOException;
    }

    private Start start(Job job, int attempt, Path work, Map<String, String> builtIn, Duration left) {
        Tool tool = job.invocation.tool();
        List<String> argv = job.invocation.argv(builtIn);
        Map<String, String> environment = environment(job, builtIn, work);
        Path stdin = job.invocation.stdin() == null ? null : job.folder.stdin(job.step);
        if (tool.isolation() == Isolation.WASM) {
            WasmRunner.Task task = new WasmRunner.Task(tool, argv, work, environment, stdin, left);
            return new Start(WasmRunner.ENDED_BY, sink -> wasm.run(task, sink));
        }
        Launcher.Launch launch = launcher.launch(tool, work, argv, environment);
        ProcessTreeRunner.Task task = new ProcessTreeRunner.Task(
                job.runId + "/" + job.step + "/" + attempt,
                launch.argv(),
                work,
                environment,
                stdin,
                launch.containment(),
                left,
                tool.stopGrace(),
                true);
        return new Start(launch.containment().means().code(), sink -> runner.run(task, sink));
    }

    private static Result failed(Map<String, Object> fields, Output output, int exitCode, String problem) {
        return new Result(
                Reason.EXECUTOR_ERROR, problem, exitCode, fields, output.captured.toByteArray(), output.isWhole());
    }

    private static Result result(
            Tool tool, ProcessTreeRunner.Outcome outcome, Map<String, Object> fields, Output output) {
        String survivors = outcome.allEnded() ? "" : "; some of its processes could not be ended";
        int exitCode = outcome.exitCode();
        fields.put("all_processes_ended", outcome.allEnded());
        Reason reason;
        String message;
        switch (outcome.end()) {
            case INTERRUPTED -> {
                reason = Reason.CANCELLED_WHILE_RUNNING;
                message = "its processes were ended" + survivors;
            }
            case TIMED_OUT -> {
                reason = Reason.EXECUTION_TIMEOUT;
                message = NOT_IN_TIME + "its processes were ended" + survivors;
            }
            default -> {
                fields.put("exit_code", exitCode);
                String meaning = tool.exits().meanings().get(exitCode);
                if (meaning != null) {
                    fields.put("meaning", meaning);
                }
                boolean success = tool.exits().success().contains(exitCode);
                reason = success ? Reason.OK : Reason.EXECUTOR_ERROR;
                message = success ? "" : "exit code " + exitCode + (meaning == null ? "" : ": " + meaning) + survivors;
            }
        }
        return new Result(reason, message, exitCode, fields, output.captured.toByteArray(), output.isWhole());
    }

    private Path prepare(Job job) throws IOException {
        Path work = job.folder.freshWork(job.step);
        for (Map.Entry<String, byte[]> input : job.invocation.inputs().entrySet()) {
            RunFolder.write(work, input.getKey(), input.getValue());
        }
        for (Map.Entry<String, Path> file : job.invocation.files().entrySet()) {
            RunFolder.copy(file.getValue(), work, file.getKey());
        }
        byte[] stdin = job.invocation.stdin();
        if (stdin != null) {
            Files.write(job.folder.stdin(job.step), stdin);
        }
        launcher.handOver(job.invocation.tool(), work);
        return work;
    }

    private Map<String, String> builtIn(Job job, Path work) {
        Tool tool = job.invocation.tool();
        Map<String, String> values = new LinkedHashMap<>();
        values.put("tool_folder", launcher.toolFolder(tool));
        values.put("run_folder", launcher.runFolder(tool, work));
        values.put("run_id", job.runId);
        values.put("resource", job.resource == null ? "" : job.resource);
        return values;
    }

    /** In the order in which later ones may replace earlier ones: ours, the server's, the caller's, the tool's own, and what nobody may replace. */
    private Map<String, String> environment(Job job, Map<String, String> builtIn, Path work) {
        Tool tool = job.invocation.tool();
        Map<String, String> environment = new LinkedHashMap<>();
        environment.put("PATH", Launcher.SEARCH_PATH);
        environment.put("LANG", "C.UTF-8");
        if (Launcher.isWindows()) {
            takeOver(List.of("SystemRoot"), environment);
        }
        if (tool.isolation() != Isolation.NONE) {
            String folder = launcher.runFolder(tool, work);
            List.of("HOME", "TMPDIR", "TEMP", "TMP").forEach(name -> environment.put(name, folder));
        }
        takeOver(tool.environment().fromServer(), environment);
        environment.putAll(job.invocation.env());
        tool.environment()
                .fixed()
                .forEach((name, value) -> environment.put(name, job.invocation.render(Template.parse(value), builtIn)));
        environment.put("COMMANDWAY_RUN_ID", job.runId);
        environment.put("COMMANDWAY_TOOL", tool.name());
        environment.put("COMMANDWAY_TOOL_VERSION", tool.version());
        if (job.resource != null) {
            environment.put("COMMANDWAY_RESOURCE", job.resource);
        }
        if (job.traceParent != null) {
            environment.put("TRACEPARENT", job.traceParent);
        }
        return environment;
    }

    private static void takeOver(Iterable<String> names, Map<String, String> environment) {
        for (String name : names) {
            String value = System.getenv(name);
            if (value != null) {
                environment.put(name, value);
            }
        }
    }

    private Map<String, Object> fields(Job job, int attempt, Output output, long start, @Nullable String endedBy) {
        Tool tool = job.invocation.tool();
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("tool", tool.name());
        fields.put("version", tool.version());
        if (tool.commit() != null) {
            fields.put("commit", tool.commit());
        }
        fields.put("attempts", attempt);
        fields.put("duration_ms", TimeUnit.NANOSECONDS.toMillis(nanoTicker.getAsLong() - start));
        fields.put("isolation", tool.isolation().code());
        if (endedBy != null) {
            fields.put("processes_ended_by", endedBy);
        }
        fields.put("encoding", tool.encoding().name());
        fields.put("output_bytes", output.bytes);
        fields.put("output_dropped", output.dropped);
        return fields;
    }

    private static @Nullable String tooMuch(Tool tool, Path work) throws IOException {
        return WorkTree.tooMuch(work, tool.limits().folder(), MAX_ENTRIES);
    }

    /** The folder of a run has more in it than allowed. */
    private static final class FolderFullException extends IOException {
        private static final long serialVersionUID = 1L;

        FolderFullException(String message) {
            super(message);
        }
    }

    private final class Output implements ProcessTreeRunner.Sink {
        private final Job job;
        private final ByteArrayOutputStream captured = new ByteArrayOutputStream();
        private @Nullable Path work;
        private long lastCheck;
        private long bytes;
        private long dropped;
        private long stdoutBytes;

        Output(Job job, long now) {
            this.job = job;
            this.lastCheck = now;
        }

        boolean isWhole() {
            return captured.size() == stdoutBytes;
        }

        @Override
        public void output(String channel, byte[] data, int count) throws IOException {
            bytes += count;
            if (channel.equals("stdout")) {
                stdoutBytes += count;
                captured.write(data, 0, Math.min(count, CAPTURED - captured.size()));
            }
            int kept = job.output.append(channel, data, count);
            dropped += count - kept;
            if (kept > 0) {
                job.reporter.output(channel, Arrays.copyOf(data, kept));
            }
        }

        @Override
        public void whileRunning() throws IOException {
            long now = nanoTicker.getAsLong();
            Path folder = work;
            if (folder == null || now - lastCheck < QUOTA_CHECK_NANOS) {
                return;
            }
            lastCheck = now;
            String tooMuch = tooMuch(job.invocation.tool(), folder);
            if (tooMuch != null) {
                throw new FolderFullException(tooMuch + "; its processes were ended");
            }
        }
    }
}
