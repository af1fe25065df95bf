package io.github.commandway.cli;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.UsageMessageSpec;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;

/** The program: parses the command line, runs one sub-command, and turns what goes wrong into one line and an exit code. */
@Command(
        name = "commandway",
        description = "Hand over a command, always know what became of it.",
        versionProvider = Commandway.Version.class,
        footer = {
            "%nShort forms",
            "  commandway -p <port>  Runs a server, as commandway serve -p <port> does.",
            "  commandway -u         Fetches a newer version, as commandway upgrade does."
        },
        usageHelpAutoWidth = true)
public final class Commandway implements Runnable {
    private static final Path STANDARD_ERROR = Path.of("/proc/self/fd/2");

    @Spec
    private @Nullable CommandSpec spec;

    private Commandway() {}

    /** Runs the program and ends the JVM with its exit code. */
    public static void main(String[] args) {
        Lifetime lifetime = new Lifetime();
        Surroundings surroundings = new Surroundings(
                System.getenv(), Path.of(""), System.in, System.out, System.err, isTerminal(STANDARD_ERROR), lifetime);
        lifetime.followProcess();
        int code = run(surroundings, args);
        lifetime.ended(code);
        System.exit(code);
    }

    private static boolean isTerminal(Path stream) {
        try {
            String device = stream.toRealPath().toString();
            return device.startsWith("/dev/pts/") || device.startsWith("/dev/tty");
        } catch (IOException e) {
            // such as on Windows, where --progress says it
            return false;
        }
    }

    /** Runs one command line and returns its exit code. */
    static int run(Surroundings surroundings, String... args) {
        return commandLine(surroundings).execute(written(args));
    }

    /** A command line that begins with a flag for a command, as it is written out. */
    private static String[] written(String... args) {
        String first = args.length == 0 ? "" : args[0];
        List<String> all = new ArrayList<>(List.of(args));
        if (first.startsWith("-p") || first.equals("--port") || first.startsWith("--port=")) {
            all.add(0, "serve");
        } else if (first.equals("-u") || first.equals("--upgrade")) {
            all.set(0, "upgrade");
        }
        return all.toArray(String[]::new);
    }

    static CommandLine commandLine(Surroundings surroundings) {
        CommandLine commandway = new CommandLine(new Commandway())
                .addSubcommand(new ServeCommand(surroundings))
                .addSubcommand(new AgentCommand(surroundings))
                .addSubcommand(new DemoCommand(surroundings))
                .addSubcommand(new SendCommand(surroundings))
                .addSubcommand(new GetCommand(surroundings))
                .addSubcommand(new WatchCommand(surroundings))
                .addSubcommand(new CancelCommand(surroundings))
                .addSubcommand(new ListCommand(surroundings))
                .addSubcommand(new ClientsCommand(surroundings))
                .addSubcommand(new CommandLine(new CmdCommand(surroundings)).setStopAtPositional(true))
                .addSubcommand(new ResultCommand(surroundings))
                .addSubcommand(new HistoryCommand(surroundings))
                .addSubcommand(new SchedulesCommand(surroundings))
                .addSubcommand(new ToolsCommand(surroundings).withSubcommands())
                .addSubcommand(new TaskCommand(surroundings).withSubcommands())
                .addSubcommand(new QueueCommand(surroundings).withSubcommands())
                .addSubcommand(new TokenCommand(surroundings).withSubcommands())
                .addSubcommand(new UpgradeCommand(surroundings))
                .addSubcommand(new CompletionCommand(surroundings))
                .addSubcommand(new CommandLine.HelpCommand())
                .setOut(surroundings.out())
                .setErr(surroundings.err())
                // an argument such as @file is for the command or the tool
                .setExpandAtFiles(false)
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setParameterExceptionHandler((exception, args) -> refuse(surroundings.err(), exception))
                .setExecutionExceptionHandler(
                        (exception, commandLine, result) -> fail(surroundings.err(), exception, commandLine));
        commandway
                .getCommandSpec()
                .addOption(OptionSpec.builder("-h", "--help")
                        .usageHelp(true)
                        .description("Show this help message and exit.")
                        .build())
                .addOption(OptionSpec.builder("-v", "-V", "--version")
                        .versionHelp(true)
                        .description("Print version information and exit.")
                        .build());
        describe(commandway);
        return commandway;
    }

