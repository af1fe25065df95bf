package io.github.commandway.manager;

import static io.github.commandway.manager.ManagerFixture.bytes;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.testing.FaultyCommandStore;
import io.github.commandway.testing.FaultyCommandStore.Write;
import io.github.commandway.testing.ManualTime;
import io.github.commandway.timing.DeadlineWheel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/**
 * Whatever happens to commands, in whatever order: accepted means recorded; there is one end and it stays; completed only if the
 * handler said so; events without holes and the end last; everybody told once; nothing left open, and nothing open past its
 * time.
 *
 * <p>{@code -Dcommandway.seed} repeats one run, {@code -Dcommandway.rounds} makes it longer.
 */
class CommandInvariantsTest {
    private static final long FIRST_SEED = Long.getLong("commandway.seed", System.nanoTime());
    private static final int ROUNDS = Integer.getInteger("commandway.rounds", 150);
    private static final int THREADS = 4;
    private static final long TICK_NANOS = DeadlineWheel.TICK_NANOS;

    @Test
    void holdInAnyOrderOfEvents() throws Exception {
        rounds(1, (world, random) -> {
            for (int step = 0; step < 400; step++) {
                world.act(random, true);
            }
        });
    }

    @Test
    void holdWhenManyThreadsActAtOnce() throws Exception {
        rounds(THREADS, (world, random) -> {
            ExecutorService threads = Executors.newFixedThreadPool(THREADS);
            try {
                CyclicBarrier start = new CyclicBarrier(THREADS);
                List<Future<?>> running = new ArrayList<>();
                for (int i = 0; i < THREADS; i++) {
                    boolean movesTime = i == 0;
                    Random own = new Random(random.nextLong());
                    running.add(threads.submit(() -> {
                        start.await();
                        for (int step = 0; step < 150; step++) {
                            world.act(own, movesTime);
                        }
                        return null;
                    }));
                }
                for (Future<?> one : running) {
                    one.get(60, TimeUnit.SECONDS);
                }
            } finally {
                threads.shutdownNow();
            }
        });
    }

    private static void rounds(int threads, Run run) throws Exception {
        for (int round = 0; round < ROUNDS; round++) {
            long seed = FIRST_SEED + round;
            try {
                Random random = new Random(seed);
                World world = new World(threads, random);
                run.run(world, random);
                world.finish(random);
            } catch (Throwable e) {
                throw new AssertionError("repeat with -Dcommandway.seed=" + seed + " -Dcommandway.rounds=1", e);
            }
        }
    }

    private interface Run {
        void run(World world, Random random) throws Exception;
    }

    /** One command as the test sees it. */
    private static final class Seen {
        final CommandHandle handle;
        final AtomicInteger ends = new AtomicInteger();
        volatile CommandRecord end;

        Seen(CommandHandle handle) {
            this.handle = handle;
        }

        void ended(CommandHandle ended) {
            ends.incrementAndGet();
            end = ended.record();
        }
    }

    /** One call of a handler, with what the test made it say. */
    private record Given(CommandContext context, RecordedCommand command, long tag, AtomicBoolean saidOk) {}

    private static final class World {
        final ManualTime time = new ManualTime();
        final FaultyCommandStore store = new FaultyCommandStore(
                new InMemoryCommandStore(time.clock(), Duration.ofDays(1), 100_000, Long.MAX_VALUE));
        final Map<RecordId, List<CommandEvent>> heard = new ConcurrentHashMap<>();
        final Map<RecordId, Given> given = new ConcurrentHashMap<>();
        final List<Given> calls = Collections.synchronizedList(new ArrayList<>());
        final List<Seen> accepted = Collections.synchronizedList(new ArrayList<>());
        final List<CompletableFuture<?>> answers = Collections.synchronizedList(new ArrayList<>());
        final List<String> problems = Collections.synchronizedList(new ArrayList<>());
        final AtomicInteger keys = new AtomicInteger();
        final CommandManager manager;
        final int threads;
        final boolean slowStore;

