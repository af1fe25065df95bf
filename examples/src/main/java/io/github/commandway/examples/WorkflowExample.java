package io.github.commandway.examples;

import io.github.commandway.agent.AgentRuntime;
import io.github.commandway.directory.AgentInfo;
import io.github.commandway.directory.AgentListener;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.SubmitCommand;
import io.github.commandway.manager.Target;
import io.github.commandway.process.Event;
import io.github.commandway.process.Exit;
import io.github.commandway.process.Process;
import io.github.commandway.process.ProcessBody;
import io.github.commandway.process.ProcessContext;
import io.github.commandway.process.ProcessListener;
import io.github.commandway.process.Processes;
import io.github.commandway.process.SpawnOptions;
import io.github.commandway.process.StepOutput;
import io.github.commandway.quic.AgentServer;
import io.github.commandway.quic.ServerAddress;
import io.github.commandway.quic.identity.CertificateAuthority;
import io.github.commandway.quic.identity.JoinTokens;
import io.github.commandway.system.ClockService;
import io.github.commandway.system.FunctionService;
import io.github.commandway.system.MemoryStore;
import io.github.commandway.system.StoreService;
import io.github.commandway.system.SystemService;
import io.github.commandway.system.Workers;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import org.jspecify.annotations.Nullable;

/**
 * A workflow of processes: a new configuration is made by a function and rolled out to two agents. One process, written as plain code, leads; for each agent it starts another, written as a state machine, that updates the
 * agent, gives it a moment, asks for its status and keeps that in a store.
 */
public final class WorkflowExample implements AutoCloseable {
    private static final List<String> AGENTS = List.of("rollout-1", "rollout-2");

    private final MemoryStore results = new MemoryStore(Clock.systemUTC(), 1_000);
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
    private final List<SystemService> services;
    private final AgentServer server;
    private final CommandManager manager;
    private final Processes processes;
    private final List<AgentRuntime> agents = new ArrayList<>();
    private final CountDownLatch connected = new CountDownLatch(AGENTS.size());

    private WorkflowExample(Path data) throws Exception {
        Clock clock = Clock.systemUTC();
        SecureRandom random = new SecureRandom();
        CertificateAuthority authority = CertificateAuthority.openOrCreate(data.resolve("ca"), clock, random);
        JoinTokens tokens = JoinTokens.open(data, authority, Duration.ofDays(90), clock, random);
        tokens.localToken();
        server = AgentServer.builder(authority.issueServer(List.of(), Duration.ofDays(365)))
                .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .joinTokens(tokens)
                .listener(new AgentListener() {
                    @Override
                    public void onConnected(AgentInfo agent) {
                        connected.countDown();
                    }
                })
                .build();

        // what processes can yield: three services, and commands that are recorded, such as those for agents
        services = List.of(
                new ClockService(timer, clock, 1_000),
                new FunctionService(
                        Map.of("render", (arguments, job) -> render(arguments)), new Workers("function", 2, 10)),
                new StoreService(Map.of("results", results)));
        SubmitCommand.Submitter submitter = new SubmitCommand.Submitter();
        Registry registry = new Registry();
        services.forEach(registry::register);
        registry.register(submitter);
        registry.register(server);

        manager = CommandManager.ofDefaults(registry);
        submitter.start(manager);
        processes = Processes.builder(registry).build();
        processes.addListener("services", new ProcessListener() {
            @Override
            public void onExit(Exit exit) {
                services.forEach(service -> service.ended(exit.pid()));
            }
        });
        processes.start();
        server.start();
        for (String agent : AGENTS) {
            agents.add(AgentExample.start(
                    agent, data, new ServerAddress("127.0.0.1", server.address().getPort())));
        }
        // an agent that was never connected is not known, and commands for it are refused
        connected.await();
    }

    private static String render(List<@Nullable Object> arguments) {
        return "{\"config\": {\"level\": " + arguments.get(0) + "}}";
    }

    /** Rolls out a configuration and returns the status of each agent after that. */
    static Map<String, String> run(Path data, int level) throws Exception {
        try (WorkflowExample example = new WorkflowExample(data)) {
            CompletableFuture<Exit> exit = new CompletableFuture<>();
            example.processes.spawn(
                    self -> example.rollOut(self, level),
                    SpawnOptions.builder()
                            .name("rollout")
                            .onExit(exit::complete)
                            .build());
            Throwable error = exit.get().error();
            if (error != null) {
                throw new IllegalStateException("the rollout has failed", error);
            }
            Map<String, String> status = new TreeMap<>();
            example.results
                    .list("status/", "", 100)
                    .items()
                    .forEach(entry -> status.put(entry.key(), (String) entry.value()));
            return status;
        }
    }

    /** The process that leads. It may block: each call is a yield, and its thread belongs to it. */
    private @Nullable Object rollOut(ProcessBody.Self self, int level) throws Exception {
        Object config = self.call(new FunctionService.Call("render", List.of(level)));
        SpawnOptions monitored =
                SpawnOptions.builder().parent(self.pid()).monitored().build();
        for (String agent : AGENTS) {
            processes.spawn(new Update(agent), config, monitored);
        }
        for (int left = AGENTS.size(); left > 0; left--) {
            Event exit = self.receive();
            if (exit.error() != null) {
                throw new IllegalStateException(exit.from() + " has failed", exit.error());
            }
        }
        return null;
    }

    /** Updates one agent. */
    private static final class Update implements Process {
        private static final long UPDATED = 1;
        private static final long WAITED = 2;
        private static final long ASKED = 3;

        private final String agent;
        private byte[] config = new byte[0];

        Update(String agent) {
            this.agent = agent;
        }

        @Override
        public void init(ProcessContext self, @Nullable Object input) {
            config = String.valueOf(input).getBytes(StandardCharsets.UTF_8);
        }

        @Override
        public void step(List<Event> events, StepOutput out) throws Exception {
            if (events.isEmpty()) {
                out.yield(command("update_config", config), UPDATED);
                out.waitForYields();
                return;
            }
            Event ended = events.get(0);
            if (ended.error() != null) {
                throw new IllegalStateException(agent + " could not be updated", ended.error());
            }
            if (ended.tag() == UPDATED) {
                out.yield(ClockService.Sleep.of(Duration.ofMillis(50)), WAITED);
                out.waitForYields();
            } else if (ended.tag() == WAITED) {
                out.yield(command("get_status", new byte[0]), ASKED, Duration.ofSeconds(20));
                out.waitForYields();
            } else {
                // the last yield: the process has ended when it has
                byte[] status = ((CommandRecord) ended.data()).result();
                out.yield(
                        StoreService.Set.of(
                                "results", "status/" + agent, new String(status, StandardCharsets.UTF_8), null),
                        0);
                out.done(null);
            }
        }

        private SubmitCommand command(String type, byte[] payload) {
            return new SubmitCommand(CommandRequest.to(new Target.Agent(agent), type)
                    .payload(payload)
                    .timeout(Duration.ofSeconds(20))
                    .build());
        }
    }

    @Override
    public void close() {
        processes.close();
        agents.forEach(AgentRuntime::close);
        server.shutdown(Duration.ofSeconds(5));
        manager.close();
        services.forEach(SystemService::close);
        timer.shutdownNow();
    }

    /** Prints the status of the agents. */
    public static void main(String[] args) throws Exception {
        run(Files.createTempDirectory("commandway"), 3)
                .forEach((key, status) -> System.out.println(key + ": " + status));
    }
}
