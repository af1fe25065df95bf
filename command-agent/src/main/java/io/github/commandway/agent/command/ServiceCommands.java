package io.github.commandway.agent.command;

import io.github.commandway.agent.ExecutionContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** {@code service.status}, {@code service.start}, {@code service.stop} and {@code service.restart}, by systemd. */
final class ServiceCommands {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9:_.@-]{0,254}");
    private static final Path RUNNING = Path.of("/run/systemd/system");
    private static final Duration TIMEOUT = Duration.ofMinutes(5);
    private static final int OUTPUT = 16 << 10;

    private final ProcessRunner runner;
    private final Map<String, String> environment;
    private final Set<String> allowed;

    /** @param allowed the names that may be given; empty for all */
    ServiceCommands(ProcessRunner runner, Map<String, String> environment, Set<String> allowed) {
        this.runner = runner;
        this.environment = environment;
        this.allowed = allowed.stream().map(ServiceCommands::withSuffix).collect(Collectors.toUnmodifiableSet());
    }

    record Params(String name) {
        Params {
            Checks.present("name", name);
            if (!NAME.matcher(name).matches()) {
                throw new IllegalArgumentException("'name' is not the name of a service");
            }
        }
    }

    record Result(String name, String status, boolean success, String message) {}

    Result status(ExecutionContext context, Params params) throws IOException, CommandException, InterruptedException {
        requireAllowed(params.name);
        return show(context, params.name);
    }

    /** @param verb {@code start}, {@code stop} or {@code restart} */
    Result change(ExecutionContext context, String verb, Params params)
            throws IOException, CommandException, InterruptedException {
        requireAllowed(params.name);
        ProcessRunner.Outcome outcome = systemctl(context, verb, "--", params.name);
        requireSuccess(verb, params.name, outcome);
        return show(context, params.name);
    }

    private void requireAllowed(String name) throws CommandException {
        if (!allowed.isEmpty() && !allowed.contains(withSuffix(name))) {
            throw FileRoot.refused("the service '" + name + "' is not one that may be used");
        }
    }

    /** As systemctl completes names: without a suffix a service is meant. */
    private static String withSuffix(String name) {
        return name.contains(".") ? name : name + ".service";
    }

    private Result show(ExecutionContext context, String name)
            throws IOException, CommandException, InterruptedException {
        ProcessRunner.Outcome outcome =
                systemctl(context, "show", "--property=LoadState,ActiveState,SubState", "--", name);
        requireSuccess("status", name, outcome);
        Map<String, String> properties = new HashMap<>();
        outcome.stdout().text().lines().forEach(line -> {
            int equals = line.indexOf('=');
            if (equals > 0) {
                properties.put(line.substring(0, equals), line.substring(equals + 1));
            }
        });
        if ("not-found".equals(properties.get("LoadState"))) {
            throw new CommandException(Reason.EXECUTOR_ERROR, "there is no service '" + name + "'");
        }
        return new Result(
                name, properties.getOrDefault("ActiveState", "unknown"), true, properties.getOrDefault("SubState", ""));
    }

    private ProcessRunner.Outcome systemctl(ExecutionContext context, String... arguments)
            throws IOException, CommandException, InterruptedException {
        Path program = Stream.of("/usr/bin/systemctl", "/bin/systemctl")
                .map(Path::of)
                .filter(Files::isExecutable)
                .findFirst()
                .orElseThrow(
                        () -> new CommandException(Reason.EXECUTOR_ERROR, "there is no systemctl on this machine"));
        // As sd_booted(3) does: the program can be there although systemd is not what runs the machine.
        if (!Files.isDirectory(RUNNING)) {
            throw new CommandException(Reason.EXECUTOR_ERROR, "systemd is not running on this machine");
        }
        List<String> argv = Stream.concat(
                        Stream.of(program.toString(), "--no-pager", "--no-ask-password"), Stream.of(arguments))
                .toList();
        return runner.run(context, new ProcessRunner.Task(argv, null, environment, TIMEOUT, OUTPUT, false));
    }

    private static void requireSuccess(String verb, String name, ProcessRunner.Outcome outcome)
            throws CommandException {
        if (outcome.exitCode() != 0) {
            throw new CommandException(
                    Reason.EXECUTOR_ERROR,
                    verb + " of '" + name + "' failed with exit code " + outcome.exitCode() + ": "
                            + outcome.stderr().text().strip());
        }
    }
}
