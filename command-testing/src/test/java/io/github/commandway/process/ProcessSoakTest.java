package io.github.commandway.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.dispatch.ResultReceiver;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Many processes that yield, are sent to, cancelled, upgraded and terminated at random, with handlers that complete inline, later, twice, after the end, or throw. At the end every counter balances, and no
 * process has seen what was not its own.
 *
 * <p>{@code -Dcommandway.seed} repeats the choices of one run, {@code -Dcommandway.processes} makes it longer.
 */
class ProcessSoakTest {
    private static final long SEED = Long.getLong("commandway.seed", System.nanoTime());
    private static final int PROCESSES = Integer.getInteger("commandway.processes", 10_000);
    private static final int AT_ONCE = 500;
    private static final int WORK = 256;

    private final AtomicLong yielded = new AtomicLong();
    private final AtomicLong released = new AtomicLong();
    private final AtomicLong closed = new AtomicLong();
    private final AtomicLong codes = new AtomicLong();
    private final AtomicLong received = new AtomicLong();
    private final AtomicReference<@Nullable String> wrong = new AtomicReference<>();
    private final ConcurrentLinkedQueue<Runnable> late = new ConcurrentLinkedQueue<>();

    @Test
    void everyCounterBalances() throws Exception {
        Registry registry = new Registry();
        registry.register("soak", WORK, this::handle);
        AtomicLong exits = new AtomicLong();
        AtomicInteger alive = new AtomicInteger();
        Random random = new Random(SEED);
        try (Processes processes = Processes.builder(registry)
                .workers(3)
                .maxProcesses(AT_ONCE)
                .closeTimeout(Duration.ZERO)
                .build()) {
            processes.start();
            processes.addListener("count", new ProcessListener() {
                @Override
                public void onExit(Exit exit) {
                    exits.incrementAndGet();
                }
            });
            ExecutorService others = Executors.newFixedThreadPool(2);
            AtomicInteger spawned = new AtomicInteger();
            AtomicLong sent = new AtomicLong();
            List<Future<?>> running = new ArrayList<>();
            for (int i = 0; i < 2; i++) {
                Random own = new Random(SEED + 1 + i);
                running.add(others.submit(() -> {
                    while (spawned.get() < PROCESSES || alive.get() > 0) {
                        disturb(processes, own, sent);
                    }
                }));
            }
            while (spawned.get() < PROCESSES) {
                Random own = new Random(random.nextLong());
                SpawnOptions options = SpawnOptions.builder()
                        .mailbox(20)
                        .onExit(exit -> alive.decrementAndGet())
                        .build();
                alive.incrementAndGet();
                try {
                    processes.spawn(code(own), null, options);
                    spawned.incrementAndGet();
                } catch (ProcessException e) {
                    alive.decrementAndGet();
                    assertThat(e.code()).isEqualTo(ProcessException.Code.TOO_MANY);
                    Thread.onSpinWait();
                }
            }
            for (Future<?> one : running) {
                one.get();
            }
            others.shutdown();
            for (Runnable one = late.poll(); one != null; one = late.poll()) {
                one.run();
            }
            await().atMost(ProcessFixture.LONGEST).until(() -> processes.stats().processes() == 0);
            await().atMost(ProcessFixture.LONGEST).until(() -> exits.get() == PROCESSES);

            String seed = "seed " + SEED;
            ProcessStats stats = processes.stats();
            assertThat(wrong.get()).as(seed).isNull();
            assertThat(stats.spawned()).as(seed).isEqualTo(PROCESSES);
            assertThat(stats.done() + stats.failed()).as(seed).isEqualTo(PROCESSES);
            assertThat(stats.ready()).as(seed).isZero();
            assertThat(closed.get()).as("closed once each, %s", seed).isEqualTo(codes.get());
            assertThat(released.get()).as("released once each, %s", seed).isEqualTo(yielded.get());
            assertThat(received.get() + stats.messagesLost())
                    .as("messages, %s", seed)
                    .isEqualTo(sent.get());
            assertThat(stats.late()).as("late ones, %s", seed).isPositive();
            assertThat(stats.failed()).as("failed ones, %s", seed).isPositive();
        }
    }

