package io.github.commandway.cli;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** A command that does nothing without one of its sub-commands. */
abstract class CommandGroup implements Runnable {
    private final List<Object> subcommands;

    @Spec
    private @Nullable CommandSpec spec;

    CommandGroup(Object... subcommands) {
        this.subcommands = List.of(subcommands);
    }

    /** This command with what it can do. */
    CommandLine withSubcommands() {
        CommandLine line = new CommandLine(this);
        for (Object subcommand : subcommands) {
            line.addSubcommand(subcommand);
        }
        return line;
    }

    @Override
    public void run() {
        if (spec == null) {
            throw new IllegalStateException("picocli sets this");
        }
        List<String> names = new ArrayList<>(spec.subcommands().keySet());
        String last = names.remove(names.size() - 1);
        throw new CommandLine.ParameterException(
                spec.commandLine(), "what to do is missing: " + String.join(", ", names) + " or " + last);
    }
}
