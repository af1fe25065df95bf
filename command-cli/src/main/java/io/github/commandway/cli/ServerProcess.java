package io.github.commandway.cli;

import io.github.commandway.dispatch.Registry;
import io.github.commandway.http.CommandMetrics;
import io.github.commandway.http.HttpFacade;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.queue.AgentGroups;
import io.github.commandway.queue.CommandQueues;
import io.github.commandway.quic.AgentServer;
import io.github.commandway.quic.identity.JoinTokens;
import io.github.commandway.tools.ToolEligibility;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A server put together from settings: agents over QUIC, commands in a store, queues, and the HTTP API. Close it to stop it. */
final class ServerProcess implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ServerProcess.class);
    private static final Duration RECONNECT_WINDOW = Duration.ofSeconds(5);
    private static final Duration HTTP_GRACE = Duration.ofSeconds(2);

    private final Path data;
    private final Duration grace;
    private final JoinTokens tokens;
    private final AgentServer agents;
    private final CommandManager manager;
    private final CommandQueues queues;
    private final AgentGroups groups;
    private final ServerQueues serverQueues;
    private final ServerTools tools;
    private final ServerStore store;
    private final HttpFacade http;
    private final ScheduledExecutorService hourly;
    private @Nullable RunningServer running;

    /** Puts it together; nothing listens yet. What is opened is added to {@code opened}, the latest first, since it is to be closed if this fails. */
    private ServerProcess(
            Settings settings,
            Path folder,
            InetSocketAddress quicAddress,
            InetSocketAddress httpAddress,
            Deque<Runnable> opened)
            throws IOException {
        data = folder.resolve(settings.data());
        grace = settings.duration(Setting.SHUTDOWN_GRACE);
        HttpCallers callers = HttpCallers.of(settings);
        serverQueues = ServerQueues.of(settings);
        ServerIdentity identity = ServerIdentity.open(data);
        tokens = identity.tokens();
        agents = AgentServer.builder(identity.server())
                .bind(quicAddress)
                .joinTokens(tokens)
                .heartbeat(settings.duration(Setting.HEARTBEAT))
                .maxAgents(settings.number(Setting.MAX_AGENTS))
                .maxPerAgent(settings.number(Setting.AGENT_COMMANDS), settings.bytes(Setting.AGENT_BYTES))
                .build();
        opened.push(agents::close);
        Registry registry = new Registry();
        registry.register(agents);
        CommandMetrics metrics = new CommandMetrics();
        tools = ServerTools.open(settings, folder);
        opened.push(tools::close);
        tools.register(registry);
        metrics.tools(tools.handler());
        groups = AgentGroups.builder(agents, registry)
                .eligibility(new ToolEligibility())
                .build();
        opened.push(groups::close);
        registry.register(groups);
        queues = serverQueues.build(registry, agents, groups, tools);
        opened.push(queues::close);
        store = ServerStore.open(settings, folder, metrics);
        opened.push(store::close);
        registry.register(queues);
        CommandManager.Builder managing = CommandManager.builder(registry)
                .listener(metrics)
                .listener(new RunLog())
                .listener(tools.handler().copies())
                .maxOpen(settings.number(Setting.MAX_OPEN))
                .store(store.commands());
        store.conversations().ifPresent(managing::listener);
        manager = managing.build();
        opened.push(manager::close);
        tools.handler().copies().start(manager);
        HttpFacade.Builder facade = HttpFacade.builder(manager, agents)
                .address(httpAddress)
                .metrics(metrics)
                .queues(queues)
                .tasks(serverQueues.tasks(settings, store))
                .maxBodyBytes(settings.bytes(Setting.HTTP_MAX_BODY))
                .readinessCheck("store", store.commands()::isAvailable);
        tools.addTo(facade, settings);
        store.conversations().ifPresent(facade::conversations);
        store.startRelay(metrics);
        store.deadLetters().ifPresent(facade::deadLetters);
        callers.addTo(facade);
        try {
            http = facade.build();
        } catch (IllegalArgumentException e) {
            throw new UsageException(String.valueOf(e.getMessage()), e);
        }
        hourly = Executors.newSingleThreadScheduledExecutor(DaemonThreads.named("commandway-hourly"));
    }

    /**
     * Starts a server.
     *
     * @param folder in which the program was started; the data folder is made if it is not there
     * @throws UsageException if an address cannot be used
     * @throws IOException if the data folder cannot be used
     */
    static ServerProcess start(Settings settings, Path folder) throws IOException {
        InetSocketAddress quicAddress = address(settings, Setting.QUIC_HOST, Setting.QUIC_PORT);
        InetSocketAddress httpAddress = address(settings, Setting.HTTP_HOST, Setting.HTTP_PORT);
        if (!httpAddress.getAddress().isLoopbackAddress()
                && settings.map(Setting.HTTP_TOKENS).isEmpty()) {
            throw new UsageException("http.host " + httpAddress.getHostString()
                    + " can be reached from other machines, so the HTTP API needs a token: --http-token name=secret,"
                    + " or http.tokens in the configuration file; or leave http.host at 127.0.0.1");
        }
        Deque<Runnable> opened = new ArrayDeque<>();
        ServerProcess server;
        try {
            server = new ServerProcess(settings, folder, quicAddress, httpAddress, opened);
        } catch (IOException | RuntimeException e) {
            opened.forEach(Runnable::run);
            throw e;
        }
        boolean isStarted = false;
        try {
            server.begin(settings, quicAddress, httpAddress);
            isStarted = true;
        } finally {
            if (!isStarted) {
                server.close();
            }
        }
        return server;
    }

    private void begin(Settings settings, InetSocketAddress quicAddress, InetSocketAddress httpAddress)
            throws IOException {
        manager.recover().join();
        store.conversations().ifPresent(conversations -> conversations.start(manager));
        queues.start(manager);
        tools.startSchedules(manager, settings);
        listen(agents::start, quicAddress, Setting.QUIC_PORT);
        listen(http::start, httpAddress, Setting.HTTP_PORT);
        // late, since an agent in this folder that waits for it looks for the addresses then
        tokens.localToken();
        RunningServer addresses = RunningServer.of(http.address(), agents.address());
        running = addresses;
        addresses.publish(data);
        hourly.scheduleWithFixedDelay(() -> renewLocalToken(tokens), 1, 1, TimeUnit.HOURS);
        hourly.scheduleWithFixedDelay(() -> store.purge(Clock.systemUTC().instant()), 1, 1, TimeUnit.HOURS);
    }

    private static InetSocketAddress address(Settings settings, Setting host, Setting port) {
        try {
            return new InetSocketAddress(InetAddress.getByName(settings.text(host)), settings.number(port));
        } catch (UnknownHostException e) {
            throw new UsageException(
                    host.key() + " '" + settings.text(host)
                            + "' is neither an IP address nor a name that is known here",
                    e);
        }
    }

    /** Something that begins to listen. */
    @FunctionalInterface
    private interface Start {
        void run() throws Exception;
    }

    @SuppressWarnings("IllegalCatch")
    private static void listen(Start start, InetSocketAddress address, Setting port) {
        try {
            start.run();
        } catch (Exception e) {
            String shown = address.getAddress().getHostAddress() + ":" + address.getPort();
            throw new UsageException(
                    "cannot listen on " + shown + ": " + e.getMessage() + ". Choose another port with " + port.flag()
                            + ", or 0 for any that is free",
                    e);
        }
    }

    private static void renewLocalToken(JoinTokens tokens) {
        try {
            tokens.localToken();
        } catch (IOException e) {
            LOG.warn("the join token of the data folder could not be renewed: {}", e.getMessage());
        }
    }

    /** Where it is reached. */
    RunningServer running() {
        if (running == null) {
            throw new IllegalStateException("start has not returned");
        }
        return running;
    }

    /** Where the HTTP API listens. */
    InetSocketAddress httpAddress() {
        return http.address();
    }

    /** What it was told to do with tasks. */
    ServerQueues queues() {
        return serverQueues;
    }

    /** The tools that it runs. */
    ServerTools tools() {
        return tools;
    }

    /** Who is connected. */
    AgentServer agents() {
        return agents;
    }

    /** What executes its commands. */
    CommandManager manager() {
        return manager;
    }

    /** Where its records are. */
    ServerStore store() {
        return store;
    }

    /**
     * Refuses new commands, waits a while for those that run, ends what does not outlive it with a reason that says so, and says goodbye to the agents. What waits in a
     * queue is kept for the next run, unless records are in memory.
     */
    @Override
    public void close() {
        hourly.shutdownNow();
        if (store.commands().isDurable()) {
            // what waits is there for the next run; in memory it may still run while there is time
            queues.stop();
        }
        manager.shutdown();
        try {
            if (running != null) {
                running.withdraw(data);
                if (!manager.awaitTermination(grace)) {
                    LOG.info(
                            "{} commands had not ended within {} and are given up",
                            manager.stats().open(),
                            grace);
                    // first, so that what a tool did until then is in its record
                    tools.close();
                    manager.shutdownNow();
                }
                http.shutdown(HTTP_GRACE);
                agents.shutdown(RECONNECT_WINDOW);
            }
        } catch (IOException e) {
            LOG.warn("the server's addresses could not be removed from {}: {}", data, e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            http.close();
            agents.close();
            groups.close();
            queues.close();
            tools.close();
            manager.close();
            store.close();
        }
    }
}
