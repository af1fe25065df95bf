package io.github.commandway.process;

import static io.github.commandway.process.ProcessFixture.LONGEST;
import static io.github.commandway.process.ProcessFixture.later;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.process.ProcessException.Code;
import io.github.commandway.process.ProcessFixture.Begun;
import io.github.commandway.process.ProcessFixture.Recorded;
import io.github.commandway.process.ProcessFixture.Seen;
import io.github.commandway.process.ProcessFixture.Step;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Starts and ends of processes, and what ties them to each other. */
class ProcessesTest {
    private static final Step IDLE = (step, events, out) -> {};
    private static final Message HELLO = new Message(null, "hello", 1);

    private ProcessFixture fixture = new ProcessFixture().start();
    private Processes processes = fixture.processes;

    @AfterEach
    void close() {
        fixture.close();
    }

    private void with(ProcessFixture other) {
        fixture.close();
        fixture = other;
        processes = other.processes;
    }

    private static void assertCode(Code code, ThrowingCallable action) {
        assertThatThrownBy(action)
                .isInstanceOfSatisfying(
                        ProcessException.class, e -> assertThat(e.code()).isEqualTo(code));
    }

    private static SpawnOptions childOf(Recorded parent, boolean monitored, boolean linked) {
        SpawnOptions.Builder options = SpawnOptions.builder().parent(parent.pid);
        if (monitored) {
            options.monitored();
        }
        return linked ? options.linked().build() : options.build();
    }

    @Test
    void whatIsSpawnedBeforeTheStartRunsAfterIt() throws Exception {
        with(new ProcessFixture());
        Recorded process = fixture.spawn((step, events, out) -> out.done(1));
        assertThat(process.stepCount()).isZero();
        processes.start();
        assertThat(process.awaitExit().result()).isEqualTo(1);
    }

    @Test
    void aProcessThatCannotBeInitialisedWasNeverThere() {
        AtomicInteger closed = new AtomicInteger();
        List<Exit> exits = new ArrayList<>();
        Process broken = new Process() {
            @Override
            public void init(ProcessContext self, @Nullable Object input) {
                throw new IllegalStateException("not with " + input);
            }

            @Override
            public void step(List<Event> events, StepOutput out) {}

            @Override
            public void close() {
                closed.incrementAndGet();
            }
        };
        SpawnOptions options =
                SpawnOptions.builder().name("broken").onExit(exits::add).build();
        assertThatThrownBy(() -> processes.spawn(broken, "that", options))
                .isInstanceOfSatisfying(
                        ProcessException.class, e -> assertThat(e.code()).isEqualTo(Code.START_FAILED))
                .hasRootCauseMessage("not with that");
        assertThat(closed).hasValue(1);
        assertThat(processes.lookup("broken")).isEmpty();
        assertThat(processes.list()).isEmpty();
        assertThat(exits).hasSize(1);
        ProcessStats stats = processes.stats();
        assertThat(stats.processes()).isZero();
        assertThat(stats.spawned()).isZero();
        assertThat(stats.refused()).isEqualTo(1);
    }

    @Test
    void aListenerThatObjectsKeepsAProcessFromStarting() throws Exception {
        List<Exit> exits = new ArrayList<>();
        processes.addListener("guard", new ProcessListener() {
            @Override
            public void onStart(Pid pid, Process process) throws Exception {
                throw new java.io.IOException("no " + pid);
            }

            @Override
            public void onExit(Exit exit) {
                exits.add(exit);
            }
        });
        Recorded refused = new Recorded(IDLE);
        assertCode(Code.START_FAILED, () -> processes.spawn(refused));
        assertThat(refused.closed).hasValue(1);
        assertThat(refused.stepCount()).isZero();
        assertThat(exits).hasSize(1);
        processes.removeListener("guard");
        fixture.spawn((step, events, out) -> out.done(null)).awaitExit();
        assertThat(exits).hasSize(1);
    }

