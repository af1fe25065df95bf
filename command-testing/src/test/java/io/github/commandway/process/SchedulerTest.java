package io.github.commandway.process;

import static io.github.commandway.process.ProcessFixture.LONGEST;
import static io.github.commandway.process.ProcessFixture.echo;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.process.ProcessFixture.Action;
import io.github.commandway.process.ProcessFixture.Recorded;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** How processes share the workers. */
class SchedulerTest {
    private static final Message GO = new Message(null, "go", null);

    private final List<ProcessFixture> fixtures = new ArrayList<>();

    @AfterEach
    void close() {
        fixtures.forEach(ProcessFixture::close);
    }

    private ProcessFixture start(UnaryOperator<Processes.Builder> settings) {
        ProcessFixture fixture = new ProcessFixture(settings).start();
        fixtures.add(fixture);
        return fixture;
    }

    @Test
    void oneThatAlwaysGoesOnLeavesTheOthersTheirShare() throws Exception {
        ProcessFixture fixture = start(builder -> builder.workers(1));
        Recorded greedy = fixture.spawn((step, events, out) -> out.again());
        Recorded yielding = fixture.spawn((step, events, out) -> {
            out.yield(echo(1), 1);
            out.waitForYields();
        });
        for (int i = 0; i < 100; i++) {
            fixture.spawn((step, events, out) -> {
                        if (step == 10) {
                            out.done(null);
                        } else {
                            out.again();
                        }
                    })
                    .awaitExit();
        }
        int before = greedy.stepCount();
        await().atMost(LONGEST).until(() -> greedy.stepCount() > before);
        int yields = yielding.stepCount();
        await().atMost(LONGEST).until(() -> yielding.stepCount() > yields);
    }

    @Test
    void completionsFromElsewhereAreNotStarvedByOneThatAlwaysGoesOn() throws Exception {
        ProcessFixture fixture = start(builder -> builder.workers(1));
        fixture.spawn((step, events, out) -> out.again());
        Recorded waiting = fixture.spawn((step, events, out) -> {
            if (step == 100) {
                out.done(null);
            } else {
                out.yield(ProcessFixture.later(step), step);
                out.waitForYields();
            }
        });
        for (int i = 1; i < 100; i++) {
            fixture.nextBegun().complete(null);
        }
        waiting.awaitExit();
    }

    @Test
    void aProcessIsNeverSteppedByTwoWorkersAtOnce() throws Exception {
        ProcessFixture fixture = start(builder -> builder.workers(4));
        int senders = 4;
        int each = 5_000;
        Recorded process = fixture.spawn(
                (step, events, out) -> {
                    if (step % 3 == 0) {
                        out.yield(echo(step), step);
                    }
                },
                SpawnOptions.builder().mailbox(senders * each).build());
        ExecutorService threads = Executors.newFixedThreadPool(senders);
        for (int i = 0; i < senders; i++) {
            threads.submit(() -> {
                for (int n = 0; n < each; n++) {
                    fixture.processes.send(process.pid, GO);
                }
            });
        }
        threads.shutdown();
        process.awaitSeen(seen -> assertThat(seen.stream().filter(event -> event.kind() == Event.Kind.MESSAGE))
                .hasSize(senders * each));
        assertThat(process.exit).isNotDone();
    }

    @Test
    void aWorkerWithoutWorkTakesItFromAnother() throws Exception {
        ProcessFixture fixture = start(builder -> builder.workers(2));
        Set<Thread> threads = ConcurrentHashMap.newKeySet();
        CountDownLatch bothBusy = new CountDownLatch(2);
        // both are put into the queue of the worker that runs this; they end only if another one takes one of them
        fixture.spawn((step, events, out) -> {
            for (int i = 0; i < 2; i++) {
                fixture.spawn((s, e, o) -> {
                    threads.add(Thread.currentThread());
                    bothBusy.countDown();
                    bothBusy.await();
                    o.done(null);
                });
            }
            out.done(null);
        });
        assertThat(bothBusy.await(LONGEST.toSeconds(), TimeUnit.SECONDS)).isTrue();
        assertThat(threads).hasSize(2);
        assertThat(fixture.processes.stats().stolen()).isPositive();
    }

    @Test
    void whatWaitsBehindALongStepIsTakenByAnotherWorker() throws Exception {
        ProcessFixture fixture = start(builder -> builder.workers(2));
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch goOn = new CountDownLatch(1);
        List<Recorded> children = Collections.synchronizedList(new ArrayList<>());
        Recorded busy = fixture.spawn((step, events, out) -> {
            for (int i = 0; i < 50; i++) {
                children.add(fixture.spawn((s, e, o) -> o.done(null)));
            }
            inside.countDown();
            goOn.await();
            out.done(null);
        });
        inside.await();
        for (Recorded child : List.copyOf(children)) {
            child.awaitExit();
        }
        goOn.countDown();
        busy.awaitExit();
    }

