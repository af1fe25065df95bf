package io.github.commandway.http;

import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.IdGenerator;
import java.time.Clock;
import java.time.Duration;
import java.time.ZoneId;
import java.util.concurrent.ThreadLocalRandom;

/**
 * How the task API ({@code POST /}) works.
 *
 * @param queue the queue that takes the tasks
 * @param mode what an answer waits for
 * @param timeout the longest time of execution of a task that says nothing else: 1 ms to 30 days
 * @param ttl the longest time of waiting of a task that says nothing else: 0 to 30 days
 * @param ids makes the ids of tasks
 * @param zone the zone of the times in answers
 */
public record TaskOptions(String queue, Mode mode, Duration timeout, Duration ttl, IdGenerator ids, ZoneId zone) {
    /** The timeout where nothing else is said: 30 min. */
    public static final Duration DEFAULT_TIMEOUT = Duration.ofMinutes(30);

    /** What the answer to a task waits for. */
    public enum Mode {
        /** Nothing but its acceptance: the caller asks for the outcome by its id. */
        QUEUE,
        /** Its end: the answer is the result. */
        SYNC
    }

    /** Checks the durations. */
    public TaskOptions {
        if (timeout.toMillis() < 1
                || timeout.compareTo(CommandRequest.MAX_DURATION) > 0
                || ttl.isNegative()
                || ttl.compareTo(CommandRequest.MAX_DURATION) > 0) {
            throw new IllegalArgumentException("the timeout must be from 1 ms and the ttl from 0, both to "
                    + CommandRequest.MAX_DURATION + ", but they are " + timeout + " and " + ttl);
        }
    }

    /**
     * Queue mode, 30 min of execution, 24 h of waiting, and ids such as {@code task_20231215_143022_abc123}.
     *
     * @param clock for the ids; its zone is that of the answers
     */
    public static TaskOptions of(String queue, Clock clock) {
        IdGenerator ids =
                IdGenerator.task(clock, () -> ThreadLocalRandom.current().nextLong());
        return new TaskOptions(
                queue, Mode.QUEUE, DEFAULT_TIMEOUT, CommandRequest.DEFAULT_QUEUE_TTL, ids, clock.getZone());
    }

    /** The same in another mode. */
    public TaskOptions withMode(Mode mode) {
        return new TaskOptions(queue, mode, timeout, ttl, ids, zone);
    }

    /** The same with ids of another form. */
    public TaskOptions withIds(IdGenerator ids) {
        return new TaskOptions(queue, mode, timeout, ttl, ids, zone);
    }

    /** The same with other times. */
    public TaskOptions withTimes(Duration timeout, Duration ttl) {
        return new TaskOptions(queue, mode, timeout, ttl, ids, zone);
    }
}
