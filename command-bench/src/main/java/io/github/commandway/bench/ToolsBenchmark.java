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
import java.io.InputStream;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * The {@code tools} benchmark. First what a run of {@code /bin/true} costs, one after the other, in the calling program: with a bare {@link ProcessBuilder}, with
 * one that also makes the namespace and the limits which a tool has, and as a tool at each level of isolation, with its record, its folder and its kept output; they take turns, run by run. Then how many runs per second there are over HTTP, beside Debian's {@code webhook}, in turns. Last, the
 * output of a run as server-sent events: 100 MB to a fast reader, alone and beside a slow one, and a run with 1,000 readers. Arguments: runs of each (300), rounds over HTTP (3), seconds of each (4).
 *
 * <p>Prints tables and, as the last line, one JSON object with every figure.
 */
public final class ToolsBenchmark {
    private static final List<String> LEVELS = List.of("none", "folder", "sandbox");

    /** What stands before a program so that no process of it survives and it writes no large files, with nothing else around it. */
    private static final String[] CONTAINED = {
        "/usr/bin/bwrap",
        "--unshare-pid",
        "--die-with-parent",
        "--dev-bind",
        "/",
        "/",
        "--proc",
        "/proc",
        "--",
        "/usr/bin/prlimit",
        "--core=0",
        "--fsize=1073741824",
        "--",
        "/bin/true"
    };

    private static final int OPEN = 8;
    private static final int READERS = 1_000;
    private static final long SLOW_PAUSE_MILLIS = 50;

    private ToolsBenchmark() {}

    /** Runs the benchmark and prints the figures. */
    public static void main(String[] arguments) throws Exception {
        int runs = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 300;
        int rounds = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 3;
        double seconds = arguments.length > 2 ? Double.parseDouble(arguments[2]) : 4;
        Figures figures = new Figures("tools");
        try (BenchDirectory folder = BenchDirectory.create()) {
            Path catalogue = folder.path().resolve("catalogue");
            for (String level : LEVELS) {
                tool(catalogue, level, "command: [/bin/true]\nkeep: never\nisolation: " + level + "\n", "");
            }
            tool(
                    catalogue,
                    "flood",
                    "command: [flood]\nlimits: {output: 200MiB}\n",
                    "#!/bin/sh\nyes 'a line of output that is as long as many are in practice' | head -c 100000000\n");
            tool(
                    catalogue,
                    "drip",
                    "command: [drip]\n",
                    "#!/bin/sh\nfor i in $(seq 100); do echo $i; sleep 0.05; done\n");
            costs(catalogue, folder.path().resolve("runs"), runs, figures);
            try (ToolServers servers = ToolServers.start(folder.path(), catalogue)) {
                rates(servers, rounds, seconds, figures);
                streams(servers, figures);
            }
        }
        System.out.println(figures);
    }

    private static void tool(Path catalogue, String name, String yaml, String script) throws IOException {
        Path version = Files.createDirectories(catalogue.resolve("tools/" + name + "/1.0.0"));
        Files.writeString(version.resolve("tool.yaml"), yaml);
        if (!script.isEmpty()
                && !Files.writeString(version.resolve(name), script).toFile().setExecutable(true)) {
            throw new IOException(name + " cannot be made executable");
        }
    }

