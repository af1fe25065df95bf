package io.github.commandway.agent.command;

import io.github.commandway.agent.ExecutionContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** {@code exec_shell}. */
final class ShellCommand {
    private static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(30);

    private final ProcessRunner runner;
    private final Map<String, String> environment;
    private final List<Path> roots;
    private final Duration maxTimeout;
    private final int outputLimit;

    ShellCommand(
            ProcessRunner runner,
            Map<String, String> environment,
            List<Path> roots,
            Duration maxTimeout,
            int outputLimit) {
        this.runner = runner;
        this.environment = environment;
        this.roots = roots;
        this.maxTimeout = maxTimeout;
        this.outputLimit = outputLimit;
    }

    record Params(
            String command,
            @Nullable Integer timeout,
            @Nullable String workDir) {
        Params {
            Checks.present("command", command);
        }
    }

    record Result(boolean success, int exitCode, String stdout, String stderr, String message, boolean truncated) {}

    Result execute(ExecutionContext context, Params params) throws IOException, CommandException, InterruptedException {
        Duration timeout =
                params.timeout == null ? shorter(DEFAULT_TIMEOUT, maxTimeout) : Duration.ofSeconds(params.timeout);
        if (timeout.isNegative() || timeout.isZero() || timeout.compareTo(maxTimeout) > 0) {
            throw rejected("timeout must be from 1 to " + maxTimeout.toSeconds() + " seconds");
        }
        List<String> argv = ProcessRunner.WINDOWS
                ? List.of("cmd.exe", "/c", params.command)
                : List.of("/bin/sh", "-c", params.command);
        ProcessRunner.Outcome outcome = runner.run(
                context,
                new ProcessRunner.Task(argv, directory(params.workDir), environment, timeout, outputLimit, true));
        boolean success = outcome.exitCode() == 0;
        return new Result(
                success,
                outcome.exitCode(),
                outcome.stdout().text(),
                outcome.stderr().text(),
                success ? "" : "exit code " + outcome.exitCode(),
                outcome.stdout().truncated() || outcome.stderr().truncated());
    }

    private @Nullable Path directory(@Nullable String workDir) throws CommandException, IOException {
        if (workDir == null || workDir.isEmpty()) {
            return roots.isEmpty() ? null : roots.get(0);
        }
        if (workDir.indexOf('\0') >= 0) {
            throw rejected("work_dir is not a path");
        }
        Path directory = roots.isEmpty() ? Path.of(workDir) : roots.get(0).resolve(workDir);
        if (!Files.isDirectory(directory)) {
            throw rejected("work_dir is not a directory: " + workDir);
        }
        Path real = directory.toRealPath();
        List<Path> realRoots = new ArrayList<>();
        for (Path root : roots) {
            realRoots.add(root.toRealPath());
        }
        if (!roots.isEmpty() && realRoots.stream().noneMatch(real::startsWith)) {
            throw rejected("work_dir is not under an allowed folder: " + workDir);
        }
        return real;
    }

    private static Duration shorter(Duration one, Duration other) {
        return one.compareTo(other) <= 0 ? one : other;
    }

    private static CommandException rejected(String message) {
        return new CommandException(Reason.REJECTED_BY_AGENT, message);
    }
}
