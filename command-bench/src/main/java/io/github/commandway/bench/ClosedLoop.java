package io.github.commandway.bench;

import com.sun.management.OperatingSystemMXBean;
import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * The bookkeeping of one closed-loop run: a fixed number of places, each with one open request; the answer to a place's
 * request sends its next one, until the time is up. Answers may come in any order.
 *
 * <p>Everything but {@link #await()} belongs to one thread, the one that receives the answers.
 */
final class ClosedLoop {

    /** Sends a request that carries both numbers; its answer brings them back to {@link #answered}. */
    interface Sender {
        void send(int place, long sequence);
    }

    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private final Duration duration;
    private final Sender sender;
    private final long[] sentAtNanos;
    private final long[] openSequence;
    private final LatencyHistogram latencies = new LatencyHistogram();
    private final CompletableFuture<Measurement> finished = new CompletableFuture<>();
    private long startedAtNanos;
    private long cpuAtStartNanos;
    private long allocatedAtStartBytes;
    private long sent;
    private long answered;

    ClosedLoop(int inFlight, Duration duration, Sender sender) {
        this.duration = duration;
        this.sender = sender;
        this.sentAtNanos = new long[inFlight];
        this.openSequence = new long[inFlight];
    }

    /** Starts the clock and sends the first request of every place. */
    void start() {
        allocatedAtStartBytes = allocatedBytes();
        cpuAtStartNanos = processCpuNanos();
        startedAtNanos = System.nanoTime();
        for (int place = 0; place < sentAtNanos.length; place++) {
            send(place, startedAtNanos);
        }
    }

    /** Takes the answer to the request with these numbers, and sends the place's next one if there is time. */
    void answered(int place, long sequence) {
        if (openSequence[place] != sequence) {
            fail(new IllegalStateException(
                    "place " + place + " has request " + openSequence[place] + " open, the answer is to " + sequence));
            return;
        }
        long now = System.nanoTime();
        latencies.record(now - sentAtNanos[place]);
        answered++;
        if (now - startedAtNanos < duration.toNanos()) {
            send(place, now);
        } else if (answered == sent) {
            finished.complete(new Measurement(
                    answered / ((now - startedAtNanos) / 1e9),
                    latencies.percentile(50) / 1e3,
                    latencies.percentile(99) / 1e3,
                    (processCpuNanos() - cpuAtStartNanos) / 1e3 / answered,
                    (allocatedBytes() - allocatedAtStartBytes) / (double) answered));
        }
    }

    void fail(Throwable cause) {
        finished.completeExceptionally(cause);
    }

    /** Waits on another thread for the last answer. */
    Measurement await() throws Exception {
        return finished.get(duration.plus(PATIENCE).toMillis(), TimeUnit.MILLISECONDS);
    }

    private void send(int place, long now) {
        sentAtNanos[place] = now;
        openSequence[place] = ++sent;
        sender.send(place, sent);
    }

    private static long processCpuNanos() {
        return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
    }

    /** What the threads that live now have allocated since they began. */
    private static long allocatedBytes() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        return Arrays.stream(threads.getThreadAllocatedBytes(threads.getAllThreadIds()))
                .filter(bytes -> bytes > 0)
                .sum();
    }
}
