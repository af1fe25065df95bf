package io.github.commandway.bench;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.StringJoiner;
import java.util.function.ToDoubleFunction;

/**
 * The {@code remote} benchmark: the peers take turns, round by round, so that whatever else the machine does meets all of
 * them; the figures are medians over the rounds. Arguments: rounds (5) and seconds of each run (3).
 *
 * <p>Prints a table and, as the last line, one JSON object with every figure and ratio.
 */
public final class RemoteBenchmark {

    private static final int MANY = 256;
    private static final Duration WARM_UP = Duration.ofSeconds(3);

    private RemoteBenchmark() {}

    public static void main(String[] arguments) throws Exception {
        int rounds = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 5;
        Duration length = Duration.ofSeconds(arguments.length > 1 ? Long.parseLong(arguments[1]) : 3);
        List<Peer> peers = List.of(
                new RawQuicEcho(RawQuicEcho.Writes.PER_READ),
                new RawQuicEcho(RawQuicEcho.Writes.PER_MESSAGE),
                new GrpcBidiEcho());

        Map<Peer, List<Measurement>> many = new LinkedHashMap<>();
        Map<Peer, List<Measurement>> single = new LinkedHashMap<>();
        try {
            for (Peer peer : peers) {
                peer.start();
                peer.run(MANY, WARM_UP);
                peer.run(1, WARM_UP);
                many.put(peer, new ArrayList<>());
                single.put(peer, new ArrayList<>());
            }
            for (int round = 0; round < rounds; round++) {
                for (Peer peer : peers) {
                    many.get(peer).add(peer.run(MANY, length));
                    single.get(peer).add(peer.run(1, length));
                }
            }
        } finally {
            for (Peer peer : peers) {
                peer.close();
            }
        }
        report(many, single);
    }

    private static void report(Map<Peer, List<Measurement>> many, Map<Peer, List<Measurement>> single) {
        Map<String, Double> figures = new LinkedHashMap<>();
        System.out.printf("%-22s %15s %15s | %11s %11s %15s%n", "", MANY + " in flight", "", "1 in flight", "", "");
        System.out.printf(
                "%-22s %15s %15s | %11s %11s %15s%n",
                "peer", "round trips/s", "CPU us/trip", "p50 us", "p99 us", "CPU us/trip");
        many.forEach((peer, runs) -> {
            double rate = median(runs, Measurement::operationsPerSecond);
            double cpu = median(runs, Measurement::cpuMicrosPerOperation);
            List<Measurement> alone = single.get(peer);
            double p50 = median(alone, Measurement::medianMicros);
            double p99 = median(alone, Measurement::p99Micros);
            double cpuAlone = median(alone, Measurement::cpuMicrosPerOperation);
            System.out.printf(
                    Locale.ROOT,
                    "%-22s %,15.0f %15.2f | %11.1f %11.1f %15.2f%n",
                    peer.name(),
                    rate,
                    cpu,
                    p50,
                    p99,
                    cpuAlone);
            figures.put(peer.name() + "_ops_per_s", rate);
            figures.put(peer.name() + "_cpu_us_per_op", cpu);
            figures.put(peer.name() + "_p50_us", p50);
            figures.put(peer.name() + "_p99_us", p99);
        });
        addRatio(figures, "raw_vs_grpc", "raw_quic_ops_per_s", "grpc_ops_per_s");
        addRatio(figures, "raw_per_message_vs_grpc", "raw_quic_per_message_ops_per_s", "grpc_ops_per_s");
        addRatio(figures, "raw_p50_vs_grpc", "raw_quic_p50_us", "grpc_p50_us");
        System.out.println(json(figures));
    }

    private static void addRatio(Map<String, Double> figures, String name, String dividend, String divisor) {
        figures.put(name, figures.get(dividend) / figures.get(divisor));
    }

    private static double median(List<Measurement> runs, ToDoubleFunction<Measurement> figure) {
        double[] sorted = runs.stream().mapToDouble(figure).sorted().toArray();
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    private static String json(Map<String, Double> figures) {
        StringJoiner fields = new StringJoiner(", ", "{\"benchmark\": \"remote\", ", "}");
        figures.forEach((name, value) -> fields.add(String.format(Locale.ROOT, "\"%s\": %.3f", name, value)));
        return fields.toString();
    }
}
