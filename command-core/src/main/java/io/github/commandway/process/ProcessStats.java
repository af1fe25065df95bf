package io.github.commandway.process;

/**
 * Figures of the processes and the scheduler, since it was built.
 *
 * @param workers how many threads run processes at a time
 * @param processes how many are alive
 * @param ready how many of them wait for a worker
 * @param spawned how many were started
 * @param done how many of them have ended well
 * @param failed how many have not
 * @param refused how many could not be started
 * @param steps how many were made
 * @param stolen how often a worker took processes from another one
 * @param replaced how often a worker was blocked for so long that another thread took its place
 * @param expired yields that were not completed in time
 * @param abandoned yields that were open when their process had no use for them any more
 * @param late completions of such yields, which were dropped
 * @param repeated completions of yields that their handler had completed before, which were dropped
 * @param messagesRefused messages for processes that are gone or have a full mailbox
 * @param messagesLost messages that were in the mailbox when their process ended
 */
public record ProcessStats(
        int workers,
        int processes,
        int ready,
        long spawned,
        long done,
        long failed,
        long refused,
        long steps,
        long stolen,
        int replaced,
        long expired,
        long abandoned,
        long late,
        long repeated,
        long messagesRefused,
        long messagesLost) {}
