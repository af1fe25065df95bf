package io.github.commandway.tools;

import io.github.commandway.dispatch.Reason;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * One run of a toolchain in the calling thread. After each step it writes down how far it is, and a run that finds that goes on behind the last finished step. A step that had begun and not
 * finished is not run again unless it is declared repeatable.
 */
final class ToolchainRun {
    private static final JsonMapper JSON = JsonMapper.builder().build();
    /** How much of the result may be lists of files, so that there is room for the rest. */
    private static final int MAX_LISTED_CHARACTERS = 256 << 10;

    private static final String SUCCEEDED = "succeeded";
    private static final String FAILED = "failed";
    private static final String SKIPPED = "skipped";

    private final Toolchain chain;
    private final Map<String, String> params;
    private final ToolCatalog catalog;
    private final Slots slots;
    private final ToolExecution execution;
    private final LongSupplier nanoTicker;
    private final Setting setting;
    private final Map<String, Tool> tools = new LinkedHashMap<>();
    private final Map<String, Done> done = new LinkedHashMap<>();
    private @Nullable String begun;

    /**
     * Where and for whom it runs.
     *
     * @param timeout for all of it
     */
    record Setting(
            String runId,
            RunFolder folder,
            OutputFile output,
            @Nullable String traceParent,
            Duration timeout,
            ToolExecution.Reporter reporter) {}

    /** A step that is over. */
    @SuppressWarnings("ArrayRecordComponent") // nobody compares them
    private record Done(
            String status, Map<String, Object> fields, byte[] stdout, boolean stdoutWhole, boolean tolerated) {}

    ToolchainRun(
            Toolchain chain,
            Map<String, String> params,
            ToolCatalog catalog,
            Slots slots,
            ToolExecution execution,
            LongSupplier nanoTicker,
            Setting setting) {
        this.chain = chain;
        this.params = Invocation.withDefaults(chain.parameters(), params);
        this.catalog = catalog;
        this.slots = slots;
        this.execution = execution;
        this.nanoTicker = nanoTicker;
        this.setting = setting;
    }

    /** What would be run, without running it: each step with the version that it has now and what it depends on. */
    static Map<String, Object> plan(Toolchain chain, ToolCatalog catalog) {
        List<Map<String, Object>> steps = new ArrayList<>();
        for (Toolchain.Step step : chain.steps()) {
            Map<String, Object> fields = new LinkedHashMap<>();
            fields.put("name", step.name());
            fields.put("tool", step.tool());
            fields.put("version", catalog.find(step.tool(), step.version()).version());
            fields.put("args", step.args());
            fields.put("params", step.params());
            fields.put("when", step.when());
            fields.put("uses", uses(step));
            steps.add(fields);
        }
        Map<String, Object> plan = new LinkedHashMap<>();
        plan.put("toolchain", chain.name());
        plan.put("dry_run", true);
        plan.put("steps", steps);
        return plan;
    }

    /** The earlier steps that it needs something of. */
    private static List<String> uses(Toolchain.Step step) {
        List<String> texts = new ArrayList<>(step.args());
        texts.addAll(step.params().values());
        texts.addAll(step.env().values());
        texts.add(step.when());
        if (step.stdin() != null) {
            texts.add(step.stdin());
        }
        List<String> uses = new ArrayList<>(
                step.inputs().stream().map(Toolchain.Input::from).toList());
        for (String text : texts) {
            for (String reference : Template.parse(text).references()) {
                if (reference.startsWith("steps.")) {
                    uses.add(stepOf(reference));
                }
            }
        }
        return uses.stream().distinct().toList();
    }

    private static String stepOf(String reference) {
        return reference.substring("steps.".length(), reference.lastIndexOf('.'));
    }

