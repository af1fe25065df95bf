package io.github.commandway.agent;

import io.github.commandway.directory.AgentInfo;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.Target;
import io.github.commandway.queue.AgentGroups;
import io.github.commandway.queue.CommandQueues;
import io.github.commandway.queue.Eligibility;
import io.github.commandway.queue.QueueOptions;
import io.github.commandway.queue.Room;
import io.github.commandway.quic.AgentServer;
import io.github.commandway.quic.ServerAddress;
import io.github.commandway.quic.identity.CertificateAuthority;
import io.github.commandway.quic.identity.Identity;
import io.github.commandway.quic.identity.IdentityRequest;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;

/** A real server on loopback: manager, QUIC and a certificate authority of its own. */
final class Server implements AutoCloseable {
    /** The queue before agent {@code client-001}. */
    static final String QUEUE = "robot";

    /** The queue before the agents with the label {@code pool=a}. */
    static final String POOL = "pool";

    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final Duration VALIDITY = Duration.ofDays(1);

    final CertificateAuthority authority;
    final AgentServer agents;
    final CommandManager manager;
    final AgentGroups groups;

    /** How often the groups have looked whether an agent can execute a command. */
    final AtomicLong looks = new AtomicLong();

    final CommandQueues queues;

    Server(Path directory) throws IOException {
        this(directory, 0, Duration.ofSeconds(10));
    }

    Server(Path directory, int port, Duration heartbeat) throws IOException {
        authority = CertificateAuthority.openOrCreate(directory, Clock.systemUTC(), new SecureRandom());
        agents = AgentServer.builder(authority.issueServer(List.of("localhost"), VALIDITY))
                .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
                .heartbeat(heartbeat)
                .build();
        Registry registry = new Registry();
        registry.register(agents);
        groups = AgentGroups.builder(agents, registry)
                .eligibility(request -> new CountedCheck(Eligibility.BY_TYPE.of(request), looks))
                .build();
        registry.register(groups);
        Target.Group pool = new Target.Group("pool=a");
        queues = CommandQueues.builder(registry)
                .queue(QueueOptions.serial(QUEUE), new Target.Agent("client-001"), () -> Room.ANY)
                .queue(QueueOptions.serial(POOL).withConcurrency(10), pool, () -> groups.room(pool))
                .build();
        registry.register(queues);
        groups.onRoom(() -> queues.wake(POOL));
        manager = CommandManager.ofDefaults(registry);
        queues.start(manager);
        agents.start();
    }

    private record CountedCheck(Eligibility.Check check, AtomicLong looks) implements Eligibility.Check {
        @Override
        public @Nullable String whyNot(AgentInfo agent) {
            looks.incrementAndGet();
            return check.whyNot(agent);
        }
    }

    ServerAddress address() {
        return new ServerAddress("127.0.0.1", agents.address().getPort());
    }

    Identity identityOf(String agentId) throws IOException {
        IdentityRequest request = IdentityRequest.create(new SecureRandom());
        return request.complete(
                authority.issueAgent(agentId, request.der(), VALIDITY), authority.fingerprint(), Clock.systemUTC());
    }

    /** An agent that is not started yet. */
    AgentRuntime.Builder agent(String agentId, CommandExecutor executor) throws IOException {
        return AgentRuntime.builder(executor).servers(address()).identity(identityOf(agentId));
    }

    void awaitConnected(String agentId) {
        Awaitility.await()
                .atMost(PATIENCE)
                .until(() ->
                        agents.find(agentId).filter(info -> info.connected()).isPresent());
    }

    void awaitGone(String agentId) {
        Awaitility.await()
                .atMost(PATIENCE)
                .until(() ->
                        agents.find(agentId).filter(info -> !info.connected()).isPresent());
    }

    CommandHandle submit(CommandRequest request) throws Exception {
        return manager.submit(request).get(30, TimeUnit.SECONDS);
    }

    CommandHandle submit(String agentId, String type, String payload) throws Exception {
        return submit(CommandRequest.toAgent(agentId, type)
                .payload(payload.getBytes(StandardCharsets.UTF_8))
                .build());
    }

    static CommandRecord ended(CommandHandle handle) throws Exception {
        return handle.completion().get(60, TimeUnit.SECONDS);
    }

    static void awaitStatus(CommandHandle handle, CommandStatus status) {
        Awaitility.await().atMost(PATIENCE).until(() -> handle.record().status() == status);
    }

    /** Ends at once, as a killed process would. */
    @Override
    public void close() {
        queues.close();
        groups.close();
        agents.close();
        manager.close();
    }
}
