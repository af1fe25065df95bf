package io.github.commandway.agent;

import static io.github.commandway.agent.Server.ended;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CancelResult;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.RetryPolicy;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A queue before an agent, over real QUIC. */
@Timeout(120)
class QueueToAgentTest {
    private static final String AGENT = "client-001";
    private static final RetryPolicy TWICE = new RetryPolicy(2, Duration.ZERO, Duration.ZERO, 0);

    @TempDir
    private Path directory;

    private Server server;
    private AgentRuntime agent;

    @BeforeEach
    void startServer() throws IOException {
        server = new Server(directory.resolve("server"));
    }

    @AfterEach
    void close() throws Exception {
        if (agent != null) {
            agent.close();
        }
        server.close();
    }

    private void start(CommandExecutor executor) throws IOException {
        agent = server.agent(AGENT, executor).build();
        agent.start();
        server.awaitConnected(AGENT);
    }

    @Test
    void executesOneAtATimeInTheOrderOfAcceptance() throws Exception {
        List<String> executed = new CopyOnWriteArrayList<>();
        AtomicInteger atOnce = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        start((type, payload) -> {
            most.accumulateAndGet(atOnce.incrementAndGet(), Math::max);
            executed.add(type);
            atOnce.decrementAndGet();
            return payload;
        });
        List<CommandHandle> handles = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            handles.add(
                    server.submit(CommandRequest.toQueue(Server.QUEUE, "n" + i).build()));
        }
        for (int i = 0; i < 50; i++) {
            assertThat(ended(handles.get(i)).status()).isEqualTo(CommandStatus.COMPLETED);
            assertThat(executed.get(i)).isEqualTo("n" + i);
        }
        assertThat(most).hasValue(1);
    }

    @Test
    void triesAgainWhatTheAgentFailedAt() throws Exception {
        AtomicInteger tries = new AtomicInteger();
        start((type, payload) -> {
            if (tries.incrementAndGet() == 1) {
                throw new IOException("not yet");
            }
            return "second".getBytes(StandardCharsets.UTF_8);
        });
        CommandRecord record = ended(server.submit(
                CommandRequest.toQueue(Server.QUEUE, "r").retry(TWICE).build()));
        assertThat(record.status()).isEqualTo(CommandStatus.COMPLETED);
        assertThat(record.attempt()).isEqualTo(2);
        assertThat(record.result()).asString(StandardCharsets.UTF_8).isEqualTo("second");
        assertThat(tries).hasValue(2);
    }

    @Test
    void beginsTheNextTryOnlyWhenTheOneThatTookTooLongHasStopped() throws Exception {
        CountDownLatch stop = new CountDownLatch(1);
        CountDownLatch told = new CountDownLatch(1);
        AtomicInteger tries = new AtomicInteger();
        AtomicInteger atOnce = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        start((type, payload) -> {
            if (type.equals("other")) {
                return payload;
            }
            most.accumulateAndGet(atOnce.incrementAndGet(), Math::max);
            try {
                if (tries.incrementAndGet() == 1) {
                    try {
                        new CountDownLatch(1).await();
                    } catch (InterruptedException e) {
                        told.countDown();
                        // takes its time to stop
                        assertThat(stop.await(30, TimeUnit.SECONDS)).isTrue();
                    }
                }
                return "second".getBytes(StandardCharsets.UTF_8);
            } finally {
                atOnce.decrementAndGet();
            }
        });
        CommandHandle handle = server.submit(CommandRequest.toQueue(Server.QUEUE, "slow")
                .timeout(Duration.ofSeconds(3))
                .retry(TWICE)
                .build());
        assertThat(told.await(30, TimeUnit.SECONDS)).isTrue();
        Awaitility.await()
                .until(() -> handle.record().sentAt() != null && handle.record().attempt() == 2);
        // the agent does take others meanwhile
        assertThat(ended(server.submit(AGENT, "other", "")).status()).isEqualTo(CommandStatus.COMPLETED);
        assertThat(tries).hasValue(1);
        stop.countDown();
        CommandRecord record = ended(handle);
        assertThat(record.status()).as("%s", record).isEqualTo(CommandStatus.COMPLETED);
        assertThat(record.attempt()).isEqualTo(2);
        assertThat(tries).hasValue(2);
        assertThat(most).hasValue(1);
    }

    @Test
    void waitsForAnAgentThatWasNeverHere() throws Exception {
        CommandHandle handle =
                server.submit(CommandRequest.toQueue(Server.QUEUE, "early").build());
        start((type, payload) -> payload);
        assertThat(ended(handle).status()).isEqualTo(CommandStatus.COMPLETED);
    }

    @Test
    void saysThatTheAgentWasNotThereInTime() throws Exception {
        CommandRecord record = ended(server.submit(CommandRequest.toQueue(Server.QUEUE, "never")
                .timeout(Duration.ofMillis(50))
                .build()));
        assertThat(record.reason()).isEqualTo(Reason.AGENT_UNREACHABLE);
        assertThat(record.message()).contains("had no effect");
    }

    @Test
    void cancelsWhatTheAgentWasNotThereFor() throws Exception {
        CommandHandle handle =
                server.submit(CommandRequest.toQueue(Server.QUEUE, "never").build());
        CancelResult result =
                server.manager.cancel(handle.id()).get(30, TimeUnit.SECONDS).orElseThrow();
        assertThat(result.outcome()).isEqualTo(CancelResult.Outcome.CANCELLED_BEFORE_START);
    }
}