    /** Takes up what an earlier run wrote down. Returns null if it can go on, otherwise why it cannot. */
    @Nullable String resume() throws IOException {
        if (!Files.exists(setting.folder.state())) {
            return null;
        }
        Map<?, ?> state;
        try {
            state = JSON.readValue(setting.folder.state().toFile(), Map.class);
        } catch (JacksonException e) {
            throw new IOException("what was written down of the run cannot be read: " + e.getOriginalMessage(), e);
        }
        if (state.get("versions") instanceof Map<?, ?> versions) {
            versions.forEach((step, version) -> tools.put(String.valueOf(step), pinned(String.valueOf(step), version)));
        }
        if (state.get("done") instanceof Map<?, ?> steps) {
            steps.forEach((name, value) -> done.put(String.valueOf(name), done((Map<?, ?>) value)));
        }
        Object running = state.get("begun");
        if (running == null) {
            return null;
        }
        boolean repeatable = chain.steps().stream().anyMatch(step -> step.name().equals(running) && step.repeatable());
        return repeatable
                ? null
                : "the server was stopped while step '" + running
                        + "' was running; whether it had an effect is unknown, and it is not declared repeatable";
    }

    private Tool pinned(String stepName, @Nullable Object version) {
        String tool = chain.steps().stream()
                .filter(step -> step.name().equals(stepName))
                .map(Toolchain.Step::tool)
                .findFirst()
                .orElseThrow(
                        () -> new IllegalArgumentException("the toolchain has no step '" + stepName + "' any more"));
        return catalog.find(tool, String.valueOf(version));
    }

    private static Done done(Map<?, ?> step) {
        Map<String, Object> fields = new LinkedHashMap<>();
        if (step.get("fields") instanceof Map<?, ?> written) {
            written.forEach((name, value) -> fields.put(String.valueOf(name), value));
        }
        return new Done(
                String.valueOf(step.get("status")),
                fields,
                Base64.getDecoder().decode(String.valueOf(step.get("stdout"))),
                Boolean.TRUE.equals(step.get("whole")),
                Boolean.TRUE.equals(step.get("tolerated")));
    }

    private void writeState() throws IOException {
        Map<String, Object> steps = new LinkedHashMap<>();
        done.forEach((name, one) -> {
            Map<String, Object> fields = new LinkedHashMap<>();
            fields.put("status", one.status);
            fields.put("fields", one.fields);
            fields.put("stdout", one.stdout);
            fields.put("whole", one.stdoutWhole);
            fields.put("tolerated", one.tolerated);
            steps.put(name, fields);
        });
        Map<String, String> versions = new LinkedHashMap<>();
        tools.forEach((step, tool) -> versions.put(step, tool.version()));
        Map<String, Object> state = new LinkedHashMap<>();
        state.put("versions", versions);
        state.put("done", steps);
        if (begun != null) {
            state.put("begun", begun);
        }
        // a step whose beginning was forgotten would be run twice
        AtomicFiles.write(setting.folder.state(), JSON.writeValueAsBytes(state));
    }

    /** Runs what is not done yet. */
    ToolExecution.Result run() throws IOException {
        long start = nanoTicker.getAsLong();
        for (Toolchain.Step step : chain.steps()) {
            if (!tools.containsKey(step.name())) {
                tools.put(step.name(), catalog.find(step.tool(), step.version()));
            }
        }
        int number = 0;
        for (Toolchain.Step step : chain.steps()) {
            number++;
            if (done.containsKey(step.name())) {
                continue;
            }
            String name = "step " + number + " of " + chain.steps().size() + " '" + step.name() + "'";
            if (!Condition.parse(step.when()).holds(hasFailed(), this::value)) {
                finish(step, new Done(SKIPPED, new LinkedHashMap<>(), new byte[0], true, true), name);
                continue;
            }
            begun = step.name();
            writeState();
            setting.reporter.progress(name + ": " + tools.get(step.name()));
            ToolExecution.Result result = runStep(step, setting.timeout.minusNanos(nanoTicker.getAsLong() - start));
            if (result.reason() == Reason.CANCELLED_WHILE_RUNNING) {
                return result(result.reason(), name + ": " + result.message());
            }
            Map<String, Object> fields = new LinkedHashMap<>(result.fields());
            if (!result.isSuccess()) {
                fields.put("message", result.message());
            }
            finish(
                    step,
                    new Done(
                            result.isSuccess() ? SUCCEEDED : FAILED,
                            fields,
                            result.stdout(),
                            result.stdoutWhole(),
                            step.onFailure() == Toolchain.OnFailure.CONTINUE),
                    name);
        }
        return firstFailure();
    }

