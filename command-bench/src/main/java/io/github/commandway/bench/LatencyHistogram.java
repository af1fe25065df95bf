package io.github.commandway.bench;

/** Counts of latencies with a relative error below 1 %, from 1 ns up; for one thread. */
final class LatencyHistogram {

    private static final int SUB_BUCKET_BITS = 7;
    private static final int SUB_BUCKETS = 1 << SUB_BUCKET_BITS;

    private final long[] counts = new long[(Long.SIZE - SUB_BUCKET_BITS) * SUB_BUCKETS];
    private long total;

    void record(long nanos) {
        counts[bucketOf(Math.max(0, nanos))]++;
        total++;
    }

    /** The smallest latency that {@code percent} of the recorded ones do not exceed, in nanoseconds. */
    long percentile(double percent) {
        long wanted = Math.max(1, (long) Math.ceil(total * percent / 100));
        long seen = 0;
        for (int bucket = 0; bucket < counts.length; bucket++) {
            seen += counts[bucket];
            if (seen >= wanted) {
                return upperBoundOf(bucket);
            }
        }
        throw new IllegalStateException("nothing was recorded");
    }

    private static int bucketOf(long nanos) {
        int shift = Math.max(0, Long.SIZE - Long.numberOfLeadingZeros(nanos) - SUB_BUCKET_BITS - 1);
        return shift * SUB_BUCKETS + (int) (nanos >>> shift);
    }

    private static long upperBoundOf(int bucket) {
        if (bucket < 2 * SUB_BUCKETS) {
            return bucket;
        }
        int shift = bucket / SUB_BUCKETS - 1;
        return ((bucket - (long) shift * SUB_BUCKETS + 1) << shift) - 1;
    }
}
