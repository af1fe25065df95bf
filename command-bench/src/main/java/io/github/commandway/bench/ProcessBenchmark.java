package io.github.commandway.bench;

import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.process.Event;
import io.github.commandway.process.Message;
import io.github.commandway.process.Pid;
import io.github.commandway.process.Process;
import io.github.commandway.process.Processes;
import io.github.commandway.process.StepOutput;
import java.lang.management.ManagementFactory;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/**
 * The {@code process} benchmark: a yield with an inline handler up to the next step, beside what others do for a request and its answer; starts and ends; wake-ups among few and many; two workers
 * against one; the memory of idle processes. Arguments: forks (2), seconds of each iteration (1), and idle processes to measure the memory of (1,000,000).
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@State(Scope.Benchmark)
public class ProcessBenchmark {
    private static final int ECHO = 256;
    private static final int ROUND_TRIPS = 100_000;
    private static final int SPAWNS = 50_000;
    private static final int WAKE_UPS = 20_000;
    private static final int FEW = 10_000;
    private static final int MANY = 1_000_000;

    /** Yield, handler, completion, next step; commands from a pool. */
    @Benchmark
    @OperationsPerInvocation(ROUND_TRIPS)
    public void commandway(OneWorker running) throws InterruptedException {
        running.yieldInAll(ROUND_TRIPS);
    }

    /** The peer of that name. */
    @Benchmark
    @OperationsPerInvocation(ROUND_TRIPS)
    public void vertx(RunningVertx running) throws InterruptedException {
        running.peer().run(ROUND_TRIPS);
    }

    /** The peer of that name. */
    @Benchmark
    @OperationsPerInvocation(ROUND_TRIPS)
    public void axon(RunningAxon running) {
        running.peer.run(ROUND_TRIPS);
    }

    /** The peer of that name. */
    @Benchmark
    @OperationsPerInvocation(ROUND_TRIPS)
    public void pekko(RunningPekko running) throws InterruptedException {
        running.peer().run(ROUND_TRIPS);
    }

    /** Spawn, one step, and exit; the processes are spawned by another one, on the one worker. */
    @Benchmark
    @OperationsPerInvocation(SPAWNS)
    public void spawn(OneWorker running) throws InterruptedException {
        CountDownLatch over = new CountDownLatch(SPAWNS);
        running.processes().spawn(new Spawning(running.processes(), over));
        ProcessPeers.await(over);
    }

    /** A message to a random idle process, and its step. */
    @Benchmark
    @OperationsPerInvocation(WAKE_UPS)
    public void wakeUp(ManyIdle running) throws InterruptedException {
        running.wakeUp();
    }

    /** The yardstick for that: as many entries in a map, of which random ones are looked up and changed. */
    @Benchmark
    @OperationsPerInvocation(WAKE_UPS)
    public void touch(ManyEntries entries) {
        entries.touch();
    }

    /** Independent processes that yield, on one worker and on two. */
    @Benchmark
    @OperationsPerInvocation(ROUND_TRIPS * Workers.YIELDING)
    public void workers(Workers running) throws InterruptedException {
        running.yieldInAll(ROUND_TRIPS);
    }

    /** Processes that wait to be told how often to yield. */
    private static Pid[] spawnYielding(Processes processes, int count) {
        Pid[] pids = new Pid[count];
        for (int i = 0; i < count; i++) {
            pids[i] = processes.spawn(new Yielding());
        }
        return pids;
    }

    private static Processes newProcesses(int workers) {
        Registry registry = new Registry();
        registry.register("bench", ECHO, (context, command, tag, receiver) -> receiver.completeYield(tag, null, null));
        Processes processes = Processes.builder(registry)
                .workers(workers)
                .maxProcesses(2 * MANY)
                .build();
        processes.start();
        return processes;
    }

    private static void yieldInAll(Processes processes, Pid[] pids, int times) throws InterruptedException {
        CountDownLatch over = new CountDownLatch(pids.length);
        for (Pid pid : pids) {
            processes.send(pid, new Message(null, "yield", new Run(times, over)));
        }
        ProcessPeers.await(over);
    }

    private static <T> T started(@Nullable T value) {
        if (value == null) {
            throw new IllegalStateException("not started");
        }
        return value;
    }

    /** One worker with one process. */
    @State(Scope.Benchmark)
    public static class OneWorker {
        private @Nullable Processes running;
        private Pid[] pids = {};

        /** Starts it. */
        @Setup(Level.Trial)
        public void start() {
            running = newProcesses(1);
            pids = spawnYielding(running, 1);
        }

        Processes processes() {
            return started(running);
        }

        void yieldInAll(int times) throws InterruptedException {
            ProcessBenchmark.yieldInAll(processes(), pids, times);
        }

        /** Stops it. */
        @TearDown(Level.Trial)
        public void stop() {
            processes().shutdownNow();
            processes().close();
        }
    }

    /** Several processes on some workers. */
    @State(Scope.Benchmark)
    public static class Workers {
        static final int YIELDING = 16;

        /** How many. */
        @Param({"1", "2"})
        public int workers;

        private @Nullable Processes running;
        private Pid[] pids = {};

        /** Starts them. */
        @Setup(Level.Trial)
        public void start() {
            running = newProcesses(workers);
            pids = spawnYielding(running, YIELDING);
        }

        void yieldInAll(int times) throws InterruptedException {
            ProcessBenchmark.yieldInAll(started(running), pids, times);
        }

        /** Stops them. */
        @TearDown(Level.Trial)
        public void stop() {
            started(running).shutdownNow();
            started(running).close();
        }
    }

    /** Idle processes, of which one is woken now and then. */
    @State(Scope.Benchmark)
    public static class ManyIdle {
        /** How many. */
        @Param({"" + FEW, "" + MANY})
        public int idle;

        private final SplittableRandom random = new SplittableRandom(42);
        private @Nullable Processes running;
        private Pid[] pids = {};

        /** Starts them. */
        @Setup(Level.Trial)
        public void start() {
            running = newProcesses(1);
            pids = new Pid[idle];
            for (int i = 0; i < idle; i++) {
                pids[i] = running.spawn(new Counting());
            }
        }

        void wakeUp() throws InterruptedException {
            CountDownLatch over = new CountDownLatch(WAKE_UPS);
            Message message = new Message(null, "count", over);
            for (int i = 0; i < WAKE_UPS; i++) {
                started(running).send(pids[random.nextInt(idle)], message);
            }
            ProcessPeers.await(over);
        }

        /** Stops them. */
        @TearDown(Level.Trial)
        public void stop() {
            started(running).shutdownNow();
            started(running).close();
        }
    }

    /** A map with as many entries. */
    @State(Scope.Benchmark)
    public static class ManyEntries {
        /** How many. */
        @Param({"" + FEW, "" + MANY})
        public int entries;

        private final SplittableRandom random = new SplittableRandom(42);
        private final ConcurrentHashMap<Pid, AtomicReference<@Nullable Object>> map = new ConcurrentHashMap<>();
        private Pid[] pids = {};

        /** Fills it. */
        @Setup(Level.Trial)
        public void fill() {
            pids = new Pid[entries];
            for (int i = 0; i < entries; i++) {
                pids[i] = new Pid(i + 1L);
                map.put(pids[i], new AtomicReference<>());
            }
        }

        void touch() {
            for (int i = 0; i < WAKE_UPS; i++) {
                Pid pid = pids[random.nextInt(entries)];
                map.getOrDefault(pid, new AtomicReference<>()).lazySet(pid);
            }
        }
    }

    /** A peer. */
    @State(Scope.Benchmark)
    public static class RunningVertx {
        private ProcessPeers.@Nullable VertxPeer peer;

        /** Starts it. */
        @Setup(Level.Trial)
        public void start() {
            peer = new ProcessPeers.VertxPeer();
        }

        ProcessPeers.VertxPeer peer() {
            return started(peer);
        }

        /** Stops it. */
        @TearDown(Level.Trial)
        public void stop() throws InterruptedException {
            peer().close();
        }
    }

    /** A peer. */
    @State(Scope.Benchmark)
    public static class RunningAxon {
        private final ProcessPeers.AxonPeer peer = new ProcessPeers.AxonPeer();
    }

    /** A peer. */
    @State(Scope.Benchmark)
    public static class RunningPekko {
        private ProcessPeers.@Nullable PekkoPeer peer;

        /** Starts it. */
        @Setup(Level.Trial)
        public void start() {
            peer = new ProcessPeers.PekkoPeer();
        }

        ProcessPeers.PekkoPeer peer() {
            return started(peer);
        }

        /** Stops it. */
        @TearDown(Level.Trial)
        public void stop() {
            peer().close();
        }
    }

    private record Run(int times, CountDownLatch over) {}

    /** Yields as often as it is told to. */
    private static final class Yielding implements Process {
        private @Nullable Pooled free;
        private int left;
        private @Nullable CountDownLatch over;

        @Override
        public void step(List<Event> events, StepOutput out) {
            for (int i = 0; i < events.size(); i++) {
                if (events.get(i).data() instanceof Run run) {
                    left = run.times;
                    over = run.over;
                }
            }
            if (left > 0) {
                left--;
                out.yield(acquire(), left);
                out.waitForYields();
            } else if (over != null) {
                over.countDown();
                over = null;
            }
        }

        private Pooled acquire() {
            Pooled command = free;
            if (command == null) {
                return new Pooled(this);
            }
            free = command.next;
            return command;
        }
    }

    /** A command out of the pool of its process. */
    private static final class Pooled implements Command {
        private final Yielding pool;
        private @Nullable Pooled next;

        Pooled(Yielding pool) {
            this.pool = pool;
        }

        @Override
        public int commandId() {
            return ECHO;
        }

        @Override
        public void release() {
            next = pool.free;
            pool.free = this;
        }
    }

    /** Spawns processes, some in each step. */
    private static final class Spawning implements Process {
        private static final int OF_A_STEP = 16;

        private final Processes processes;
        private final CountDownLatch over;
        private int left = SPAWNS;

        Spawning(Processes processes, CountDownLatch over) {
            this.processes = processes;
            this.over = over;
        }

        @Override
        public void step(List<Event> events, StepOutput out) {
            for (int i = 0; i < OF_A_STEP && left > 0; i++, left--) {
                processes.spawn(new Once(over));
            }
            if (left > 0) {
                out.again();
            } else {
                out.done(null);
            }
        }
    }

    /** Ends with its first step. */
    private static final class Once implements Process {
        private final CountDownLatch over;

        Once(CountDownLatch over) {
            this.over = over;
        }

        @Override
        public void step(List<Event> events, StepOutput out) {
            over.countDown();
            out.done(null);
        }
    }

    /** Counts messages down. */
    private static final class Counting implements Process {
        @Override
        public void step(List<Event> events, StepOutput out) {
            for (int i = 0; i < events.size(); i++) {
                if (events.get(i).data() instanceof CountDownLatch over) {
                    over.countDown();
                }
            }
        }
    }

    /** Runs the benchmarks and prints the figures. */
    public static void main(String[] arguments) throws RunnerException, InterruptedException {
        int forks = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 2;
        long seconds = arguments.length > 1 ? Long.parseLong(arguments[1]) : 1;
        int idle = arguments.length > 2 ? Integer.parseInt(arguments[2]) : MANY;
        Figures figures = new Figures("process");
        figures.add("bytes_per_idle_process", bytesOfIdleProcess(idle));
        Collection<RunResult> runs = new Runner(new OptionsBuilder()
                        .include(ProcessBenchmark.class.getName().replace(".", "\\.") + "\\..*")
                        .forks(forks)
                        .warmupIterations(5)
                        .warmupTime(TimeValue.seconds(seconds))
                        .measurementIterations(5)
                        .measurementTime(TimeValue.seconds(seconds))
                        .jvmArgsAppend("-Xms2g", "-Xmx2g")
                        .addProfiler(GCProfiler.class)
                        .build())
                .run();
        report(runs, figures);
    }

    /** What is more in the heap with so many processes that have made a step and wait for messages. */
    private static double bytesOfIdleProcess(int count) throws InterruptedException {
        try (Processes processes = newProcesses(1)) {
            long before = usedBytes();
            for (int i = 0; i < count; i++) {
                processes.spawn(new Counting());
            }
            while (processes.stats().steps() < count) {
                TimeUnit.MILLISECONDS.sleep(10);
            }
            double bytes = (double) (usedBytes() - before) / count;
            processes.shutdownNow();
            return bytes;
        }
    }

    private static long usedBytes() {
        System.gc();
        System.gc();
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }

    private static void report(Collection<RunResult> runs, Figures figures) {
        System.out.printf(Locale.ROOT, "%-20s %12s %12s %12s %12s%n", "", "best ns/op", "mean ns/op", "+-", "B/op");
        for (RunResult run : runs) {
            Result<?> time = run.getPrimaryResult();
            String name = time.getLabel() + parameters(run.getParams());
            double bytes = run.getSecondaryResults().get("gc.alloc.rate.norm").getScore();
            figures.add(name + "_ns", time.getStatistics().getMin());
            figures.add(name + "_bytes", bytes);
            System.out.printf(
                    Locale.ROOT,
                    "%-20s %12.1f %12.1f %12.1f %12.1f%n",
                    name,
                    time.getStatistics().getMin(),
                    time.getScore(),
                    time.getScoreError(),
                    bytes);
        }
        figures.addRatio("ratio_vs_vertx", "vertx_ns", "commandway_ns");
        figures.addRatio("ratio_vs_axon", "axon_ns", "commandway_ns");
        figures.addRatio("ratio_vs_pekko", "pekko_ns", "commandway_ns");
        figures.addRatio("ratio_two_workers", "workers_1_ns", "workers_2_ns");
        figures.addRatio("ratio_wake_up", "wakeUp_" + MANY + "_ns", "wakeUp_" + FEW + "_ns");
        figures.addRatio("ratio_touch", "touch_" + MANY + "_ns", "touch_" + FEW + "_ns");
        System.out.println(figures);
    }

    private static String parameters(BenchmarkParams parameters) {
        StringBuilder text = new StringBuilder();
        parameters.getParamsKeys().forEach(key -> text.append('_').append(parameters.getParam(key)));
        return text.toString();
    }
}
