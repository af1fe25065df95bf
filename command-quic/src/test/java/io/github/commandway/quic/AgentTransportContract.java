package io.github.commandway.quic;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.github.commandway.directory.AgentAwayException;
import io.github.commandway.directory.AgentInfo;
import io.github.commandway.directory.AgentListener;
import io.github.commandway.directory.AgentMessage;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CancelResult;
import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRejectedException;
import io.github.commandway.manager.CommandRejectedException.Code;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.RecordId;
import io.github.commandway.quic.wire.Accepted;
import io.github.commandway.quic.wire.Command;
import io.github.commandway.quic.wire.Envelope;
import io.github.commandway.quic.wire.Envelope.MessageCase;
import io.github.commandway.quic.wire.Goaway;
import io.github.commandway.quic.wire.Holding.State;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What holds on every transport. */
abstract class AgentTransportContract {
    private final Transport transport;
    private final AtomicLong skippedNanos = new AtomicLong();
    private TransportThreads threads;
    private TestServer server;

    AgentTransportContract(Transport transport) {
        this.transport = transport;
    }

    @BeforeEach
    void start(@TempDir Path directory) throws Exception {
        threads = new TransportThreads(1);
        server = new TestServer(
                directory,
                builder -> builder.time(java.time.Clock.systemUTC(), () -> System.nanoTime() + skippedNanos.get())
                        .maxPerAgent(10, 8 << 20)
                        .maxPayload(6 << 20));
    }

    @AfterEach
    void stop() {
        server.close();
        threads.close();
    }

    private RawAgent raw(String agentId) throws Exception {
        return RawAgent.connect(threads, server.address, transport, RawAgent.tls(server.identity(agentId)));
    }

    private CommandHandle submit(String type) {
        return server.submit(CommandRequest.toAgent("a1", type).timeout(Duration.ofMinutes(1)));
    }

    private void awaitAway(String agentId) {
        await().atMost(TestServer.PATIENCE)
                .until(() -> server.server
                        .find(agentId)
                        .map(info -> !info.connected())
                        .orElse(false));
    }

    @Test
    void commandReachesTheAgentAndItsResultComesBack() {
        TestAgent agent = server.connect(TestAgent.echoing(), "a1", transport);

        CommandRecord record = server.ended(server.submit(CommandRequest.toAgent("a1", "echo")
                .payload(TestAgent.bytes("hello"))
                .principal("ann")
                .traceParent("00-1")));

        assertThat(record.status()).isEqualTo(CommandStatus.COMPLETED);
        assertThat(record.reason()).isEqualTo(Reason.OK);
        assertThat(record.result()).asString().isEqualTo("hello");
        Assignment assignment = agent.assigned.get(0);
        assertThat(assignment.id()).isEqualTo(record.id());
        assertThat(assignment.type()).isEqualTo("echo");
        assertThat(assignment.principal()).isEqualTo("ann");
        assertThat(assignment.traceParent()).isEqualTo("00-1");
        assertThat(assignment.attempt()).isEqualTo(1);
        await().atMost(TestServer.PATIENCE).until(() -> agent.acknowledged.contains(record.id()));
    }

    @Test
    void capabilitiesThatChangeBetweenHelloAndWelcomeAreSaid() {
        TestAgent agent = TestAgent.echoing();
        agent.beforeHello = () -> agent.link().capabilities(List.of("scan"));

        server.connect(agent, "a1", transport);

        await().atMost(TestServer.PATIENCE)
                .until(() ->
                        server.server.find("a1").orElseThrow().capabilities().equals(List.of("scan")));
    }

    @Test
    void executorFailureIsTheRecordsFailure() {
        server.connect(
                new TestAgent((agent, assignment) -> {
                    throw new IllegalStateException("no paper");
                }),
                "a1",
                transport);

        CommandRecord record = server.ended(submit("print"));

        assertThat(record.status()).isEqualTo(CommandStatus.FAILED);
        assertThat(record.reason()).isEqualTo(Reason.EXECUTOR_ERROR);
        assertThat(record.message()).isEqualTo("no paper");
    }