        World(int threads, Random random) {
            this.threads = threads;
            Registry registry = new Registry();
            registry.register("test", ManagerFixture.DIRECT, this::take);
            registry.register("test", ManagerFixture.QUEUED, new QueueingHandler() {
                @Override
                public CommandRequest admit(CommandRequest request) {
                    return request;
                }

                @Override
                public void handle(CommandContext context, Command command, long tag, ResultReceiver receiver) {
                    take(context, command, tag, receiver);
                }
            });
            manager = CommandManager.builder(registry)
                    .store(store)
                    .maxOpen(40)
                    .time(time.clock(), time::nanos)
                    .timer(time.scheduler())
                    .listener((command, event) -> heard.computeIfAbsent(
                                    command.id(), id -> Collections.synchronizedList(new ArrayList<>()))
                            .add(event))
                    .build();
            slowStore = random.nextInt(3) == 0;
            if (slowStore) {
                store.hold();
            }
        }

        private void take(CommandContext context, Command command, long tag, ResultReceiver receiver) {
            RecordedCommand recorded = (RecordedCommand) command;
            Given call = new Given(context, recorded, tag, new AtomicBoolean());
            if (given.put(recorded.id(), call) != null) {
                problems.add(recorded + " was given to its handler twice");
            }
            calls.add(call);
            if (tag % 3 == 0) {
                context.onCancel(cause -> receiver.completeYield(
                        tag, null, new CommandException(Reason.CANCELLED_WHILE_RUNNING, "stopped: " + cause)));
            }
            if (tag % 7 == 0) {
                call.saidOk.set(true);
                receiver.completeYield(tag, "inline", null);
            } else if (tag % 11 == 0) {
                throw new IllegalStateException("thrown by the test");
            }
        }

        void act(Random random, boolean mayMoveTime) {
            switch (random.nextInt(20)) {
                case 0, 1, 2, 3 -> submit(random);
                case 4, 5 -> any(calls, random, call -> manager.handOver(call.tag));
                case 6 -> any(calls, random, call -> manager.started(call.tag));
                case 7 -> any(calls, random, call -> manager.progress(call.tag, random.nextDouble(), "on it"));
                case 8 -> any(calls, random, call -> manager.output(call.tag, "stdout", bytes("line")));
                case 9, 10 ->
                    any(calls, random, call -> {
                        call.saidOk.set(true);
                        manager.completeYield(call.tag, "done", null);
                    });
                case 11 ->
                    any(calls, random, call -> manager.completeYield(call.tag, null, new IllegalStateException("no")));
                case 12 ->
                    any(
                            calls,
                            random,
                            call -> manager.completeYield(
                                    call.tag, null, new CommandException(Reason.LOST, "its agent is gone")));
                case 13, 14 -> any(accepted, random, seen -> answers.add(manager.cancel(seen.handle.id())));
                case 15 -> any(store.held(), random, Write::complete);
                case 16 -> {
                    if (random.nextInt(4) == 0) {
                        any(store.held(), random, write -> {
                            if (write.operation() == FaultyCommandStore.Operation.CREATE) {
                                write.fail(new IllegalStateException("disk full"));
                            }
                        });
                    }
                }
                case 17 -> {
                    if (random.nextInt(60) == 0) {
                        manager.shutdown();
                    } else if (random.nextInt(60) == 0) {
                        manager.shutdownNow();
                    }
                }
                default -> {
                    if (mayMoveTime) {
                        time.advance(Duration.ofMillis(random.nextInt(60)));
                    }
                }
            }
        }

        private void submit(Random random) {
            CommandRequest.Builder request = (random.nextBoolean()
                            ? ManagerFixture.toDirect()
                            : ManagerFixture.toQueue())
                    .timeout(Duration.ofMillis(1 + random.nextInt(300)))
                    .ttl(Duration.ofMillis(random.nextInt(300)));
            if (random.nextInt(4) == 0) {
                int newest = random.nextBoolean() ? keys.incrementAndGet() : keys.get();
                request = CommandRequest.to(new Target.Local(ManagerFixture.DIRECT), "keyed")
                        .timeout(Duration.ofMillis(100))
                        .idempotencyKey("key" + newest);
            }
            answers.add(manager.submit(request.build()).handle((handle, refusal) -> {
                if (handle != null) {
                    Seen seen = new Seen(handle);
                    handle.whenEnded(seen::ended);
                    accepted.add(seen);
                } else if (!(refusal instanceof CommandRejectedException
                        || refusal.getCause() instanceof CommandRejectedException)) {
                    problems.add("submit failed with " + refusal);
                }
                return handle;
            }));
        }

