package io.github.commandway.cli;

import io.github.commandway.tools.Artifact;
import io.github.commandway.tools.RepositoryKeys;
import io.github.commandway.tools.RepositoryWriter;
import io.github.commandway.tools.Tool;
import io.github.commandway.tools.ToolCatalog;
import io.github.commandway.tools.ToolChange;
import io.github.commandway.tools.ToolInstaller;
import io.github.commandway.tools.ToolUpdate;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.SecureRandom;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** What can be done with repositories of tools. */
final class ToolsRepositoryCommands {
    private ToolsRepositoryCommands() {}

    /** A tool, and one of its versions or none: {@code name@version}. */
    private record Named(String name, String version) {
        static Named of(String text) {
            int at = text.indexOf('@');
            return at < 0 ? new Named(text, "") : new Named(text.substring(0, at), text.substring(at + 1));
        }

        Named withVersion() {
            if (version.isEmpty()) {
                throw new UsageException("which version of " + name + " is missing: " + name + "@<version>");
            }
            return this;
        }
    }

    /** What all of them need that change the folder of tools. A server that runs notices it by itself. */
    abstract static class OnInstalled extends ToolsCommand.OnFolder {
        OnInstalled(Surroundings surroundings) {
            super(surroundings);
        }

        ToolInstaller installer() throws IOException {
            Settings settings = settings();
            Path started = surroundings().folder();
            return Repositories.installer(settings, started, ToolCatalog.open(ServerTools.folder(settings, started)))
                    .build();
        }
    }

    @Command(name = "install", description = "Installs a tool from the repository.")
    static final class Install extends OnInstalled {
        @Parameters(
                paramLabel = "<tool>[@<version>]",
                description = "The tool; and a version, or a range such as ^1.2. Default: the newest")
        private String tool = "";

        Install(Surroundings surroundings) {
            super(surroundings);
        }

        @Override
        public Integer call() throws IOException, InterruptedException {
            Named named = Named.of(tool);
            Tool installed = installer().install(named.name, named.version);
            print("installed " + installed.name() + " " + installed.version());
            return ExitCode.OK.code();
        }
    }

    @Command(
            name = "update",
            description =
                    "Installs the newest versions of tools that came from the repository. Old versions stay; a server with tools.update-every removes them.")
    static final class Update extends OnInstalled {
        @Parameters(
                arity = "0..*",
                paramLabel = "<tool>[@<range>]",
                description = "Only these, and only versions in the range.")
        private List<String> tools = new ArrayList<>();

        Update(Surroundings surroundings) {
            super(surroundings);
        }

        @Override
        public Integer call() throws IOException, InterruptedException {
            ToolInstaller installer = installer();
            for (String tool : tools.isEmpty() ? installer.installed() : tools) {
                Named named = Named.of(tool);
                ToolUpdate update = installer.update(named.name, named.version);
                print(named.name + " " + update.after()
                        + (update.isChanged()
                                ? ", before " + (update.before() == null ? "none" : update.before())
                                : " is the newest"));
            }
            return ExitCode.OK.code();
        }
    }

    @Command(
            name = "verify",
            description =
                    "Reads all files of tools that came from the repository, and lists those that are not what was installed; ends with 1 if there are any.")
    static final class Verify extends OnInstalled {
        Verify(Surroundings surroundings) {
            super(surroundings);
        }

        @Override
        public Integer call() throws IOException, InterruptedException {
            ToolInstaller installer = installer();
            List<ToolChange> changes = installer.verify();
            for (ToolChange change : changes) {
                print(change.tool() + " " + change.version() + ": " + change.path() + " is "
                        + change.what().name().toLowerCase(Locale.ROOT));
            }
            if (changes.isEmpty()) {
                List<String> installed = installer.installed();
                print(
                        installed.isEmpty()
                                ? "nothing here came from a repository"
                                : "unchanged: " + String.join(", ", installed));
            }
            return changes.isEmpty() ? ExitCode.OK.code() : ExitCode.FAILED.code();
        }
    }

    @Command(
            name = "rollback",
            description =
                    "Withdraws the newest version of a tool: the one before it is the newest then, and no update brings it back. Runs under way go on.")
    static final class Rollback extends OnInstalled {
        @Parameters(paramLabel = "<tool>", description = "The tool.")
        private String tool = "";

        Rollback(Surroundings surroundings) {
            super(surroundings);
        }

        @Override
        public Integer call() throws IOException, InterruptedException {
            Tool now = installer().rollBack(tool);
            print(now.name() + " " + now.version() + " is the newest now");
            return ExitCode.OK.code();
        }
    }

    @Command(name = "restore", description = "Takes back that a version was withdrawn.")
    static final class Restore extends OnInstalled {
        @Parameters(paramLabel = "<tool>@<version>", description = "The tool and the version.")
        private String tool = "";

        Restore(Surroundings surroundings) {
            super(surroundings);
        }

