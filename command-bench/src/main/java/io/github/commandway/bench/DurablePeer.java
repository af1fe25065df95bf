package io.github.commandway.bench;

/** A system that keeps jobs in a database, as {@link DurableBenchmark} sees it. Made for one run on an empty schema. */
interface DurablePeer extends AutoCloseable {
    /** Hands over one job with a payload; returns when it is committed. Called by many threads. */
    void enqueue(byte[] payload) throws Exception;

    /** From now on jobs are executed. Each does nothing. */
    void startWorkers();

    /** How many jobs are recorded as done. */
    long completed() throws Exception;

    @Override
    void close();
}
