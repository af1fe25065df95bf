package io.github.commandway.examples;

import io.github.commandway.agent.AgentRuntime;
import io.github.commandway.agent.CommandExecutor;
import io.github.commandway.directory.AgentInfo;
import io.github.commandway.directory.AgentListener;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.Target;
import io.github.commandway.quic.AgentServer;
import io.github.commandway.quic.JoinClient;
import io.github.commandway.quic.ServerAddress;
import io.github.commandway.quic.Transport;
import io.github.commandway.quic.identity.CertificateAuthority;
import io.github.commandway.quic.identity.Identity;
import io.github.commandway.quic.identity.IdentityRequest;
import io.github.commandway.quic.identity.JoinTokens;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;

/** A server and an agent in one JVM, and a command from one to the other over real QUIC, without HTTP. */
public final class EmbeddedExample {
    private EmbeddedExample() {}

    /** Sends one command and returns its record when it has ended. */
    static CommandRecord run(Path data) throws Exception {
        Clock clock = Clock.systemUTC();
        SecureRandom random = new SecureRandom();
        CertificateAuthority authority = CertificateAuthority.openOrCreate(data.resolve("ca"), clock, random);
        JoinTokens tokens = JoinTokens.open(data, authority, Duration.ofDays(90), clock, random);

        CountDownLatch connected = new CountDownLatch(1);
        AgentListener firstConnection = new AgentListener() {
            @Override
            public void onConnected(AgentInfo agent) {
                connected.countDown();
            }
        };
        try (AgentServer agents = AgentServer.builder(authority.issueServer(List.of(), Duration.ofDays(365)))
                .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .joinTokens(tokens)
                .listener(firstConnection)
                .build()) {
            Registry registry = new Registry();
            registry.register(agents);
            try (CommandManager manager = CommandManager.ofDefaults(registry)) {
                agents.start();

                ServerAddress server =
                        new ServerAddress("127.0.0.1", agents.address().getPort());
                Identity identity = JoinClient.join(
                        server,
                        Transport.AUTO,
                        tokens.create(JoinTokens.Terms.forAgent("embedded")),
                        "embedded",
                        IdentityRequest.create(random),
                        clock,
                        Duration.ofSeconds(10),
                        null);
                CommandExecutor greeter = (type, payload) ->
                        ("hello, " + new String(payload, StandardCharsets.UTF_8)).getBytes(StandardCharsets.UTF_8);
                try (AgentRuntime agent = AgentRuntime.builder(greeter)
                        .servers(server)
                        .identity(identity)
                        .build()) {
                    agent.start();
                    // An agent that was never connected is not known, and commands for it are refused.
                    connected.await();
                    return greet(manager);
                }
            }
        }
    }

    private static CommandRecord greet(CommandManager manager) throws InterruptedException {
        CommandRequest request = CommandRequest.to(new Target.Agent("embedded"), "greet")
                .payload("world".getBytes(StandardCharsets.UTF_8))
                .timeout(Duration.ofSeconds(10))
                .build();
        try {
            CommandHandle handle = manager.submit(request).get(); // recorded from here on
            return handle.completion().get(); // with what became of it, which may be a failure
        } catch (ExecutionException refused) {
            throw new IllegalStateException("not accepted, so nothing will run", refused.getCause());
        }
    }

    /** Prints what became of the command. */
    public static void main(String[] args) throws Exception {
        CommandRecord record = run(Files.createTempDirectory("commandway"));
        byte[] result = record.result() == null ? new byte[0] : record.result();
        System.out.println(record.status().code() + ": " + new String(result, StandardCharsets.UTF_8));
    }
}