    @Test
    void listenersAreToldOfStartsAndEndsAndWhatTheyThrowAtAnEndHarmsNobody() throws Exception {
        List<String> log = new ArrayList<>();
        processes.addListener("log", new ProcessListener() {
            @Override
            public void onStart(Pid pid, Process process) {
                log.add("start " + pid);
            }

            @Override
            public void onExit(Exit exit) {
                log.add("exit " + exit.pid() + " " + exit.result());
                throw new IllegalStateException("on purpose");
            }
        });
        Recorded process = fixture.spawn((step, events, out) -> out.done("ok"));
        process.awaitExit();
        assertThat(log).containsExactly("start " + process.pid, "exit " + process.pid + " ok");
    }

    @Test
    void thereAreNeverMoreThanTheLimitHoweverManyStartAtOnce() throws Exception {
        int limit = 10;
        with(new ProcessFixture(builder -> builder.maxProcesses(limit)).start());
        AtomicInteger alive = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        processes.addListener("count", new ProcessListener() {
            @Override
            public void onStart(Pid pid, Process process) {
                int now = alive.incrementAndGet();
                most.accumulateAndGet(now, Math::max);
            }
        });
        int threads = 4;
        AtomicInteger refused = new AtomicInteger();
        ExecutorService callers = Executors.newFixedThreadPool(threads);
        CyclicBarrier together = new CyclicBarrier(threads);
        List<Future<?>> all = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            all.add(callers.submit(() -> {
                together.await();
                for (int n = 0; n < limit; n++) {
                    Recorded process = new Recorded(IDLE);
                    try {
                        processes.spawn(process);
                    } catch (ProcessException e) {
                        assertThat(e.code()).isEqualTo(Code.TOO_MANY);
                        assertThat(process.closed).hasValue(1);
                        refused.incrementAndGet();
                    }
                }
                return null;
            }));
        }
        for (Future<?> one : all) {
            one.get();
        }
        callers.shutdown();
        assertThat(most).hasValue(limit);
        assertThat(refused).hasValue(threads * limit - limit);
        processes.list().forEach(info -> processes.terminate(info.pid()));
        await().atMost(LONGEST).until(() -> processes.stats().processes() == 0);
        processes.spawn(new Recorded(IDLE));
    }

    @Test
    void thereAreNeverMoreThanTheLimitWhileOthersEnd() throws Exception {
        int limit = 2;
        with(new ProcessFixture(builder -> builder.maxProcesses(limit)).start());
        AtomicInteger alive = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        int threads = 4;
        ExecutorService callers = Executors.newFixedThreadPool(threads);
        List<Future<?>> all = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            all.add(callers.submit(() -> {
                for (int n = 0; n < 20_000; n++) {
                    try {
                        processes.spawn(new Process() {
                            private boolean begun;

                            @Override
                            public void init(ProcessContext self, @Nullable Object input) {
                                begun = true;
                                most.accumulateAndGet(alive.incrementAndGet(), Math::max);
                            }

                            @Override
                            public void step(List<Event> events, StepOutput out) {
                                out.done(null);
                            }

                            @Override
                            public void close() {
                                if (begun) {
                                    alive.decrementAndGet();
                                }
                            }
                        });
                    } catch (ProcessException e) {
                        assertThat(e.code()).isEqualTo(Code.TOO_MANY);
                    }
                }
            }));
        }
        for (Future<?> one : all) {
            one.get();
        }
        callers.shutdown();
        await().atMost(LONGEST).until(() -> processes.stats().processes() == 0);
        assertThat(most.get()).isLessThanOrEqualTo(limit);
    }

    @Test
    void messagesOfOneSenderArriveInItsOrder() throws Exception {
        int threads = 4;
        int each = 500;
        Recorded process = fixture.spawn(
                IDLE, SpawnOptions.builder().mailbox(threads * each).build());
        ExecutorService senders = Executors.newFixedThreadPool(threads);
        for (int i = 0; i < threads; i++) {
            Pid from = new Pid(1_000 + i);
            senders.submit(() -> {
                for (int n = 0; n < each; n++) {
                    processes.send(process.pid, new Message(from, "m", n));
                }
            });
        }
        process.awaitSeen(seen -> assertThat(seen).hasSize(threads * each));
        senders.shutdown();
        for (int i = 0; i < threads; i++) {
            Pid from = new Pid(1_000 + i);
            assertThat(process.seen().stream().filter(event -> from.equals(event.from())))
                    .extracting(Seen::data)
                    .isSorted()
                    .hasSize(each);
        }
    }

    @Test
    void aFullMailboxRefusesMessagesAndNothingElse() throws Exception {
        Recorded process = fixture.spawn(
                (step, events, out) -> {
                    if (step == 1) {
                        out.yield(later(1), 1);
                        out.waitForYields();
                    }
                },
                SpawnOptions.builder().mailbox(3).build());
        Begun begun = fixture.nextBegun();
        for (int i = 0; i < 3; i++) {
            assertThat(processes.send(process.pid, HELLO)).isTrue();
        }
        assertThat(processes.send(process.pid, HELLO)).isFalse();
        assertThat(processes.find(process.pid).orElseThrow().waitingMessages()).isEqualTo(3);
        assertThat(processes.cancel(process.pid, null, "enough")).isTrue();
        begun.complete(null);
        process.awaitSeen(seen -> assertThat(seen).hasSize(5));
        assertThat(processes.send(process.pid, HELLO)).isTrue();
        assertThat(processes.stats().messagesRefused()).isEqualTo(1);
    }

    @Test
    void whatIsGoneTakesNothing() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> out.done(null));
        process.awaitExit();
        assertThat(processes.send(process.pid, HELLO)).isFalse();
        assertThat(processes.terminate(process.pid)).isFalse();
        assertThat(processes.cancel(process.pid, null, "x")).isFalse();
        assertThat(processes.find(process.pid)).isEmpty();
        assertCode(Code.NOT_FOUND, () -> processes.register("late", process.pid));
        assertThat(processes.lookup("late")).isEmpty();
    }

    @Test
    void anIdleProcessCanBeTerminated() throws Exception {
        Recorded process = fixture.spawn(IDLE);
        fixture.awaitState(process.pid, ProcessInfo.State.IDLE);
        assertThat(processes.terminate(process.pid)).isTrue();
        assertThat(process.awaitExit().error())
                .isInstanceOfSatisfying(
                        ProcessException.class, e -> assertThat(e.code()).isEqualTo(Code.TERMINATED));
        assertThat(process.stepCount()).isEqualTo(1);
        assertThat(process.closed).hasValue(1);
    }

    @Test
    void aProcessThatWaitsCanBeTerminatedAndItsCommandsAreCancelled() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> {
            out.yield(later(1), 1);
            out.waitForYields();
        });
        Begun begun = fixture.nextBegun();
        List<CancelCause> causes = new ArrayList<>();
        begun.context().onCancel(causes::add);
        processes.terminate(process.pid);
        process.awaitExit();
        assertThat(causes).containsExactly(CancelCause.REQUESTED);
        assertThat(begun.context().isCancelled()).isTrue();
        List<CancelCause> late = new ArrayList<>();
        begun.context().onCancel(late::add);
        assertThat(late).containsExactly(CancelCause.REQUESTED);
    }

    @Test
    void terminationLetsARunningStepEndAndNoneFollows() throws Exception {
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        Recorded process = fixture.spawn((step, events, out) -> {
            inside.countDown();
            goOn.await();
            out.again();
        });
        inside.await();
        assertThat(processes.terminate(process.pid)).isTrue();
        assertThat(processes.terminate(process.pid)).isTrue();
        assertThat(process.exit).isNotDone();
        goOn.countDown();
        process.awaitExit();
        assertThat(process.stepCount()).isEqualTo(1);
    }

    @Test
    void aProcessThatAlwaysGoesOnCanBeTerminated() throws Exception {
        Recorded process = fixture.spawn((step, events, out) -> out.again());
        await().atMost(LONGEST).until(() -> process.stepCount() > 100);
        processes.terminate(process.pid);
        process.awaitExit();
    }

    @Test
    void aCancellationIsAnEventAndASecondOneJoinsIt() throws Exception {
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        Recorded process = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                inside.countDown();
                goOn.await();
            }
        });
        inside.await();
        for (int i = 0; i < 10; i++) {
            assertThat(processes.cancel(process.pid, new Pid(7), "reason " + i)).isTrue();
        }
        goOn.countDown();
        process.awaitSeen(seen ->
                assertThat(seen).containsExactly(new Seen(Event.Kind.CANCEL, 0, null, null, new Pid(7), "reason 0")));
        processes.cancel(process.pid, null, "later");
        process.awaitSeen(seen -> assertThat(seen).hasSize(2));
    }

    @Test
    void closeThatThrowsFailsTheProcess() throws Exception {
        List<Exit> exits = new ArrayList<>();
        CountDownLatch ended = new CountDownLatch(1);
        Process process = new Process() {
            @Override
            public void step(List<Event> events, StepOutput out) {
                out.done("fine");
            }

            @Override
            public void close() {
                throw new IllegalStateException("not closed");
            }
        };
        processes.spawn(
                process,
                null,
                SpawnOptions.builder()
                        .onExit(exit -> {
                            exits.add(exit);
                            ended.countDown();
                        })
                        .build());
        ended.await();
        assertThat(exits.get(0).result()).isNull();
        assertThat(exits.get(0).error()).hasMessage("not closed");
    }

    @Test
    void aWatcherIsToldOfEveryEndWithItsOutcome() throws Exception {
        Recorded watcher = fixture.spawn(IDLE);
        Recorded good = fixture.spawn((step, events, out) -> out.done("ok"), childOf(watcher, true, false));
        watcher.awaitSeen(
                seen -> assertThat(seen).containsExactly(new Seen(Event.Kind.EXIT, 0, "ok", null, good.pid, "")));
        IllegalStateException error = new IllegalStateException("bad");
        Recorded bad = fixture.spawn(
                (step, events, out) -> {
                    throw error;
                },
                childOf(watcher, true, false));
        watcher.awaitSeen(seen -> assertThat(seen).contains(new Seen(Event.Kind.EXIT, 0, null, error, bad.pid, "")));
    }

    @Test
    void monitoringIsIdempotentAndCanBeUndone() throws Exception {
        Recorded watcher = fixture.spawn(IDLE);
        Recorded first = fixture.spawn(IDLE);
        Recorded second = fixture.spawn(IDLE);
        processes.monitor(watcher.pid, first.pid);
        processes.monitor(watcher.pid, first.pid);
        processes.monitor(watcher.pid, second.pid);
        processes.unmonitor(watcher.pid, second.pid);
        processes.unmonitor(watcher.pid, second.pid);
        processes.terminate(second.pid);
        second.awaitExit();
        processes.terminate(first.pid);
        first.awaitExit();
        processes.send(watcher.pid, HELLO);
        watcher.awaitSeen(
                seen -> assertThat(seen).extracting(Seen::kind).containsExactly(Event.Kind.EXIT, Event.Kind.MESSAGE));
    }

    @Test
    void onlyTheLivingCanBeMonitoredOrLinked() throws Exception {
        Recorded alive = fixture.spawn(IDLE);
        Recorded dead = fixture.spawn((step, events, out) -> out.done(null));
        dead.awaitExit();
        assertCode(Code.NOT_FOUND, () -> processes.monitor(alive.pid, dead.pid));
        assertCode(Code.NOT_FOUND, () -> processes.monitor(dead.pid, alive.pid));
        assertCode(Code.NOT_FOUND, () -> processes.link(alive.pid, dead.pid));
        assertThatThrownBy(() -> processes.link(alive.pid, alive.pid)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> processes.spawn(
                        new Recorded(IDLE),
                        null,
                        SpawnOptions.builder().linked().build()))
                .isInstanceOf(IllegalArgumentException.class);
        Recorded orphan = new Recorded(IDLE);
        assertCode(Code.NOT_FOUND, () -> processes.spawn(orphan, null, childOf(dead, true, false)));
        assertThat(orphan.closed).hasValue(1);
    }

    @Test
    void aDeadWatcherLeavesNothingWithItsTarget() throws Exception {
        Recorded target = fixture.spawn(IDLE);
        for (int i = 0; i < 100; i++) {
            Recorded watcher = fixture.spawn(IDLE);
            processes.monitor(watcher.pid, target.pid);
            processes.link(watcher.pid, target.pid);
            processes.unlink(watcher.pid, target.pid);
            processes.terminate(watcher.pid);
            watcher.awaitExit();
        }
        LiveProcess live = processes.live(target.pid);
        assertThat(live).isNotNull();
        List<Integer> left = new ArrayList<>();
        live.unrelate(own -> left.add(own.watchers.size() + own.watched.size() + own.linked.size()));
        assertThat(left).containsExactly(0);
    }

    @Test
    void whoeverIsTerminatedWhileItIsWokenEnds() throws Exception {
        for (int i = 0; i < 50_000; i++) {
            Recorded process = fixture.spawn(IDLE);
            processes.send(process.pid, HELLO);
            processes.terminate(process.pid);
            process.awaitExit();
        }
    }

    @Test
    void linkedProcessesFailTogetherAlongTheWholeChain() throws Exception {
        Recorded first = fixture.spawn(IDLE);
        Recorded second = fixture.spawn(IDLE, childOf(first, false, true));
        Recorded third = fixture.spawn(IDLE, childOf(second, false, true));
        processes.terminate(third.pid);
        assertThat(first.awaitExit().error())
                .isInstanceOfSatisfying(
                        ProcessException.class, e -> assertThat(e.code()).isEqualTo(Code.LINK_DOWN));
        assertThat(second.awaitExit().error()).cause().hasMessageContaining("terminated");
    }

    @Test
    void aLinkedProcessThatEndsWellTakesNobodyAlong() throws Exception {
        Recorded parent = fixture.spawn(IDLE);
        fixture.spawn((step, events, out) -> out.done(null), childOf(parent, false, true))
                .awaitExit();
        processes.send(parent.pid, HELLO);
        parent.awaitSeen(seen -> assertThat(seen).extracting(Seen::kind).containsExactly(Event.Kind.MESSAGE));
    }

    @Test
    void aProcessThatTrapsLinksSeesThemGoDown() throws Exception {
        Recorded parent = fixture.spawn(IDLE, SpawnOptions.builder().trapLinks().build());
        Recorded child = fixture.spawn(
                (step, events, out) -> {
                    throw new IllegalStateException("bad");
                },
                childOf(parent, false, true));
        parent.awaitSeen(seen -> {
            assertThat(seen)
                    .extracting(Seen::kind, Seen::from)
                    .containsExactly(org.assertj.core.api.Assertions.tuple(Event.Kind.LINK_DOWN, child.pid));
            assertThat(seen.get(0).error()).hasMessage("bad");
        });
    }

    @Test
    void aMonitorIsNoLink() throws Exception {
        Recorded watcher = fixture.spawn(IDLE);
        Recorded child = fixture.spawn(
                (step, events, out) -> {
                    throw new IllegalStateException("bad");
                },
                childOf(watcher, true, false));
        child.awaitExit();
        watcher.awaitSeen(seen -> assertThat(seen).extracting(Seen::kind).containsExactly(Event.Kind.EXIT));
        assertThat(processes.find(watcher.pid)).isPresent();
    }

    @Test
    void aNameHasOneProcessAndIsFreeWhenThatHasEnded() throws Exception {
        SpawnOptions named = SpawnOptions.builder().name("one").build();
        Recorded first = fixture.spawn(IDLE, named);
        assertThat(processes.lookup("one")).hasValue(first.pid);
        Recorded second = new Recorded(IDLE);
        assertCode(Code.NAME_TAKEN, () -> processes.spawn(second, null, named));
        assertThat(second.closed).hasValue(1);
        processes.register("one", first.pid);
        processes.register("two", first.pid);
        Recorded other = fixture.spawn(IDLE);
        assertCode(Code.NAME_TAKEN, () -> processes.register("two", other.pid));
        assertThat(processes.find(first.pid).orElseThrow().names()).containsExactly("one", "two");
        assertThat(processes.unregister("two")).isTrue();
        assertThat(processes.unregister("two")).isFalse();
        processes.register("two", other.pid);
        processes.terminate(first.pid);
        first.awaitExit();
        assertThat(processes.lookup("one")).isEmpty();
        assertThat(processes.lookup("two")).hasValue(other.pid);
    }

    @Test
    void spawnOrSignalHonoursTheOptionsForTheExistingProcessToo() throws Exception {
        Recorded watcher = fixture.spawn(IDLE);
        Recorded service = new Recorded(IDLE);
        SpawnOptions plain = SpawnOptions.builder().name("service").build();
        Pid pid = processes.spawnOrSignal(() -> service, null, plain, List.of(HELLO));
        SpawnOptions watched = SpawnOptions.builder()
                .name("service")
                .parent(watcher.pid)
                .monitored()
                .build();
        assertThat(processes.spawnOrSignal(
                        () -> {
                            throw new AssertionError("there is one");
                        },
                        null,
                        watched,
                        List.of(HELLO, HELLO)))
                .isEqualTo(pid);
        service.awaitSeen(seen -> assertThat(seen).hasSize(3));
        processes.terminate(pid);
        watcher.awaitSeen(seen -> assertThat(seen).extracting(Seen::kind).containsExactly(Event.Kind.EXIT));
        assertThatThrownBy(() -> processes.spawnOrSignal(() -> service, null, SpawnOptions.defaults(), List.of()))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void ofManyThatSpawnOrSignalAtOnceOneSpawnsAndEverySignalArrives() throws Exception {
        int threads = 4;
        int rounds = 200;
        ExecutorService callers = Executors.newFixedThreadPool(threads);
        CyclicBarrier together = new CyclicBarrier(threads);
        AtomicInteger received = new AtomicInteger();
        List<Future<?>> all = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            all.add(callers.submit(() -> {
                for (int round = 0; round < rounds; round++) {
                    together.await();
                    // each ends with its first message, so that callers meet one that is about to go
                    processes.spawnOrSignal(
                            () -> new Recorded((step, events, out) -> {
                                received.addAndGet(events.size());
                                if (!events.isEmpty()) {
                                    out.done(null);
                                }
                            }),
                            null,
                            SpawnOptions.builder().name("service").build(),
                            List.of(HELLO));
                }
                return null;
            }));
        }
        for (Future<?> one : all) {
            one.get();
        }
        callers.shutdown();
        await().atMost(LONGEST).until(() -> processes.stats().processes() == 0);
        assertThat(received.get() + processes.stats().messagesLost()).isEqualTo((long) threads * rounds);
    }

    @Test
    void groupsHaveTheirMembersUntilTheseLeaveOrEnd() throws Exception {
        Recorded one = fixture.spawn(IDLE);
        Recorded two = fixture.spawn(IDLE);
        ProcessGroups groups = processes.groups();
        groups.join(one.pid, List.of("a", "b"));
        groups.join(two.pid, List.of("a"));
        groups.join(two.pid, List.of("a"));
        assertThat(groups.members("a")).containsExactly(one.pid, two.pid);
        assertThat(groups.names()).containsExactly("a", "b");
        assertThat(groups.broadcast("a", HELLO)).isEqualTo(2);
        two.awaitSeen(seen -> assertThat(seen).hasSize(1));
        groups.leave(two.pid, List.of("a", "unknown"));
        assertThat(groups.members("a")).containsExactly(one.pid);
        processes.terminate(one.pid);
        one.awaitExit();
        assertThat(groups.names()).isEmpty();
        assertCode(Code.NOT_FOUND, () -> groups.join(one.pid, List.of("a")));
        assertThat(groups.names()).isEmpty();
    }

    @Test
    void whoWatchesAGroupMissesNothingAfterTheMembersItWasGiven() throws Exception {
        Recorded watcher = fixture.spawn(IDLE);
        Recorded one = fixture.spawn(IDLE);
        ProcessGroups groups = processes.groups();
        groups.join(one.pid, List.of("a", "b"));
        ProcessGroups.Watch watch = groups.watch("a", watcher.pid, "changes");
        assertThat(watch.members()).containsOnlyKeys("a").containsEntry("a", List.of(one.pid));
        assertThat(groups.watch(null, watcher.pid, "all").members()).containsOnlyKeys("a", "b");
        processes.terminate(one.pid);
        watcher.awaitSeen(seen -> assertThat(seen)
                .extracting(Seen::topic, Seen::data)
                .containsExactlyInAnyOrder(
                        org.assertj.core.api.Assertions.tuple("changes", new ProcessGroups.Change("a", one.pid, false)),
                        org.assertj.core.api.Assertions.tuple("all", new ProcessGroups.Change("a", one.pid, false)),
                        org.assertj.core.api.Assertions.tuple("all", new ProcessGroups.Change("b", one.pid, false))));
        watch.stop().run();
        groups.join(watcher.pid, List.of("a"));
        watcher.awaitSeen(seen -> assertThat(seen).hasSize(4));
        assertThat(watcher.seen().get(3).topic()).isEqualTo("all");
    }

    @Test
    void whatProcessesAreDoingCanBeSeen() throws Exception {
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        Recorded waiting = fixture.spawn((step, events, out) -> {
            out.yield(later(1), 1);
            out.yield(later(2), 2);
            out.waitForYields();
        });
        fixture.awaitState(waiting.pid, ProcessInfo.State.WAITING);
        Recorded running = fixture.spawn(
                (step, events, out) -> {
                    inside.countDown();
                    goOn.await();
                },
                SpawnOptions.builder().name("busy").parent(waiting.pid).build());
        inside.await();
        fixture.awaitState(running.pid, ProcessInfo.State.RUNNING);
        List<ProcessInfo> all = processes.list();
        assertThat(all).extracting(ProcessInfo::pid).containsExactly(waiting.pid, running.pid);
        assertThat(all.get(0).openYields()).isEqualTo(2);
        assertThat(all.get(0).steps()).isEqualTo(1);
        assertThat(all.get(0).startedAt()).isEqualTo(fixture.time.clock().instant());
        assertThat(all.get(1).names()).containsExactly("busy");
        assertThat(all.get(1).parent()).isEqualTo(waiting.pid);
        assertThat(all.get(1).type()).isEqualTo(Recorded.class.getName());
        goOn.countDown();
        fixture.awaitState(running.pid, ProcessInfo.State.IDLE);
        assertThat(processes.stats().steps()).isEqualTo(2);
    }

    @Test
    void aContextOfAProcessItselfTellsOfItsEnd() throws Exception {
        List<CancelCause> causes = new ArrayList<>();
        Set<ProcessContext> contexts = ConcurrentHashMap.newKeySet();
        CountDownLatch told = new CountDownLatch(1);
        Process process = new Process() {
            @Override
            public void init(ProcessContext self, @Nullable Object input) {
                contexts.add(self);
                self.onCancel(why -> {
                    causes.add(why);
                    told.countDown();
                });
            }

            @Override
            public void step(List<Event> events, StepOutput out) {
                out.done(null);
            }
        };
        Pid pid = processes.spawn(process);
        told.await();
        assertThat(causes).containsExactly(CancelCause.REQUESTED);
        assertThat(contexts).allMatch(self -> self.isCancelled() && self.pid().equals(pid));
    }

    @Test
    void afterShutdownNothingStartsAndEverybodyIsAskedToEnd() throws Exception {
        Recorded polite = fixture.spawn((step, events, out) -> {
            if (events.stream().anyMatch(event -> event.kind() == Event.Kind.CANCEL)) {
                out.done("bye");
            }
        });
        processes.shutdown();
        assertThat(polite.awaitExit().result()).isEqualTo("bye");
        assertCode(Code.STOPPING, () -> processes.spawn(new Recorded(IDLE)));
        assertThat(processes.awaitTermination(LONGEST)).isTrue();
    }

    @Test
    void shutdownLetsAsynchronousCleanUpFinish() throws Exception {
        with(new ProcessFixture(builder -> builder.closeTimeout(LONGEST)).start());
        Recorded process = fixture.spawn((step, events, out) -> {
            if (step == 2) {
                out.yield(later(1), 1);
                out.waitForYields();
            } else if (step == 3) {
                out.done("cleaned up");
            }
        });
        fixture.awaitState(process.pid, ProcessInfo.State.IDLE);
        ExecutorService closer = Executors.newSingleThreadExecutor();
        Future<?> closing = closer.submit(processes::close);
        Begun cleanUp = fixture.nextBegun();
        assertThat(closing).isNotDone();
        cleanUp.complete(null);
        closing.get();
        closer.shutdown();
        assertThat(process.awaitExit().result()).isEqualTo("cleaned up");
    }

    @Test
    void closeTerminatesWhatDoesNotEndInTime() throws Exception {
        Recorded stubborn = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                out.yield(later(1), 1);
            }
        });
        Begun begun = fixture.nextBegun();
        List<CancelCause> causes = new ArrayList<>();
        begun.context().onCancel(causes::add);
        Recorded busy = fixture.spawn((step, events, out) -> out.again());
        processes.close();
        assertThat(stubborn.awaitExit().error()).hasMessageContaining("terminated");
        assertThat(busy.awaitExit().error()).hasMessageContaining("terminated");
        assertThat(causes).containsExactly(CancelCause.SHUTDOWN);
        assertThat(processes.stats().processes()).isZero();
        begun.complete("long after");
        processes.close();
    }

    @Test
    void closeInterruptsAStepThatDoesNotReturn() throws Exception {
        CountDownLatch inside = new CountDownLatch(1);
        Recorded stuck = fixture.spawn((step, events, out) -> {
            inside.countDown();
            new CountDownLatch(1).await();
        });
        inside.await();
        processes.close();
        assertThat(stuck.awaitExit().error()).isInstanceOf(InterruptedException.class);
        assertThat(processes.stats().processes()).isZero();
    }

    @Test
    void closeEndsWhatWaitsBehindAStepThatNeverReturns() throws Exception {
        with(new ProcessFixture(builder -> builder.workers(1)).start());
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        Recorded stuck = fixture.spawn((step, events, out) -> {
            inside.countDown();
            while (goOn.getCount() > 0) {
                Thread.onSpinWait();
            }
            out.again();
        });
        inside.await();
        Recorded behind = fixture.spawn(IDLE);
        processes.close();
        assertThat(behind.awaitExit().error()).hasMessageContaining("terminated");
        assertThat(behind.closed).hasValue(1);
        assertThat(stuck.exit).isNotDone();
        goOn.countDown();
        stuck.awaitExit();
        assertThat(stuck.stepCount()).isEqualTo(1);
        assertThat(processes.stats().processes()).isZero();
    }

    @Test
    void whatWasNeverStartedCanBeClosed() throws Exception {
        with(new ProcessFixture());
        Recorded process = fixture.spawn(IDLE);
        processes.close();
        process.awaitExit();
        assertThat(process.closed).hasValue(1);
    }

    @Test
    void manyStartsAndStopsLeaveNothing() throws Exception {
        for (int i = 0; i < 50; i++) {
            with(new ProcessFixture(builder -> builder.closeTimeout(Duration.ZERO)).start());
            Recorded one = fixture.spawn((step, events, out) -> out.again());
            Recorded two = fixture.spawn(IDLE);
            processes.close();
            one.awaitExit();
            two.awaitExit();
            assertThat(processes.stats().processes()).isZero();
        }
    }
}
