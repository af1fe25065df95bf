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

    private ServerProcess(
            Path data,
            Duration grace,
            AgentServer agents,
            CommandManager manager,
            CommandQueues queues,
            AgentGroups groups,
            ServerQueues serverQueues,
            ServerTools tools,
            ServerStore store,
            HttpFacade http,
            ScheduledExecutorService hourly) {
        this.data = data;
        this.grace = grace;
        this.agents = agents;
        this.manager = manager;
        this.queues = queues;
        this.groups = groups;
        this.serverQueues = serverQueues;
        this.tools = tools;
        this.store = store;
        this.http = http;
        this.hourly = hourly;
    }

    /**
     * Starts a server.
     *
     * @param folder in which the program was started; the data folder is made if it is not there
     * @throws UsageException if an address cannot be used
     * @throws IOException if the data folder cannot be used
     */
    static ServerProcess start(Settings settings, Path folder) throws IOException {
        Path data = folder.resolve(settings.data());
        InetSocketAddress quicAddress = address(settings, Setting.QUIC_HOST, Setting.QUIC_PORT);
        InetSocketAddress httpAddress = address(settings, Setting.HTTP_HOST, Setting.HTTP_PORT);
        if (!httpAddress.getAddress().isLoopbackAddress()
                && settings.map(Setting.HTTP_TOKENS).isEmpty()) {
            throw new UsageException("http.host " + httpAddress.getHostString()
                    + " can be reached from other machines, so the HTTP API needs a token: --http-token name=secret,"
                    + " or http.tokens in the configuration file; or leave http.host at 127.0.0.1");
        }
        HttpCallers callers = HttpCallers.of(settings);
        ServerQueues serverQueues = ServerQueues.of(settings);
        ServerIdentity identity = ServerIdentity.open(data);
        JoinTokens tokens = identity.tokens();
        AgentServer agents = AgentServer.builder(identity.server())
                .bind(quicAddress)
                .joinTokens(tokens)
                .heartbeat(settings.duration(Setting.HEARTBEAT))
                .maxAgents(settings.number(Setting.MAX_AGENTS))
                .maxPerAgent(settings.number(Setting.AGENT_COMMANDS), settings.bytes(Setting.AGENT_BYTES))
                .build();
        Registry registry = new Registry();
        registry.register(agents);
        CommandMetrics metrics = new CommandMetrics();
        ServerTools tools;
        try {
            tools = ServerTools.open(settings, folder);
        } catch (UsageException | IOException e) {
            agents.close();
            throw e;
        }
        tools.register(registry);
        metrics.tools(tools.handler());
        AgentGroups groups = AgentGroups.builder(agents, registry)
                .eligibility(new ToolEligibility())
                .build();
        registry.register(groups);
        CommandQueues queues;
        ServerStore store;
        try {
            queues = serverQueues.build(registry, agents, groups, tools);
            store = ServerStore.open(settings, folder, metrics);
        } catch (UsageException e) {
            tools.close();
            groups.close();
            agents.close();
            throw e;
        }
        registry.register(queues);
        CommandManager.Builder managing = CommandManager.builder(registry)
                .listener(metrics)
                .listener(new RunLog())
                .listener(tools.handler().copies())
                .maxOpen(settings.number(Setting.MAX_OPEN))
                .store(store.commands());
        store.conversations().ifPresent(managing::listener);
        CommandManager manager = managing.build();
        tools.handler().copies().start(manager);
        HttpFacade.Builder facade = HttpFacade.builder(manager, agents)
                .address(httpAddress)
                .metrics(metrics)
                .queues(queues)
                .tasks(serverQueues.tasks(settings, store))
                .maxBodyBytes(settings.bytes(Setting.HTTP_MAX_BODY));
        tools.addTo(facade, settings);
        store.conversations().ifPresent(facade::conversations);
        store.startRelay(metrics);
        store.deadLetters().ifPresent(facade::deadLetters);
        callers.addTo(facade);
        HttpFacade http;
        try {
            http = facade.build();
        } catch (IllegalArgumentException e) {
            queues.close();
            groups.close();
            agents.close();
            tools.close();
            manager.close();
            store.close();
            throw new UsageException(String.valueOf(e.getMessage()), e);
        }
        ScheduledExecutorService hourly =
                Executors.newSingleThreadScheduledExecutor(DaemonThreads.named("commandway-hourly"));
        ServerProcess server = new ServerProcess(
                data,
                settings.duration(Setting.SHUTDOWN_GRACE),
                agents,
                manager,
                queues,
                groups,
                serverQueues,
                tools,
                store,
                http,
                hourly);
        boolean isStarted = false;
        try {
            manager.recover().join();
            store.conversations().ifPresent(conversations -> conversations.start(manager));
            queues.start(manager);
            tools.startSchedules(manager, settings);
            listen(agents::start, quicAddress, Setting.QUIC_PORT);
            listen(http::start, httpAddress, Setting.HTTP_PORT);
            // late, since an agent in this folder that waits for it looks for the addresses then
            tokens.localToken();
            server.running = RunningServer.of(http.address(), agents.address());
            server.running.publish(data);
            isStarted = true;
        } finally {
            if (!isStarted) {
                server.close();
            }
        }
        hourly.scheduleWithFixedDelay(() -> renewLocalToken(tokens), 1, 1, TimeUnit.HOURS);
        hourly.scheduleWithFixedDelay(() -> store.purge(Clock.systemUTC().instant()), 1, 1, TimeUnit.HOURS);
        return server;
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
