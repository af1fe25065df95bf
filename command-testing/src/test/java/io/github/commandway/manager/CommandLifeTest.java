package io.github.commandway.manager;

import static io.github.commandway.manager.CommandStatus.CANCELLED;
import static io.github.commandway.manager.CommandStatus.COMPLETED;
import static io.github.commandway.manager.CommandStatus.EXECUTING;
import static io.github.commandway.manager.CommandStatus.FAILED;
import static io.github.commandway.manager.CommandStatus.PENDING;
import static io.github.commandway.manager.CommandStatus.TIMEOUT;
import static io.github.commandway.manager.ManagerFixture.bytes;
import static io.github.commandway.manager.ManagerFixture.toDirect;
import static io.github.commandway.manager.ManagerFixture.toQueue;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.CommandIds;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.ManagerFixture.Call;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiConsumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What can become of one command: the states, the reasons, the clocks, and requests to cancel. */
class CommandLifeTest {
    private static final Duration TTL = Duration.ofSeconds(5);
    private static final Duration TIMEOUT_TIME = Duration.ofSeconds(20);

    private record Move(CommandStatus from, CommandStatus to) {}

    /** Every way in which a command can move, as a script against one that was just submitted and keeps waiting. */
    @SuppressWarnings("ImmutableEnumChecker") // the scripts keep nothing
    private enum Way {
        BEGIN(EXECUTING, null, (fixture, call) -> {
            call.handOver();
            call.started();
        }),
        COMPLETE(COMPLETED, Reason.OK, (fixture, call) -> {
            call.handOver();
            call.started();
            call.succeed("done");
        }),
        FAIL_WHILE_RUNNING(FAILED, Reason.EXECUTOR_ERROR, (fixture, call) -> {
            call.handOver();
            call.started();
            call.fail(new IllegalStateException("broken"));
        }),
        TIME_OUT_WHILE_RUNNING(TIMEOUT, Reason.EXECUTION_TIMEOUT, (fixture, call) -> {
            call.handOver();
            call.started();
            fixture.advancePast(TIMEOUT_TIME);
        }),
        CANCEL_WHILE_RUNNING(CANCELLED, Reason.CANCELLED_WHILE_RUNNING, (fixture, call) -> {
            call.handOver();
            call.started();
            call.context()
                    .onCancel(cause -> call.fail(new CommandException(Reason.CANCELLED_WHILE_RUNNING, "stopped")));
            fixture.manager.cancel(call.command().id());
        }),
        FAIL_BEFORE_START(FAILED, Reason.REJECTED_BY_AGENT, (fixture, call) -> {
            call.handOver();
            call.fail(new CommandException(Reason.REJECTED_BY_AGENT, "too busy"));
        }),
        TIME_OUT_WHILE_WAITING(TIMEOUT, Reason.QUEUE_TIMEOUT, (fixture, call) -> fixture.advancePast(TTL)),
        TIME_OUT_AFTER_HAND_OVER(TIMEOUT, Reason.EXECUTION_TIMEOUT, (fixture, call) -> {
            call.handOver();
            fixture.advancePast(TIMEOUT_TIME);
        }),
        CANCEL_WHILE_WAITING(
                CANCELLED,
                Reason.CANCELLED_BEFORE_START,
                (fixture, call) -> fixture.manager.cancel(call.command().id())),
        SHUT_DOWN_WHILE_WAITING(CANCELLED, Reason.SHUTDOWN, (fixture, call) -> fixture.manager.shutdownNow()),
        SHUT_DOWN_WHILE_RUNNING(FAILED, Reason.SHUTDOWN, (fixture, call) -> {
            call.handOver();
            call.started();
            fixture.manager.shutdownNow();
        });

        final CommandStatus end;
        final Reason reason;
        final BiConsumer<ManagerFixture, Call> script;

        Way(CommandStatus end, Reason reason, BiConsumer<ManagerFixture, Call> script) {
            this.end = end;
            this.reason = reason;
            this.script = script;
        }
    }

