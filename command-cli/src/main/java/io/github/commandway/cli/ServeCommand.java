package io.github.commandway.cli;

import io.github.commandway.cli.Setting.Role;
import io.github.commandway.http.TaskOptions;
import java.io.IOException;
import java.io.PrintWriter;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.nio.file.Path;
import java.util.Set;
import java.util.stream.Collectors;
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
        Logs.configure(settings, surroundings().folder(), settings.text(Setting.LOG_LEVEL));
        Path data = surroundings().folder().resolve(settings.data());
        PrintWriter out = surroundings().out();
        try (ServerProcess server = ServerProcess.start(settings, surroundings().folder())) {
            out.println("Commandway " + Commandway.Version.number() + " server");
            out.println("  HTTP API    " + server.running().http() + described(settings, server.httpAddress()));
            out.println("  mode        " + mode(ServerQueues.mode(settings)));
            for (ServerQueues.Queue queue : server.queues().all()) {
                out.println("  queue       " + ServerQueues.described(queue));
            }
            String label = "  tools       ";
            for (String line : server.tools().described()) {
                out.println(label + line);
                label = "              ";
            }
            out.println("  agents      " + server.running().agents() + " (QUIC, and TCP where UDP is blocked)");
            out.println("  data        " + data.toAbsolutePath().normalize());
            out.println("  records     " + server.store().description());
            out.println("  a task                 curl -X POST " + withCredentials(settings, server)
                    + " -d '{\"cmd_type\": \"echo\", \"params\": {\"a\": 1}}'");
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

    private static String mode(TaskOptions.Mode mode) {
        return switch (mode) {
            case QUEUE -> "queue: a task is answered when it is in its queue";
            case SYNC -> "sync: a task is answered with its result";
        };
    }

    /** Where else it can be reached, if it listens on all interfaces. */
    private static String described(Settings settings, InetSocketAddress address) throws SocketException {
        if (!address.getAddress().isAnyLocalAddress()) {
            return "";
        }
        String here = NetworkInterface.networkInterfaces()
                .flatMap(NetworkInterface::inetAddresses)
                .filter(local -> !local.isLoopbackAddress() && !local.isLinkLocalAddress())
                .map(local -> local.getHostAddress().replaceFirst("%.*", ""))
                .sorted()
                .collect(Collectors.joining(", "));
        return ", listening on " + settings.text(Setting.HTTP_HOST) + ":" + address.getPort()
                + " (all network interfaces)" + (here.isEmpty() ? "" : ", this machine is " + here);
    }

    private static String withCredentials(Settings settings, ServerProcess server) {
        String http = server.running().http();
        return settings.map(Setting.HTTP_TOKENS).isEmpty() ? http : http.replace("http://", "http://NAME:SECRET@");
    }
}