    @Test
    void longPayloadAndResultArriveWhole() {
        TestAgent agent = server.connect(TestAgent.echoing(), "a1", transport);
        byte[] payload = new byte[5 << 20];
        new Random(1).nextBytes(payload);

        CommandRecord record =
                server.ended(server.submit(CommandRequest.toAgent("a1", "echo").payload(payload)));

        assertThat(record.status()).as(record.toString()).isEqualTo(CommandStatus.COMPLETED);
        assertThat(record.result()).isEqualTo(payload);
        assertThat(agent.assigned).hasSize(1);
    }

    @Test
    void severalLongResultsTogetherExceedingTheLimitAllArrive() {
        byte[] result = new byte[4 << 20];
        new Random(2).nextBytes(result);
        server.connect(new TestAgent((agent, assignment) -> result), "a1", transport);

        List<CommandHandle> handles =
                IntStream.range(0, 6).mapToObj(i -> submit("dump")).toList();

        assertThat(handles)
                .allSatisfy(handle -> assertThat(server.ended(handle).result()).isEqualTo(result));
    }

    @Test
    void resultAboveTheLimitFailsAsTooLarge() {
        server.connect(new TestAgent((agent, assignment) -> new byte[(6 << 20) + 1]), "a1", transport);

        assertThat(server.ended(submit("dump")).reason()).isEqualTo(Reason.PAYLOAD_TOO_LARGE);
    }

    @Test
    void outputArrivesInOrderAndBeforeTheResult() {
        StringBuilder expected = new StringBuilder();
        IntStream.range(0, 3_000)
                .forEach(i -> expected.append("line ").append(i).append(" of the output\n"));
        byte[] all = expected.toString().getBytes(StandardCharsets.UTF_8);
        server.connect(
                new TestAgent((agent, assignment) -> {
                    for (int from = 0; from < all.length; from += 100) {
                        byte[] piece = java.util.Arrays.copyOfRange(all, from, Math.min(all.length, from + 100));
                        agent.link()
                                .output(assignment, "stdout", piece)
                                .toCompletableFuture()
                                .get();
                    }
                    agent.link()
                            .output(assignment, "stdout", new byte[200_000])
                            .toCompletableFuture()
                            .get();
                    return TestAgent.bytes("done");
                }),
                "a1",
                transport);

        CommandRecord record = server.ended(submit("tail"));

        assertThat(record.status()).isEqualTo(CommandStatus.COMPLETED);
        ByteArrayOutputStream output = new ByteArrayOutputStream();
        List<CommandEvent> events =
                server.manager.events(record.id(), 0, 100_000).join();
        for (CommandEvent event : events) {
            if (event.type() == CommandEvent.Type.OUTPUT) {
                output.writeBytes(event.data());
            }
        }
        assertThat(output.size()).isEqualTo(all.length + 200_000);
        assertThat(output.toString(StandardCharsets.UTF_8)).startsWith(expected.toString());
        assertThat(events).noneMatch(event -> event.type() == CommandEvent.Type.PROGRESS);
    }

    @Test
    void progressAndStartAreSeenWhileTheCommandRuns() throws Exception {
        CountDownLatch mayEnd = new CountDownLatch(1);
        server.connect(
                new TestAgent((agent, assignment) -> {
                    agent.link().progress(assignment, 0.5, "half");
                    mayEnd.await();
                    return assignment.payload();
                }),
                "a1",
                transport);

        CommandHandle handle = submit("slow");

        await().atMost(TestServer.PATIENCE)
                .until(() -> server.manager.events(handle.id(), 0, 100).join().stream()
                        .anyMatch(event -> event.type() == CommandEvent.Type.PROGRESS && event.fraction() == 0.5));
        assertThat(handle.record().status()).isEqualTo(CommandStatus.EXECUTING);
        mayEnd.countDown();
        assertThat(server.ended(handle).status()).isEqualTo(CommandStatus.COMPLETED);
    }

    @Test
    void startIsReportedWithoutProgressOrOutput() {
        CountDownLatch mayEnd = new CountDownLatch(1);
        server.connect(
                new TestAgent((agent, assignment) -> {
                    mayEnd.await();
                    return assignment.payload();
                }),
                "a1",
                transport);

        CommandHandle handle = submit("slow");

        await().atMost(TestServer.PATIENCE).until(() -> handle.record().status() == CommandStatus.EXECUTING);
        mayEnd.countDown();
        server.ended(handle);
    }

