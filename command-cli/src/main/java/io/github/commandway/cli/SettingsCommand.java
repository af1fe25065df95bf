package io.github.commandway.cli;

import io.github.commandway.cli.Setting.Role;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** A sub-command that has {@link Setting}s: each that is for one of its roles is a flag. */
@Command(mixinStandardHelpOptions = true, usageHelpAutoWidth = true, sortOptions = false)
abstract class SettingsCommand implements Callable<Integer> {
    /** In help they stand between a command's own options and those that are for all. */
    private static final int FIRST_SETTING = 500;

    private final Surroundings surroundings;
    private final Set<Role> roles;

    @Spec
    private @Nullable CommandSpec spec;

    @Option(
            names = "--config",
            paramLabel = "<file>",
            description = "The configuration file, YAML; by default " + Settings.DEFAULT_FILE
                    + " in this folder, if it is there.",
            order = 900)
    private @Nullable Path config;

    @Option(names = "--verbose", description = "Show where in the program an error came from.", order = 901)
    private boolean verbose;

    SettingsCommand(Surroundings surroundings, Set<Role> roles) {
        this.surroundings = surroundings;
        this.roles = roles;
    }

    /** Adds a flag for each setting to the command's options. */
    void addSettings(CommandSpec command) {
        int order = FIRST_SETTING;
        for (Setting setting : Setting.values()) {
            if (roles.stream().anyMatch(setting::isFor)) {
                Kind kind = setting.kind();
                OptionSpec.Builder option = OptionSpec.builder(setting.flags())
                        .paramLabel("<" + kind.label() + ">")
                        .description(described(setting))
                        .order(order++);
                if (kind.hasSeveralValues()) {
                    option.type(List.class).auxiliaryTypes(String.class).arity("1");
                } else if (kind == Kind.SWITCH) {
                    option.type(String.class).arity("0..1").fallbackValue("true");
                } else {
                    option.type(String.class).arity("1");
                }
                command.addOption(option.build());
            }
        }
    }

    private static String described(Setting setting) {
        String text = setting.description().substring(0, 1).toUpperCase(Locale.ROOT)
                + setting.description().substring(1);
        return (text + "." + (setting.defaultValue().isEmpty() ? "" : " Default: " + setting.defaultValue()))
                .replace("%", "%%");
    }

    /** Reads the settings, and tells of what is odd in them. */
    Settings settings() {
        if (spec == null) {
            throw new IllegalStateException("picocli sets this");
        }
        Map<Setting, List<String>> flags = new EnumMap<>(Setting.class);
        for (Setting setting : Setting.values()) {
            OptionSpec option = spec.commandLine().getParseResult().matchedOption(setting.flag());
            if (option != null && roles.stream().anyMatch(setting::isFor)) {
                flags.put(
                        setting,
                        setting.kind().hasSeveralValues() ? option.getValue() : List.of(option.<String>getValue()));
            }
        }
        Settings settings = Settings.load(flags, surroundings.variables(), config, surroundings.folder());
        settings.warnings().forEach(warning -> surroundings.err().println("commandway: " + warning));
        return settings;
    }

    /** The flag for the same configuration file, for a process that this one starts. */
    List<String> configArguments() {
        return config == null ? List.of() : List.of("--config", config.toString());
    }

    Surroundings surroundings() {
        return surroundings;
    }

    /** Prints a line at once, without control characters. */
    void print(String line) {
        surroundings.out().println(Table.printable(line));
        surroundings.out().flush();
    }

    boolean isVerbose() {
        return verbose;
    }
}
