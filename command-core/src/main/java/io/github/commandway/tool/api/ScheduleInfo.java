package io.github.commandway.tool.api;

import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.Target;
import java.time.Instant;
import java.time.ZoneId;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A schedule, as people see it.
 *
 * @param name of the schedule
 * @param description for people; may be empty
 * @param cron its times, as they were written
 * @param zone in which they are meant
 * @param type of the commands that it submits: {@code tool:<name>} or {@code toolchain:<name>}
 * @param target where they go
 * @param principal for whom they are submitted
 * @param enabled whether it submits any
 * @param next its next times, the first one first; none if it is not enabled
 * @param last what came of its last time since the server started, or null
 */
public record ScheduleInfo(
        String name,
        String description,
        String cron,
        ZoneId zone,
        String type,
        Target target,
        String principal,
        boolean enabled,
        List<Instant> next,
        @Nullable Fired last) {
    /** Copies the list. */
    public ScheduleInfo {
        next = List.copyOf(next);
    }

    /**
     * What came of one time.
     *
     * @param time for which it was
     * @param run the id of the run, or null if there was none
     * @param problem why there was no run; empty if there was one
     */
    public record Fired(Instant time, @Nullable RecordId run, String problem) {}
}
