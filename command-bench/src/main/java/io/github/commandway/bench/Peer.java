package io.github.commandway.bench;

import java.time.Duration;

/**
 * One way of getting a 64-byte request to another party and its 64-byte answer back, over mutual TLS on loopback, both
 * sides in this JVM.
 *
 * <p>Driven by one thread: {@link #start()}, any number of {@link #run} calls, {@link #close()}.
 */
interface Peer {

    /** Bytes in each request and in each answer. */
    int PAYLOAD_BYTES = 64;

    /** The peer's name in the table and in the JSON figures: lower case with underscores. */
    String name();

    /** Brings up both sides and connects them. */
    void start() throws Exception;

    /**
     * Keeps {@code inFlight} requests open until {@code duration} has passed, then waits for the last answer.
     *
     * @throws Exception if an answer was wrong or never came
     */
    Measurement run(int inFlight, Duration duration) throws Exception;

    /** Ends both sides; harmless on a peer that did not start. */
    void close() throws Exception;
}
