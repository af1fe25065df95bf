package io.github.commandway.bench;

import io.github.commandway.dispatch.CommandIds;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.tools.ToolCatalog;
import io.github.commandway.tools.ToolHandler;
import io.github.commandway.tools.ToolRequest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;

/**
 * The {@code tools} benchmark: what a run of {@code /bin/true} costs, one after the other, in the calling program: with a bare {@link ProcessBuilder}, and as a tool at each level of
 * isolation, with its record, its folder and its kept output. The ways take turns, run by run. Argument: runs of each (300).
 *
 * <p>Prints a table and, as the last line, one JSON object with every figure.
 */
public final class ToolRunBenchmark {
    private static final List<String> LEVELS = List.of("none", "folder", "sandbox");

    private ToolRunBenchmark() {}

    /** Runs the benchmark and prints the figures. */
    public static void main(String[] arguments) throws Exception {
        int runs = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 300;
        Path folder = Files.createTempDirectory("commandway-bench");
        for (String level : LEVELS) {
            Path version = Files.createDirectories(folder.resolve("catalogue/tools/" + level + "/1.0.0"));
            Files.writeString(
                    version.resolve("tool.yaml"), "command: [/bin/true]\nkeep: never\nisolation: " + level + "\n");
        }
        Registry registry = new Registry();
        try (ToolHandler tools = ToolHandler.builder(
                        ToolCatalog.open(folder.resolve("catalogue")), folder.resolve("runs"))
                .build()) {
            registry.register("tools", CommandIds.TOOL_EXECUTE, tools);
            try (CommandManager manager = CommandManager.ofDefaults(registry)) {
                Map<String, Callable<?>> ways = new LinkedHashMap<>();
                ways.put("bare", ToolRunBenchmark::bare);
                for (String level : LEVELS) {
                    CommandRequest request =
                            tools.commandFor(ToolRequest.tool(level)).build();
                    ways.put(level, () -> run(manager, request));
                }
                measure(ways, runs / 10 + 1);
                report(measure(ways, runs), tools);
            }
        } finally {
            delete(folder);
        }
    }

    private static Map<String, double[]> measure(Map<String, Callable<?>> ways, int runs) throws Exception {
        Map<String, double[]> millis = new LinkedHashMap<>();
        ways.keySet().forEach(way -> millis.put(way, new double[runs]));
        for (int i = 0; i < runs; i++) {
            for (Map.Entry<String, Callable<?>> way : ways.entrySet()) {
                long start = System.nanoTime();
                way.getValue().call();
                millis.get(way.getKey())[i] = (System.nanoTime() - start) / 1e6;
            }
        }
        return millis;
    }

    private static int bare() throws IOException, InterruptedException {
        Process process = new ProcessBuilder("/bin/true").start();
        process.getOutputStream().close();
        process.getInputStream().readAllBytes();
        process.getErrorStream().readAllBytes();
        return process.waitFor();
    }

    private static CommandRecord run(CommandManager manager, CommandRequest request) throws Exception {
        CommandRecord ended = manager.submit(request).get().completion().get();
        if (ended.status() != CommandStatus.COMPLETED) {
            throw new IllegalStateException("a run ended as " + ended.status() + ": " + ended.message());
        }
        return ended;
    }

    private static void report(Map<String, double[]> millis, ToolHandler tools) {
        Figures figures = new Figures("tools");
        System.out.printf(
                "%-10s %12s %12s   (processes are ended by %s)%n",
                "", "median ms", "p90 ms", tools.processesEndedBy().code());
        millis.forEach((way, all) -> {
            Arrays.sort(all);
            double median = all[all.length / 2];
            double p90 = all[all.length * 9 / 10];
            System.out.printf(Locale.ROOT, "%-10s %12.2f %12.2f%n", way, median, p90);
            figures.add(way + "_ms", median);
            figures.add(way + "_p90_ms", p90);
        });
        figures.addRatio("folder_ratio_vs_bare", "folder_ms", "bare_ms");
        figures.addRatio("none_ratio_vs_bare", "none_ms", "bare_ms");
        figures.add("sandbox_added_ms", median(millis, "sandbox") - median(millis, "bare"));
        System.out.println(figures);
    }

    private static double median(Map<String, double[]> millis, String way) {
        double[] all = millis.get(way);
        return all[all.length / 2];
    }

    private static void delete(Path folder) throws IOException {
        try (var paths = Files.walk(folder)) {
            paths.sorted(Comparator.reverseOrder()).forEach(path -> {
                try {
                    Files.delete(path);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        }
    }
}
