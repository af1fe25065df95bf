package io.github.commandway.agent;

import static io.github.commandway.agent.Server.awaitStatus;
import static io.github.commandway.agent.Server.ended;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.directory.AgentListener;
import io.github.commandway.directory.AgentMessage;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CancelResult;
import io.github.commandway.manager.CancelResult.Outcome;
import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Commands from the manager to an executor and back, over real QUIC. */
@Timeout(120)
class AgentRuntimeTest {
    private static final String AGENT = "client-001";

    @TempDir
    private Path directory;

    private final List<AutoCloseable> opened = new ArrayList<>();
    private Server server;

    @BeforeEach
    void startServer() throws IOException {
        server = new Server(directory.resolve("server"));
        opened.add(server);
    }

    @AfterEach
    void closeAll() throws Exception {
        for (int i = opened.size() - 1; i >= 0; i--) {
            opened.get(i).close();
        }
    }

    @Test
    void completesWithWhatTheExecutorReturned() throws Exception {
        start((type, payload) -> (type + ":" + text(payload)).getBytes(StandardCharsets.UTF_8));
        CommandRecord record = ended(server.submit(AGENT, "restart", "{\"delay_seconds\":5}"));
        assertThat(record.status()).isEqualTo(CommandStatus.COMPLETED);
        assertThat(record.reason()).isEqualTo(Reason.OK);
        assertThat(text(record.result())).isEqualTo("restart:{\"delay_seconds\":5}");
        assertThat(record.sentAt()).isNotNull();
        assertThat(record.startedAt()).isNotNull();
    }

    @Test
    void failsWithTheMessageOfTheExecutor() throws Exception {
        start((type, payload) -> {
            throw new IOException("disk full");
        });
        CommandRecord record = ended(server.submit(AGENT, "restart", "{}"));
        assertThat(record.status()).isEqualTo(CommandStatus.FAILED);
        assertThat(record.reason()).isEqualTo(Reason.EXECUTOR_ERROR);
        assertThat(record.message()).isEqualTo("disk full");
        assertThat(record.result()).isNull();
    }

    @Test
    void survivesAnErrorThatTheExecutorThrows() throws Exception {
        start((type, payload) -> {
            if (type.equals("bad")) {
                throw new StackOverflowError();
            }
            return payload;
        });
        assertThat(ended(server.submit(AGENT, "bad", "")).status()).isEqualTo(CommandStatus.FAILED);
        assertThat(ended(server.submit(AGENT, "good", "")).status()).isEqualTo(CommandStatus.COMPLETED);
    }

    @Test
    void passesOnTheReasonOfARefusal() throws Exception {
        start((type, payload) -> {
            if (type.equals("refused")) {
                throw new CommandException(Reason.REJECTED_BY_AGENT, "too many");
            }
            throw new UnknownCommandException(type, List.of("restart"));
        });
        assertThat(ended(server.submit(AGENT, "refused", "")).reason()).isEqualTo(Reason.REJECTED_BY_AGENT);
        CommandRecord unknown = ended(server.submit(AGENT, "reboot", ""));
        assertThat(unknown.reason()).isEqualTo(Reason.UNKNOWN_COMMAND);
        assertThat(unknown.message()).contains("reboot").contains("restart");
    }

    @Test
    void isExecutingWhileTheExecutorRuns() throws Exception {
        CountDownLatch release = new CountDownLatch(1);
        start((type, payload) -> {
            release.await();
            return payload;
        });
        CommandHandle handle = server.submit(AGENT, "slow", "");
        awaitStatus(handle, CommandStatus.EXECUTING);
        release.countDown();
        assertThat(ended(handle).status()).isEqualTo(CommandStatus.COMPLETED);
    }

