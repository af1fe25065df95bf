package io.github.commandway.process;

import static io.github.commandway.process.ProcessFixture.later;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Handler;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.process.ProcessException.Code;
import io.github.commandway.process.ProcessFixture.Begun;
import io.github.commandway.process.ProcessFixture.Recorded;
import io.github.commandway.process.ProcessFixture.Seen;
import io.github.commandway.process.ProcessFixture.Step;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The commands by which processes deal with processes and groups. */
class ProcessCommandsTest {
    private static final Step IDLE = (step, events, out) -> {};

    private final ProcessFixture fixture = new ProcessFixture().start();
    private final Processes processes = fixture.processes;

    @AfterEach
    void close() {
        fixture.close();
    }

    /** Yields a command and is done with its outcome, or stays, if that is wanted. */
    private Recorded yielding(Command command, boolean stays) {
        return fixture.spawn((step, events, out) -> {
            if (step == 1) {
                out.yield(command, 1);
                out.waitForYields();
            } else if (!stays) {
                out.done(null);
            }
        });
    }

    private Seen outcomeOf(Command command) throws Exception {
        Recorded process = yielding(command, false);
        process.awaitExit();
        return process.seen().get(0);
    }

    private static void assertCode(Code code, @Nullable Throwable error) {
        assertThat(error)
                .isInstanceOfSatisfying(
                        ProcessException.class, e -> assertThat(e.code()).isEqualTo(code));
    }

    @Test
    void sendSpeaksForTheProcessThatYieldsIt() throws Exception {
        Recorded receiver = fixture.spawn(IDLE);
        Recorded sender = yielding(new ProcessCommands.Send(receiver.pid, "topic", "payload"), false);
        sender.awaitExit();
        assertThat(sender.seen().get(0).error()).isNull();
        receiver.awaitSeen(seen -> assertThat(seen)
                .containsExactly(new Seen(Event.Kind.MESSAGE, 0, "payload", null, sender.pid, "topic")));
    }

    @Test
    void sendFailsWhereNobodyTakesIt() throws Exception {
        assertCode(
                Code.NOT_FOUND,
                outcomeOf(new ProcessCommands.Send(new Pid(999), "t", null)).error());
        Recorded full = fixture.spawn(
                (step, events, out) -> {
                    out.yield(later(1), 1);
                    out.waitForYields();
                },
                SpawnOptions.builder().mailbox(1).build());
        fixture.nextBegun();
        processes.send(full.pid, new Message(null, "t", null));
        assertCode(
                Code.MAILBOX_FULL,
                outcomeOf(new ProcessCommands.Send(full.pid, "t", null)).error());
    }

    @Test
    void spawnMakesTheYieldingProcessTheParentAndHandsOnForWhom() throws Exception {
        AtomicReference<@Nullable ProcessContext> self = new AtomicReference<>();
        Process child = new Process() {
            @Override
            public void init(ProcessContext context, @Nullable Object input) {
                self.set(context);
            }

            @Override
            public void step(List<Event> events, StepOutput out) {
                if (!events.isEmpty()) {
                    out.done("child");
                }
            }
        };
        SpawnOptions monitored = SpawnOptions.builder().monitored().build();
        Recorded parent = fixture.spawn(
                (step, events, out) -> {
                    if (step == 1) {
                        out.yield(new ProcessCommands.Spawn(() -> child, "input", monitored, List.of()), 1);
                    }
                },
                SpawnOptions.builder().principal("alice").traceParent("trace").build());
        parent.awaitSeen(seen -> assertThat(seen).hasSize(1));
        Pid pid = (Pid) parent.seen().get(0).data();
        assertThat(pid).isNotNull();
        assertThat(processes.find(pid).orElseThrow().parent()).isEqualTo(parent.pid);
        ProcessContext context = self.get();
        assertThat(context).isNotNull();
        assertThat(context.principal()).isEqualTo("alice");
        assertThat(context.traceParent()).isEqualTo("trace");
        processes.send(pid, new Message(null, "end", null));
        parent.awaitSeen(seen -> assertThat(seen).contains(new Seen(Event.Kind.EXIT, 0, "child", null, pid, "")));
    }