        private static <T> void any(List<T> from, Random random, Consumer<T> action) {
            List<T> now;
            synchronized (from) {
                now = List.copyOf(from);
            }
            if (!now.isEmpty()) {
                // mostly the newest, since the others have ended
                int back =
                        random.nextInt(4) == 0 ? random.nextInt(now.size()) : random.nextInt(Math.min(5, now.size()));
                action.accept(now.get(now.size() - 1 - back));
            }
        }

        void finish(Random random) throws Exception {
            store.release();
            if (random.nextBoolean()) {
                manager.shutdownNow();
            } else {
                // the longest ttl and the longest timeout, one after the other, and a tick for each
                time.advance(Duration.ofMillis(600).plusNanos(3 * TICK_NANOS));
            }
            manager.shutdown();
            assertThat(manager.awaitTermination(Duration.ofSeconds(10))).isTrue();
            assertThat(problems).isEmpty();
            assertThat(answers).allMatch(CompletableFuture::isDone);

            Map<RecordId, CommandRecord> ends = new HashMap<>();
            for (Seen seen : accepted) {
                check(seen);
                CommandRecord other = ends.put(seen.handle.id(), seen.end);
                assertThat(other == null || other.equals(seen.end))
                        .as("%s has one end", seen.handle)
                        .isTrue();
            }
            ManagerStats stats = manager.stats();
            assertThat(stats.open()).isZero();
            assertThat(stats.accepted()).isEqualTo(ends.size());
            assertThat(stats.records()).isEqualTo(ends.size());
            assertThat(stats.completed() + stats.failed() + stats.timedOut() + stats.cancelled())
                    .isEqualTo(ends.size());
            assertThat(heard.keySet()).isEqualTo(ends.keySet());
            manager.close();
        }

        private void check(Seen seen) {
            RecordId id = seen.handle.id();
            CommandRecord end = seen.end;
            assertThat(seen.ends).as("told once of the end of %s", id).hasValue(1);
            assertThat(end.status()).matches(CommandStatus::isTerminal);
            assertThat(end.reason()).isNotNull();
            assertThat(manager.find(id).join())
                    .as("%s is recorded and has not changed", id)
                    .contains(end);

            Given call = given.get(id);
            boolean ok = call != null && call.saidOk.get();
            assertThat(end.status() == CommandStatus.COMPLETED && !ok)
                    .as("%s completed without a word of its handler", id)
                    .isFalse();
            assertThat((end.result() != null) == (end.status() == CommandStatus.COMPLETED))
                    .isTrue();

            List<CommandEvent> events = manager.events(id, 0, 10_000).join();
            assertThat(events)
                    .extracting(CommandEvent::sequence)
                    .as("sequence of %s", id)
                    .containsExactlyElementsOf(LongStream.rangeClosed(1, end.lastSequence())
                            .boxed()
                            .toList());
            assertThat(events.stream().filter(event -> event.type().isTerminal()))
                    .as("one end, and it is the last event of %s", id)
                    .containsExactly(events.get(events.size() - 1));
            assertThat(events.get(events.size() - 1).type().code())
                    .isEqualTo(end.status().code());
            assertThat(heard.get(id)).as("what listeners heard of %s", id).isEqualTo(events);

            if (threads == 1) {
                // with several, time moves on between two lines of the manager
                checkClocks(end);
            }
        }

        private void checkClocks(CommandRecord end) {
            Duration late = Duration.ofNanos(2 * TICK_NANOS);
            if (end.sentAt() != null) {
                assertThat(end.endedAt())
                        .as("end of the execution of %s", end)
                        .isBeforeOrEqualTo(
                                end.sentAt().plus(end.request().timeout()).plus(late));
            } else if (!slowStore) {
                assertThat(end.endedAt())
                        .as("end of the waiting of %s", end)
                        .isBeforeOrEqualTo(
                                end.createdAt().plus(end.request().ttl()).plus(late));
            }
            if (end.reason() == Reason.EXECUTION_TIMEOUT) {
                assertThat(end.endedAt())
                        .isAfterOrEqualTo(end.sentAt().plus(end.request().timeout()));
            }
            if (end.reason() == Reason.QUEUE_TIMEOUT) {
                assertThat(end.endedAt())
                        .isAfterOrEqualTo(end.createdAt().plus(end.request().ttl()));
            }
        }
    }
}