    @Test
    void cancelStopsTheExecutor() throws Exception {
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch stopped = new CountDownLatch(1);
        server.connect(
                new TestAgent((agent, assignment) -> {
                    begun.countDown();
                    try {
                        new CountDownLatch(1).await();
                        return assignment.payload();
                    } finally {
                        stopped.countDown();
                    }
                }),
                "a1",
                transport);
        CommandHandle handle = submit("sleep");
        assertThat(begun.await(30, TimeUnit.SECONDS)).isTrue();

        CancelResult result =
                server.manager.cancel(handle.id()).get(30, TimeUnit.SECONDS).orElseThrow();

        assertThat(result.outcome()).isEqualTo(CancelResult.Outcome.CANCELLED_WHILE_RUNNING);
        assertThat(stopped.getCount()).isZero();
    }

    @Test
    void deadlineEndsTheCommandAndTellsTheAgent() {
        TestAgent agent = server.connect(
                new TestAgent((self, assignment) -> {
                    new CountDownLatch(1).await();
                    return assignment.payload();
                }),
                "a1",
                transport);

        CommandRecord record =
                server.ended(server.submit(CommandRequest.toAgent("a1", "sleep").timeout(Duration.ofMillis(300))));

        assertThat(record.status()).isEqualTo(CommandStatus.TIMEOUT);
        assertThat(record.reason()).isEqualTo(Reason.EXECUTION_TIMEOUT);
        await().atMost(TestServer.PATIENCE).until(() -> agent.cancelled.contains(record.id()));
        // what the agent reports afterwards is taken off its hands
        await().atMost(TestServer.PATIENCE).until(() -> agent.acknowledged.contains(record.id()));
    }

    @Test
    void messagesGoBothWaysWithReceipts() throws Exception {
        List<AgentMessage> atServer = new CopyOnWriteArrayList<>();
        server.server.addListener(new AgentListener() {
            @Override
            public void onMessage(String agentId, AgentMessage message) {
                atServer.add(message);
            }
        });
        TestAgent agent = server.connect(TestAgent.echoing(), "a1", transport);

        server.server
                .send("a1", new AgentMessage("m1", "note", TestAgent.bytes("x")), true)
                .get(30, TimeUnit.SECONDS);
        agent.link()
                .send(new AgentMessage("m2", "report.status", TestAgent.bytes("{}")))
                .get(30, TimeUnit.SECONDS);

        assertThat(agent.messages).extracting(AgentMessage::id).containsExactly("m1");
        assertThat(atServer).extracting(AgentMessage::id).containsExactly("m2");
        assertThat(server.server.find("a1").orElseThrow().status()).asString().isEqualTo("{}");
        assertThatThrownBy(() -> server.server
                        .send("nobody", new AgentMessage("m3", "note", new byte[0]), true)
                        .get(30, TimeUnit.SECONDS))
                .hasCauseInstanceOf(AgentAwayException.class);
    }

    @Test
    void directoryShowsWhatTheAgentSays() {
        TestAgent agent = TestAgent.echoing();
        agent.start(server.link(agent, "a2", transport)
                .version("1.2")
                .labels(Map.of("zone", "east"))
                .capabilities(List.of("echo")));
        server.connect(TestAgent.echoing(), "a1", transport);
        await().atMost(TestServer.PATIENCE).until(() -> server.server.connectedCount() == 2);

        AgentInfo info = server.server.find("a2").orElseThrow();

        assertThat(info.connected()).isTrue();
        assertThat(info.version()).isEqualTo("1.2");
        assertThat(info.labels()).containsEntry("zone", "east");
        assertThat(info.capabilities()).containsExactly("echo");
        assertThat(info.transport()).isEqualToIgnoringCase(transport.name());
        assertThat(info.remoteAddress()).startsWith("127.0.0.1:");
        assertThat(server.server.list(null, null, 10)).extracting(AgentInfo::id).containsExactly("a1", "a2");
        assertThat(server.server.list(true, "a1", 10)).extracting(AgentInfo::id).containsExactly("a2");
        agent.close();
        awaitAway("a2");
        assertThat(server.server.list(false, null, 10))
                .extracting(AgentInfo::id)
                .containsExactly("a2");
        assertThat(server.server.connectedCount()).isEqualTo(1);
        assertThat(server.server.find("a2").orElseThrow().disconnectReason()).isNotBlank();
    }

