package io.github.commandway.bench;

import io.github.commandway.dispatch.Registry;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.Target;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;

/**
 * The {@code promises} benchmark: what an open command costs in memory: record, promise, deadline, its request with a payload
 * of 64 bytes, and a caller that waits for the outcome. Argument: how many are open (50,000).
 *
 * <p>Prints a table and, as the last line, one JSON object with every figure.
 */
public final class PromiseBenchmark {
    private static final int PAYLOAD_BYTES = 64;
    private static final int ROUNDS = 5;

    private PromiseBenchmark() {}

    public static void main(String[] arguments) {
        int open = arguments.length > 0 ? Integer.parseInt(arguments[0]) : 50_000;
        List<Double> rounds = new ArrayList<>();
        for (int round = 0; round < ROUNDS; round++) {
            rounds.add(bytesPerPromise(open));
        }
        rounds.sort(null);
        double median = rounds.get(ROUNDS / 2);
        System.out.printf(Locale.ROOT, "%-20s %12s %12s %12s%n", "", "open", "B each", "MiB");
        System.out.printf(
                Locale.ROOT, "%-20s %,12d %12.1f %12.1f%n", "open promises", open, median, median * open / (1 << 20));
        System.out.printf(
                Locale.ROOT,
                "{\"benchmark\": \"promises\", \"open\": %d, \"bytes_per_promise\": %.1f, \"least\": %.1f, \"most\": %.1f}%n",
                open,
                median,
                rounds.get(0),
                rounds.get(ROUNDS - 1));
    }

    private static double bytesPerPromise(int open) {
        List<Long> tags = new ArrayList<>(open);
        Registry registry = new Registry();
        registry.register("bench", 1, (context, command, tag, receiver) -> tags.add(tag));
        try (CommandManager manager =
                CommandManager.builder(registry).maxOpen(open).build()) {
            List<CompletableFuture<CommandStatus>> waiting = new ArrayList<>(open);
            // the benchmark's own lists are filled before the first look, so that they do not count
            for (int i = 0; i < open; i++) {
                tags.add(1_000_000L + i);
            }
            tags.clear();
            long before = usedBytes();
            for (int i = 0; i < open; i++) {
                CommandRequest request = CommandRequest.to(new Target.Local(1), "wait")
                        .payload(new byte[PAYLOAD_BYTES])
                        .build();
                waiting.add(manager.submit(request)
                        .thenCompose(handle -> handle.completion().thenApply(record -> record.status())));
            }
            long after = usedBytes();
            tags.forEach(tag -> manager.completeYield(tag, null, null));
            long completed = waiting.stream()
                    .map(CompletableFuture::join)
                    .filter(status -> status == CommandStatus.COMPLETED)
                    .count();
            if (completed != open) {
                throw new IllegalStateException("only " + completed + " of " + open + " commands completed");
            }
            return (after - before) / (double) open;
        }
    }

    /** What is in use after garbage collections have stopped finding anything. */
    private static long usedBytes() {
        Runtime runtime = Runtime.getRuntime();
        long used = Long.MAX_VALUE;
        while (true) {
            System.gc();
            long now = runtime.totalMemory() - runtime.freeMemory();
            if (now >= used - 10_000) {
                return Math.min(now, used);
            }
            used = now;
        }
    }
}
