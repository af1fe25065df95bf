package io.github.commandway.manager;

import java.util.List;

/**
 * What is in a queue at this moment, over all servers that share it.
 *
 * @param queue its name
 * @param paused whether none of its commands is begun
 * @param waiting how many commands wait, those that may not begin yet included
 * @param running how many have been handed over and have not ended
 * @param accepted how many it has taken in since it first had one
 * @param completed how many of these were completed
 * @param failed how many ended otherwise
 * @param runningIds the running ones, those handed over first first; at most 100
 */
public record QueueState(
        String queue,
        boolean paused,
        long waiting,
        long running,
        long accepted,
        long completed,
        long failed,
        List<RecordId> runningIds) {}