    private static void costs(Path catalogue, Path folder, int runs, Figures figures) throws Exception {
        Registry registry = new Registry();
        try (ToolHandler tools =
                ToolHandler.builder(ToolCatalog.open(catalogue), folder).build()) {
            registry.register("tools", CommandIds.TOOL_EXECUTE, tools);
            try (CommandManager manager = CommandManager.ofDefaults(registry)) {
                Map<String, Callable<?>> ways = new LinkedHashMap<>();
                ways.put("bare", () -> bare("/bin/true"));
                ways.put("bare_contained", () -> bare(CONTAINED));
                for (String level : LEVELS) {
                    CommandRequest request =
                            tools.commandFor(ToolRequest.tool(level)).build();
                    ways.put(level, () -> run(manager, request));
                }
                measure(ways, runs / 10 + 1);
                report(measure(ways, runs), tools.processesEndedBy().code(), figures);
            }
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

    private static int bare(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).start();
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

    private static void report(Map<String, double[]> millis, String endedBy, Figures figures) {
        System.out.printf("%-14s %12s %12s   (processes are ended by %s)%n", "", "median ms", "p90 ms", endedBy);
        millis.forEach((way, all) -> {
            Arrays.sort(all);
            double median = all[all.length / 2];
            double p90 = all[all.length * 9 / 10];
            System.out.printf(Locale.ROOT, "%-14s %12.2f %12.2f%n", way, median, p90);
            figures.add(way + "_ms", median);
            figures.add(way + "_p90_ms", p90);
        });
        figures.addRatio("none_ratio_vs_bare", "none_ms", "bare_ms");
        figures.addRatio("folder_ratio_vs_bare_contained", "folder_ms", "bare_contained_ms");
        figures.addRatio("folder_ratio_vs_bare", "folder_ms", "bare_ms");
        figures.addDifference("sandbox_added_ms", "sandbox_ms", "bare_ms");
    }

    private static void rates(ToolServers servers, int rounds, double seconds, Figures figures) throws Exception {
        Map<String, HttpRequest> requests = new LinkedHashMap<>();
        LEVELS.forEach(level -> requests.put(level, servers.tool(level)));
        requests.put("webhook", servers.hook());
        Map<String, double[]> rates = new LinkedHashMap<>();
        for (Map.Entry<String, HttpRequest> request : requests.entrySet()) {
            rates.put(request.getKey(), new double[rounds]);
            servers.rate(request.getValue(), OPEN, seconds / 2);
        }
        for (int round = 0; round < rounds; round++) {
            for (Map.Entry<String, HttpRequest> request : requests.entrySet()) {
                rates.get(request.getKey())[round] = servers.rate(request.getValue(), OPEN, seconds);
            }
        }
        System.out.printf("%n%-14s %12s   (over HTTP, %d at a time)%n", "", "runs/s", OPEN);
        rates.forEach((way, all) -> {
            Arrays.sort(all);
            System.out.printf(Locale.ROOT, "%-14s %12.0f%n", way, all[rounds / 2]);
            figures.add("http_" + way + "_per_s", all[rounds / 2]);
        });
        figures.addRatio("http_folder_ratio_vs_webhook", "http_folder_per_s", "http_webhook_per_s");
    }

    private static void streams(ToolServers servers, Figures figures) throws Exception {
        String run = servers.begin("flood");
        read(servers, run);
        double alone = read(servers, run);
        long before = servers.residentKib();
        CompletableFuture<InputStream> slow = servers.client()
                .sendAsync(servers.events(run), HttpResponse.BodyHandlers.ofInputStream())
                .thenApply(HttpResponse::body);
        Thread dawdler = new Thread(() -> readSlowly(slow.join()), "slow-reader");
        dawdler.setDaemon(true);
        dawdler.start();
        double beside = read(servers, run);
        long after = servers.residentKib();
        slow.join().close();
        System.out.printf(
                Locale.ROOT,
                "%n100 MB as events: %.2f s alone, %.2f s beside a slow reader; the server has %d MiB, %d MiB before%n",
                alone,
                beside,
                after >> 10,
                before >> 10);
        figures.add("stream_alone_s", alone);
        figures.add("stream_beside_slow_s", beside);
        figures.addRatio("stream_ratio_beside_slow", "stream_beside_slow_s", "stream_alone_s");
        figures.add("stream_resident_before_mib", before / 1024.0);
        figures.add("stream_resident_after_mib", after / 1024.0);
        readers(servers, figures);
    }

    /** Reads the events of a run to their end, and returns how many seconds that took. */
    private static double read(ToolServers servers, String run) throws Exception {
        long start = System.nanoTime();
        byte[] buffer = new byte[64 << 10];
        try (InputStream events = servers.client()
                .send(servers.events(run), HttpResponse.BodyHandlers.ofInputStream())
                .body()) {
            while (events.read(buffer) >= 0) {
                // only to take it
            }
        }
        return (System.nanoTime() - start) / 1e9;
    }

    private static void readSlowly(InputStream events) {
        byte[] buffer = new byte[16 << 10];
        try {
            while (events.read(buffer) >= 0) {
                TimeUnit.MILLISECONDS.sleep(SLOW_PAUSE_MILLIS);
            }
        } catch (IOException closed) {
            // by the benchmark, which has seen enough
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void readers(ToolServers servers, Figures figures) throws Exception {
        String run = servers.begin("drip");
        HttpClient client = servers.client();
        long start = System.nanoTime();
        List<CompletableFuture<Long>> readers = new ArrayList<>();
        for (int i = 0; i < READERS; i++) {
            readers.add(client.sendAsync(servers.events(run), HttpResponse.BodyHandlers.ofLines())
                    .thenApply(answer -> answer.body()
                            .filter(line -> line.startsWith("event: "))
                            .count()));
        }
        long first = readers.get(0).get();
        int whole = 0;
        for (CompletableFuture<Long> reader : readers) {
            whole += reader.get() >= 100 ? 1 : 0;
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        System.out.printf(
                Locale.ROOT,
                "%,d readers of a run of 100 lines: %,d got all of it (%d events) within %.1f s%n",
                READERS,
                whole,
                first,
                seconds);
        figures.add("readers_served", whole);
        figures.add("readers_s", seconds);
    }
}