    private void finish(Toolchain.Step step, Done how, String name) throws IOException {
        done.put(step.name(), how);
        begun = null;
        writeState();
        Object message = how.fields.get("message");
        setting.reporter.progress(name + " " + how.status + (message == null ? "" : ": " + message));
    }

    private boolean hasFailed() {
        return done.values().stream().anyMatch(one -> one.status.equals(FAILED) && !one.tolerated);
    }

    /** Of the first step whose failure made the toolchain fail, if its program ended by itself. */
    private @Nullable Object failedExitCode() {
        return done.values().stream()
                .filter(one -> one.status.equals(FAILED) && !one.tolerated)
                .findFirst()
                .map(one -> one.fields.get("exit_code"))
                .orElse(null);
    }

    private ToolExecution.Result firstFailure() {
        for (Map.Entry<String, Done> entry : done.entrySet()) {
            if (entry.getValue().status.equals(FAILED) && !entry.getValue().tolerated) {
                return result(
                        Reason.EXECUTOR_ERROR,
                        "step '" + entry.getKey() + "' failed: "
                                + entry.getValue().fields.get("message"));
            }
        }
        return result(Reason.OK, "");
    }

    private ToolExecution.Result result(Reason reason, String message) {
        List<Map<String, Object>> steps = new ArrayList<>();
        int listed = 0;
        for (Toolchain.Step step : chain.steps()) {
            Map<String, Object> fields = new LinkedHashMap<>();
            fields.put("name", step.name());
            Done one = done.get(step.name());
            fields.put("status", one != null ? one.status : step.name().equals(begun) ? "running" : "not_begun");
            fields.put("uses", uses(step));
            if (one != null) {
                fields.putAll(one.fields);
            }
            listed += String.valueOf(fields.get("files")).length();
            if (listed > MAX_LISTED_CHARACTERS) {
                fields.remove("files");
            }
            steps.add(fields);
        }
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("toolchain", chain.name());
        fields.put("steps", steps);
        Object exitCode = reason == Reason.OK ? Integer.valueOf(0) : failedExitCode();
        if (exitCode != null) {
            fields.put("exit_code", exitCode);
        }
        return new ToolExecution.Result(reason, message, -1, fields, new byte[0], true);
    }

    private ToolExecution.Result runStep(Toolchain.Step step, Duration left) {
        Tool tool = tools.get(step.name());
        if (tool == null) {
            throw new IllegalStateException("step " + step.name() + " has no tool");
        }
        CompletableFuture<Boolean> granted = new CompletableFuture<>();
        Slots.Claim claim = new Slots.Claim(
                tool.name(), tool.concurrency(), tool.locks(), tool.pool(), false, () -> granted.complete(true));
        try {
            Invocation invocation = invocation(step, tool);
            slots.submit(claim);
            granted.get();
            Duration limit = step.timeout() == null ? tool.timeout() : step.timeout();
            return execution.run(new ToolExecution.Job(
                    setting.runId,
                    step.name(),
                    invocation,
                    setting.folder,
                    setting.output,
                    setting.traceParent,
                    slots.resource(claim),
                    left.compareTo(limit) < 0 ? left : limit,
                    step.retry() == null ? tool.retry() : step.retry(),
                    setting.reporter));
        } catch (IllegalArgumentException | IOException e) {
            return failed(Reason.EXECUTOR_ERROR, String.valueOf(e.getMessage()));
        } catch (ExecutionException e) {
            throw new IllegalStateException(e);
        } catch (InterruptedException e) {
            return failed(Reason.CANCELLED_WHILE_RUNNING, "it waited for its turn");
        } finally {
            slots.release(claim);
        }
    }

