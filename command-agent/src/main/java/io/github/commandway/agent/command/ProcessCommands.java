package io.github.commandway.agent.command;

import io.github.commandway.agent.ExecutionContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** {@code process.list} and {@code process.kill}. */
final class ProcessCommands {
    private static final int DEFAULT_LIMIT = 1_000;
    private static final int MAX_LIMIT = 10_000;
    private static final Set<String> SIGNALS =
            Set.of("TERM", "KILL", "INT", "HUP", "QUIT", "USR1", "USR2", "STOP", "CONT");
    private static final Duration SIGNAL_TIMEOUT = Duration.ofSeconds(5);

    private final ProcessRunner runner;
    private final Map<String, String> environment;

    ProcessCommands(ProcessRunner runner, Map<String, String> environment) {
        this.runner = runner;
        this.environment = environment;
    }

    record ListParams(@Nullable String name, @Nullable Integer limit) {
        ListParams {
            Checks.range("limit", limit, 1, MAX_LIMIT);
        }
    }

    /** Without arguments, which are often secret. What the system does not tell is missing or null. */
    record Item(
            long pid,
            @Nullable Long parentPid,
            @Nullable String user,
            @Nullable String command,
            @Nullable String startTime,
            @Nullable Double cpuSeconds) {}

    record ListResult(int total, List<Item> processes, boolean truncated) {}

    ListResult list(ExecutionContext context, ListParams params) {
        int limit = params.limit == null ? DEFAULT_LIMIT : params.limit;
        String name = params.name == null ? "" : params.name;
        List<Item> all;
        try (Stream<ProcessHandle> processes = ProcessHandle.allProcesses()) {
            all = processes
                    .map(ProcessCommands::describe)
                    .filter(item -> name.isEmpty() || (item.command != null && item.command.contains(name)))
                    .sorted(Comparator.comparingLong(Item::pid))
                    .toList();
        }
        return new ListResult(all.size(), all.stream().limit(limit).toList(), all.size() > limit);
    }

    private static Item describe(ProcessHandle process) {
        ProcessHandle.Info info = process.info();
        return new Item(
                process.pid(),
                process.parent().map(ProcessHandle::pid).orElse(null),
                info.user().orElse(null),
                info.command().orElse(null),
                info.startInstant().map(Instant::toString).orElse(null),
                info.totalCpuDuration().map(time -> time.toMillis() / 1000.0).orElse(null));
    }

    record KillParams(Long pid, @Nullable String signal) {
        KillParams {
            if (pid == null || pid < 1) {
                throw new IllegalArgumentException("'pid' is missing or less than 1");
            }
        }
    }

    record KillResult(long pid, String signal, boolean success, String message) {}

    KillResult kill(ExecutionContext context, KillParams params)
            throws IOException, CommandException, InterruptedException {
        String signal = params.signal == null
                ? "TERM"
                : params.signal.toUpperCase(Locale.ROOT).replaceFirst("^SIG", "");
        if (!SIGNALS.contains(signal)) {
            throw FileRoot.refused("'signal' must be one of "
                    + String.join(", ", SIGNALS.stream().sorted().toList()));
        }
        long pid = params.pid;
        if (pid == 1 || pid == ProcessHandle.current().pid()) {
            throw FileRoot.refused("process " + pid + " is " + (pid == 1 ? "the system's first one" : "this agent")
                    + " and is not signalled");
        }
        ProcessHandle process = ProcessHandle.of(pid)
                .orElseThrow(() -> new CommandException(Reason.EXECUTOR_ERROR, "there is no process " + pid));
        switch (signal) {
            case "TERM" -> require(process.destroy(), pid, "");
            case "KILL" -> require(process.destroyForcibly(), pid, "");
            default -> {
                ProcessRunner.Outcome outcome = runner.run(
                        context,
                        new ProcessRunner.Task(
                                List.of("/bin/sh", "-c", "kill -s \"$1\" -- \"$2\"", "sh", signal, Long.toString(pid)),
                                null,
                                environment,
                                SIGNAL_TIMEOUT,
                                1024,
                                false));
                require(
                        outcome.exitCode() == 0,
                        pid,
                        ": " + outcome.stderr().text().strip());
            }
        }
        return new KillResult(pid, signal, true, "signal sent");
    }

    private static void require(boolean sent, long pid, String why) throws CommandException {
        if (!sent) {
            throw new CommandException(Reason.EXECUTOR_ERROR, "process " + pid + " could not be signalled" + why);
        }
    }
}
