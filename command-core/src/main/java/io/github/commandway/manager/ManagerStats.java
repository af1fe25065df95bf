package io.github.commandway.manager;

/**
 * Counts of one manager since it was built; the counters only grow.
 *
 * @param open commands that are recorded and not ended
 * @param records records that are kept, ended or not
 * @param accepted commands that were recorded
 * @param rejected submits that were refused
 * @param completed commands that ended with a result
 * @param failed commands that ended as failed
 * @param timedOut commands that ended as timed out
 * @param cancelled commands that ended as cancelled
 * @param retried attempts that failed and were followed by another
 * @param dropped completions and reports that came for a command that had ended
 * @param storeFailures writes that the store could not do
 */
public record ManagerStats(
        int open,
        long records,
        long accepted,
        long rejected,
        long completed,
        long failed,
        long timedOut,
        long cancelled,
        long retried,
        long dropped,
        long storeFailures) {}