    @Test
    void newSessionTakesOverAndTheOldOneIsRefused() throws Exception {
        RawAgent old = raw("a1").hello();
        CommandHandle handle = submit("print");
        Command command = old.command(1);

        RawAgent next = raw("a1").hello();
        old.finish(command, "by the old one");

        assertThat(old.next(MessageCase.GOAWAY, 1).getGoaway().getCause()).isEqualTo(Goaway.Cause.TAKEN_OVER);
        assertThat(next.received.get(0).getWelcome().getEpoch())
                .isGreaterThan(old.received.get(0).getWelcome().getEpoch());
        // it had not begun, so it is sent to the new session
        Command again = next.command(1);
        assertThat(again.getId()).isEqualTo(command.getId());
        old.close("done");
        old.awaitEnd();
        assertThat(server.server.find("a1").orElseThrow().connected()).isTrue();
        assertThat(server.server.connectedCount()).isEqualTo(1);
        next.finish(again, "by the new one");
        assertThat(server.ended(handle).result()).asString().isEqualTo("by the new one");
        assertThat(old.ofKind(MessageCase.RESULT_ACK)).isEmpty();
        assertThat(server.server.stats().takeovers()).isEqualTo(1);
    }

    @Test
    void whatTheAgentStillHasIsNotSentAgain() throws Exception {
        RawAgent first = raw("a1").hello();
        CommandHandle handle = submit("print");
        Command command = first.command(1);
        first.close("lost");
        awaitAway("a1");

        RawAgent second = raw("a1").hello(RawAgent.holding(command, State.RUNNING));

        await().atMost(TestServer.PATIENCE).until(() -> handle.record().status() == CommandStatus.EXECUTING);
        second.finish(command, "kept");
        assertThat(server.ended(handle).result()).asString().isEqualTo("kept");
        assertThat(second.ofKind(MessageCase.COMMAND)).isEmpty();
        assertThat(second.next(MessageCase.RESULT_ACK, 1).getResultAck().getIdsList())
                .containsExactly(command.getId());
    }

    @Test
    void whatTheAgentHasLostBeforeItBeganIsSentAgain() throws Exception {
        RawAgent first = raw("a1").hello();
        CommandHandle handle = submit("print");
        Command command = first.command(1);
        first.close("lost");
        awaitAway("a1");

        RawAgent second = raw("a1").hello();

        Command again = second.command(1);
        assertThat(again.getId()).isEqualTo(command.getId());
        second.finish(again, "second try");
        assertThat(server.ended(handle).result()).asString().isEqualTo("second try");
    }

    @Test
    void whatTheAgentHadBegunAndHasLostEndsAsLost() throws Exception {
        RawAgent first = raw("a1").hello();
        CommandHandle handle = submit("print");
        Command command = first.command(1);
        first.say(Envelope.newBuilder().setAccepted(Accepted.newBuilder().setTag(command.getTag())));
        await().atMost(TestServer.PATIENCE).until(() -> handle.record().status() == CommandStatus.EXECUTING);
        first.close("lost");
        awaitAway("a1");

        RawAgent second = raw("a1").hello();

        CommandRecord record = server.ended(handle);
        assertThat(record.status()).isEqualTo(CommandStatus.FAILED);
        assertThat(record.reason()).isEqualTo(Reason.LOST);
        assertThat(second.ofKind(MessageCase.COMMAND)).isEmpty();
    }

    @Test
    void whatOnlyTheAgentKnowsIsCancelledAndItsOutcomeTaken() throws Exception {
        RecordId unknown = RecordId.ofUuid(1, 2);

        RawAgent agent = raw("a1").hello(RawAgent.holding(unknown, State.RUNNING));

        assertThat(agent.next(MessageCase.CANCEL, 1).getCancel().getId()).isEqualTo(Wire.fromRecordId(unknown));
        agent.finish(
                Command.newBuilder()
                        .setId(Wire.fromRecordId(unknown))
                        .setTag(77)
                        .build(),
                "late");
        assertThat(agent.next(MessageCase.RESULT_ACK, 1).getResultAck().getIdsList())
                .containsExactly(Wire.fromRecordId(unknown));
        assertThat(server.server.stats().unknownResults()).isEqualTo(1);
    }

