package io.github.commandway.process;

import static io.github.commandway.process.ProcessFixture.echo;
import static io.github.commandway.process.ProcessFixture.later;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.process.ProcessException.Code;
import io.github.commandway.process.ProcessFixture.Action;
import io.github.commandway.process.ProcessFixture.Begun;
import io.github.commandway.process.ProcessFixture.Numbered;
import io.github.commandway.process.ProcessFixture.Recorded;
import io.github.commandway.process.ProcessFixture.Seen;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a step can say, and what becomes of what it yields. */
class ProcessStepTest {
    private static final Message HELLO = new Message(null, "hello", 1);

    private final ProcessFixture fixture = new ProcessFixture().start();

    @AfterEach
    void close() {
        fixture.close();
    }

    @Test
    void yieldsComeBackWithTheTagThatTheProcessGaveThem() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                out.yield(echo(7), 70);
                out.yield(echo(8), 80);
                out.yield(echo(9), 90);
                out.waitForYields();
            } else {
                out.done("end");
            }
        });
        assertThat(process.awaitExit()).isEqualTo(new Exit(process.pid, "end", null));
        assertThat(process.seen())
                .extracting(Seen::tag, Seen::data)
                .containsExactly(tuple(70L, 7), tuple(80L, 8), tuple(90L, 9));
        assertThat(process.closed).hasValue(1);
    }

    @Test
    void yieldsThatEndInAnotherOrderAreToldApartByTheirTags() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                for (int i = 0; i < 3; i++) {
                    out.yield(later(i), 10 + i);
                }
            }
            out.waitForYields();
        });
        Begun first = fixture.nextBegun();
        Begun second = fixture.nextBegun();
        Begun third = fixture.nextBegun();
        third.complete("c");
        process.awaitSeen(
                seen -> assertThat(seen).extracting(Seen::tag, Seen::data).containsExactly(tuple(12L, "c")));
        first.complete("a");
        process.awaitSeen(seen ->
                assertThat(seen).extracting(Seen::tag, Seen::data).containsExactly(tuple(12L, "c"), tuple(10L, "a")));
        second.fail(new IllegalStateException("b"));
        process.awaitSeen(seen -> assertThat(seen.get(2).error()).hasMessage("b"));
    }

    @Test
    void twoYieldsWithTheSameTagAreStillTwo() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                out.yield(later(1), 5);
                out.yield(later(2), 5);
            }
        });
        fixture.nextBegun().complete("one");
        fixture.nextBegun().complete("two");
        process.awaitSeen(seen ->
                assertThat(seen).extracting(Seen::tag, Seen::data).containsExactly(tuple(5L, "one"), tuple(5L, "two")));
    }

    @Test
    void aStepThatSaysNothingIsIdle() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> {
            if (step == 2) {
                out.done(null);
            }
        });
        fixture.awaitState(process.pid, ProcessInfo.State.IDLE);
        assertThat(process.stepCount()).isEqualTo(1);
        assertThat(fixture.processes.send(process.pid, HELLO)).isTrue();
        process.awaitExit();
        assertThat(process.seen()).extracting(Seen::kind).containsExactly(Event.Kind.MESSAGE);
    }

    @Test
    void againStepsAgainThoughNothingHappenedAndKeepsItsYields() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                out.yield(later(1), 1);
            }
            if (step < 100) {
                out.again();
            } else {
                out.waitForYields();
            }
            if (!events.isEmpty()) {
                out.done(null);
            }
        });
        Begun begun = fixture.nextBegun();
        fixture.awaitState(process.pid, ProcessInfo.State.WAITING);
        begun.complete("x");
        process.awaitExit();
        assertThat(process.seen()).extracting(Seen::data).containsExactly("x");
        assertThat(process.stepCount()).isEqualTo(101);
    }

    @Test
    void anIdleProcessIsWokenByTheEndOfAYield() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                out.yield(later(1), 1);
            } else {
                out.done(null);
            }
        });
        Begun begun = fixture.nextBegun();
        fixture.awaitState(process.pid, ProcessInfo.State.IDLE);
        begun.complete(null);
        process.awaitExit();
    }

    @Test
    void messagesWaitWhileAProcessWaitsForYieldsAndComeInOrderAfterwards() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> {
            switch (step) {
                case 1 -> {
                    out.yield(later(1), 1);
                    out.yield(later(2), 2);
                    out.waitForYields();
                }
                case 2 -> out.waitForYields();
                case 3 -> out.idle();
                default -> out.done(null);
            }
        });
        Begun first = fixture.nextBegun();
        Begun second = fixture.nextBegun();
        fixture.awaitState(process.pid, ProcessInfo.State.WAITING);
        for (int i = 1; i <= 3; i++) {
            assertThat(fixture.processes.send(process.pid, new Message(null, "m", i)))
                    .isTrue();
        }
        assertThat(fixture.processes.find(process.pid).orElseThrow().state()).isEqualTo(ProcessInfo.State.WAITING);
        assertThat(process.stepCount()).isEqualTo(1);
        first.complete(null);
        process.awaitSeen(seen -> assertThat(seen).hasSize(1));
        fixture.awaitState(process.pid, ProcessInfo.State.WAITING);
        fixture.processes.send(process.pid, new Message(null, "m", 4));
        second.complete(null);
        process.awaitExit();
        assertThat(process.seen().subList(2, 6)).extracting(Seen::data).containsExactly(1, 2, 3, 4);
    }

    @Test
    void aProcessThatWaitsWithoutAnOpenYieldFailsInsteadOfWaitingForEver() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> out.waitForYields());
        assertThat(process.awaitExit().error())
                .isInstanceOfSatisfying(
                        ProcessException.class, e -> assertThat(e.code()).isEqualTo(Code.STUCK));
    }

    @Test
    void doneWithYieldsEndsWhenTheyHaveEnded() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> {
            out.yield(echo(1), 1);
            out.yield(later(2), 2);
            out.done("all");
        });
        Begun begun = fixture.nextBegun();
        fixture.processes.send(process.pid, HELLO);
        fixture.awaitState(process.pid, ProcessInfo.State.WAITING);
        assertThat(process.exit).isNotDone();
        begun.complete(null);
        assertThat(process.awaitExit().result()).isEqualTo("all");
        assertThat(process.stepCount()).isEqualTo(1);
        assertThat(begun.command().released).hasValue(1);
    }

    @Test
    void doneWithAYieldThatFailsHasFailed() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> {
            out.yield(new Numbered(ProcessFixture.THROWING, 1), 1);
            out.yield(echo(2), 2);
            out.done("all");
        });
        Exit exit = process.awaitExit();
        assertThat(exit.result()).isNull();
        assertThat(exit.error()).hasMessage("refused");
    }

    @Test
    void doneCancelsOlderYields() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                out.yield(later(1), 1);
            } else {
                out.yield(later(2), 2);
                out.done("end");
            }
        });
        Begun older = fixture.nextBegun();
        List<CancelCause> causes = new ArrayList<>();
        older.context().onCancel(causes::add);
        fixture.processes.send(process.pid, HELLO);
        Begun last = fixture.nextBegun();
        fixture.awaitState(process.pid, ProcessInfo.State.WAITING);
        assertThat(causes).containsExactly(CancelCause.REQUESTED);
        older.fail(new IllegalStateException("cancelled, and nobody's concern"));
        last.complete(null);
        assertThat(process.awaitExit()).isEqualTo(new Exit(process.pid, "end", null));
        assertThat(older.command().released).hasValue(1);
    }

    @Test
    void upgradeKeepsPidMailboxYieldsAndNames() throws Exception {
        Recorded next = new Recorded((step, events, out) -> {
            if (events.stream().anyMatch(event -> event.kind() == Event.Kind.YIELD_COMPLETE)) {
                out.done("upgraded");
            }
        });
        Recorded process = fixture.spawn(
                (step, events, out) -> {
                    if (step == 1) {
                        out.yield(later(1), 1);
                        fixture.processes.send(new Pid(1), HELLO);
                        out.yield(later(2), 2);
                        out.upgrade(next, "state");
                    }
                },
                SpawnOptions.builder().name("service").build());
        Begun first = fixture.nextBegun();
        fixture.nextBegun();
        next.awaitSeen(seen -> assertThat(seen).extracting(Seen::kind).containsExactly(Event.Kind.MESSAGE));
        assertThat(process.closed).hasValue(1);
        assertThat(fixture.processes.lookup("service")).hasValue(process.pid);
        first.complete("x");
        assertThat(process.awaitExit()).isEqualTo(new Exit(process.pid, "upgraded", null));
        assertThat(next.closed).hasValue(1);
        assertThat(process.closed).hasValue(1);
    }

    @Test
    void anUpgradeThatCannotBeInitialisedFailsTheProcess() throws Exception {
        AtomicReference<Boolean> nextClosed = new AtomicReference<>(false);
        Process next = new Process() {
            @Override
            public void init(ProcessContext self, @org.jspecify.annotations.Nullable Object input) {
                throw new IllegalStateException("not with " + input);
            }

            @Override
            public void step(List<Event> events, StepOutput out) {}

            @Override
            public void close() {
                nextClosed.set(true);
            }
        };
        Recorded process = fixture.spawn((step, events, out) -> out.upgrade(next, "that"));
        assertThat(process.awaitExit().error()).hasRootCauseMessage("not with that");
        assertThat(nextClosed).hasValue(true);
        assertThat(process.closed).hasValue(1);
    }

    @Test
    void anUpgradeFromOutsideThatCannotBeInitialisedLeavesTheOldCodeRunning() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> {
            if (!events.isEmpty()) {
                out.done("old");
            }
        });
        Process broken = new Process() {
            @Override
            public void init(ProcessContext self, @org.jspecify.annotations.Nullable Object input) {
                throw new IllegalStateException("broken");
            }

            @Override
            public void step(List<Event> events, StepOutput out) {}
        };
        CompletableFuture<?> upgrade = fixture.processes.upgrade(process.pid, broken, null);
        assertThat(upgrade)
                .failsWithin(ProcessFixture.LONGEST)
                .withThrowableThat()
                .withRootCauseInstanceOf(IllegalStateException.class);
        fixture.processes.send(process.pid, HELLO);
        assertThat(process.awaitExit().result()).isEqualTo("old");
    }

    @Test
    void anUpgradeFromOutsideTakesMessagesThatWereHeldBackFirst() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                out.yield(later(1), 1);
            }
            out.waitForYields();
        });
        fixture.nextBegun();
        fixture.awaitState(process.pid, ProcessInfo.State.WAITING);
        fixture.processes.send(process.pid, new Message(null, "m", 1));
        fixture.processes.cancel(process.pid, null, "have it step, and hold the message");
        process.awaitSeen(seen -> assertThat(seen).extracting(Seen::kind).containsExactly(Event.Kind.CANCEL));
        fixture.awaitState(process.pid, ProcessInfo.State.WAITING);
        fixture.processes.send(process.pid, new Message(null, "m", 2));
        Recorded next = new Recorded((step, events, out) -> {});
        assertThat(fixture.processes.upgrade(process.pid, next, null)).succeedsWithin(ProcessFixture.LONGEST);
        fixture.processes.send(process.pid, new Message(null, "m", 3));
        next.awaitSeen(seen -> assertThat(seen).extracting(Seen::data).containsExactly(1, 2, 3));
    }

    @Test
    void anUpgradeOfWhatIsGoneIsRefusedAndClosesTheNewCode() {
        Recorded next = new Recorded((step, events, out) -> {});
        assertThat(fixture.processes.upgrade(new Pid(99), next, null))
                .failsWithin(Duration.ZERO)
                .withThrowableThat()
                .withCauseInstanceOf(ProcessException.class);
        assertThat(next.closed).hasValue(1);
    }

    @Test
    void aStepThatThrowsFailsItsProcessAloneAndItsYieldsAreNotBegun() throws Exception {
        Numbered unused = later(1);
        Recorded other = fixture.spawn((step, events, out) -> {
            if (!events.isEmpty()) {
                out.done("fine");
            }
        });
        Recorded process = fixture.spawn((step, events, out) -> {
            out.yield(unused, 1);
            throw new StackOverflowError("on purpose");
        });
        assertThat(process.awaitExit().error()).isInstanceOf(StackOverflowError.class);
        assertThat(process.closed).hasValue(1);
        assertThat(unused.released).hasValue(1);
        assertThat(fixture.begun).isEmpty();
        fixture.processes.send(other.pid, HELLO);
        assertThat(other.awaitExit().result()).isEqualTo("fine");
    }

    @Test
    void aHandlerThatThrowsFailsItsYieldAlone() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                out.yield(new Numbered(ProcessFixture.THROWING, 1), 1);
                out.yield(echo(2), 2);
                out.waitForYields();
            } else {
                out.done(null);
            }
        });
        process.awaitExit();
        assertThat(process.seen().get(0).error()).hasMessage("refused");
        assertThat(process.seen().get(1).data()).isEqualTo(2);
    }

    @Test
    void aYieldOfAnUnknownCommandFailsWithTheReason() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                out.yield(new Numbered(999, 1), 1);
            } else {
                out.done(null);
            }
        });
        process.awaitExit();
        assertThat(process.seen().get(0).error())
                .isInstanceOfSatisfying(
                        CommandException.class, e -> assertThat(e.reason()).isEqualTo(Reason.UNKNOWN_COMMAND))
                .hasMessageContaining("999");
    }

    @Test
    void aYieldWithADeadlineAlwaysEnds() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                out.yield(later(1), 1, Duration.ofSeconds(5));
                out.waitForYields();
            } else {
                out.done(null);
            }
        });
        Begun begun = fixture.nextBegun();
        assertThat(begun.context().deadline())
                .isEqualTo(fixture.time.clock().instant().plusSeconds(5));
        List<CancelCause> causes = new ArrayList<>();
        begun.context().onCancel(causes::add);
        fixture.time.advance(Duration.ofSeconds(4));
        assertThat(causes).isEmpty();
        assertThat(begun.receiver().handOver(begun.tag())).isTrue();
        fixture.time.advance(Duration.ofSeconds(2));
        process.awaitExit();
        assertThat(causes).containsExactly(CancelCause.DEADLINE);
        assertThat(process.seen().get(0).error())
                .isInstanceOfSatisfying(
                        CommandException.class, e -> assertThat(e.reason()).isEqualTo(Reason.EXECUTION_TIMEOUT));
        assertThat(begun.receiver().handOver(begun.tag())).isFalse();
        assertThat(begun.context().isCancelled()).isTrue();
        assertThat(fixture.processes.stats().expired()).isEqualTo(1);
    }

    @Test
    void aHandlerThatIsToldOfTheDeadlineMayGiveATruerOutcome() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                out.yield(later(1), 1, Duration.ofSeconds(5));
                out.waitForYields();
            } else {
                out.done(null);
            }
        });
        Begun begun = fixture.nextBegun();
        begun.context().onCancel(why -> begun.complete("half of it"));
        fixture.time.advance(Duration.ofSeconds(6));
        process.awaitExit();
        assertThat(process.seen().get(0).data()).isEqualTo("half of it");
        assertThat(begun.command().released).hasValue(1);
    }

    @Test
    void aDeadlineThatIsNotReachedLeavesNothingBehind() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> {
            if (step <= 2) {
                out.yield(echo(step), step, Duration.ofSeconds(5));
            }
        });
        process.awaitSeen(seen -> assertThat(seen).hasSize(2));
        fixture.time.advance(Duration.ofSeconds(10));
        fixture.processes.send(process.pid, HELLO);
        process.awaitSeen(seen -> assertThat(seen).hasSize(3));
        assertThat(fixture.processes.stats().expired()).isZero();
    }

    @Test
    void aSecondCompletionIsCountedAndDropped() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                out.yield(later(1), 1);
            }
        });
        Begun begun = fixture.nextBegun();
        begun.complete("first");
        begun.complete("second");
        begun.receiver().completeYield(begun.tag() + 1, "other tag", null);
        begun.receiver().completeYield(0, "no tag", null);
        begun.receiver().completeYield(-begun.tag(), "no tag either", null);
        fixture.processes.send(process.pid, HELLO);
        process.awaitSeen(seen -> assertThat(seen).extracting(Seen::data).containsExactly("first", 1));
        assertThat(fixture.processes.stats().repeated()).isEqualTo(4);
        assertThat(begun.command().released).hasValue(1);
    }

    @Test
    void aHandlerThatThrowsAfterItHasCompletedHasCompleted() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                out.yield(
                        new Action((context, command, tag, receiver) -> {
                            receiver.completeYield(tag, "done", null);
                            receiver.completeYield(tag, "twice", null);
                            throw new IllegalStateException("after that");
                        }),
                        1);
            } else if (step == 2) {
                out.yield(echo(2), 2);
            }
        });
        process.awaitSeen(seen -> assertThat(seen).extracting(Seen::data).containsExactly("done", 2));
        assertThat(fixture.processes.stats().repeated()).isEqualTo(2);
    }

    @Test
    void aLateCompletionOfAnInlineYieldDoesNotEndALaterOneOfTheSameProcess() throws Exception {
        AtomicReference<Runnable> again = new AtomicReference<>(() -> {});
        Recorded process = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                out.yield(
                        new Action((context, command, tag, receiver) -> {
                            again.set(() -> receiver.completeYield(tag, "stale", null));
                            receiver.completeYield(tag, "inline", null);
                        }),
                        1);
                out.waitForYields();
            } else if (step == 2) {
                out.yield(later(2), 2);
                out.waitForYields();
            } else {
                out.done(null);
            }
        });
        Begun second = fixture.nextBegun();
        again.get().run();
        assertThat(process.seen()).hasSize(1);
        second.complete("its own");
        process.awaitExit();
        assertThat(process.seen()).extracting(Seen::data).containsExactly("inline", "its own");
        assertThat(fixture.processes.stats().repeated()).isEqualTo(1);
    }

    @Test
    void aContextThatSomebodyElseMayStillHaveStandsForOneYieldOnly() throws Exception {
        List<CommandContext> contexts = new ArrayList<>();
        List<CancelCause> wrong = new ArrayList<>();
        Recorded process = fixture.spawn((step, events, out) -> {
            switch (step) {
                case 1 ->
                    out.yield(
                            new Action((context, command, tag, receiver) -> {
                                contexts.add(context);
                                context.onCancel(wrong::add);
                                receiver.completeYield(tag, null, null);
                            }),
                            1);
                case 2, 3 -> out.yield(later(step), step);
                default -> {}
            }
        });
        Begun second = fixture.nextBegun();
        contexts.add(second.context());
        second.complete(null);
        Begun third = fixture.nextBegun();
        contexts.add(third.context());
        assertThat(contexts).doesNotHaveDuplicates();
        fixture.processes.terminate(process.pid);
        process.awaitExit();
        assertThat(wrong).isEmpty();
        assertThat(third.context().isCancelled()).isTrue();
        assertThat(second.context().isCancelled()).isFalse();
    }

    @Test
    void aCommandIsReleasedOnceAfterTheStepThatSawItsEnd() throws Exception {
        Numbered inline = echo(1);
        Numbered later = later(2);
        List<Integer> releasedDuringStep = new ArrayList<>();
        Recorded process = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                out.yield(inline, 1);
                out.yield(later, 2);
            }
            releasedDuringStep.add(inline.released.get() + later.released.get());
            if (step == 3) {
                out.done(null);
            }
        });
        process.awaitSeen(seen -> assertThat(seen).hasSize(1));
        fixture.nextBegun().complete(null);
        process.awaitExit();
        assertThat(releasedDuringStep).containsExactly(0, 0, 1);
        assertThat(inline.released).hasValue(1);
        assertThat(later.released).hasValue(1);
    }

    @Test
    void aCommandThatItsHandlerStillHasIsReleasedWhenTheHandlerIsThroughWithIt() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                out.yield(later(1), 1, Duration.ofSeconds(1));
                out.yield(later(2), 2);
                out.waitForYields();
            } else {
                out.done(null);
            }
        });
        Begun expired = fixture.nextBegun();
        Begun abandoned = fixture.nextBegun();
        fixture.time.advance(Duration.ofSeconds(2));
        process.awaitExit();
        assertThat(expired.command().released).hasValue(0);
        assertThat(abandoned.command().released).hasValue(0);
        expired.complete("late");
        abandoned.complete("late");
        abandoned.complete("and again");
        assertThat(expired.command().released).hasValue(1);
        assertThat(abandoned.command().released).hasValue(1);
        ProcessStats stats = fixture.processes.stats();
        assertThat(stats.late()).isEqualTo(2);
        assertThat(stats.repeated()).isEqualTo(1);
        assertThat(stats.abandoned()).isEqualTo(1);
    }

    @Test
    void aReleaseThatThrowsHarmsNobody() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                out.yield(
                        new Command() {
                            @Override
                            public int commandId() {
                                throw new IllegalStateException("no id");
                            }

                            @Override
                            public void release() {
                                throw new IllegalStateException("no release");
                            }
                        },
                        1);
            } else {
                out.done(null);
            }
        });
        assertThat(process.awaitExit().error()).isNull();
        assertThat(process.seen().get(0).error()).hasMessage("no id");
    }

    @Test
    void manyYieldsOfOneStepAllComeBack() throws Exception {
        int count = 1_000;
        Recorded process = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                for (int i = 0; i < count; i++) {
                    out.yield(i % 2 == 0 ? echo(i) : later(i), i);
                }
            }
        });
        for (int i = 0; i < count / 2; i++) {
            Begun begun = fixture.nextBegun();
            begun.complete(begun.command().number);
        }
        process.awaitSeen(seen -> assertThat(seen)
                .hasSize(count)
                .allMatch(event -> Long.valueOf(event.tag()).intValue() == (Integer) event.data()));
        assertThat(fixture.processes.find(process.pid).orElseThrow().openYields())
                .isZero();
    }

    @Test
    void aYieldNeedsATimeoutAboveZero() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> out.yield(echo(1), 1, Duration.ZERO));
        assertThat(process.awaitExit().error()).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void theHandlerSeesTheProcessThatItWorksFor() throws Exception {
        CompletableFuture<ProcessContext> context = new CompletableFuture<>();
        Recorded process = fixture.spawn(
                (step, events, out) -> out.yield(
                        new Action((ctx, command, tag, receiver) -> context.complete((ProcessContext) ctx)), 1),
                SpawnOptions.builder()
                        .principal("alice")
                        .traceParent("00-1-2-01")
                        .build());
        ProcessContext seen = context.get();
        assertThat(seen.pid()).isEqualTo(process.pid);
        assertThat(seen.principal()).isEqualTo("alice");
        assertThat(seen.traceParent()).isEqualTo("00-1-2-01");
        assertThat(seen.deadline()).isEqualTo(java.time.Instant.MAX);
        assertThat(seen.mail().send(process.pid, HELLO)).isTrue();
        process.awaitSeen(events -> assertThat(events).hasSize(1));
    }

    @Test
    void aPidHasATextThatReadsBack() {
        assertThat(Pid.parse(new Pid(17).toString())).isEqualTo(new Pid(17));
        assertThatThrownBy(() -> Pid.parse("17")).isInstanceOf(IllegalArgumentException.class);
    }
}
