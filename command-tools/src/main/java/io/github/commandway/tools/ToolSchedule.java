package io.github.commandway.tools;

import io.github.commandway.manager.Target;
import java.time.Duration;
import java.time.ZoneId;
import org.jspecify.annotations.Nullable;

/**
 * What is to be run again and again, and when. {@code docs/tools.md} has the file's fields with their defaults.
 *
 * @param name of the file, without {@code .yaml}
 * @param description for people; may be empty
 * @param cron minute, hour, day of the month, month and day of the week, with the second before them if there are six
 * @param zone in which the cron expression is meant, or null for the server's
 * @param request what is run
 * @param on where, or null for here
 * @param timeout the longest run, or null for what the tool says
 * @param missed what becomes of times at which no server was there
 * @param overlap what happens if the run before has not ended
 * @param enabled whether it is run at all
 */
public record ToolSchedule(
        String name,
        String description,
        String cron,
        @Nullable ZoneId zone,
        ToolRequest request,
        @Nullable Target on,
        @Nullable Duration timeout,
        Missed missed,
        Overlap overlap,
        boolean enabled) {

    /** What becomes of times that were missed. */
    public enum Missed {
        /** Nothing. */
        SKIP,
        /** One run for all of them. */
        ONCE,
        /** One run for each, of the newest 100. */
        ALL
    }

    /** What happens if the run before has not ended. */
    public enum Overlap {
        /** Both run. */
        ALLOW,
        /** There is no run at this time. */
        SKIP
    }
}