    @Test
    void spawnWithANameAndSignalsSignalsTheOneThatIsThere() throws Exception {
        Recorded service =
                fixture.spawn(IDLE, SpawnOptions.builder().name("service").build());
        Message signal = new Message(null, "signal", null);
        Seen outcome = outcomeOf(new ProcessCommands.Spawn(
                () -> new Recorded(IDLE),
                null,
                SpawnOptions.builder().name("service").build(),
                List.of(signal)));
        assertThat(outcome.data()).isEqualTo(service.pid);
        service.awaitSeen(seen -> assertThat(seen).hasSize(1));
    }

    @Test
    void spawnThatFailsFailsTheYield() throws Exception {
        assertThat(outcomeOf(new ProcessCommands.Spawn(
                                () -> {
                                    throw new IllegalStateException("no code");
                                },
                                null))
                        .error())
                .hasMessage("no code");
    }

    @Test
    void terminateAndCancelReachTheirTarget() throws Exception {
        Recorded target = fixture.spawn(IDLE);
        Recorded canceller = yielding(new ProcessCommands.Cancel(target.pid, "why"), false);
        target.awaitSeen(seen ->
                assertThat(seen).containsExactly(new Seen(Event.Kind.CANCEL, 0, null, null, canceller.pid, "why")));
        assertThat(outcomeOf(new ProcessCommands.Terminate(target.pid)).error()).isNull();
        target.awaitExit();
        assertCode(
                Code.NOT_FOUND,
                outcomeOf(new ProcessCommands.Terminate(target.pid)).error());
        assertCode(
                Code.NOT_FOUND,
                outcomeOf(new ProcessCommands.Cancel(target.pid, "why")).error());
    }

