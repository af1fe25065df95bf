package io.github.commandway.bench;

import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/**
 * The {@code remote} benchmark: the peers take turns, round by round, so that whatever else the machine does meets all of
 * them; the figures are medians over the rounds. Arguments: rounds (5), seconds of each run (3), and the names of the peers (all).
 *
 * <p>Prints a table and, as the last line, one JSON object with every figure and ratio.
 */
public final class RemoteBenchmark {

    private static final int MANY = 256;
    private static final Duration WARM_UP = Duration.ofSeconds(5);

    private RemoteBenchmark() {}

    /** Runs the benchmark and prints the figures. */
    public static void main(String[] arguments) throws Exception {
        int rounds = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 5;
        Duration length = Duration.ofSeconds(arguments.length > 1 ? Long.parseLong(arguments[1]) : 3);
        List<String> names = Arrays.asList(arguments).subList(Math.min(2, arguments.length), arguments.length);
        Clock clock = Clock.systemUTC();
        List<Peer> peers = new ArrayList<>(List.of(
                new CommandwayPeer(CommandwayPeer.Agent.INLINE),
                new CommandwayPeer(CommandwayPeer.Agent.WORKERS),
                new CommandwayPeer(CommandwayPeer.Agent.JOURNAL),
                new RawQuicEcho(RawQuicEcho.Writes.PER_READ, clock),
                new RawQuicEcho(RawQuicEcho.Writes.PER_MESSAGE, clock),
                GrpcBidiEcho.ofMessages(clock),
                GrpcBidiEcho.ofBytes(clock)));
        peers.removeIf(peer -> !names.isEmpty() && !names.contains(peer.name()));

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
        Figures figures = new Figures("remote");
        System.out.printf(
                "%-22s %14s %12s %10s | %12s %9s %12s%n", "", MANY + " in flight", "", "", "1 in flight", "", "");
        System.out.printf(
                "%-22s %14s %12s %10s | %12s %9s %12s%n",
                "peer", "round trips/s", "CPU us/trip", "B/trip", "p50 us", "p99 us", "CPU us/trip");
        many.forEach((peer, runs) -> {
            double rate = median(runs, Measurement::operationsPerSecond);
            double cpu = median(runs, Measurement::cpuMicrosPerOperation);
            double bytes = median(runs, Measurement::bytesPerOperation);
            List<Measurement> alone = single.get(peer);
            double p50 = median(alone, Measurement::medianMicros);
            double p99 = median(alone, Measurement::p99Micros);
            double cpuAlone = median(alone, Measurement::cpuMicrosPerOperation);
            System.out.printf(
                    Locale.ROOT,
                    "%-22s %,14.0f %12.2f %,10.0f | %12.1f %9.1f %12.2f%n",
                    peer.name(),
                    rate,
                    cpu,
                    bytes,
                    p50,
                    p99,
                    cpuAlone);
            figures.add(peer.name() + "_ops_per_s", rate);
            figures.add(peer.name() + "_cpu_us_per_op", cpu);
            figures.add(peer.name() + "_bytes_per_op", bytes);
            figures.add(peer.name() + "_loaded_p50_us", median(runs, Measurement::medianMicros));
            figures.add(peer.name() + "_loaded_p99_us", median(runs, Measurement::p99Micros));
            figures.add(peer.name() + "_p50_us", p50);
            figures.add(peer.name() + "_p99_us", p99);
            figures.add(peer.name() + "_single_cpu_us_per_op", cpuAlone);
        });
        figures.addRatio("ratio_vs_grpc", "commandway_ops_per_s", "grpc_ops_per_s");
        figures.addRatio("ratio_vs_grpc_bytes", "commandway_ops_per_s", "grpc_bytes_ops_per_s");
        figures.addRatio("ratio_vs_raw", "commandway_ops_per_s", "raw_quic_ops_per_s");
        figures.addRatio("ratio_vs_raw_per_message", "commandway_ops_per_s", "raw_quic_per_message_ops_per_s");
        figures.addRatio("p50_ratio_vs_grpc", "commandway_p50_us", "grpc_p50_us");
        figures.addRatio("workers_ratio_vs_grpc", "commandway_workers_ops_per_s", "grpc_ops_per_s");
        figures.addRatio("journal_ratio_vs_grpc", "commandway_journal_ops_per_s", "grpc_ops_per_s");
        figures.addRatio("raw_vs_grpc", "raw_quic_ops_per_s", "grpc_ops_per_s");
        figures.addRatio("raw_p50_ratio_vs_grpc", "raw_quic_p50_us", "grpc_p50_us");
        System.out.println(figures);
    }

    private static double median(List<Measurement> runs, ToDoubleFunction<Measurement> figure) {
        double[] sorted = runs.stream().mapToDouble(figure).sorted().toArray();
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
