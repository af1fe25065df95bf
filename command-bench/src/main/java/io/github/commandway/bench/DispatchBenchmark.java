package io.github.commandway.bench;

import io.github.commandway.dispatch.Handler;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.Target;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.StringJoiner;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/**
 * The {@code dispatch} benchmark: a look-up in a frozen registry beside a load from a plain array, and a command from submit to
 * its completion by a handler that completes inline. Arguments: forks (3) and seconds of each iteration (1).
 *
 * <p>Prints a table and, as the last line, one JSON object with every figure and ratio. The times in it are those of the best iterations,
 * since whatever else the machine does only adds to them.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class DispatchBenchmark {
    private static final int SYSTEM_IDS = 256;
    private static final int EXTENDED_ID = 1_000;
    private static final int INLINE_ID = 255;

    /** As many ended records as the store keeps, and then some, so that what is measured is the steady state. */
    private static final int RECORDS_OF_STEADY_STATE = 150_000;

    private final Registry registry = new Registry();
    private final @Nullable Handler[] array = new Handler[SYSTEM_IDS];
    private final CommandRequest request =
            CommandRequest.to(new Target.Local(INLINE_ID), "inline").build();
    private int next;

    /** Fills the registry and the array with the same handlers. */
    @Setup
    public void register() {
        for (int id = 0; id < SYSTEM_IDS; id++) {
            Handler handler = (context, command, tag, receiver) -> receiver.completeYield(tag, null, null);
            array[id] = handler;
            registry.register("bench", id, handler);
        }
        registry.register("bench", EXTENDED_ID, (context, command, tag, receiver) -> {});
        registry.freeze();
    }

    /** The yardstick: one load from an array, of a slot that changes. */
    @Benchmark
    public @Nullable Handler array() {
        return array[next++ & (SYSTEM_IDS - 1)];
    }

    /** The same from the registry. */
    @Benchmark
    public @Nullable Handler registry() {
        return registry.get(next++ & (SYSTEM_IDS - 1));
    }

    /** An id of the application's range. */
    @Benchmark
    public @Nullable Handler registryExtended() {
        return registry.get(EXTENDED_ID);
    }

    /** Submit to complete, with the defaults of the manager. */
    @Benchmark
    public CommandHandle submitToComplete(RunningManager running) {
        return running.manager().submit(request).join();
    }

    /** A manager that has as many records as it keeps. */
    @State(Scope.Benchmark)
    public static class RunningManager {
        private @Nullable CommandManager running;

        /** Starts it and brings it to its steady state. */
        @Setup(Level.Trial)
        public void start(DispatchBenchmark benchmark) {
            running = CommandManager.ofDefaults(benchmark.registry);
            for (int i = 0; i < RECORDS_OF_STEADY_STATE; i++) {
                running.submit(benchmark.request).join();
            }
        }

        CommandManager manager() {
            if (running == null) {
                throw new IllegalStateException("not started");
            }
            return running;
        }

        /** Stops it. */
        @TearDown(Level.Trial)
        public void stop() {
            manager().close();
        }
    }

    /** Runs the benchmarks and prints the figures. */
    public static void main(String[] arguments) throws RunnerException {
        int forks = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 3;
        long seconds = arguments.length > 1 ? Long.parseLong(arguments[1]) : 1;
        Collection<RunResult> runs = new Runner(new OptionsBuilder()
                        .include(DispatchBenchmark.class.getName().replace(".", "\\.") + "\\..*")
                        .forks(forks)
                        .warmupIterations(3)
                        .warmupTime(TimeValue.seconds(seconds))
                        .measurementIterations(10)
                        .measurementTime(TimeValue.seconds(seconds))
                        .addProfiler(GCProfiler.class)
                        .build())
                .run();
        report(runs);
    }

    private static void report(Collection<RunResult> runs) {
        Map<String, Double> best = new LinkedHashMap<>();
        Map<String, Double> bytes = new LinkedHashMap<>();
        System.out.printf(Locale.ROOT, "%-20s %12s %12s %12s %12s%n", "", "best ns/op", "mean ns/op", "+-", "B/op");
        for (RunResult run : runs) {
            Result<?> time = run.getPrimaryResult();
            double allocated =
                    run.getSecondaryResults().get("gc.alloc.rate.norm").getScore();
            best.put(time.getLabel(), time.getStatistics().getMin());
            bytes.put(time.getLabel(), allocated);
            System.out.printf(
                    Locale.ROOT,
                    "%-20s %12.3f %12.3f %12.3f %12.3f%n",
                    time.getLabel(),
                    time.getStatistics().getMin(),
                    time.getScore(),
                    time.getScoreError(),
                    allocated);
        }
        StringJoiner json = new StringJoiner(", ", "{\"benchmark\": \"dispatch\", ", "}");
        add(json, "array_ns", best.get("array"));
        add(json, "registry_ns", best.get("registry"));
        add(json, "registry_extended_ns", best.get("registryExtended"));
        add(json, "ratio_vs_array", best.get("registry") / best.get("array"));
        add(json, "lookup_bytes_per_op", Math.max(bytes.get("registry"), bytes.get("registryExtended")));
        add(json, "submit_ns", best.get("submitToComplete"));
        add(json, "bytes_per_op", bytes.get("submitToComplete"));
        System.out.println(json);
    }

    private static void add(StringJoiner json, String name, double value) {
        json.add(String.format(Locale.ROOT, "\"%s\": %.3f", name, value));
    }
}
