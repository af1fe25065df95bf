package io.github.commandway.cli;

import io.github.commandway.agent.AgentRuntime;
import io.github.commandway.agent.CommandRouter;
import io.github.commandway.quic.JoinClient;
import io.github.commandway.quic.JoinException;
import io.github.commandway.quic.ServerAddress;
import io.github.commandway.quic.Transport;
import io.github.commandway.quic.identity.AgentIds;
import io.github.commandway.quic.identity.Identity;
import io.github.commandway.quic.identity.IdentityRequest;
import io.github.commandway.quic.identity.JoinToken;
import io.github.commandway.quic.identity.JoinTokens;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The reference agent put together from settings: gets its certificate if it has none, and stays connected until it is closed. */
final class AgentProcess implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(AgentProcess.class);
    private static final Clock CLOCK = Clock.systemUTC();
    private static final Duration JOIN_TIMEOUT = Duration.ofSeconds(10);
    private static final Duration FIRST_PAUSE = Duration.ofSeconds(1);
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(10);

    /** The label that says on what system the agent runs. */
    private static final String OS = "os";

    private final AgentRuntime runtime;
    private final @Nullable AgentTools tools;
    private final Duration grace;

    private AgentProcess(AgentRuntime runtime, @Nullable AgentTools tools, Duration grace) {
        this.runtime = runtime;
        this.tools = tools;
        this.grace = grace;
    }

    /**
     * Starts an agent, and waits for a server and a join token if it needs them.
     *
     * @return empty if it was asked to stop before that
     */
    static Optional<AgentProcess> start(Settings settings, Surroundings surroundings)
            throws IOException, InterruptedException {
        Path data = surroundings.folder().resolve(settings.data());
        String id = agentId(settings);
        // a colon is allowed in an id but not in the name of every system's folders
        Path folder = data.resolve("agents").resolve(id.replace(":", "%3A"));
        Optional<Identity> identity = identity(settings, surroundings, data, folder, id);
        if (identity.isEmpty()) {
            return Optional.empty();
        }
        CommandRouter router = ReferenceCommands.router(settings, folder, surroundings.folder());
        Optional<Path> toolFolder = settings.given(Setting.AGENT_TOOLS).map(surroundings.folder()::resolve);
        AgentRuntime.Builder agent = AgentRuntime.builder(router)
                .servers(servers(settings, surroundings).toArray(ServerAddress[]::new))
                .identity(identity.get())
                .version(Commandway.Version.number())
                .labels(labels(settings))
                .capabilities(router.types())
                .concurrency(settings.number(Setting.AGENT_CONCURRENCY))
                .transport(transport(settings))
                .heartbeat(settings.duration(Setting.HEARTBEAT))
                .dataDirectory(folder)
                .onIdentityRenewed(renewed -> save(renewed, folder));
        AgentTools tools = null;
        if (toolFolder.isPresent()) {
            tools = AgentTools.open(settings, toolFolder.get(), folder, router.types());
            tools.addTo(agent);
        }
        AgentRuntime runtime = agent.build();
        runtime.start();
        if (tools != null) {
            tools.watch(settings, runtime);
        }
        return Optional.of(new AgentProcess(runtime, tools, settings.duration(Setting.SHUTDOWN_GRACE)));
    }

    private static Map<String, String> labels(Settings settings) {
        Map<String, String> labels = new TreeMap<>(settings.map(Setting.AGENT_LABELS));
        String system = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        labels.putIfAbsent(OS, system.startsWith("windows") ? "windows" : system.startsWith("mac") ? "mac" : "linux");
        return labels;
    }

    private static String agentId(Settings settings) {
        try {
            return AgentIds.requireValid(settings.text(Setting.AGENT_ID));
        } catch (IllegalArgumentException e) {
            throw new UsageException(Setting.AGENT_ID.key() + ": " + e.getMessage(), e);
        }
    }

    private static Transport transport(Settings settings) {
        return Kind.transport(settings.text(Setting.AGENT_TRANSPORT));
    }

    /** Where to connect: asked again at each attempt to join, since the server beside it may have been started meanwhile. */
    static List<ServerAddress> servers(Settings settings, Surroundings surroundings) {
        List<String> given = settings.list(Setting.AGENT_SERVERS);
        if (given.isEmpty()) {
            given = List.of(RunningServer.find(surroundings, settings)
                    .map(RunningServer::agents)
                    .orElse("127.0.0.1:" + ServerAddress.DEFAULT_PORT));
        }
        try {
            return given.stream().map(ServerAddress::parse).toList();
        } catch (IllegalArgumentException e) {
            throw new UsageException(Setting.AGENT_SERVERS.key() + ": " + e.getMessage(), e);
        }
    }

    private static Optional<Identity> identity(
            Settings settings, Surroundings surroundings, Path data, Path folder, String id)
            throws IOException, InterruptedException {
        if (Identity.exists(folder)) {
            Identity identity = Identity.load(folder);
            if (!identity.isExpired(CLOCK)) {
                return Optional.of(identity);
            }
            LOG.warn("the certificate in {} expired at {}; joining again", folder, identity.expiresAt());
        }
        IdentityRequest request = IdentityRequest.openOrCreate(folder, new SecureRandom());
        Duration pause = FIRST_PAUSE;
        String lastProblem = "";
        while (true) {
            String problem;
            Optional<JoinToken> token = token(settings, data);
            if (token.isPresent()) {
                try {
                    Identity identity = join(settings, surroundings, token.get(), id, request);
                    identity.save(folder);
                    return Optional.of(identity);
                } catch (JoinException e) {
                    if (e.refusal().isPresent()) {
                        throw new ApiException(ExitCode.REFUSED, String.valueOf(e.getMessage()), e);
                    }
                    problem = String.valueOf(e.getMessage());
                }
            } else {
                problem = "this agent has not joined yet: waiting for a server to be started in " + data
                        + "; for one on another machine give --server and --token";
            }
            if (!problem.equals(lastProblem)) {
                LOG.warn("{}; trying again", problem);
                lastProblem = problem;
            }
            if (surroundings.lifetime().awaitStop(pause)) {
                return Optional.empty();
            }
            boolean isLocal = settings.given(Setting.AGENT_TOKEN).isEmpty();
            pause = isLocal || pause.multipliedBy(2).compareTo(LONGEST_PAUSE) > 0 ? pause : pause.multipliedBy(2);
        }
    }

    private static Optional<JoinToken> token(Settings settings, Path data) throws IOException {
        Optional<String> given = settings.given(Setting.AGENT_TOKEN);
        if (given.isPresent()) {
            try {
                return Optional.of(JoinToken.parse(given.get()));
            } catch (IllegalArgumentException e) {
                throw new UsageException(Setting.AGENT_TOKEN.key() + ": " + e.getMessage(), e);
            }
        }
        Path file = data.resolve(JoinTokens.LOCAL_TOKEN_FILE);
        return Files.exists(file) ? Optional.of(JoinToken.read(file)) : Optional.empty();
    }

    /** Asks the servers in turn; the failure is that of the last one. */
    private static Identity join(
            Settings settings, Surroundings surroundings, JoinToken token, String id, IdentityRequest request)
            throws JoinException, InterruptedException {
        List<ServerAddress> servers = servers(settings, surroundings);
        for (int i = 0; ; i++) {
            try {
                return JoinClient.join(
                        servers.get(i), transport(settings), token, id, request, CLOCK, JOIN_TIMEOUT, null);
            } catch (JoinException e) {
                if (e.refusal().isPresent() || i == servers.size() - 1) {
                    throw e;
                }
                LOG.info("{}", e.getMessage());
            }
        }
    }

    private static void save(Identity identity, Path folder) {
        try {
            identity.save(folder);
        } catch (IOException e) {
            LOG.error("the renewed certificate could not be saved in {}: {}", folder, e.getMessage());
        }
    }

    /** How many commands it has and has not ended. */
    int openCommands() {
        return runtime.openCommands();
    }

    /** Lets what runs go on for the grace time, then interrupts it, and says goodbye to the server. */
    @Override
    public void close() {
        try {
            runtime.shutdown(grace);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            runtime.close();
        }
        if (tools != null) {
            tools.close();
        }
    }
}