    @Test
    void handlersThatBlockDoNotStopTheOthers() throws Exception {
        ProcessFixture fixture = start(builder -> builder.workers(1).blockedAfter(Duration.ofSeconds(1)));
        CountDownLatch goOn = new CountDownLatch(1);
        CountDownLatch inside = new CountDownLatch(1);
        Recorded blocking = fixture.spawn((step, events, out) -> {
            if (step == 1) {
                out.yield(
                        new Action((context, command, tag, receiver) -> {
                            inside.countDown();
                            goOn.await();
                            receiver.completeYield(tag, "at last", null);
                        }),
                        1);
                out.waitForYields();
            } else {
                out.done(null);
            }
        });
        inside.await();
        Recorded other = fixture.spawn((step, events, out) -> out.done("in spite of it"));
        await().atMost(LONGEST).until(() -> {
            fixture.time.advance(Duration.ofMillis(300));
            return other.exit.isDone();
        });
        assertThat(fixture.processes.stats().replaced()).isEqualTo(1);
        goOn.countDown();
        assertThat(blocking.awaitExit().error()).isNull();
        assertThat(blocking.seen().get(0).data()).isEqualTo("at last");
        fixture.spawn((step, events, out) -> out.done(null)).awaitExit();
        assertThat(fixture.processes.stats().steps()).isEqualTo(4);
    }

    @Test
    void noMoreThreadsAreAddedThanAllowed() throws Exception {
        ProcessFixture fixture = start(builder ->
                builder.workers(1).blockedAfter(Duration.ofSeconds(1)).maxBlockedWorkers(2));
        CountDownLatch goOn = new CountDownLatch(1);
        List<Recorded> all = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            all.add(fixture.spawn((step, events, out) -> {
                goOn.await();
                out.done(null);
            }));
        }
        await().atMost(LONGEST).until(() -> {
            fixture.time.advance(Duration.ofMillis(300));
            return all.stream().filter(process -> process.stepCount() > 0).count() == 3;
        });
        for (int i = 0; i < 20; i++) {
            fixture.time.advance(Duration.ofMillis(300));
        }
        assertThat(fixture.processes.stats().replaced()).isEqualTo(2);
        assertThat(all.stream().filter(process -> process.stepCount() > 0)).hasSize(3);
        goOn.countDown();
        for (Recorded one : all) {
            one.awaitExit();
        }
    }

    @Test
    void workersThatAreReplacedAtAnyMomentLoseNothing() throws Exception {
        ProcessFixture fixture = start(
                builder -> builder.workers(3).blockedAfter(Duration.ofNanos(2)).maxBlockedWorkers(1_000));
        AtomicBoolean enough = new AtomicBoolean();
        AtomicLong ended = new AtomicLong();
        SpawnOptions options =
                SpawnOptions.builder().onExit(exit -> ended.incrementAndGet()).build();
        ExecutorService spawner = Executors.newSingleThreadExecutor();
        Future<Long> spawning = spawner.submit(() -> {
            long spawned = 0;
            while (!enough.get()) {
                fixture.processes.spawn(new FiveYields(), null, options);
                spawned++;
            }
            return spawned;
        });
        long now = 0;
        while (fixture.processes.stats().replaced() < 20) {
            fixture.processes.scheduler.replaceBlocked(++now);
        }
        enough.set(true);
        long spawned = spawning.get();
        spawner.shutdown();
        await().atMost(LONGEST).until(() -> ended.get() == spawned);
        await().atMost(LONGEST).until(() -> fixture.processes.stats().steps() == spawned * 6L);
    }

    @ParameterizedTest
    @CsvSource({"1,1", "1,2", "2,1", "2,2", "3,2"})
    void noWakeUpIsLost(int workers, int senders) throws Exception {
        ProcessFixture fixture = start(builder -> builder.workers(workers));
        ExecutorService threads = Executors.newFixedThreadPool(senders);
        List<Future<?>> running = new ArrayList<>();
        for (int i = 0; i < senders; i++) {
            AtomicLong handled = new AtomicLong();
            Pid pid = fixture.spawn((step, events, out) -> handled.addAndGet(events.size())).pid;
            // one message at a time, so that workers fall asleep again and again, and each message meets one on its way
            running.add(threads.submit(() -> {
                long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(1);
                for (long sent = 1; System.nanoTime() < end; sent++) {
                    fixture.processes.send(pid, GO);
                    for (int spins = 0; handled.get() < sent; spins++) {
                        if (spins > 2_000) {
                            Thread.yield();
                        }
                    }
                }
            }));
        }
        threads.shutdown();
        for (Future<?> one : running) {
            one.get(LONGEST.toSeconds(), TimeUnit.SECONDS);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4, 32})
    void tenThousandProcessesEndOnAnyNumberOfWorkers(int workers) throws Exception {
        ProcessFixture fixture = start(builder -> builder.workers(workers));
        int count = 10_000;
        CountDownLatch ended = new CountDownLatch(count);
        AtomicInteger failed = new AtomicInteger();
        SpawnOptions options = SpawnOptions.builder()
                .onExit(exit -> {
                    if (exit.error() != null || !Integer.valueOf(5).equals(exit.result())) {
                        failed.incrementAndGet();
                    }
                    ended.countDown();
                })
                .build();
        for (int i = 0; i < count; i++) {
            fixture.processes.spawn(new FiveYields(), null, options);
        }
        assertThat(ended.await(60, TimeUnit.SECONDS)).isTrue();
        assertThat(failed).hasValue(0);
        ProcessStats stats = fixture.processes.stats();
        assertThat(stats.spawned()).isEqualTo(count);
        assertThat(stats.done()).isEqualTo(count);
        assertThat(stats.steps()).isEqualTo(count * 6L);
    }

    /** Yields five times, and is done with how often it was answered. */
    private static final class FiveYields implements Process {
        private int answers;

        @Override
        public void step(List<Event> events, StepOutput out) {
            answers += events.size();
            if (answers == 5) {
                out.done(answers);
            } else {
                out.yield(echo(answers), answers);
                out.waitForYields();
            }
        }
    }
}
