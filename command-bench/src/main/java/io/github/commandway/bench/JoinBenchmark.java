package io.github.commandway.bench;

import java.io.IOException;
import java.util.Arrays;
import java.util.Locale;

/**
 * The {@code join} benchmark: how many agents per second get a certificate by a join token, and how many per second connect with one, from nothing to
 * the server's welcome. Server and agents are two processes on this machine; keys are made before. Arguments:
 * agents per round (2,000), rounds (3), and how many at a time (32).
 *
 * <p>Prints a table and, as the last line, one JSON object with every figure.
 */
public final class JoinBenchmark {

    private JoinBenchmark() {}

    /** Runs the benchmark and prints the figures. */
    public static void main(String[] arguments) throws Exception {
        int count = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 2_000;
        int rounds = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 3;
        int atATime = arguments.length > 2 ? Integer.parseInt(arguments[2]) : 32;
        double[][] connects = new double[rounds][];
        double[][] joins = new double[rounds][];
        try (Fleet fleet = Fleet.start(true)) {
            fleet.agents().ask("keys " + count * (rounds + 1));
            // the first ones warm both JVMs up
            round(fleet, "join", count, atATime);
            round(fleet, "connect", count, atATime);
            for (int round = 0; round < rounds; round++) {
                joins[round] = round(fleet, "join", count, atATime);
                connects[round] = round(fleet, "connect", count, atATime);
            }
        }
        Figures figures = new Figures("join");
        System.out.printf("%-22s %12s %22s   (%d at a time)%n", "", "agents/s", "server CPU us/agent", atATime);
        report(figures, "connect", "connects", connects);
        report(figures, "join by token", "token_joins", joins);
        System.out.println(figures);
    }

    /** The rate and the server's CPU time for each agent. */
    private static double[] round(Fleet fleet, String what, int count, int atATime) throws IOException {
        long cpu = fleet.server().askNumbers("cpu")[0];
        long micros = fleet.agents().askNumbers(what + " " + count + " " + atATime)[0];
        double cpuEach = (double) (fleet.server().askNumbers("cpu")[0] - cpu) / count;
        fleet.agents().ask("close");
        return new double[] {count / (micros / 1e6), cpuEach};
    }

    private static void report(Figures figures, String title, String name, double[][] rounds) {
        double rate = median(rounds, 0);
        double cpu = median(rounds, 1);
        System.out.printf(Locale.ROOT, "%-22s %,12.0f %,22.0f%n", title, rate, cpu);
        figures.add(name + "_per_s", rate);
        figures.add(name + "_server_cpu_us", cpu);
    }

    private static double median(double[][] rounds, int figure) {
        double[] sorted = Arrays.stream(rounds)
                .mapToDouble(round -> round[figure])
                .sorted()
                .toArray();
        return sorted[sorted.length / 2];
    }
}
