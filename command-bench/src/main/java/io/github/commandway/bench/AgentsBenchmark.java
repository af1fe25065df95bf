package io.github.commandway.bench;

import java.io.IOException;
import java.time.Duration;
import java.util.Locale;

/**
 * The {@code agents} benchmark: the memory of a server process that many idle agents are connected to, all from another JVM. Arguments:
 * how many (10,000) and for how many seconds they have been idle when it is read (30).
 *
 * <p>Prints a table and, as the last line, one JSON object with every figure.
 */
public final class AgentsBenchmark {

    private static final int AT_A_TIME = 32;

    private AgentsBenchmark() {}

    /** Runs the benchmark and prints the figures. */
    public static void main(String[] arguments) throws Exception {
        int count = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 10_000;
        Duration idle = Duration.ofSeconds(arguments.length > 1 ? Long.parseLong(arguments[1]) : 30);
        try (Fleet fleet = Fleet.start(false)) {
            fleet.agents().ask("issue " + count);
            long[] empty = fleet.server().askNumbers("memory");
            long micros = fleet.agents().askNumbers("connect " + count + " " + AT_A_TIME)[0];
            Thread.sleep(idle.toMillis());
            requireConnected(fleet, count);
            long cpuBefore = fleet.server().askNumbers("cpu")[0];
            long sampledAt = System.nanoTime();
            Thread.sleep(idle.toMillis());
            double cpuShare =
                    (fleet.server().askNumbers("cpu")[0] - cpuBefore) / ((System.nanoTime() - sampledAt) / 1e3);
            long[] full = fleet.server().askNumbers("memory");
            requireConnected(fleet, count);
            report(count, micros, empty, full, cpuShare);
        }
    }

    private static void requireConnected(Fleet fleet, int count) throws IOException {
        long connected = fleet.server().askNumbers("connected")[0];
        if (connected != count) {
            throw new IllegalStateException("of " + count + " agents " + connected + " are connected");
        }
    }

    private static void report(int count, long micros, long[] empty, long[] full, double cpuShare) {
        double each = (double) full[0] / count;
        double growth = (double) (full[0] - empty[0]) / count;
        double heap = (double) (full[1] - empty[1]) / count;
        System.out.println("server JVM: " + String.join(" ", Fleet.SERVER_FLAGS));
        System.out.printf("%-34s %12s %14s%n", "", "whole process", "KiB per agent");
        System.out.printf(Locale.ROOT, "%-34s %8d MiB%n", "resident without agents", empty[0] / 1024);
        System.out.printf(Locale.ROOT, "%-34s %8d MiB %14.1f%n", "resident with " + count, full[0] / 1024, each);
        System.out.printf(Locale.ROOT, "%-34s %8d MiB %14.1f%n", "the growth", (full[0] - empty[0]) / 1024, growth);
        System.out.printf(Locale.ROOT, "%-34s %8d MiB %14.1f%n", "of it Java heap", (full[1] - empty[1]) / 1024, heap);
        System.out.printf(Locale.ROOT, "%-34s %11.1f %%%n", "CPU of the server, of one core", cpuShare * 100);
        Figures figures = new Figures("agents");
        figures.add("agents", count);
        figures.add("rss_kib_per_agent", each);
        figures.add("rss_growth_kib_per_agent", growth);
        figures.add("heap_kib_per_agent", heap);
        figures.add("rss_without_agents_kib", (double) empty[0]);
        figures.add("idle_server_cpu_percent", cpuShare * 100);
        figures.add("connects_per_s", count / (micros / 1e6));
        System.out.println(figures);
    }
}
