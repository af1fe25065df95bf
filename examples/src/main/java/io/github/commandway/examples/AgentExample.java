package io.github.commandway.examples;

import io.github.commandway.agent.AgentRuntime;
import io.github.commandway.agent.CommandExecutor;
import io.github.commandway.agent.UnknownCommandException;
import io.github.commandway.quic.JoinClient;
import io.github.commandway.quic.ServerAddress;
import io.github.commandway.quic.Transport;
import io.github.commandway.quic.identity.Identity;
import io.github.commandway.quic.identity.IdentityRequest;
import io.github.commandway.quic.identity.JoinToken;
import java.io.IOException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * An agent with an executor of its own, which knows three kinds of command. Run it with an id, the data folder of a {@link ServerExample} and the
 * server's address, all of which have defaults.
 */
public final class AgentExample {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final List<String> TYPES = List.of("restart", "update_config", "get_status");

    private AgentExample() {}

    /** What the host application does when a command arrives. */
    static final class Executor implements CommandExecutor {
        private final AtomicReference<JsonNode> config = new AtomicReference<>(JSON.createObjectNode());

        @Override
        public byte[] execute(String type, byte[] payload) throws Exception {
            JsonNode params = payload.length == 0 ? JSON.createObjectNode() : JSON.readTree(payload);
            Object result = switch (type) {
                case "restart" -> restart(params.path("delay_seconds").asInt(0));
                case "update_config" -> updateConfig(params);
                case "get_status" -> Map.of("status", "running", "config", config.get());
                default -> throw new UnknownCommandException(type, TYPES);
            };
            return JSON.writeValueAsBytes(result);
        }

        /** The thread is interrupted when the command is cancelled or its time is over, so this stops then. */
        private static Map<String, Object> restart(int delaySeconds) throws InterruptedException {
            Thread.sleep(Duration.ofSeconds(delaySeconds).toMillis());
            return Map.of("success", true, "message", "Restarted successfully");
        }

        private Map<String, Object> updateConfig(JsonNode params) {
            JsonNode wanted = params.path("config");
            if (!wanted.isObject()) {
                // the command fails with this message
                throw new IllegalArgumentException("'config' must be a JSON object");
            }
            config.set(wanted);
            return Map.of("success", true, "message", "Config updated");
        }
    }

    /** Joins with the token in the server's data folder, unless the agent has a certificate already, and starts. */
    public static AgentRuntime start(String id, Path data, ServerAddress server)
            throws IOException, InterruptedException {
        Path own = data.resolve("agents").resolve(id);
        if (!Identity.exists(own)) {
            IdentityRequest request = IdentityRequest.openOrCreate(own, new SecureRandom());
            JoinToken token = JoinToken.read(data.resolve("join-token"));
            JoinClient.join(server, Transport.AUTO, token, id, request, Clock.systemUTC(), Duration.ofSeconds(10), null)
                    .save(own);
        }
        AgentRuntime agent = AgentRuntime.builder(new Executor())
                .servers(server)
                .identity(Identity.load(own))
                .capabilities(TYPES)
                .dataDirectory(own) // so that a command runs once also across a restart
                .build();
        agent.start();
        return agent;
    }

    /** Runs until Ctrl-C. */
    public static void main(String[] args) throws IOException, InterruptedException {
        String id = args.length > 0 ? args[0] : "client-001";
        Path data = Path.of(args.length > 1 ? args[1] : "commandway-data");
        ServerAddress server = ServerAddress.parse(args.length > 2 ? args[2] : "127.0.0.1:8474");
        AgentRuntime agent = start(id, data, server);
        Runtime.getRuntime().addShutdownHook(new Thread(agent::close));
        System.out.println("agent " + id + " started, for commands " + TYPES);
        new CountDownLatch(1).await();
    }
}
