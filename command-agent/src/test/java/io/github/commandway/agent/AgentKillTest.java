package io.github.commandway.agent;

import static io.github.commandway.agent.Server.awaitStatus;
import static io.github.commandway.agent.Server.ended;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRejectedException;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What becomes of commands when the process of their agent is killed. */
@Timeout(300)
class AgentKillTest {
    private static final String AGENT = "client-001";
    private static final Duration HEARTBEAT = Duration.ofMillis(200);

    @TempDir
    private Path directory;

    private final List<AgentProcess> agents = new ArrayList<>();
    private Server server;

    @BeforeEach
    void startServer() throws IOException {
        server = new Server(directory.resolve("server"), 0, HEARTBEAT);
        server.identityOf(AGENT).save(directory);
    }

    @AfterEach
    void closeAll() {
        agents.forEach(AgentProcess::kill);
        server.close();
    }

    @Test
    void whatRanIsLostAndWhatHadNotStartedRunsOnTheNextStart() throws Exception {
        AgentProcess agent = startAgent();
        List<CommandHandle> running = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            running.add(server.submit(AGENT, "forever", "running"));
            awaitStatus(running.get(i), CommandStatus.EXECUTING);
        }
        CommandHandle waiting = server.submit(AGENT, "echo", "waiting");
        agent.kill();
        server.awaitGone(AGENT);
        assertThat(waiting.record().status()).isEqualTo(CommandStatus.PENDING);
        startAgent();
        for (CommandHandle handle : running) {
            CommandRecord record = ended(handle);
            assertThat(record.status()).isEqualTo(CommandStatus.FAILED);
            assertThat(record.reason()).isEqualTo(Reason.LOST);
        }
        assertThat(ended(waiting).status()).isEqualTo(CommandStatus.COMPLETED);
        assertThat(effects()).containsExactlyInAnyOrder("running", "running", "running", "running", "waiting");
    }

    @Test
    void whatRanOnAnAgentThatDoesNotComeBackEndsAsUnreachable() throws Exception {
        AgentProcess agent = startAgent();
        CommandHandle handle = server.submit(CommandRequest.toAgent(AGENT, "forever")
                .timeout(Duration.ofSeconds(5))
                .build());
        awaitStatus(handle, CommandStatus.EXECUTING);
        agent.kill();
        CommandRecord record = ended(handle);
        assertThat(record.status()).isEqualTo(CommandStatus.FAILED);
        assertThat(record.reason()).isEqualTo(Reason.AGENT_UNREACHABLE);
    }

    @Test
    void anOutcomeThatCouldNotBeSentArrivesWhenTheAgentIsBack() throws Exception {
        AgentProcess agent = startAgent();
        CommandHandle handle = server.submit(AGENT, "wait", "once");
        awaitStatus(handle, CommandStatus.EXECUTING);
        agent.signal("STOP");
        server.awaitGone(AGENT);
        Files.createFile(directory.resolve("go"));
        agent.signal("CONT");
        assertThat(ended(handle).status()).isEqualTo(CommandStatus.COMPLETED);
        assertThat(effects()).containsExactly("once");
    }

    @Test
    void aRestartedAgentTakesOverFromItsDeadSelfAtOnce() throws Exception {
        server.close();
        // so slow that the dead session is still there when the new one comes
        server = new Server(directory.resolve("server"), 0, Duration.ofHours(1));
        startAgent().kill();
        long epoch = server.agents.find(AGENT).orElseThrow().epoch();
        startAgent();
        assertThat(ended(server.submit(AGENT, "echo", "x")).status()).isEqualTo(CommandStatus.COMPLETED);
        assertThat(server.agents.find(AGENT).orElseThrow().epoch()).isGreaterThan(epoch);
    }

    @Test
    void underLoadEveryCommandEndsOnceAndRunsAtMostOnceHoweverOftenItsAgentIsKilled() throws Exception {
        int kills = Integer.getInteger("commandway.kills", 3);
        long seed = Long.getLong("commandway.seed", 20_261_121L);
        Random random = new Random(seed);
        List<CommandHandle> handles = new ArrayList<>();
        for (int round = 0; round <= kills; round++) {
            AgentProcess agent = startAgent();
            int commands = 100 + random.nextInt(300);
            for (int i = 0; i < commands; i++) {
                submitIfThereIsRoom(handles);
            }
            if (round < kills) {
                // some are done, some are running, some wait
                ended(handles.get(handles.size() - 1 - random.nextInt(commands)));
                agent.kill();
                server.awaitGone(AGENT);
            }
        }
        for (CommandHandle handle : handles) {
            ended(handle);
        }
        List<String> effects = effects();
        assertThat(effects).as("seed %d: no command ran twice", seed).doesNotHaveDuplicates();
        for (CommandHandle handle : handles) {
            CommandRecord record = handle.record();
            String payload = new String(handle.request().payload(), StandardCharsets.UTF_8);
            if (record.status() == CommandStatus.COMPLETED) {
                assertThat(effects)
                        .as("seed %d: completed means that it ran", seed)
                        .contains(payload);
            } else {
                assertThat(record.reason()).as("seed %d: %s", seed, record).isEqualTo(Reason.LOST);
            }
        }
        assertThat(server.manager.stats().open()).isZero();
    }

    private void submitIfThereIsRoom(List<CommandHandle> handles) throws Exception {
        try {
            handles.add(server.submit(CommandRequest.toAgent(AGENT, "echo")
                    .payload(Integer.toString(handles.size()).getBytes(StandardCharsets.UTF_8))
                    .timeout(Duration.ofMinutes(2))
                    .build()));
        } catch (ExecutionException e) {
            assertThat(e).hasCauseInstanceOf(CommandRejectedException.class);
        }
    }

    private AgentProcess startAgent() throws IOException {
        long epoch = server.agents.find(AGENT).map(info -> info.epoch()).orElse(0L);
        AgentProcess agent = AgentProcess.start(server, directory, HEARTBEAT);
        agents.add(agent);
        org.awaitility.Awaitility.await()
                .atMost(Duration.ofSeconds(60))
                .until(() -> server.agents
                        .find(AGENT)
                        .filter(info -> info.connected() && info.epoch() > epoch)
                        .isPresent());
        return agent;
    }

    private List<String> effects() throws IOException {
        return Files.readAllLines(directory.resolve("effects"));
    }
}
