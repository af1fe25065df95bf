package io.github.commandway.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.agent.AgentRuntime;
import io.github.commandway.agent.CommandExecutor;
import io.github.commandway.agent.UnknownCommandException;
import io.github.commandway.dispatch.CommandIds;
import io.github.commandway.dispatch.Handler;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.RetryPolicy;
import io.github.commandway.queue.CommandQueues;
import io.github.commandway.queue.QueueOptions;
import io.github.commandway.quic.AgentServer;
import io.github.commandway.quic.JoinClient;
import io.github.commandway.quic.ServerAddress;
import io.github.commandway.quic.Transport;
import io.github.commandway.quic.identity.CertificateAuthority;
import io.github.commandway.quic.identity.Identity;
import io.github.commandway.quic.identity.IdentityRequest;
import io.github.commandway.quic.identity.JoinTokens;
import io.github.commandway.store.Database;
import io.github.commandway.store.SqlCommandStore;
import io.github.commandway.tool.api.RunOutput;
import io.github.commandway.tools.ToolCatalog;
import io.github.commandway.tools.ToolHandler;
import io.github.commandway.tools.ToolRequest;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The README's Java lines: they run here, and the README has them as they are here. */
class ReadmeTest {
    private static final Duration LONGEST = Duration.ofSeconds(30);
    private static final Pattern SNIPPET = Pattern.compile("// README\\R(.*?)// end", Pattern.DOTALL);

    @TempDir
    Path data;

    private final Deque<AutoCloseable> toClose = new ArrayDeque<>();

    @AfterEach
    void closeAll() throws Exception {
        while (!toClose.isEmpty()) {
            toClose.pop().close();
        }
    }

    @Test
    void itsJavaRuns() throws Exception {
        Clock clock = Clock.systemUTC();
        SecureRandom random = new SecureRandom();
        CertificateAuthority authority = CertificateAuthority.openOrCreate(data.resolve("ca"), clock, random);
        JoinTokens tokens = JoinTokens.open(data, authority, Duration.ofDays(1), clock, random);
        Identity serverIdentity = authority.issueServer(List.of(), Duration.ofDays(1));
        InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);

        // README
        AgentServer agents = AgentServer.builder(serverIdentity)
                .bind(address)
                .joinTokens(tokens)
                .build();
        Registry registry = new Registry();
        registry.register(agents);
        CommandManager manager = CommandManager.ofDefaults(registry);
        agents.start();
        // end
        toClose.push(manager);
        toClose.push(agents);

        ServerAddress server = new ServerAddress("127.0.0.1", agents.address().getPort());
        IdentityRequest key = IdentityRequest.create(random);
        Identity identity =
                JoinClient.join(server, Transport.AUTO, tokens.localToken(), "client-001", key, clock, LONGEST, null);

        // README
        CommandExecutor executor = (type, payload) -> {
            if (type.equals("restart")) {
                return restart(payload);
            }
            throw new UnknownCommandException(type, List.of("restart"));
        };
        AgentRuntime agent = AgentRuntime.builder(executor)
                .servers(server)
                .identity(identity)
                .build();
        agent.start();
        // end
        toClose.push(agent);
        await().atMost(LONGEST).until(() -> agents.connectedCount() == 1);

        // README
        CommandRequest request = CommandRequest.toAgent("client-001", "restart")
                .payload("{\"delay_seconds\": 5}".getBytes(StandardCharsets.UTF_8))
                .build();
        CommandHandle handle = manager.submit(request).get(); // recorded from here on
        CommandRecord record = handle.completion().get(); // what became of it, which may be a failure
        // end

        assertThat(record.status()).isEqualTo(CommandStatus.COMPLETED);
        assertThat(record.result()).isEqualTo(request.payload());
    }

    @Test
    void itsQueueRuns() throws Exception {
        Registry registry = new Registry();
        Database database = Database.sqlite(data.resolve("commands.db"));
        toClose.push(database);
        Handler worker = (context, command, tag, receiver) -> receiver.completeYield(tag, "done", null);

        // README
        CommandQueues queues = CommandQueues.builder(registry)
                .queue(QueueOptions.serial("robot").withRetry(RetryPolicy.exponential(3)), worker)
                .build();
        registry.register(queues);
        CommandManager manager = CommandManager.builder(registry)
                .store(SqlCommandStore.of(database))
                .build();
        manager.recover().get(); // takes up what an earlier run left
        queues.start(manager);
        // end
        toClose.push(manager);
        toClose.push(queues);

        CommandRequest request = CommandRequest.toQueue("robot", "SCAN_QRCODE").build();
        CommandRecord record = manager.submit(request).get().completion().get(30, TimeUnit.SECONDS);
        assertThat(record.status()).isEqualTo(CommandStatus.COMPLETED);
    }

    @Test
    void itsToolRuns() throws Exception {
        Registry registry = new Registry();
        Path folder = Path.of("");
        Path runs = data;

        // README
        ToolHandler tools = ToolHandler.builder(ToolCatalog.open(folder), runs).build();
        registry.register("tools", CommandIds.TOOL_EXECUTE, tools);
        CommandManager manager = CommandManager.ofDefaults(registry);
        ToolRequest request = ToolRequest.tool("words", "one", "two").version("^1");
        CommandHandle handle = manager.submit(tools.commandFor(request).build()).get();
        CommandRecord record = handle.completion().get(); // with the exit code, and how it ended
        RunOutput output = tools.output(record.id(), 0, 64 << 10); // byte for byte, also while it runs
        // end
        toClose.push(manager);
        toClose.push(tools);

        assertThat(record.status()).isEqualTo(CommandStatus.COMPLETED);
        assertThat(output.pieces())
                .singleElement()
                .satisfies(piece ->
                        assertThat(new String(piece.data(), piece.charset())).isEqualTo("2 words: one two\n"));
    }

    private static byte[] restart(byte[] payload) {
        return payload;
    }

    @Test
    void itHasTheLinesThatRun() throws IOException {
        String source = Files.readString(Path.of("src/test/java/io/github/commandway/examples/ReadmeTest.java"));
        String readme = Files.readString(Path.of("../README.md"));
        Matcher snippets = SNIPPET.matcher(source);
        int count = 0;
        while (snippets.find()) {
            assertThat(readme)
                    .contains("```java\n" + snippets.group(1).stripIndent().strip() + "\n```");
            count++;
        }
        assertThat(count).isEqualTo(5);
    }
}
