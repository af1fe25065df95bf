package io.github.commandway.cli;

import io.github.commandway.cli.Setting.Role;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Set;
import picocli.CommandLine.Command;

@Command(
        name = "serve",
        description =
                "Runs a server: agents connect to it, and commands come in over HTTP. Runs until SIGTERM or Ctrl-C.")
final class ServeCommand extends SettingsCommand {
    ServeCommand(Surroundings surroundings) {
        super(surroundings, Set.of(Role.SERVER));
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        Settings settings = settings();
        surroundings().lifetime().closeBeforeTheEnd();
        Logs.configure(settings, settings.text(Setting.LOG_LEVEL));
        Path data = surroundings().folder().resolve(settings.data());
        PrintWriter out = surroundings().out();
        try (ServerProcess server = ServerProcess.start(settings, data)) {
            out.println("Commandway " + Commandway.Version.number() + " server");
            out.println("  HTTP API    " + server.running().http());
            out.println("  agents      " + server.running().agents() + " (QUIC, and TCP where UDP is blocked)");
            out.println("  data        " + data.toAbsolutePath().normalize());
            out.println("  an agent here          commandway agent --id client-001");
            out.println(
                    "  an agent elsewhere     commandway agent --id NAME --server HOST:PORT --token \"$(commandway token create)\"");
            out.flush();
            surroundings().lifetime().awaitStop();
            out.println("stopping");
            out.flush();
        }
        return ExitCode.OK.code();
    }
}
