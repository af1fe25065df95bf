package io.github.commandway.quic;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.manager.RecordId;
import io.github.commandway.quic.TransportChannels.ClientTls;
import io.github.commandway.quic.identity.CertificateAuthority;
import io.github.commandway.quic.identity.Identity;
import io.github.commandway.quic.identity.IdentityRequest;
import io.github.commandway.quic.identity.JoinRefusedException.Reason;
import io.github.commandway.quic.identity.JoinToken;
import io.github.commandway.quic.identity.JoinTokens;
import io.github.commandway.quic.identity.PinnedTrustManager;
import io.github.commandway.quic.wire.Envelope;
import io.github.commandway.quic.wire.Hello;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class JoinTest {
    private static final Clock CLOCK = Clock.systemUTC();
    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    private final SecureRandom random = new SecureRandom();
    private final List<TestAgent> agents = new ArrayList<>();
    private CertificateAuthority authority;
    private JoinTokens tokens;
    private AgentServer server;
    private ServerAddress address;
    private TransportThreads threads;

    @BeforeEach
    void start(@TempDir Path directory) throws Exception {
        threads = new TransportThreads(1);
        authority = CertificateAuthority.openOrCreate(directory.resolve("ca"), CLOCK, random);
        tokens = JoinTokens.open(directory.resolve("data"), authority, Duration.ofDays(30), CLOCK, random);
        server = AgentServer.builder(authority.issueServer(List.of(), Duration.ofDays(100)))
                .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .joinTokens(tokens)
                .build();
        server.start();
        address = new ServerAddress("localhost", server.address().getPort());
    }

    @AfterEach
    void stop() {
        agents.forEach(TestAgent::close);
        server.close();
        threads.close();
    }

    private Identity join(Transport transport, JoinToken token, String agentId) throws Exception {
        return JoinClient.join(
                address, transport, token, agentId, IdentityRequest.create(random), CLOCK, TIMEOUT, threads);
    }

    private TestAgent agent(Identity identity) {
        TestAgent agent = TestAgent.echoing();
        agents.add(agent);
        return agent.start(AgentLink.builder(agent)
                .servers(List.of(address))
                .identity(identity)
                .transport(Transport.QUIC)
                .threads(threads)
                .backoff(Duration.ofMillis(10), Duration.ofMillis(50)));
    }

    @ParameterizedTest
    @EnumSource
    void joinedAgentIsLetIn(Transport transport) throws Exception {
        Identity identity = join(transport, tokens.create(JoinTokens.Terms.forAgent("a1")), "a1");

        assertThat(identity.agentId()).contains("a1");
        agent(identity);
        await().atMost(TestServer.PATIENCE).until(() -> server.connectedCount() == 1);
        assertThat(server.stats().joins()).isEqualTo(1);
    }

    @Test
    void refusalOfATokenSaysWhy() throws Exception {
        JoinToken forOther = tokens.create(JoinTokens.Terms.forAgent("a2"));
        assertRefused(forOther, Reason.OTHER_AGENT);
        tokens.revoke(forOther.id());
        assertRefused(forOther, Reason.REVOKED_TOKEN);
        JoinToken once = tokens.create(JoinTokens.Terms.forAgent("a1"));
        join(Transport.QUIC, once, "a1");
        assertRefused(once, Reason.USED_UP_TOKEN);
        assertThat(server.stats().joinsRefused()).isEqualTo(3);
    }

    private void assertRefused(JoinToken token, Reason reason) {
        assertThatThrownBy(() -> join(Transport.QUIC, token, "a1"))
                .asInstanceOf(InstanceOfAssertFactories.type(JoinException.class))
                .satisfies(refusal -> assertThat(refusal.refusal()).contains(reason));
    }

    @ParameterizedTest
    @EnumSource(names = {"QUIC", "TCP"})
    void tokenOfAnotherAuthorityIsNotSentToThisServer(Transport transport, @TempDir Path directory) throws Exception {
        CertificateAuthority other = CertificateAuthority.openOrCreate(directory.resolve("ca"), CLOCK, random);
        JoinToken token = JoinTokens.open(directory.resolve("data"), other, Duration.ofDays(1), CLOCK, random)
                .create(JoinTokens.Terms.forAnyAgent());

        assertThatThrownBy(() -> join(transport, token, "a1"))
                .asInstanceOf(InstanceOfAssertFactories.type(JoinException.class))
                .satisfies(failure -> assertThat(failure.refusal()).isEmpty());
        assertThat(server.stats().joinsRefused()).isZero();
    }

    @ParameterizedTest
    @EnumSource(names = {"QUIC", "TCP"})
    void agentOfAnotherAuthorityIsNotLetIn(Transport transport, @TempDir Path directory) throws Exception {
        CertificateAuthority other = CertificateAuthority.openOrCreate(directory.resolve("ca"), CLOCK, random);
        ClientTls stranger =
                new ClientTls(TestServer.identity(other, "a1"), new PinnedTrustManager(authority.fingerprint(), CLOCK));

        List<Envelope> answers = List.of();
        try {
            // the client may believe itself connected until it is told otherwise
            RawAgent agent = RawAgent.connect(threads, address, transport, stranger);
            answers = agent.received;
            agent.say(Envelope.newBuilder().setHello(Hello.getDefaultInstance()));
        } catch (java.util.concurrent.ExecutionException refused) {
            assertThat(refused).hasCauseInstanceOf(Exception.class);
        }

        // while the server answers somebody else, it has seen the stranger
        join(transport, tokens.create(JoinTokens.Terms.forAnyAgent()), "a2");
        assertThat(answers).isEmpty();
        assertThat(server.find("a1")).isEmpty();
    }

    @ParameterizedTest
    @EnumSource(names = {"QUIC", "TCP"})
    void withoutACertificateThereIsNothingButJoining(Transport transport) throws Exception {
        ClientTls nobody = new ClientTls(null, new PinnedTrustManager(authority.fingerprint(), CLOCK));

        RawAgent agent = RawAgent.connect(threads, address, transport, nobody);
        agent.say(Envelope.newBuilder().setHello(Hello.getDefaultInstance()));

        agent.awaitEnd();
        assertThat(agent.received).isEmpty();
        assertThat(server.knownCount()).isZero();
        assertThat(server.stats().protocolErrors()).isEqualTo(1);
    }

    @Test
    void agentWhoseIdWasReleasedIsNotLetInAgain() throws Exception {
        Identity identity = join(Transport.QUIC, tokens.create(JoinTokens.Terms.forAnyAgent()), "a1");
        tokens.release("a1");

        TestAgent agent = agent(identity);

        await().atMost(TestServer.PATIENCE).until(() -> !agent.disconnections.isEmpty());
        assertThat(agent.disconnections.get(0)).contains("no longer valid");
        assertThat(server.knownCount()).isZero();
    }

    @Test
    void certificateIsRenewedWhileConnected() throws Exception {
        Identity old = join(Transport.QUIC, tokens.create(JoinTokens.Terms.forAnyAgent()), "a1");
        List<Identity> renewed = new CopyOnWriteArrayList<>();
        AgentLinkListener listener = new SilentListener() {
            @Override
            public void onIdentityRenewed(Identity identity) {
                renewed.add(identity);
            }
        };

        // less than a third of the 30 days is left by the agent's clock
        try (AgentLink link = AgentLink.builder(listener)
                .servers(List.of(address))
                .identity(old)
                .threads(threads)
                .transport(Transport.QUIC)
                .time(Clock.offset(CLOCK, Duration.ofDays(25)), System::nanoTime)
                .build()) {
            link.start();
            await().atMost(TestServer.PATIENCE).until(() -> !renewed.isEmpty());
        }

        assertThat(renewed.get(0).agentId()).contains("a1");
        assertThat(renewed.get(0).certificate()).isNotEqualTo(old.certificate());
    }

    private abstract static class SilentListener implements AgentLinkListener {
        @Override
        public void onAssigned(List<Assignment> assignments) {}

        @Override
        public void onCancel(RecordId id, CancelCause cause) {}

        @Override
        public void onResultAcknowledged(List<RecordId> ids) {}

        @Override
        public List<Holding> holdings() {
            return List.of();
        }
    }
}