        @Override
        public Integer call() throws IOException, InterruptedException {
            Named named = Named.of(tool).withVersion();
            installer().restore(named.name, named.version);
            print(named.name + " " + named.version + " can be used again");
            return ExitCode.OK.code();
        }
    }

    @Command(name = "pin", description = "Keeps a version from being removed when there are newer ones.")
    static final class Pin extends OnInstalled {
        @Parameters(paramLabel = "<tool>@<version>", description = "The tool and the version.")
        private String tool = "";

        @Option(names = "--off", description = "Let it be removed again.", order = 1)
        private boolean off;

        Pin(Surroundings surroundings) {
            super(surroundings);
        }

        @Override
        public Integer call() throws IOException, InterruptedException {
            Named named = Named.of(tool).withVersion();
            installer().pin(named.name, named.version, !off);
            print(named.name + " " + named.version + (off ? " can be removed" : " stays"));
            return ExitCode.OK.code();
        }
    }

    @Command(name = "keygen", description = "Makes the pair of keys with which a repository is signed and checked.")
    static final class Keygen extends ToolsCommand.OnFolder {
        @Parameters(
                index = "0",
                paramLabel = "<private>",
                description = "The file for the key that signs; it stays with who publishes.")
        private Path privateKey = Path.of("");

        @Parameters(
                index = "1",
                paramLabel = "<public>",
                description = "The file for the key that checks, for tools.repository-key.")
        private Path publicKey = Path.of("");

        Keygen(Surroundings surroundings) {
            super(surroundings);
        }

        @Override
        public Integer call() throws IOException {
            Path started = surroundings().folder();
            try {
                RepositoryKeys.write(
                        RepositoryKeys.generate(new SecureRandom()),
                        started.resolve(privateKey),
                        started.resolve(publicKey));
            } catch (FileAlreadyExistsException e) {
                throw new UsageException(e.getFile() + " is there already; it is left as it is", e);
            }
            print(privateKey + " signs; keep it from others");
            print(publicKey + " checks; who installs from the repository needs it, as tools.repository-key");
            return ExitCode.OK.code();
        }
    }

    @Command(
            name = "publish",
            description =
                    "Adds versions of tools of the folder of tools, or another file, to a repository in a folder, and signs it. Without any it is signed again, so that it does not expire.")
    static final class Publish extends ToolsCommand.OnFolder {
        @Parameters(arity = "0..*", paramLabel = "<tool>@<version>", description = "What to add.")
        private List<String> tools = new ArrayList<>();

        @Option(
                names = "--to",
                required = true,
                paramLabel = "<folder>",
                description = "The repository; made if it is not there. Any web server can offer it.",
                order = 1)
        private Path repository = Path.of("");

        @Option(
                names = "--keys",
                required = true,
                arity = "2",
                paramLabel = "<file>",
                description = "The files of the private and the public key.",
                order = 2)
        private List<Path> keys = List.of();

        @Option(
                names = "--file",
                paramLabel = "<file>",
                description = "Add this file under the name and version instead, such as a program.",
                order = 3)
        private @Nullable Path file;

        @Option(
                names = "--valid-for",
                paramLabel = "<duration>",
                description = "When it has to be signed again. Default: 90d",
                order = 4)
        private String validFor = "90d";

        @Option(names = "--os", paramLabel = "<system>", description = "Only for linux, windows or mac.", order = 5)
        private List<String> os = List.of();

        @Option(
                names = "--arch",
                paramLabel = "<processor>",
                description = "Only for these processors, such as x86_64 or aarch64.",
                order = 6)
        private List<String> arch = List.of();

        Publish(Surroundings surroundings) {
            super(surroundings);
        }

        @Override
        public Integer call() throws IOException {
            if (file != null && tools.size() != 1) {
                throw new UsageException("with --file there must be one <name>@<version>");
            }
            Settings settings = settings();
            Path started = surroundings().folder();
            KeyPair pair = new KeyPair(
                    RepositoryKeys.readPublic(started.resolve(keys.get(1))),
                    RepositoryKeys.readPrivate(started.resolve(keys.get(0))));
            try {
                RepositoryWriter writer =
                        RepositoryWriter.open(started.resolve(repository), pair, Clock.systemUTC(), new SecureRandom());
                ToolCatalog catalog = ToolCatalog.open(ServerTools.folder(settings, started));
                for (String tool : tools) {
                    Named named = Named.of(tool).withVersion();
                    Artifact added = file == null
                            ? add(writer, catalog.find(named.name, named.version))
                            : writer.addFile(named.name, named.version, started.resolve(file), os, arch);
                    print("added " + added);
                }
                writer.publish(Kind.duration(validFor));
                print("signed, valid for " + validFor);
            } catch (IllegalArgumentException e) {
                throw new UsageException(String.valueOf(e.getMessage()), e);
            }
            return ExitCode.OK.code();
        }

        private Artifact add(RepositoryWriter writer, Tool tool) throws IOException {
            return writer.addTool(tool.name(), tool.version(), tool.folder(), os, arch);
        }
    }
}