    /** How the commands for tools are used, for those who read it elsewhere. */
    static String helpOfTools() {
        CommandLine commandway = commandLine(new Surroundings(
                Map.of(),
                Path.of(""),
                InputStream.nullInputStream(),
                OutputStream.nullOutputStream(),
                OutputStream.nullOutputStream(),
                false,
                new Lifetime()));
        Set<String> wanted = Set.of("cmd", "result", "history", "schedules", "tools");
        return commandway.getSubcommands().values().stream()
                .filter(command -> wanted.contains(command.getCommandName()))
                .map(command -> command.getUsageMessage(CommandLine.Help.Ansi.OFF))
                .collect(Collectors.joining("\n"));
    }

    private static void describe(CommandLine commandLine) {
        UsageMessageSpec usage = commandLine.getCommandSpec().usageMessage();
        if (commandLine.getSubcommands().isEmpty() || commandLine.getParent() == null) {
            usage.exitCodeListHeading("%nExit codes%n");
            Map<String, String> codes = new LinkedHashMap<>();
            for (ExitCode exit : ExitCode.values()) {
                codes.put(" " + exit.code(), exit.meaning());
            }
            usage.exitCodeList(codes);
        }
        if (commandLine.getCommandSpec().userObject() instanceof SettingsCommand command) {
            command.addSettings(commandLine.getCommandSpec());
        }
        commandLine.getSubcommands().values().forEach(Commandway::describe);
    }

    private static int refuse(PrintWriter err, CommandLine.ParameterException exception) {
        CommandLine commandLine = exception.getCommandLine();
        String name = commandLine.getCommandSpec().qualifiedName();
        err.println(name + ": " + exception.getMessage());
        UnmatchedArgumentException.printSuggestions(exception, err);
        err.println("Try '" + name + " --help'.");
        err.flush();
        return ExitCode.USAGE.code();
    }

    private static int fail(PrintWriter err, Exception exception, CommandLine commandLine) {
        ExitCode code = ExitCode.FAILED;
        String message = exception.getMessage();
        if (exception instanceof UsageException) {
            code = ExitCode.USAGE;
        } else if (exception instanceof ApiException refusal) {
            code = refusal.exitCode();
        } else if (exception instanceof FileSystemException problem) {
            message = described(problem);
        } else if (message == null || exception instanceof RuntimeException) {
            message = exception.toString();
        }
        if (exception instanceof InterruptedException) {
            Thread.currentThread().interrupt();
        }
        err.println(commandLine.getCommandSpec().qualifiedName() + ": " + Table.printable(String.valueOf(message)));
        if (commandLine.getCommandSpec().userObject() instanceof SettingsCommand command && command.isVerbose()) {
            exception.printStackTrace(err);
        }
        err.flush();
        return code.code();
    }

    /** What is wrong with a file, for people: many of these exceptions say no more than its name. */
    static String described(IOException exception) {
        if (!(exception instanceof FileSystemException problem) || problem.getReason() != null) {
            return String.valueOf(exception.getMessage());
        }
        return problem.getFile()
                + (problem instanceof NoSuchFileException
                        ? " does not exist"
                        : problem instanceof AccessDeniedException
                                ? " must not be used by this user"
                                : problem instanceof FileAlreadyExistsException
                                        ? " is there already"
                                        : problem instanceof NotDirectoryException
                                                ? " is no folder"
                                                : " cannot be used");
    }

    @Override
    public void run() {
        if (spec == null) {
            throw new IllegalStateException("picocli sets this");
        }
        throw new CommandLine.ParameterException(
                spec.commandLine(), "a command is missing, such as demo, serve, agent or send");
    }

    /** Prints a completion script. */
    @Command(
            name = "completion",
            description =
                    "Prints a script for bash and zsh that completes command lines: source <(commandway completion)",
            mixinStandardHelpOptions = true)
    static final class CompletionCommand implements Runnable {
        private final Surroundings surroundings;

        @Spec
        private @Nullable CommandSpec spec;

        CompletionCommand(Surroundings surroundings) {
            this.surroundings = surroundings;
        }

        @Override
        public void run() {
            if (spec == null) {
                throw new IllegalStateException("picocli sets this");
            }
            surroundings.out().print(AutoComplete.bash("commandway", spec.root().commandLine()));
            surroundings.out().flush();
        }
    }

    /** Reads the version from the jar. */
    static final class Version implements IVersionProvider {
        static String number() {
            String version = Commandway.class.getPackage().getImplementationVersion();
            return version == null ? "(not from a jar)" : version;
        }

        @Override
        public String[] getVersion() {
            return new String[] {
                "commandway " + number(),
                "Java " + Runtime.version() + " on " + System.getProperty("os.name") + " "
                        + System.getProperty("os.arch")
            };
        }
    }
}