    private Code code(Random random) {
        codes.incrementAndGet();
        return new Code(random);
    }

    private void disturb(Processes processes, Random random, AtomicLong sent) {
        Pid pid = new Pid(1 + random.nextInt(PROCESSES * 2));
        List<ProcessInfo> all = random.nextInt(50) == 0 ? processes.list() : List.of();
        if (!all.isEmpty()) {
            pid = all.get(random.nextInt(all.size())).pid();
        }
        switch (random.nextInt(12)) {
            case 0 -> processes.terminate(pid);
            case 1 -> processes.cancel(pid, null, "soak");
            case 2 -> processes.upgrade(pid, code(new Random(random.nextLong())), null);
            case 3, 4 -> {
                Runnable completion = late.poll();
                if (completion != null) {
                    completion.run();
                }
            }
            default -> {
                if (processes.send(pid, new Message(null, "soak", pid))) {
                    sent.incrementAndGet();
                }
            }
        }
    }

    private void handle(CommandContext context, Command command, long tag, ResultReceiver receiver) {
        Work work = (Work) command;
        Runnable completion = () -> receiver.completeYield(tag, work, null);
        switch (work.choice % 8) {
            case 0, 1 -> completion.run();
            case 2 -> {
                completion.run();
                completion.run();
            }
            case 3 -> {
                late.add(completion);
                late.add(completion);
            }
            case 4 -> throw new IllegalStateException("on purpose");
            case 5 -> {
                completion.run();
                late.add(completion);
            }
            case 6 -> {
                late.add(completion);
                context.onCancel(why -> {});
            }
            default -> late.add(completion);
        }
    }

    private final class Work implements Command {
        final Code owner;
        final int choice;
        private final AtomicInteger releases = new AtomicInteger();

        Work(Code owner, int choice) {
            this.owner = owner;
            this.choice = choice;
            yielded.incrementAndGet();
        }

        @Override
        public int commandId() {
            return WORK;
        }

        @Override
        public void release() {
            released.incrementAndGet();
            if (releases.incrementAndGet() > 1) {
                wrong.set("released twice");
            }
        }
    }

    private final class Code implements Process {
        private final Random random;
        private @Nullable Pid self;
        private Set<Long> open = new HashSet<>();
        private long lastTag;
        private int steps;

        Code(Random random) {
            this.random = random;
        }

        @Override
        public void init(ProcessContext context, @Nullable Object input) {
            self = context.pid();
        }

        @Override
        public void step(List<Event> events, StepOutput out) {
            for (Event event : events) {
                switch (event.kind()) {
                    case MESSAGE -> {
                        received.incrementAndGet();
                        if (!event.data().equals(self)) {
                            wrong.set("a message for " + event.data() + " came to " + self);
                        }
                    }
                    case YIELD_COMPLETE -> {
                        // after an upgrade there are yields of the code before it, which have higher tags
                        if (event.data() instanceof Work work && work.owner == this && !open.remove(event.tag())) {
                            wrong.set("a yield ended twice");
                        }
                    }
                    default -> {}
                }
            }
            int yields = random.nextInt(4);
            for (int i = 0; i < yields; i++) {
                open.add(++lastTag);
                Work work = new Work(this, random.nextInt(1_000));
                if (random.nextInt(4) == 0) {
                    out.yield(work, lastTag, Duration.ofMillis(1 + random.nextInt(50)));
                } else {
                    out.yield(work, lastTag);
                }
            }
            steps++;
            switch (random.nextInt(10)) {
                case 0 -> out.done(null);
                case 1 -> {
                    if (random.nextInt(10) == 0) {
                        throw new IllegalStateException("on purpose");
                    }
                    out.upgrade(code(new Random(random.nextLong())), null);
                }
                case 2, 3 -> out.again();
                case 4, 5, 6 -> {
                    if (yields > 0) {
                        out.waitForYields();
                    } else {
                        out.again();
                    }
                }
                default -> {
                    if (yields == 0 && steps > 3) {
                        out.done(null);
                    } else if (yields > 0) {
                        out.idle();
                    } else {
                        out.again();
                    }
                }
            }
        }

        @Override
        public void close() {
            closed.incrementAndGet();
        }
    }
}
