package io.github.commandway.bench;

import io.github.commandway.agent.AgentRuntime;
import io.github.commandway.directory.AgentInfo;
import io.github.commandway.directory.AgentListener;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.quic.AgentServer;
import io.github.commandway.quic.ServerAddress;
import io.github.commandway.quic.Transport;
import io.github.commandway.quic.TransportThreads;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The product: a command is submitted to the manager, goes to an agent over QUIC, is executed there by an executor that
 * returns its payload, and its end is told to the submitter. One transport thread for each side, as the others have. The
 * next command is submitted where the end of the one before is told, in the server's transport thread.
 */
final class CommandwayPeer implements Peer {

    /** What the agent is built like. */
    enum Agent {
        /** Executes in its transport thread, as gRPC's {@code directExecutor} does. */
        INLINE("commandway"),
        /** Executes in its default worker threads. */
        WORKERS("commandway_workers"),
        /** Executes in its transport thread and keeps its journal on disk. */
        JOURNAL("commandway_journal");

        private final String peerName;

        Agent(String peerName) {
            this.peerName = peerName;
        }
    }

    private static final String AGENT_ID = "bench";
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private final Agent kind;
    private final TransportThreads serverThread = new TransportThreads(1);
    private final TransportThreads agentThread = new TransportThreads(1);
    private @Nullable BenchDirectory directory;
    private @Nullable AgentServer server;
    private @Nullable CommandManager manager;
    private @Nullable AgentRuntime agent;
    private @Nullable ClosedLoop loop;

    CommandwayPeer(Agent kind) {
        this.kind = kind;
    }

    @Override
    public String name() {
        return kind.peerName;
    }

    @Override
    public void start() throws Exception {
        directory = BenchDirectory.create();
        CountDownLatch connected = new CountDownLatch(1);
        server = AgentServer.builder(directory.issuer().server())
                .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .threads(serverThread)
                .listener(new AgentListener() {
                    @Override
                    public void onConnected(AgentInfo info) {
                        connected.countDown();
                    }
                })
                .build();
        Registry registry = new Registry();
        registry.register(server);
        manager = CommandManager.ofDefaults(registry);
        server.start();
        agent = agent(directory, new ServerAddress("127.0.0.1", server.address().getPort()));
        agent.start();
        if (!connected.await(PATIENCE.toMillis(), TimeUnit.MILLISECONDS)) {
            throw new IllegalStateException("the agent did not connect");
        }
    }

    private AgentRuntime agent(BenchDirectory files, ServerAddress address) throws Exception {
        AgentRuntime.Builder builder = AgentRuntime.builder((type, payload) -> payload)
                .servers(address)
                .identity(files.issuer().agent(AGENT_ID))
                .transport(Transport.QUIC)
                .threads(agentThread);
        switch (kind) {
            case INLINE -> builder.workers(Runnable::run);
            case JOURNAL ->
                builder.workers(Runnable::run).dataDirectory(files.path().resolve("agent"));
            case WORKERS -> {}
        }
        return builder.build();
    }

    @Override
    public Measurement run(int inFlight, Duration duration) throws Exception {
        ClosedLoop next = new ClosedLoop(inFlight, duration, (place, sequence) -> submit(place, sequence, this::ended));
        loop = next;
        // the first ones must go out from the thread that sends the later ones: where the end of a command is told
        submit(0, 0, handle -> next.start());
        return next.await();
    }

    private void submit(int place, long sequence, Consumer<CommandHandle> whenEnded) {
        byte[] payload = new byte[PAYLOAD_BYTES];
        ByteBuffer.wrap(payload).putInt(place).putLong(sequence);
        CommandRequest request =
                CommandRequest.toAgent(AGENT_ID, "echo").payload(payload).build();
        manager.submit(request).whenComplete((handle, refused) -> {
            if (refused == null) {
                handle.whenEnded(whenEnded);
            } else {
                loop.fail(refused);
            }
        });
    }

    private void ended(CommandHandle handle) {
        CommandRecord record = handle.record();
        if (record.status() != CommandStatus.COMPLETED) {
            loop.fail(new IllegalStateException("a command ended as " + record.status() + ": " + record.message()));
            return;
        }
        ByteBuffer numbers = ByteBuffer.wrap(record.result());
        loop.answered(numbers.getInt(), numbers.getLong());
    }

    @Override
    public void close() throws Exception {
        if (agent != null) {
            agent.close();
        }
        if (server != null) {
            server.close();
        }
        if (manager != null) {
            manager.close();
        }
        agentThread.close();
        serverThread.close();
        if (directory != null) {
            directory.close();
        }
    }
}