    /** Goes one way and returns the moves that the command made, as its events tell them. */
    private static Set<Move> go(Way way) {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle handle =
                    fixture.submit(toQueue().ttl(TTL).timeout(TIMEOUT_TIME).payload(bytes("x")));
            way.script.accept(fixture, fixture.waiting.last());

            CommandRecord record = fixture.find(handle);
            assertThat(record.status()).as("%s", way).isEqualTo(way.end);
            assertThat(record.reason()).as("%s", way).isEqualTo(way.reason);
            assertThat(record.endedAt() != null).as("%s", way).isEqualTo(way.end.isTerminal());
            assertThat(record.result() != null).as("%s", way).isEqualTo(way.end == COMPLETED);

            Set<Move> moves = movesOf(fixture.eventsOf(handle));
            assertThat(moves).as("%s", way).map(Move::to).last().isEqualTo(way.end);
            return moves;
        }
    }

    /** Fails once in a queue, having begun or not, and is completed by the second attempt. */
    private static Set<Move> goTwice(boolean begun) {
        ManagerFixture.WaitingHandler queue = new ManagerFixture.WaitingHandler();
        try (ManagerFixture fixture = new ManagerFixture(
                builder -> builder, registry -> registry.register("queue", CommandIds.QUEUE_EXECUTE, queue))) {
            CommandHandle handle = fixture.submit(
                    CommandRequest.toQueue("q", "twice").retry(new RetryPolicy(2, Duration.ZERO, Duration.ZERO, 0)));
            claim(fixture, begun).fail(new CommandException(Reason.REJECTED_BY_AGENT, "too busy"));
            claim(fixture, begun).succeed(null);
            assertThat(fixture.find(handle).status()).isEqualTo(COMPLETED);
            return movesOf(fixture.eventsOf(handle));
        }
    }

    private static Call claim(ManagerFixture fixture, boolean begun) {
        QueueClaim.Claimed claimed =
                fixture.manager.claim("q", 1, 1, begun, null).join().commands().get(0);
        return new Call(claimed.context(), claimed.command(), claimed.tag(), fixture.manager);
    }

    private static Set<Move> movesOf(List<CommandEvent.Type> events) {
        Set<Move> moves = new LinkedHashSet<>();
        CommandStatus at = PENDING;
        for (CommandEvent.Type type : events) {
            CommandStatus next = type == CommandEvent.Type.RETRYING
                    ? PENDING
                    : CommandStatus.ofCode(type.code()).orElse(at);
            if (next != at || type == CommandEvent.Type.RETRYING) {
                moves.add(new Move(at, next));
                at = next;
            }
        }
        return moves;
    }

    @ParameterizedTest
    @EnumSource
    void endsAsItShould(Way way) {
        assertThat(go(way)).allMatch(move -> move.from.canMoveTo(move.to));
    }

    @Test
    void everyMoveOfTheTableIsMadeByOneOfTheWays() {
        Set<Move> made = new LinkedHashSet<>();
        for (Way way : Way.values()) {
            made.addAll(go(way));
        }
        made.addAll(goTwice(true));
        made.addAll(goTwice(false));
        Set<Move> table = new LinkedHashSet<>();
        for (CommandStatus from : CommandStatus.values()) {
            for (CommandStatus to : CommandStatus.values()) {
                if (from.canMoveTo(to)) {
                    table.add(new Move(from, to));
                }
            }
        }
        assertThat(made).containsExactlyInAnyOrderElementsOf(table);
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "OK")
    void keepsTheReasonThatTheHandlerGives(Reason reason) {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle handle = fixture.submit(toDirect());
            fixture.direct.last().fail(new CommandException(reason, "because"));
            CommandRecord record = fixture.find(handle);
            assertThat(record.reason()).isEqualTo(reason);
            assertThat(record.message()).isEqualTo("because");
            assertThat(record.status()).isNotEqualTo(COMPLETED).matches(CommandStatus::isTerminal);
        }
    }

    @Test
    void aDirectHandlerIsHandedTheCommandAtOnce() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle handle = fixture.submit(toDirect().principal("alice").traceParent("00-trace"));
            assertThat(handle.record().status()).isEqualTo(EXECUTING);
            Call call = fixture.direct.last();
            assertThat(call.command().id()).isEqualTo(handle.id());
            assertThat(call.command().commandId()).isEqualTo(ManagerFixture.DIRECT);
            assertThat(call.command().attempt()).isEqualTo(1);
            assertThat(call.context().principal()).isEqualTo("alice");
            assertThat(call.context().traceParent()).isEqualTo("00-trace");
            assertThat(call.context().isCancelled()).isFalse();
            assertThat(fixture.eventsOf(handle))
                    .containsExactly(CommandEvent.Type.PENDING, CommandEvent.Type.SENT, CommandEvent.Type.EXECUTING);
        }
    }

    @Test
    void countsAsBegunWhenItsResultComesWithoutAWordBefore() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle handle = fixture.submit(toQueue());
            fixture.waiting.last().succeed(null);
            assertThat(fixture.eventsOf(handle))
                    .containsExactly(
                            CommandEvent.Type.PENDING,
                            CommandEvent.Type.SENT,
                            CommandEvent.Type.EXECUTING,
                            CommandEvent.Type.COMPLETED);
            assertThat(fixture.find(handle).sentAt()).isNotNull();
        }
    }

    @Test
    void countsAsHandedOverWhenItsStartComesWithoutAWordBefore() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle handle = fixture.submit(toQueue().ttl(TTL).timeout(TIMEOUT_TIME));
            fixture.waiting.last().started();
            assertThat(fixture.waiting.last().handOver()).isTrue();
            assertThat(fixture.eventsOf(handle))
                    .containsExactly(CommandEvent.Type.PENDING, CommandEvent.Type.SENT, CommandEvent.Type.EXECUTING);
            fixture.advancePast(TTL);
            assertThat(handle.record().status()).isEqualTo(EXECUTING);
        }
    }

    static Stream<Arguments> results() {
        return Stream.of(
                Arguments.of(null, bytes("")), Arguments.of(bytes("ab"), bytes("ab")), Arguments.of("ä", bytes("ä")));
    }

    @ParameterizedTest
    @MethodSource("results")
    void takesBytesTextAndNothingAsAResult(Object result, byte[] recorded) {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle handle = fixture.submit(toDirect());
            fixture.direct.last().succeed(result);
            assertThat(fixture.find(handle).result()).isEqualTo(recorded);
        }
    }

    @Test
    void doesNotCallAnythingElseAResult() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle handle = fixture.submit(toDirect());
            fixture.direct.last().succeed(42);
            assertThat(fixture.find(handle).status()).isEqualTo(FAILED);
            assertThat(fixture.find(handle).reason()).isEqualTo(Reason.EXECUTOR_ERROR);
            assertThat(fixture.find(handle).message()).contains("java.lang.Integer");
        }
    }

    @Test
    void failsWhenTheResultIsLargerThanAllowed() {
        try (ManagerFixture fixture = new ManagerFixture(builder -> builder.maxPayloadBytes(4))) {
            CommandHandle fits = fixture.submit(toDirect());
            fixture.direct.last().succeed("1234");
            CommandHandle tooLarge = fixture.submit(toDirect());
            fixture.direct.last().succeed("12345");
            assertThat(fixture.find(fits).status()).isEqualTo(COMPLETED);
            assertThat(fixture.find(tooLarge).reason()).isEqualTo(Reason.PAYLOAD_TOO_LARGE);
            assertThat(fixture.find(tooLarge).result()).isNull();
        }
    }

    @Test
    void failsWithWhatTheHandlerThrows() {
        for (Throwable thrown : List.of(
                new IllegalStateException("no"),
                new java.io.IOException("disk"),
                new AssertionError("bug"),
                new CommandException(Reason.UNKNOWN_COMMAND, "what?"),
                new RuntimeException())) {
            try (ManagerFixture fixture = withHandler(call -> sneakyThrow(thrown))) {
                CommandHandle handle = fixture.submit(toInline());
                CommandRecord record = fixture.find(handle);
                assertThat(record.status()).isEqualTo(FAILED);
                assertThat(record.message())
                        .isEqualTo(thrown.getMessage() == null ? "java.lang.RuntimeException" : thrown.getMessage());
                assertThat(record.reason())
                        .isEqualTo(
                                thrown instanceof CommandException failure ? failure.reason() : Reason.EXECUTOR_ERROR);
                assertThat(fixture.manager.stats().open()).isZero();
            }
        }
    }

    @Test
    void keepsTheInterruptOfAHandlerThatWasInterrupted() {
        try (ManagerFixture fixture = withHandler(call -> sneakyThrow(new InterruptedException("x")))) {
            fixture.submit(toInline());
            assertThat(Thread.interrupted()).isTrue();
        }
    }

    @Test
    void keepsTheFirstOutcomeOfAHandlerThatCompletesAndThenThrows() {
        try (ManagerFixture fixture = withHandler(call -> {
            call.succeed("first");
            throw new IllegalStateException("second");
        })) {
            CommandHandle handle = fixture.submit(toInline());
            assertThat(fixture.find(handle).status()).isEqualTo(COMPLETED);
            assertThat(fixture.manager.stats().dropped()).isEqualTo(1);
            assertThat(fixture.manager.stats().failed()).isZero();
        }
    }

    @Test
    void keepsTheFirstOutcomeOfAHandlerThatCompletesTwice() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle handle = fixture.submit(toDirect());
            fixture.direct.last().fail(new IllegalStateException("first"));
            fixture.direct.last().succeed("second");
            assertThat(fixture.find(handle).status()).isEqualTo(FAILED);
            assertThat(fixture.manager.stats().dropped()).isEqualTo(1);
            assertThat(fixture.eventsOf(handle))
                    .endsWith(CommandEvent.Type.FAILED)
                    .hasSize(4);
        }
    }

    @Test
    void aHandlerThatNeedsTimeToStopSaysWhatBecameOfACommandWhoseTimeIsOver() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            fixture.waiting.stopGrace = Duration.ofSeconds(3);
            CommandHandle handle = fixture.submit(toQueue().timeout(TIMEOUT_TIME));
            Call call = fixture.waiting.last();
            call.handOver();
            List<CancelCause> causes = call.causes();
            fixture.advancePast(TIMEOUT_TIME);
            assertThat(causes).containsExactly(CancelCause.DEADLINE);
            assertThat(fixture.find(handle).status().isTerminal()).isFalse();

            call.receiver()
                    .completeYield(
                            call.tag(),
                            bytes("half"),
                            new CommandException(Reason.EXECUTION_TIMEOUT, "it was stopped"));

            CommandRecord ended = fixture.find(handle);
            assertThat(ended.status()).isEqualTo(TIMEOUT);
            assertThat(ended.message()).isEqualTo("it was stopped");
            assertThat(ended.result()).isEqualTo(bytes("half"));
        }
    }

    @Test
    void aHandlerThatDoesNotStopInThatTimeIsNotWaitedForAnyLonger() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            fixture.waiting.stopGrace = Duration.ofSeconds(3);
            CommandHandle handle = fixture.submit(toQueue().timeout(TIMEOUT_TIME));
            fixture.waiting.last().handOver();
            fixture.advancePast(TIMEOUT_TIME);
            fixture.advancePast(Duration.ofSeconds(3));

            assertThat(fixture.find(handle).reason()).isEqualTo(Reason.EXECUTION_TIMEOUT);
        }
    }

    @Test
    void dropsAndCountsWhatComesAfterTheEnd() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle handle = fixture.submit(toDirect().timeout(TIMEOUT_TIME));
            Call call = fixture.direct.last();
            fixture.advancePast(TIMEOUT_TIME);
            CommandRecord ended = fixture.find(handle);
            assertThat(ended.reason()).isEqualTo(Reason.EXECUTION_TIMEOUT);

            call.succeed("late");
            call.started();
            call.receiver().progress(call.tag(), 1, "late");
            call.receiver().output(call.tag(), "stdout", bytes("late"));
            assertThat(call.handOver()).isFalse();
            assertThat(fixture.find(handle)).isEqualTo(ended);
            assertThat(fixture.manager.stats().dropped()).isEqualTo(5);
        }
    }

    @Test
    void ignoresTagsThatNobodyGaveOut() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle handle = fixture.submit(toDirect());
            long tag = fixture.direct.last().tag();
            for (long unknown : new long[] {0, -1, tag + 1, Long.MAX_VALUE, Long.MIN_VALUE}) {
                fixture.manager.completeYield(unknown, "x", null);
            }
            assertThat(handle.record().status()).isEqualTo(EXECUTING);
            assertThat(fixture.manager.stats().dropped()).isEqualTo(5);
        }
    }

    @Test
    void oneThatNeverCompletesEndsWithItsTimeout() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle handle = fixture.submit(toDirect().timeout(TIMEOUT_TIME));
            List<CancelCause> causes = fixture.direct.last().causes();
            fixture.advance(TIMEOUT_TIME.minusMillis(1));
            assertThat(handle.record().status()).isEqualTo(EXECUTING);
            fixture.advancePast(Duration.ofMillis(1));
            assertThat(handle.record().status()).isEqualTo(TIMEOUT);
            assertThat(fixture.direct.last().context().isCancelled()).isTrue();
            assertThat(causes).containsExactly(CancelCause.DEADLINE);
            assertThat(fixture.manager.stats().timedOut()).isEqualTo(1);
            assertThat(fixture.manager.stats().dropped()).isZero();
        }
    }

    @Test
    void theHandOverMovesTheDeadlineBack() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle handle =
                    fixture.submit(toQueue().ttl(Duration.ofSeconds(5)).timeout(Duration.ofSeconds(20)));
            Call call = fixture.waiting.last();
            assertThat(call.context().deadline())
                    .isEqualTo(fixture.time.clock().instant().plusSeconds(5));
            fixture.advance(Duration.ofSeconds(4));
            assertThat(call.handOver()).isTrue();
            assertThat(call.context().deadline())
                    .isEqualTo(fixture.time.clock().instant().plusSeconds(20));
            fixture.advance(Duration.ofMillis(19_999));
            assertThat(handle.record().status()).isEqualTo(PENDING);
            fixture.advancePast(Duration.ofMillis(1));
            assertThat(handle.record().reason()).isEqualTo(Reason.EXECUTION_TIMEOUT);
        }
    }

    @Test
    void theHandOverMovesTheDeadlineForward() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle handle =
                    fixture.submit(toQueue().ttl(Duration.ofDays(1)).timeout(Duration.ofSeconds(2)));
            fixture.advance(Duration.ofSeconds(1));
            fixture.waiting.last().handOver();
            fixture.advance(Duration.ofMillis(1_999));
            assertThat(handle.record().status()).isEqualTo(PENDING);
            fixture.advancePast(Duration.ofMillis(1));
            assertThat(handle.record().status()).isEqualTo(TIMEOUT);
        }
    }

    @Test
    void askingForTheHandOverAgainDoesNotBuyTime() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle handle = fixture.submit(toQueue().timeout(Duration.ofSeconds(2)));
            assertThat(fixture.waiting.last().handOver()).isTrue();
            fixture.advance(Duration.ofSeconds(1));
            assertThat(fixture.waiting.last().handOver()).isTrue();
            fixture.advancePast(Duration.ofSeconds(1));
            assertThat(handle.record().status()).isEqualTo(TIMEOUT);
            assertThat(fixture.eventsOf(handle)).containsOnlyOnce(CommandEvent.Type.SENT);
        }
    }

    @Test
    void aTtlOfZeroEndsWhatIsNotHandedOverAtOnce() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle waits = fixture.submit(toQueue().ttl(Duration.ZERO));
            CommandHandle runs = fixture.submit(toDirect().ttl(Duration.ZERO));
            fixture.advancePast(Duration.ZERO);
            assertThat(waits.record().reason()).isEqualTo(Reason.QUEUE_TIMEOUT);
            assertThat(runs.record().status()).isEqualTo(EXECUTING);
        }
    }

    @Test
    void aStepOfTheWallClockMovesNoDeadline() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle handle = fixture.submit(toDirect().timeout(TIMEOUT_TIME));
            fixture.time.stepWallClock(Duration.ofDays(-1));
            fixture.advance(TIMEOUT_TIME.minusMillis(1));
            fixture.time.stepWallClock(Duration.ofDays(3));
            assertThat(handle.record().status()).isEqualTo(EXECUTING);
            fixture.advancePast(Duration.ofMillis(1));
            assertThat(handle.record().status()).isEqualTo(TIMEOUT);
        }
    }

    @Test
    void theHandlerMayKnowBetterThanTimeoutWhatBecameOfIt() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle handle = fixture.submit(toDirect().timeout(TIMEOUT_TIME));
            Call call = fixture.direct.last();
            call.context().onCancel(cause -> call.fail(new CommandException(Reason.AGENT_UNREACHABLE, "it was away")));
            fixture.advancePast(TIMEOUT_TIME);
            assertThat(handle.record().reason()).isEqualTo(Reason.AGENT_UNREACHABLE);
            assertThat(handle.record().status()).isEqualTo(FAILED);
            assertThat(fixture.manager.stats().dropped()).isZero();
        }
    }

    @Test
    void cancelledBeforeTheHandOverItNeverRuns() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle handle = fixture.submit(toQueue());
            Call call = fixture.waiting.last();
            List<CancelCause> causes = call.causes();
            CancelResult result = fixture.manager.cancel(handle.id()).join().orElseThrow();
            assertThat(result.outcome()).isEqualTo(CancelResult.Outcome.CANCELLED_BEFORE_START);
            assertThat(result.record().cancelRequested()).isTrue();
            assertThat(call.handOver()).isFalse();
            assertThat(causes).as("so that the handler can forget it").containsExactly(CancelCause.REQUESTED);
            assertThat(fixture.eventsOf(handle))
                    .containsExactly(
                            CommandEvent.Type.PENDING, CommandEvent.Type.CANCEL_REQUESTED, CommandEvent.Type.CANCELLED);
        }
    }

    @Test
    void cancelledWhileRunningItEndsWhenTheExecutorHasStopped() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle handle = fixture.submit(toDirect());
            Call call = fixture.direct.last();
            List<CancelCause> causes = call.causes();
            var answer = fixture.manager.cancel(handle.id());
            var again = fixture.manager.cancel(handle.id());
            assertThat(answer).isNotDone();
            assertThat(handle.record().status()).isEqualTo(EXECUTING);
            assertThat(handle.record().cancelRequested()).isTrue();
            assertThat(call.context().isCancelled()).isTrue();
            assertThat(causes).startsWith(CancelCause.REQUESTED);
            assertThat(call.handOver()).as("a lost hand-over is not repeated").isFalse();

            call.fail(new CommandException(Reason.CANCELLED_WHILE_RUNNING, "stopped"));
            assertThat(answer.join().orElseThrow().outcome()).isEqualTo(CancelResult.Outcome.CANCELLED_WHILE_RUNNING);
            assertThat(again.join().orElseThrow().outcome()).isEqualTo(CancelResult.Outcome.CANCELLED_WHILE_RUNNING);
            assertThat(fixture.eventsOf(handle)).containsOnlyOnce(CommandEvent.Type.CANCEL_REQUESTED);
            assertThat(fixture.manager.stats().cancelled()).isEqualTo(1);
        }
    }

    @Test
    void aCancelThatCameTooLateToStopItSaysHowItEnded() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle completes = fixture.submit(toDirect());
            var answer = fixture.manager.cancel(completes.id());
            fixture.direct.last().succeed("done");
            assertThat(answer.join().orElseThrow().outcome()).isEqualTo(CancelResult.Outcome.ENDED_OTHERWISE);
            assertThat(answer.join().orElseThrow().record().status()).isEqualTo(COMPLETED);

            assertThat(fixture.manager
                            .cancel(completes.id())
                            .join()
                            .orElseThrow()
                            .outcome())
                    .isEqualTo(CancelResult.Outcome.ALREADY_ENDED);
        }
    }

    @Test
    void aCancelThatTheExecutorIgnoresIsAnsweredAtTheDeadline() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle handle = fixture.submit(toDirect().timeout(TIMEOUT_TIME));
            var answer = fixture.manager.cancel(handle.id());
            fixture.advancePast(TIMEOUT_TIME);
            assertThat(answer.join().orElseThrow().outcome()).isEqualTo(CancelResult.Outcome.ENDED_OTHERWISE);
            assertThat(answer.join().orElseThrow().record().status()).isEqualTo(TIMEOUT);
        }
    }

    @Test
    void aCancelOfWhatWasNeverRecordedSaysSo() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            assertThat(fixture.manager.cancel(RecordId.ofUuid(1, 2)).join()).isEmpty();
        }
    }

    @Test
    void aCancelActionThatIsSetAfterTheCancelRunsAtOnce() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle handle = fixture.submit(toDirect());
            fixture.manager.cancel(handle.id());
            assertThat(fixture.direct.last().causes()).containsExactly(CancelCause.REQUESTED);
        }
    }

    @Test
    void aCancelActionThatThrowsHoldsNothingUp() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle first = fixture.submit(toDirect().timeout(TIMEOUT_TIME));
            CommandHandle second = fixture.submit(toDirect().timeout(TIMEOUT_TIME));
            fixture.direct.calls.forEach(call -> call.context().onCancel(cause -> {
                throw new AssertionError("thrown by the test");
            }));
            fixture.manager.cancel(first.id());
            fixture.advancePast(TIMEOUT_TIME);
            assertThat(first.record().status()).isEqualTo(TIMEOUT);
            assertThat(second.record().status()).isEqualTo(TIMEOUT);

            CommandHandle third = fixture.submit(toDirect().timeout(TIMEOUT_TIME));
            fixture.advancePast(TIMEOUT_TIME);
            assertThat(third.record().status()).isEqualTo(TIMEOUT);
        }
    }

    @Test
    void tellsTheEndOnceToEverybodyWhoAsked() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle handle = fixture.submit(toDirect());
            List<String> told = new ArrayList<>();
            handle.whenEnded(ended -> told.add("first"));
            handle.whenEnded(ended -> {
                throw new AssertionError("thrown by the test");
            });
            handle.whenEnded(ended -> told.add("third " + ended.record().status()));
            CompletableFuture<CommandRecord> completion = handle.completion();
            assertThat(completion).isNotDone();

            fixture.direct.last().succeed(null);
            assertThat(told).containsExactly("first", "third COMPLETED");
            assertThat(completion.join().status()).isEqualTo(COMPLETED);
            handle.whenEnded(ended -> told.add("late"));
            assertThat(told).containsExactly("first", "third COMPLETED", "late");
        }
    }

    @Test
    void bearsAnyNumberOfThoseWhoWait() {
        try (ManagerFixture fixture = new ManagerFixture()) {
            CommandHandle handle = fixture.submit(toDirect());
            List<Integer> told = new ArrayList<>();
            for (int i = 0; i < 20_000; i++) {
                int number = i;
                handle.whenEnded(ended -> told.add(number));
            }
            fixture.direct.last().succeed(null);
            assertThat(told).hasSize(20_000).isSorted();
        }
    }

    private interface Inline {
        void run(Call call) throws Exception;
    }

    private static CommandRequest.Builder toInline() {
        return CommandRequest.to(new Target.Local(302), "inline");
    }

    private static ManagerFixture withHandler(Inline handler) {
        return new ManagerFixture(
                builder -> builder,
                registry -> registry.register(
                        "test",
                        302,
                        (context, command, tag, receiver) ->
                                handler.run(new Call(context, (RecordedCommand) command, tag, receiver))));
    }

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> void sneakyThrow(Throwable thrown) throws T {
        throw (T) thrown;
    }
}
