package io.github.commandway.queue;

import io.github.commandway.manager.RetryPolicy;

/**
 * How one queue works.
 *
 * @param name 1 to 256 characters
 * @param concurrency how many of its commands are executed at a time, over all servers that share the queue; from 1
 * @param maxWaiting how many may wait; more are refused. From 1; as many more as are being submitted at the same moment may get in
 * @param retry how often a command is tried whose request does not say
 */
public record QueueOptions(String name, int concurrency, long maxWaiting, RetryPolicy retry) {
    /** How many may wait if nothing else is said. */
    public static final long DEFAULT_MAX_WAITING = 10_000;

    /** Checks the values. */
    public QueueOptions {
        if (name.isBlank() || name.length() > 256) {
            throw new IllegalArgumentException(
                    "the name of a queue must have 1 to 256 characters, but is '" + name + "'");
        }
        if (concurrency < 1 || maxWaiting < 1) {
            throw new IllegalArgumentException("concurrency " + concurrency + " and maxWaiting " + maxWaiting
                    + " of queue '" + name + "' must be at least 1");
        }
    }

    /** One at a time, 10,000 waiting, each tried once. */
    public static QueueOptions serial(String name) {
        return new QueueOptions(name, 1, DEFAULT_MAX_WAITING, RetryPolicy.NONE);
    }

    /** The same with another concurrency. */
    public QueueOptions withConcurrency(int concurrency) {
        return new QueueOptions(name, concurrency, maxWaiting, retry);
    }

    /** The same with another bound of what waits. */
    public QueueOptions withMaxWaiting(long maxWaiting) {
        return new QueueOptions(name, concurrency, maxWaiting, retry);
    }

    /** The same with another number of tries. */
    public QueueOptions withRetry(RetryPolicy retry) {
        return new QueueOptions(name, concurrency, maxWaiting, retry);
    }
}