    @Test
    void timesOutAndStopsTheExecutor() throws Exception {
        CountDownLatch interrupted = new CountDownLatch(1);
        start((type, payload) -> {
            try {
                new CountDownLatch(1).await();
            } catch (InterruptedException e) {
                interrupted.countDown();
                throw e;
            }
            return payload;
        });
        CommandHandle handle = server.submit(CommandRequest.toAgent(AGENT, "slow")
                .timeout(Duration.ofMillis(300))
                .build());
        CommandRecord record = ended(handle);
        assertThat(record.status()).isEqualTo(CommandStatus.TIMEOUT);
        assertThat(record.reason()).isEqualTo(Reason.EXECUTION_TIMEOUT);
        assertThat(interrupted.await(30, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void cancelStopsTheExecutor() throws Exception {
        CountDownLatch running = new CountDownLatch(1);
        CountDownLatch interrupted = new CountDownLatch(1);
        start((type, payload) -> {
            running.countDown();
            try {
                new CountDownLatch(1).await();
            } catch (InterruptedException e) {
                interrupted.countDown();
                throw e;
            }
            return payload;
        });
        CommandHandle handle = server.submit(AGENT, "slow", "");
        running.await();
        CancelResult result =
                server.manager.cancel(handle.id()).get(30, TimeUnit.SECONDS).orElseThrow();
        assertThat(result.outcome()).isEqualTo(Outcome.CANCELLED_WHILE_RUNNING);
        assertThat(result.record().status()).isEqualTo(CommandStatus.CANCELLED);
        assertThat(interrupted.await(30, TimeUnit.SECONDS)).isTrue();
    }

    @Test
    void cancelBeforeTheStartMeansThatItNeverRuns() throws Exception {
        Semaphore release = new Semaphore(0);
        AtomicInteger runs = new AtomicInteger();
        start(builder -> builder.concurrency(1), (type, payload) -> {
            runs.incrementAndGet();
            release.acquire();
            return payload;
        });
        CommandHandle first = server.submit(AGENT, "slow", "");
        awaitStatus(first, CommandStatus.EXECUTING);
        CommandHandle second = server.submit(AGENT, "slow", "");
        CancelResult result =
                server.manager.cancel(second.id()).get(30, TimeUnit.SECONDS).orElseThrow();
        assertThat(result.outcome()).isEqualTo(Outcome.CANCELLED_BEFORE_START);
        release.release();
        assertThat(ended(first).status()).isEqualTo(CommandStatus.COMPLETED);
        CommandHandle third = server.submit(AGENT, "slow", "");
        release.release();
        ended(third);
        assertThat(runs).hasValue(2);
    }

    @Test
    void anExecutorThatCompletesInSpiteOfTheCancelHasCompleted() throws Exception {
        CountDownLatch running = new CountDownLatch(1);
        start((type, payload) -> {
            running.countDown();
            try {
                new CountDownLatch(1).await();
            } catch (InterruptedException e) {
                return payload;
            }
            return payload;
        });
        CommandHandle handle = server.submit(AGENT, "stubborn", "done");
        running.await();
        CancelResult result =
                server.manager.cancel(handle.id()).get(30, TimeUnit.SECONDS).orElseThrow();
        assertThat(result.outcome()).isEqualTo(Outcome.ENDED_OTHERWISE);
        assertThat(result.record().status()).isEqualTo(CommandStatus.COMPLETED);
    }

    @Test
    void waitsForAnAgentThatIsAwayUntilItsTtl() throws Exception {
        AgentRuntime agent = start((type, payload) -> payload);
        agent.close();
        server.awaitGone(AGENT);
        CommandHandle brief = server.submit(CommandRequest.toAgent(AGENT, "echo")
                .ttl(Duration.ofMillis(200))
                .build());
        CommandHandle patient = server.submit(AGENT, "echo", "x");
        CommandRecord record = ended(brief);
        assertThat(record.status()).isEqualTo(CommandStatus.TIMEOUT);
        assertThat(record.reason()).isEqualTo(Reason.QUEUE_TIMEOUT);
        assertThat(patient.record().status()).isEqualTo(CommandStatus.PENDING);
        start((type, payload) -> payload);
        assertThat(ended(patient).status()).isEqualTo(CommandStatus.COMPLETED);
    }

    @Test
    void runsAsManyAtATimeAsItWasToldAndAllOfThemInTheEnd() throws Exception {
        AtomicInteger now = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        AtomicInteger runs = new AtomicInteger();
        start(builder -> builder.concurrency(3), (type, payload) -> {
            most.accumulateAndGet(now.incrementAndGet(), Math::max);
            runs.incrementAndGet();
            Thread.onSpinWait();
            now.decrementAndGet();
            return payload;
        });
        List<CommandHandle> handles = new ArrayList<>();
        for (int i = 0; i < 900; i++) {
            handles.add(server.submit(AGENT, "echo", Integer.toString(i)));
        }
        for (int i = 0; i < handles.size(); i++) {
            assertThat(text(ended(handles.get(i)).result())).isEqualTo(Integer.toString(i));
        }
        assertThat(runs).hasValue(900);
        assertThat(most.get()).isBetween(1, 3);
    }

    @Test
    void carriesLargePayloadsResultsAndOutputInOrder() throws Exception {
        byte[] large = new byte[3 << 20];
        new Random(7).nextBytes(large);
        start(new CommandExecutor() {
            @Override
            public byte[] execute(String type, byte[] payload) {
                throw new AssertionError("the agent calls the other method");
            }

            @Override
            public byte[] execute(ExecutionContext context, String type, byte[] payload) throws Exception {
                context.progress(0.5, "half");
                for (int i = 0; i < 50; i++) {
                    context.output("stdout", ("line " + i + "\n").getBytes(StandardCharsets.UTF_8));
                }
                return payload;
            }
        });
        CommandHandle handle = server.submit(
                CommandRequest.toAgent(AGENT, "large").payload(large).build());
        CommandRecord record = ended(handle);
        assertThat(record.status()).isEqualTo(CommandStatus.COMPLETED);
        assertThat(record.result()).isEqualTo(large);
        List<CommandEvent> events = server.manager.events(handle.id(), 0, 1_000).get(30, TimeUnit.SECONDS);
        StringBuilder output = new StringBuilder();
        events.stream()
                .filter(event -> event.type() == CommandEvent.Type.OUTPUT)
                .forEach(event -> output.append(text(event.data())));
        assertThat(output.toString())
                .startsWith("line 0\nline 1\n")
                .endsWith("line 49\n")
                .hasLineCount(50);
        assertThat(events).last().satisfies(event -> assertThat(event.type()).isEqualTo(CommandEvent.Type.COMPLETED));
        assertThat(events)
                .extracting(CommandEvent::sequence)
                .doesNotHaveDuplicates()
                .isSorted();
    }

    @Test
    void keepsAnOutcomeForAServerThatItCannotReach() throws Exception {
        CountDownLatch running = new CountDownLatch(1);
        CountDownLatch release = new CountDownLatch(1);
        start((type, payload) -> {
            running.countDown();
            release.await();
            return payload;
        });
        server.submit(AGENT, "slow", "kept");
        running.await();
        int port = server.agents.address().getPort();
        server.close();
        release.countDown();
        Server next = new Server(directory.resolve("server"), port, Duration.ofSeconds(10));
        opened.add(next);
        next.awaitConnected(AGENT);
        assertThat(ended(next.submit(AGENT, "echo", "after")).status()).isEqualTo(CommandStatus.COMPLETED);
    }

    @Test
    void aSecondAgentOfTheSameIdTakesOverAtOnce() throws Exception {
        CountDownLatch running = new CountDownLatch(1);
        start((type, payload) -> {
            running.countDown();
            new CountDownLatch(1).await();
            return payload;
        });
        CommandHandle first = server.submit(AGENT, "slow", "");
        running.await();
        long epoch = server.agents.find(AGENT).orElseThrow().epoch();
        AgentRuntime second = server.agent(AGENT, (type, payload) -> "second".getBytes(StandardCharsets.UTF_8))
                .build();
        opened.add(second);
        second.start();
        Awaitility.await()
                .atMost(Duration.ofSeconds(30))
                .until(() -> server.agents.find(AGENT).orElseThrow().epoch() > epoch);
        assertThat(text(ended(server.submit(AGENT, "who", "")).result())).isEqualTo("second");
        CommandRecord lost = ended(first);
        assertThat(lost.status()).isEqualTo(CommandStatus.FAILED);
        assertThat(lost.reason()).isEqualTo(Reason.LOST);
    }

    @Test
    void shutdownLetsRunningCommandsEnd() throws Exception {
        CountDownLatch running = new CountDownLatch(1);
        CountDownLatch release = new CountDownLatch(1);
        AgentRuntime agent = start((type, payload) -> {
            running.countDown();
            release.await();
            return payload;
        });
        CommandHandle handle = server.submit(AGENT, "slow", "");
        running.await();
        Thread stopper = new Thread(() -> {
            try {
                agent.shutdown(Duration.ofSeconds(30));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        stopper.start();
        release.countDown();
        assertThat(ended(handle).status()).isEqualTo(CommandStatus.COMPLETED);
        stopper.join();
        assertThat(agent.isConnected()).isFalse();
    }

    @Test
    void shutdownWithoutGraceSaysThatItWasTheReason() throws Exception {
        CountDownLatch running = new CountDownLatch(1);
        AgentRuntime agent = start((type, payload) -> {
            running.countDown();
            new CountDownLatch(1).await();
            return payload;
        });
        CommandHandle handle = server.submit(AGENT, "slow", "");
        running.await();
        agent.shutdown(Duration.ZERO);
        CommandRecord record = ended(handle);
        assertThat(record.status()).isEqualTo(CommandStatus.FAILED);
        assertThat(record.reason()).isEqualTo(Reason.SHUTDOWN);
    }

    @Test
    void reportsAndCallbacksReachTheServer() throws Exception {
        List<String> came = new CopyOnWriteArrayList<>();
        server.agents.addListener(new AgentListener() {
            @Override
            public void onMessage(String agentId, AgentMessage message) {
                came.add(agentId + " " + message.type() + " " + text(message.payload()));
            }
        });
        AgentRuntime agent = start((type, payload) -> payload);
        agent.sendCallback(new Callback("cb-1", "restart", true, Map.of("pid", 7), null, 12))
                .get(30, TimeUnit.SECONDS);
        agent.reportLogs(List.of("one", "two")).get(30, TimeUnit.SECONDS);
        agent.reportStatus("{\"load\":1}").get(30, TimeUnit.SECONDS);
        assertThat(came)
                .containsExactly(
                        AGENT
                                + " command.callback {\"callback_id\":\"cb-1\",\"command_type\":\"restart\",\"success\":true,"
                                + "\"result\":{\"pid\":7},\"error\":null,\"duration_ms\":12}",
                        AGENT + " report.logs one\ntwo",
                        AGENT + " report.status {\"load\":1}");
        assertThat(text(server.agents.find(AGENT).orElseThrow().status())).isEqualTo("{\"load\":1}");
    }

    @Test
    void messagesToTheAgentAreReceived() throws Exception {
        List<String> came = new CopyOnWriteArrayList<>();
        start(
                builder -> builder.onMessage(message -> came.add(message.type() + " " + text(message.payload()))),
                (type, payload) -> payload);
        server.agents
                .send(AGENT, new AgentMessage("1", "event", new byte[] {'x'}), true)
                .get(30, TimeUnit.SECONDS);
        assertThat(came).containsExactly("event x");
    }

    private AgentRuntime start(CommandExecutor executor) throws IOException {
        return start(builder -> builder, executor);
    }

    private AgentRuntime start(
            java.util.function.UnaryOperator<AgentRuntime.Builder> settings, CommandExecutor executor)
            throws IOException {
        AgentRuntime agent = settings.apply(server.agent(AGENT, executor)).build();
        opened.add(agent);
        agent.start();
        server.awaitConnected(AGENT);
        return agent;
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
