package io.github.commandway.agent;

import static io.github.commandway.agent.Server.awaitStatus;
import static io.github.commandway.agent.Server.ended;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CancelResult;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRejectedException;
import io.github.commandway.manager.CommandRejectedException.Code;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.Target;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Groups of agents, over real QUIC. */
@Timeout(120)
class GroupTest {
    @TempDir
    private Path directory;

    private final List<AgentRuntime> running = new ArrayList<>();

    /** What was begun, as {@code agent/type}. */
    private final LinkedBlockingQueue<String> begun = new LinkedBlockingQueue<>();

    private final Semaphore mayEnd = new Semaphore(0);
    private Server server;

    @BeforeEach
    void startServer() throws IOException {
        server = new Server(directory.resolve("server"));
    }

    @AfterEach
    void close() {
        running.forEach(AgentRuntime::close);
        server.close();
    }

    /** An agent in the pool {@code a} that has two places and executes until it may end. */
    private AgentRuntime start(String id, UnaryOperator<AgentRuntime.Builder> options) throws IOException {
        AgentRuntime.Builder builder = server.agent(id, (type, payload) -> {
                    begun.add(id + "/" + type);
                    mayEnd.acquire();
                    return payload;
                })
                .labels(Map.of("pool", "a"))
                .concurrency(2);
        AgentRuntime agent = options.apply(builder).build();
        running.add(agent);
        agent.start();
        server.awaitConnected(id);
        return agent;
    }

    private CommandHandle submit(String type) throws Exception {
        return server.submit(request(type).build());
    }

    private static CommandRequest.Builder request(String type) {
        return CommandRequest.to(new Target.Group("pool=a"), type);
    }

    private String next() throws InterruptedException {
        return begun.poll(30, TimeUnit.SECONDS);
    }

    private Code refusalOf(CommandRequest request, String message) {
        List<Code> codes = new ArrayList<>();
        assertThatThrownBy(() -> server.submit(request))
                .isInstanceOf(ExecutionException.class)
                .hasMessageContaining(message)
                .cause()
                .isInstanceOfSatisfying(CommandRejectedException.class, refusal -> codes.add(refusal.code()));
        return codes.get(0);
    }

    @Test
    void theMemberWithTheMostRoomIsChosenAndWhatFindsNoPlaceWaitsForOne() throws Exception {
        start("one", agent -> agent);
        start("two", agent -> agent);
        List<CommandHandle> first = List.of(submit("a"), submit("b"), submit("c"), submit("d"));
        assertThat(Stream.of(next(), next(), next(), next()).map(begin -> begin.substring(0, 3)))
                .containsExactlyInAnyOrder("one", "one", "two", "two");
        CommandHandle fifth = submit("e");
        assertThat(fifth.record().sentAt()).isNull();
        assertThat(server.groups.waiting()).isEqualTo(1);
        mayEnd.release();
        assertThat(next()).endsWith("/e");
        assertThat(fifth.record().assignedTo()).isIn("agent:one", "agent:two");
        mayEnd.release(4);
        for (CommandHandle handle : first) {
            assertThat(ended(handle).status()).isEqualTo(CommandStatus.COMPLETED);
        }
        assertThat(ended(fifth).status()).isEqualTo(CommandStatus.COMPLETED);
    }

    @Test
    void whatHasNoMemberThatCanExecuteItIsRefusedWithTheReason() throws Exception {
        assertThat(refusalOf(request("scan").build(), "no agent that belongs to group:pool=a was ever connected"))
                .isEqualTo(Code.TARGET_UNKNOWN);
        AgentRuntime only = start("one", agent -> agent.capabilities(List.of("print")));
        assertThat(refusalOf(request("scan").build(), "(one: it has no scan)")).isEqualTo(Code.UNKNOWN_COMMAND);
        only.close();
        server.awaitGone("one");
        assertThat(refusalOf(request("print").build(), "all members of group:pool=a (1) are away"))
                .isEqualTo(Code.TARGET_AWAY);
    }

