package io.github.commandway.bench;

/**
 * What one run of a {@link Peer} showed.
 *
 * @param operationsPerSecond completed round trips per second
 * @param medianMicros median latency of a round trip
 * @param p99Micros 99th percentile of the latency
 * @param cpuMicrosPerOperation CPU time of the whole process (both sides, every thread) per round trip
 * @param bytesPerOperation heap that the Java threads of both sides allocated per round trip
 */
record Measurement(
        double operationsPerSecond,
        double medianMicros,
        double p99Micros,
        double cpuMicrosPerOperation,
        double bytesPerOperation) {}
