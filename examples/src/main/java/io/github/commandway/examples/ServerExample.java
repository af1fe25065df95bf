package io.github.commandway.examples;

import io.github.commandway.dispatch.Registry;
import io.github.commandway.http.HttpFacade;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.quic.AgentServer;
import io.github.commandway.quic.identity.CertificateAuthority;
import io.github.commandway.quic.identity.JoinTokens;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/**
 * A host application with a server in it: agents connect over QUIC, commands come in over HTTP. Run it with a data folder, a QUIC port and an HTTP
 * port, all of which have defaults; {@link AgentExample} is the other end.
 */
public final class ServerExample implements AutoCloseable {
    private final AgentServer agents;
    private final CommandManager manager;
    private final HttpFacade http;

    /** Starts the server; port 0 takes one that is free. */
    public ServerExample(Path data, int quicPort, int httpPort) throws IOException {
        // Who may connect: agents with a certificate of this authority, which they get for a join token.
        Clock clock = Clock.systemUTC();
        SecureRandom random = new SecureRandom();
        CertificateAuthority authority = CertificateAuthority.openOrCreate(data.resolve("ca"), clock, random);
        JoinTokens tokens = JoinTokens.open(data, authority, Duration.ofDays(90), clock, random);
        tokens.localToken(); // leaves a token in the data folder, where AgentExample finds it

        agents = AgentServer.builder(authority.issueServer(List.of(), Duration.ofDays(365)))
                .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), quicPort))
                .joinTokens(tokens)
                .build();

        // What executes commands: here only agents do. Then the one way in.
        Registry registry = new Registry();
        registry.register(agents);
        manager = CommandManager.ofDefaults(registry);

        http = HttpFacade.builder(manager, agents)
                .address(new InetSocketAddress(InetAddress.getLoopbackAddress(), httpPort))
                .build();
        agents.start();
        http.start();
    }

    /** The address of the HTTP API. */
    public InetSocketAddress httpAddress() {
        return http.address();
    }

    /** The address for agents. */
    public InetSocketAddress agentAddress() {
        return agents.address();
    }

    @Override
    public void close() {
        http.shutdown(Duration.ofSeconds(2));
        agents.shutdown(Duration.ofSeconds(5));
        manager.close();
    }

    /** Runs until Ctrl-C. */
    public static void main(String[] args) throws IOException, InterruptedException {
        Path data = Path.of(args.length > 0 ? args[0] : "commandway-data");
        int quicPort = args.length > 1 ? Integer.parseInt(args[1]) : 8474;
        int httpPort = args.length > 2 ? Integer.parseInt(args[2]) : 8080;
        ServerExample server = new ServerExample(data, quicPort, httpPort);
        Runtime.getRuntime().addShutdownHook(new Thread(server::close));
        System.out.println("QUIC server: " + server.agentAddress());
        System.out.println("HTTP API: " + server.httpAddress());
        new CountDownLatch(1).await();
    }
}