    @Test
    void monitorAndLinkTieTheYieldingProcess() throws Exception {
        Recorded target = fixture.spawn(IDLE);
        Recorded watcher = yielding(new ProcessCommands.Monitor(target.pid), true);
        Recorded linked = yielding(new ProcessCommands.Link(target.pid), true);
        Recorded neither = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                out.yield(new ProcessCommands.Monitor(target.pid), 1);
                out.yield(new ProcessCommands.Link(target.pid), 2);
                out.yield(new ProcessCommands.Unmonitor(target.pid), 3);
                out.yield(new ProcessCommands.Unlink(target.pid), 4);
            }
        });
        watcher.awaitSeen(seen -> assertThat(seen).hasSize(1));
        linked.awaitSeen(seen -> assertThat(seen).hasSize(1));
        neither.awaitSeen(seen -> assertThat(seen).hasSize(4).allMatch(event -> event.error() == null));
        processes.terminate(target.pid);
        watcher.awaitSeen(seen -> assertThat(seen.get(1).kind()).isEqualTo(Event.Kind.EXIT));
        assertCode(Code.LINK_DOWN, linked.awaitExit().error());
        fixture.awaitState(neither.pid, ProcessInfo.State.IDLE);
        assertThat(neither.seen()).hasSize(4);
        assertCode(
                Code.NOT_FOUND,
                outcomeOf(new ProcessCommands.Monitor(target.pid)).error());
    }

    @Test
    void execEndsAsTheProcessThatItRuns() throws Exception {
        assertThat(outcomeOf(new ProcessCommands.Exec(
                                () -> new Recorded((step, events, out) -> out.done("result")), null))
                        .data())
                .isEqualTo("result");
        assertThat(outcomeOf(new ProcessCommands.Exec(
                                () -> new Recorded((step, events, out) -> {
                                    throw new IllegalStateException("failed");
                                }),
                                null))
                        .error())
                .hasMessage("failed");
        assertThat(processes.stats().repeated()).isZero();
    }

    @Test
    void execOfWhatCannotStartFailsOnce() throws Exception {
        Process broken = new Process() {
            @Override
            public void init(ProcessContext self, @Nullable Object input) {
                throw new IllegalStateException("broken");
            }

            @Override
            public void step(List<Event> events, StepOutput out) {}
        };
        assertThat(outcomeOf(new ProcessCommands.Exec(() -> broken, null)).error())
                .hasRootCauseMessage("broken");
        assertThat(processes.stats().repeated()).isZero();
    }

    @Test
    void execStopsItsProcessWhenItIsNotWantedAnyMore() throws Exception {
        Recorded child = new Recorded((step, events, out) -> {
            out.yield(later(1), 1);
            out.waitForYields();
        });
        Recorded caller = fixture.spawn((step, events, out) -> {
            out.yield(new ProcessCommands.Exec(() -> child, null, child.watching(SpawnOptions.defaults())), 1);
            out.waitForYields();
        });
        Begun begun = fixture.nextBegun();
        processes.terminate(caller.pid);
        caller.awaitExit();
        assertCode(Code.TERMINATED, child.awaitExit().error());
        assertThat(begun.context().isCancelled()).isTrue();
    }

    @Test
    void execStopsItsProcessAtTheDeadline() throws Exception {
        Recorded child = new Recorded((step, events, out) -> {
            out.yield(later(1), 1);
            out.waitForYields();
        });
        Recorded caller = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                ProcessCommands.Exec exec =
                        new ProcessCommands.Exec(() -> child, null, child.watching(SpawnOptions.defaults()));
                out.yield(exec, 1, Duration.ofSeconds(1));
            } else {
                out.done(null);
            }
        });
        fixture.nextBegun();
        fixture.time.advance(Duration.ofSeconds(2));
        caller.awaitExit();
        assertCode(Code.TERMINATED, child.awaitExit().error());
        assertThat(caller.seen().get(0).error())
                .isInstanceOfSatisfying(
                        CommandException.class, e -> assertThat(e.reason()).isEqualTo(Reason.EXECUTION_TIMEOUT));
    }

    @Test
    void groupsAreJoinedAskedAndLeft() throws Exception {
        Recorded member = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                out.yield(new GroupCommands.Join("a"), 1);
                out.yield(new GroupCommands.JoinAll(List.of("b", "c")), 2);
                out.yield(new GroupCommands.Leave("b"), 3);
            }
        });
        member.awaitSeen(seen -> assertThat(seen).hasSize(3).allMatch(event -> event.error() == null));
        assertThat(outcomeOf(new GroupCommands.Members("a", false)).data()).isEqualTo(List.of(member.pid));
        assertThat(outcomeOf(new GroupCommands.Members("b", true)).data()).isEqualTo(List.of());
        assertThat(outcomeOf(new GroupCommands.Groups(false)).data()).hasToString("[a, c]");
        assertThat(outcomeOf(new GroupCommands.Groups(true)).data()).hasToString("[a, c]");
        assertThat(outcomeOf(new GroupCommands.Broadcast("c", "news", 1, false)).data())
                .isEqualTo(1);
        assertThat(outcomeOf(new GroupCommands.Broadcast("nobody", "news", 1, true))
                        .data())
                .isEqualTo(0);
        member.awaitSeen(seen -> assertThat(seen.get(3).topic()).isEqualTo("news"));
    }

    @Test
    void aMonitorOfGroupsIsToldOfChanges() throws Exception {
        Recorded watcher = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                out.yield(new GroupCommands.MonitorGroup("a", "one"), 1);
                out.yield(new GroupCommands.MonitorAll("all"), 2);
            }
        });
        watcher.awaitSeen(seen -> assertThat(seen).hasSize(2));
        Recorded member = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                out.yield(new GroupCommands.JoinAll(List.of("a", "b")), 1);
                out.yield(new GroupCommands.LeaveAll(List.of("b")), 2);
            }
        });
        member.awaitSeen(seen -> assertThat(seen).hasSize(2));
        watcher.awaitSeen(seen -> assertThat(seen.subList(2, seen.size()))
                .extracting(Seen::topic)
                .containsExactly("one", "all", "all", "all"));
    }

    @Test
    void whatSpeaksForAProcessNeedsOne() {
        CommandContext nobody = new CommandContext() {
            @Override
            public Instant deadline() {
                return Instant.MAX;
            }

            @Override
            public boolean isCancelled() {
                return false;
            }

            @Override
            public void onCancel(Consumer<CancelCause> action) {}

            @Override
            public @Nullable String principal() {
                return null;
            }

            @Override
            public @Nullable String traceParent() {
                return null;
            }
        };
        Handler join = fixture.registry.get(GroupCommands.JOIN);
        Handler send = fixture.registry.get(ProcessCommands.SEND);
        assertThat(join).isNotNull();
        assertThat(send).isNotNull();
        assertThatThrownBy(() -> join.handle(nobody, new GroupCommands.Join("a"), 1, (tag, data, error) -> {}))
                .isInstanceOf(CommandException.class)
                .hasMessageContaining("only a process");
        Recorded receiver = fixture.spawn(IDLE);
        assertThatCode(() -> send.handle(
                        nobody, new ProcessCommands.Send(receiver.pid, "t", null), 1, (tag, data, error) -> {}))
                .doesNotThrowAnyException();
        receiver.awaitSeen(seen -> assertThat(seen).extracting(Seen::from).containsExactly((Pid) null));
    }
}