    @Test
    void anAgentThatSaysThatItKnowsMoreGetsMore() throws Exception {
        AgentRuntime agent = start("one", builder -> builder.capabilities(List.of("print")));
        agent.capabilities(List.of("print", "scan"));
        Awaitility.await()
                .atMost(Duration.ofSeconds(30))
                .until(() ->
                        server.agents.find("one").orElseThrow().capabilities().contains("scan"));
        CommandHandle handle = submit("scan");
        assertThat(next()).isEqualTo("one/scan");
        mayEnd.release();
        assertThat(ended(handle).status()).isEqualTo(CommandStatus.COMPLETED);
    }

    @Test
    void whatMayNotWaitIsRefusedWhenAllAreBusy() throws Exception {
        start("one", agent -> agent.concurrency(1));
        submit("a");
        next();
        assertThat(refusalOf(request("b").ttl(Duration.ZERO).build(), "no member of group:pool=a has a free place"))
                .isEqualTo(Code.TARGET_BUSY);
        CommandHandle waiting = submit("c");
        CancelResult cancelled =
                server.manager.cancel(waiting.id()).get(30, TimeUnit.SECONDS).orElseThrow();
        assertThat(cancelled.outcome()).isEqualTo(CancelResult.Outcome.CANCELLED_BEFORE_START);
        assertThat(server.groups.waiting()).isZero();
        CommandRecord tooLate =
                ended(server.submit(request("d").ttl(Duration.ofMillis(200)).build()));
        assertThat(tooLate.reason()).isEqualTo(Reason.QUEUE_TIMEOUT);
        assertThat(server.groups.waiting()).isZero();
    }

    @Test
    void whatManyWaitForIsLookedForOnce() throws Exception {
        start("printer", agent -> agent.capabilities(List.of("print")));
        start("scanner", agent -> agent.capabilities(List.of("scan")).concurrency(1));
        for (int i = 0; i < 300; i++) {
            submit("scan");
        }
        assertThat(next()).isEqualTo("scanner/scan");
        assertThat(server.groups.waiting()).isEqualTo(299);
        long before = server.looks.get();
        submit("print");
        assertThat(next()).isEqualTo("printer/print");
        assertThat(server.looks.get() - before).isLessThan(100);
    }

    @Test
    void whatRanOnAMemberThatForgotItIsLostAndNotRunAgain() throws Exception {
        AgentRuntime one = start("one", agent -> agent);
        CommandHandle handle = submit("a");
        assertThat(next()).isEqualTo("one/a");
        awaitStatus(handle, CommandStatus.EXECUTING);
        start("two", agent -> agent);
        one.close();
        server.awaitGone("one");
        start("one", agent -> agent);
        assertThat(ended(handle).reason()).isEqualTo(Reason.LOST);
        assertThat(begun).isEmpty();
    }

    @Test
    void aQueueBeforeAGroupTakesOutOnlyWhatAMemberWithAPlaceCanExecute() throws Exception {
        CommandHandle scan =
                server.submit(CommandRequest.toQueue(Server.POOL, "scan").build());
        CommandHandle print =
                server.submit(CommandRequest.toQueue(Server.POOL, "print").build());
        CommandHandle more =
                server.submit(CommandRequest.toQueue(Server.POOL, "print").build());
        start("printer", agent -> agent.capabilities(List.of("print")).concurrency(1));
        assertThat(next()).isEqualTo("printer/print");
        assertThat(print.record().assignedTo()).isEqualTo("agent:printer");
        assertThat(more.record().sentAt()).isNull();
        assertThat(scan.record().sentAt()).isNull();
        mayEnd.release();
        assertThat(next()).isEqualTo("printer/print");
        assertThat(ended(print).status()).isEqualTo(CommandStatus.COMPLETED);
        start("scanner", agent -> agent.capabilities(List.of("scan")));
        assertThat(next()).isEqualTo("scanner/scan");
        mayEnd.release(2);
        assertThat(ended(scan).status()).isEqualTo(CommandStatus.COMPLETED);
        assertThat(ended(more).assignedTo()).isEqualTo("agent:printer");
    }
}