    @Test
    void resultWithAnotherCommandsTagDoesNotEndThatCommand() throws Exception {
        RawAgent agent = raw("a1").hello();
        CommandHandle handle = submit("print");
        Command command = agent.command(1);

        agent.finish(
                command.toBuilder()
                        .setId(Wire.fromRecordId(RecordId.ofUuid(1, 2)))
                        .build(),
                "of an earlier server");

        agent.next(MessageCase.RESULT_ACK, 1);
        assertThat(handle.record().status().isTerminal()).isFalse();
        agent.finish(command.toBuilder().setTag(0).build(), "found by its id");
        assertThat(server.ended(handle).result()).asString().isEqualTo("found by its id");
    }

    @Test
    void commandWaitsForAnAgentThatIsAway() throws Exception {
        raw("a1").hello().close("gone");
        awaitAway("a1");

        CommandHandle handle = submit("print");

        assertThat(handle.record().status()).isEqualTo(CommandStatus.PENDING);
        assertThat(server.server.find("a1").orElseThrow().waiting()).isEqualTo(1);
        server.connect(TestAgent.echoing(), "a1", transport);
        assertThat(server.ended(handle).status()).isEqualTo(CommandStatus.COMPLETED);
    }

    @Test
    void deadlineOfASentCommandWhileTheAgentIsAwayIsUnreachable() throws Exception {
        RawAgent agent = raw("a1").hello();
        CommandHandle handle =
                server.submit(CommandRequest.toAgent("a1", "print").timeout(Duration.ofSeconds(1)));
        agent.command(1);
        agent.close("lost");

        CommandRecord record = server.ended(handle);

        assertThat(record.reason()).isEqualTo(Reason.AGENT_UNREACHABLE);
        assertThat(record.message()).contains("away since");
    }

    @Test
    void cancelWhileTheAgentIsAwayReachesItWhenItComesBack() throws Exception {
        RawAgent first = raw("a1").hello();
        CommandHandle handle = submit("print");
        Command command = first.command(1);
        first.close("lost");
        awaitAway("a1");
        server.manager.cancel(handle.id());
        assertThat(handle.record().status().isTerminal()).isFalse();

        RawAgent second = raw("a1").hello(RawAgent.holding(command, State.WAITING));

        assertThat(second.next(MessageCase.CANCEL, 1).getCancel().getId()).isEqualTo(command.getId());
        second.close("lost again");
        awaitAway("a1");
        raw("a1").hello();
        assertThat(server.ended(handle).reason()).isEqualTo(Reason.CANCELLED_BEFORE_START);
    }

    @Test
    void refusalsNameWhatIsWrong() throws Exception {
        assertThat(refusal(CommandRequest.toAgent("nobody", "print"))).isEqualTo(Code.TARGET_UNKNOWN);
        RawAgent agent = raw("a1").hello();
        assertThat(refusal(CommandRequest.toAgent("a1", "print").payload(new byte[(6 << 20) + 1])))
                .isEqualTo(Code.PAYLOAD_TOO_LARGE);
        for (int i = 0; i < 10; i++) {
            submit("print");
        }
        assertThat(refusal(CommandRequest.toAgent("a1", "print"))).isEqualTo(Code.TARGET_BUSY);
        agent.finish(agent.command(1), "room again");
        agent.next(MessageCase.RESULT_ACK, 1);
        CommandHandle handle = submit("print");
        assertThat(server.server.find("a1").orElseThrow().inFlight()).isEqualTo(10);
        agent.close("gone");
        awaitAway("a1");
        server.manager.cancel(handle.id());
        raw("a2").hello().close("gone");
        awaitAway("a2");
        assertThat(refusal(CommandRequest.toAgent("a2", "print").ttl(Duration.ZERO)))
                .isEqualTo(Code.TARGET_AWAY);
    }

    private Code refusal(CommandRequest.Builder request) {
        CommandRejectedException[] refusal = new CommandRejectedException[1];
        assertThatThrownBy(() -> server.manager.submit(request.build()).get(30, TimeUnit.SECONDS))
                .hasCauseInstanceOf(CommandRejectedException.class)
                .satisfies(error -> refusal[0] = (CommandRejectedException) error.getCause());
        return refusal[0].code();
    }

