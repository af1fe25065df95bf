package io.github.commandway.bench;

import com.sun.management.OperatingSystemMXBean;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.quic.AgentServer;
import io.github.commandway.quic.identity.JoinTokens;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;

/**
 * A server with its manager in a JVM of its own. Arguments: the directory of the certificate authority, and {@code tokens} if agents join by a token, whose certificates are
 * the only ones that are let in then. Its first line is the port and the token, if there is one; the questions are {@code memory} (after forced garbage collections: resident KiB, heap in use in KiB), {@code connected} and
 * {@code cpu} (microseconds so far).
 */
public final class ServerProcess {

    private static final Duration VALIDITY = Duration.ofDays(1);

    private ServerProcess() {}

    /** Runs the server until the input ends. */
    public static void main(String[] arguments) throws Exception {
        Path directory = Path.of(arguments[0]);
        Issuer issuer = new Issuer(directory);
        JoinTokens tokens = arguments.length > 1
                ? JoinTokens.open(
                        directory.resolve("tokens"),
                        issuer.authority(),
                        VALIDITY,
                        Clock.systemUTC(),
                        new SecureRandom())
                : null;
        try (AgentServer server = AgentServer.builder(issuer.server())
                .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .joinTokens(tokens)
                .build()) {
            Registry registry = new Registry();
            registry.register(server);
            CommandManager manager = CommandManager.ofDefaults(registry);
            server.start();
            System.out.println(server.address().getPort()
                    + (tokens == null ? "" : " " + tokens.localToken().text()));
            answer(server);
            manager.close();
        }
    }

    private static void answer(AgentServer server) throws IOException, InterruptedException {
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String question = questions.readLine(); question != null; question = questions.readLine()) {
            System.out.println(
                    switch (question) {
                        case "memory" -> memory();
                        case "connected" -> server.connectedCount();
                        case "cpu" ->
                            ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime()
                                    / 1_000;
                        default -> throw new IllegalArgumentException(question);
                    });
        }
    }

    private static String memory() throws IOException, InterruptedException {
        for (int i = 0; i < 3; i++) {
            System.gc();
            // for the cleaners of what was found
            Thread.sleep(200);
        }
        Runtime runtime = Runtime.getRuntime();
        return residentKib() + " " + (runtime.totalMemory() - runtime.freeMemory()) / 1024;
    }

    private static long residentKib() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmRSS:")) {
                return Long.parseLong(line.replaceAll("\\D", ""));
            }
        }
        throw new IOException("/proc/self/status has no VmRSS");
    }
}