    private static ToolExecution.Result failed(Reason reason, String message) {
        return new ToolExecution.Result(reason, message, -1, new LinkedHashMap<>(), new byte[0], true);
    }

    private Invocation invocation(Toolchain.Step step, Tool tool) throws IOException {
        List<String> args = step.args().stream().map(this::render).toList();
        Map<String, String> values = render(step.params());
        Map<String, String> env = render(step.env());
        Invocation.check(tool, args.size(), args, values, java.util.Set.of(), env, true);
        Map<String, Path> files = new LinkedHashMap<>();
        for (Toolchain.Input input : step.inputs()) {
            Path file = RunFolder.inside(setting.folder.work(input.from()), input.file());
            if (!Files.isRegularFile(file)) {
                throw new IllegalArgumentException(
                        "step '" + input.from() + "' has made no file '" + input.file() + "'");
            }
            long most = tool.limits().folder();
            if (Files.size(file) > most) {
                throw new IllegalArgumentException("the file '" + input.file() + "' of step '" + input.from() + "' has "
                        + Files.size(file) + " bytes; the most in a folder of " + tool + " is " + most);
            }
            files.put(input.as(), file);
        }
        return new Invocation(
                tool, args, Invocation.withDefaults(tool.parameters(), values), env, stdin(step), Map.of(), files);
    }

    /** The output of one step as it was, byte for byte, if it is nothing but that. */
    private byte @Nullable [] stdin(Toolchain.Step step) {
        if (step.stdin() == null) {
            return null;
        }
        String only = Template.parse(step.stdin()).onlyReference();
        if (only != null && only.startsWith("steps.") && only.endsWith(".stdout")) {
            return whole(stepOf(only)).stdout;
        }
        return render(step.stdin()).getBytes(StandardCharsets.UTF_8);
    }

    private Map<String, String> render(Map<String, String> templates) {
        Map<String, String> values = new LinkedHashMap<>();
        templates.forEach((name, text) -> values.put(name, render(text)));
        return values;
    }

    private String render(String text) {
        return Template.parse(text).render(this::value);
    }

    private String value(String reference) {
        if (reference.equals(ToolchainFile.RUN_ID)) {
            return setting.runId;
        }
        if (reference.startsWith("params.")) {
            return params.getOrDefault(reference.substring("params.".length()), "");
        }
        String step = stepOf(reference);
        String what = reference.substring(reference.lastIndexOf('.') + 1);
        Done one = done.get(step);
        if (one == null) {
            return "";
        }
        return switch (what) {
            case "status" -> one.status;
            case "exit_code" -> String.valueOf(one.fields.getOrDefault("exit_code", ""));
            default -> text(step);
        };
    }

    private Done whole(String step) {
        Done one = done.get(step);
        if (one == null) {
            throw new IllegalArgumentException("step '" + step + "' was not run");
        }
        if (!one.stdoutWhole) {
            throw new IllegalArgumentException("the output of step '" + step + "' has more than "
                    + ToolExecution.CAPTURED + " bytes; let it write a file, and take that as an input");
        }
        return one;
    }

    /** Without the line ends at its end, as it is wanted in an argument. */
    private String text(String step) {
        Tool tool = tools.get(step);
        String text = new String(whole(step).stdout, tool == null ? StandardCharsets.UTF_8 : tool.encoding());
        int end = text.length();
        while (end > 0 && (text.charAt(end - 1) == '\n' || text.charAt(end - 1) == '\r')) {
            end--;
        }
        return text.substring(0, end);
    }

    /** Whether what the steps worked on is to stay. */
    boolean keepsWork(boolean success) {
        return tools.values().stream()
                .anyMatch(tool -> tool.keep() == Tool.Keep.ALWAYS || (!success && tool.keep() == Tool.Keep.FAILED));
    }
}
