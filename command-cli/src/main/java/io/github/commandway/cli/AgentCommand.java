package io.github.commandway.cli;

import io.github.commandway.cli.Setting.Role;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "agent",
        description =
                "Runs the reference agent: connects to a server and executes commands. Runs until SIGTERM or Ctrl-C.")
final class AgentCommand extends SettingsCommand {
    @Option(
            names = "--until-input-ends",
            hidden = true,
            description = "Stop when the standard input ends, as with the process that has the other end.")
    private boolean untilInputEnds;

    AgentCommand(Surroundings surroundings) {
        super(surroundings, Set.of(Role.AGENT));
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        Settings settings = settings();
        surroundings().lifetime().closeBeforeTheEnd();
        Logs.configure(settings, surroundings().folder(), settings.text(Setting.LOG_LEVEL));
        if (untilInputEnds) {
            DaemonThreads.named("commandway-input")
                    .newThread(this::stopWhenInputEnds)
                    .start();
        }
        PrintWriter out = surroundings().out();
        Path data = surroundings().folder().resolve(settings.data());
        out.println("Commandway " + Commandway.Version.number() + " agent");
        out.println("  id          " + settings.text(Setting.AGENT_ID));
        out.println("  data        " + data.toAbsolutePath().normalize());
        out.flush();
        Optional<AgentProcess> agent = AgentProcess.start(settings, surroundings());
        if (agent.isPresent()) {
            try (AgentProcess running = agent.get()) {
                out.println("  server      " + AgentProcess.servers(settings, surroundings()));
                out.flush();
                surroundings().lifetime().awaitStop();
                out.println("stopping; commands still open: " + running.openCommands());
                out.flush();
            }
        }
        return ExitCode.OK.code();
    }

    private void stopWhenInputEnds() {
        try {
            surroundings().in().transferTo(OutputStream.nullOutputStream());
        } catch (IOException e) {
            surroundings().err().println("the standard input failed: " + e.getMessage());
        }
        surroundings().lifetime().stop();
    }
}
