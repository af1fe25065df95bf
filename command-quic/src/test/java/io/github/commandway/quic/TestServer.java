package io.github.commandway.quic;

import static org.awaitility.Awaitility.await;

import io.github.commandway.dispatch.Registry;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.quic.identity.CertificateAuthority;
import io.github.commandway.quic.identity.Identity;
import io.github.commandway.quic.identity.IdentityRequest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/** A manager with an agent server on loopback, under a certificate authority of its own. */
final class TestServer implements AutoCloseable {
    static final Duration PATIENCE = Duration.ofSeconds(30);

    final CertificateAuthority authority;
    final AgentServer server;
    final CommandManager manager;
    final ServerAddress address;
    private final List<TestAgent> opened = new ArrayList<>();

    TestServer(Path directory, UnaryOperator<AgentServer.Builder> settings) throws IOException {
        authority = CertificateAuthority.openOrCreate(directory, Clock.systemUTC(), new SecureRandom());
        server = settings.apply(AgentServer.builder(authority.issueServer(List.of(), Duration.ofDays(1)))
                        .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)))
                .build();
        Registry registry = new Registry();
        registry.register(server);
        manager = CommandManager.ofDefaults(registry);
        server.start();
        address = new ServerAddress("127.0.0.1", server.address().getPort());
    }

    Identity identity(String agentId) {
        return identity(authority, agentId);
    }

    static Identity identity(CertificateAuthority authority, String agentId) {
        IdentityRequest request = IdentityRequest.create(new SecureRandom());
        try {
            return request.complete(
                    authority.issueAgent(agentId, request.der(), Duration.ofDays(1)),
                    authority.fingerprint(),
                    Clock.systemUTC());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    AgentLink.Builder link(AgentLinkListener listener, String agentId, Transport transport) {
        return AgentLink.builder(listener)
                .servers(List.of(address))
                .identity(identity(agentId))
                .transport(transport)
                .backoff(Duration.ofMillis(10), Duration.ofMillis(50));
    }

    /** Starts an agent and waits until it is connected. */
    TestAgent connect(TestAgent agent, String agentId, Transport transport) {
        opened.add(agent);
        agent.start(link(agent, agentId, transport));
        await().atMost(PATIENCE).until(() -> agent.link().isConnected());
        return agent;
    }

    CommandHandle submit(CommandRequest.Builder request) {
        return manager.submit(request.build()).join();
    }

    CommandRecord ended(CommandHandle handle) {
        await().atMost(PATIENCE).until(() -> handle.record().status().isTerminal());
        return handle.record();
    }

    @Override
    public void close() {
        opened.forEach(TestAgent::close);
        manager.close();
        server.close();
    }
}