    @Test
    void agentGetsNoMoreThanItAnnounced() throws Exception {
        RawAgent agent = raw("a1");
        agent.say(Envelope.newBuilder()
                .setHello(io.github.commandway.quic.wire.Hello.newBuilder()
                        .setMaxCommands(2)
                        .setMaxBytes(1 << 20)));
        agent.next(MessageCase.WELCOME, 1);

        List<CommandHandle> handles =
                IntStream.range(0, 3).mapToObj(i -> submit("print")).toList();

        agent.command(2);
        AgentInfo info = server.server.find("a1").orElseThrow();
        assertThat(info.inFlight()).isEqualTo(2);
        assertThat(info.waiting()).isEqualTo(1);
        agent.finish(agent.command(1), "one");
        agent.finish(agent.command(3), "three");
        agent.finish(agent.command(2), "two");
        assertThat(handles)
                .allSatisfy(handle -> assertThat(server.ended(handle).status()).isEqualTo(CommandStatus.COMPLETED));
    }

    @Test
    void silentAgentLosesItsSessionAfterThreeHeartbeats() throws Exception {
        RawAgent agent = raw("a1").hello();

        skippedNanos.addAndGet(TimeUnit.SECONDS.toNanos(11));
        agent.next(MessageCase.PING, 1);
        assertThat(server.server.find("a1").orElseThrow().connected()).isTrue();
        skippedNanos.addAndGet(TimeUnit.SECONDS.toNanos(20));

        awaitAway("a1");
        assertThat(server.server.find("a1").orElseThrow().disconnectReason()).contains("3 heartbeats");
        agent.awaitEnd();
    }

    @Test
    void connectionWithoutAHelloIsClosed() throws Exception {
        RawAgent agent = raw("a1");

        skippedNanos.addAndGet(TimeUnit.SECONDS.toNanos(6));

        agent.awaitEnd();
        assertThat(server.server.knownCount()).isZero();
    }

    @Test
    void agentEndsASilentSessionAndConnectsAgain() {
        AtomicLong skipped = new AtomicLong();
        TestAgent agent = TestAgent.echoing();
        agent.start(server.link(agent, "a1", transport)
                .time(java.time.Clock.systemUTC(), () -> System.nanoTime() + skipped.get()));
        await().atMost(TestServer.PATIENCE).until(() -> agent.link().isConnected());

        skipped.addAndGet(TimeUnit.SECONDS.toNanos(31));

        await().atMost(TestServer.PATIENCE).until(() -> agent.connections.size() == 2);
        assertThat(agent.disconnections.get(0)).contains("3 heartbeats");
        agent.close();
    }

    @Test
    void goodbyeOfTheServerEndsTheSession() {
        TestAgent agent = server.connect(TestAgent.echoing(), "a1", transport);
        server.server.shutdown(Duration.ofMinutes(1));

        await().atMost(TestServer.PATIENCE).until(() -> !agent.disconnections.isEmpty());

        assertThat(agent.disconnections.get(0)).contains("the server is shutting down");
    }

    @Test
    void shutdownOfTheAgentIsSeenAtOnce() {
        TestAgent agent = server.connect(TestAgent.echoing(), "a1", transport);

        agent.link().shutdown(Duration.ofSeconds(10));

        awaitAway("a1");
        assertThat(server.server.find("a1").orElseThrow().disconnectReason()).contains("shutting down");
    }

    @Test
    void brokenProtocolEndsTheConnection() throws Exception {
        RawAgent agent = raw("a1");
        agent.say(Envelope.newBuilder().setAccepted(Accepted.newBuilder().setTag(1)));

        agent.awaitEnd();
        assertThat(server.server.stats().protocolErrors()).isEqualTo(1);
    }

    @Test
    void longestGoneIdleAgentIsForgottenForANewOne(@TempDir Path directory) throws Exception {
        try (TestServer small = new TestServer(directory, builder -> builder.maxAgents(2))) {
            for (String id : List.of("b1", "b2", "b3")) {
                RawAgent.connect(threads, small.address, transport, RawAgent.tls(small.identity(id)))
                        .hello()
                        .close("gone");
                await().atMost(TestServer.PATIENCE)
                        .until(() -> small.server
                                .find(id)
                                .map(info -> !info.connected())
                                .orElse(false));
            }

            assertThat(small.server.list(null, null, 10))
                    .extracting(AgentInfo::id)
                    .containsExactly("b2", "b3");
        }
    }
}
