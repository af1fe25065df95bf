package io.github.commandway.cli;

import io.github.commandway.cli.Setting.Role;
import io.github.commandway.tools.CatalogProblem;
import io.github.commandway.tools.Tool;
import io.github.commandway.tools.ToolCatalog;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Set;
import picocli.CommandLine.Command;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

@Command(
        name = "tools",
        description = "Shows the tools of a server, and works on its folder of tools.",
        mixinStandardHelpOptions = true)
final class ToolsCommand extends CommandGroup {
    ToolsCommand(Surroundings surroundings) {
        super(
                new Listing(surroundings),
                new Check(surroundings),
                new ToolsRepositoryCommands.Install(surroundings),
                new ToolsRepositoryCommands.Update(surroundings),
                new ToolsRepositoryCommands.Verify(surroundings),
                new ToolsRepositoryCommands.Rollback(surroundings),
                new ToolsRepositoryCommands.Restore(surroundings),
                new ToolsRepositoryCommands.Pin(surroundings),
                new ToolsRepositoryCommands.Keygen(surroundings),
                new ToolsRepositoryCommands.Publish(surroundings));
    }

    @Command(name = "list", description = "Lists the tools and toolchains that a server runs.")
    static final class Listing extends ClientCommand {
        Listing(Surroundings surroundings) {
            super(surroundings);
        }

        @Override
        public Integer call() throws ApiException, InterruptedException {
            ApiClient client = client();
            JsonNode tools = client.get("/tools");
            JsonNode toolchains = client.get("/toolchains");
            if (isJson()) {
                ObjectNode both = ApiClient.JSON.createObjectNode();
                both.set("tools", tools.path("tools"));
                both.set("toolchains", toolchains.path("toolchains"));
                printJson(both);
                return ExitCode.OK.code();
            }
            Table table = new Table("TOOL", "VERSION", "DESCRIPTION");
            for (JsonNode tool : tools.path("tools")) {
                table.row(text(tool, "name"), text(tool, "version"), text(tool, "description"));
            }
            for (JsonNode chain : toolchains.path("toolchains")) {
                table.row("toolchain=" + text(chain, "name"), "", text(chain, "description"));
            }
            table.print(out());
            for (JsonNode problem : tools.path("problems")) {
                surroundings().err().println("not usable: " + Table.printable(problem.asString()));
            }
            return ExitCode.OK.code();
        }
    }

    /** What all of them need that work on the folder. */
    abstract static class OnFolder extends SettingsCommand {
        OnFolder(Surroundings surroundings) {
            super(surroundings, Set.of(Role.TOOLS));
        }
    }

    @Command(
            name = "check",
            description =
                    "Reads the folder of tools as a server does, and lists what is there and what is wrong with it; ends with 1 if something is.")
    static final class Check extends OnFolder {
        Check(Surroundings surroundings) {
            super(surroundings);
        }

        @Override
        public Integer call() throws IOException {
            Path folder = ServerTools.folder(settings(), surroundings().folder());
            ServerTools.requireFolder(folder);
            ToolCatalog catalog = ToolCatalog.open(folder);
            Table table = new Table("TOOL", "VERSION", "DESCRIPTION");
            for (Tool tool : catalog.tools()) {
                table.row(tool.name(), tool.version(), tool.description());
            }
            catalog.toolchains().forEach(chain -> table.row("toolchain=" + chain.name(), "", chain.description()));
            table.print(surroundings().out());
            for (CatalogProblem problem : catalog.problems()) {
                print(ServerTools.described(problem));
            }
            return catalog.problems().isEmpty() ? ExitCode.OK.code() : ExitCode.FAILED.code();
        }
    }
}
