package io.github.commandway.tools;

import com.cronutils.model.Cron;
import com.cronutils.model.definition.CronDefinition;
import com.cronutils.model.definition.CronDefinitionBuilder;
import com.cronutils.model.field.CronFieldName;
import com.cronutils.model.time.ExecutionTime;
import com.cronutils.parser.CronParser;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.zone.ZoneOffsetTransition;
import java.time.zone.ZoneRules;
import java.util.Optional;

/**
 * The times that a cron expression means. Immutable.
 *
 * <p>The expression is about local times. Those that a zone leaves out, when its clocks go forward, are all taken as the moment of the change. Of those that come twice, when
 * clocks go back, the first ones count; an expression whose hour is {@code *}, with or without a step, means both.
 */
final class CronTimes {
    private static final String SECONDS = "0 ";
    private static final int MAX_LENGTH = 200;
    private static final CronDefinition DEFINITION = CronDefinitionBuilder.defineCron()
            .withSeconds()
            .withStrictRange()
            .and()
            .withMinutes()
            .withStrictRange()
            .and()
            .withHours()
            .withStrictRange()
            .and()
            .withDayOfMonth()
            .withStrictRange()
            .and()
            .withMonth()
            .withStrictRange()
            .and()
            .withDayOfWeek()
            .withValidRange(0, 7)
            .withMondayDoWValue(1)
            .withIntMapping(7, 0)
            .withStrictRange()
            .and()
            .instance();

    private final ExecutionTime times;
    private final boolean everyHour;

    private CronTimes(Cron cron) {
        times = ExecutionTime.forCron(cron);
        everyHour = cron.retrieve(CronFieldName.HOUR).getExpression().asString().startsWith("*");
    }

    /** @throws IllegalArgumentException if it is no cron expression; the message says what would be right */
    static CronTimes parse(String text) {
        int fields = text.strip().split("\\s+").length;
        if ((fields != 5 && fields != 6) || text.length() > MAX_LENGTH) {
            throw new IllegalArgumentException("'" + text
                    + "' should have 5 fields: minute, hour, day of the month, month, day of the week; or 6, with the"
                    + " second before them");
        }
        Cron cron;
        try {
            cron = new CronParser(DEFINITION).parse(fields == 5 ? SECONDS + text.strip() : text.strip());
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    "'" + text + "' should be a cron expression such as '30 2 * * mon-fri': "
                            + String.valueOf(e.getMessage()).replace("Failed to parse cron expression. ", ""),
                    e);
        }
        return new CronTimes(cron);
    }

    /** The first one behind a moment; empty if there is none. */
    Optional<Instant> next(Instant after, ZoneId zone) {
        ZoneRules rules = zone.getRules();
        ZoneOffset offset = rules.getOffset(after);
        LocalDateTime local = LocalDateTime.ofInstant(after, offset);
        ZoneOffsetTransition last = rules.previousTransition(after.plusNanos(1));
        while (true) {
            if (last != null && last.isOverlap() && !everyHour && local.isBefore(last.getDateTimeBefore())) {
                local = last.getDateTimeBefore().minusNanos(1);
            }
            ZonedDateTime found =
                    times.nextExecution(local.atZone(ZoneOffset.UTC)).orElse(null);
            if (found == null) {
                return Optional.empty();
            }
            LocalDateTime time = found.toLocalDateTime();
            ZoneOffsetTransition change = rules.nextTransition(last == null ? after : last.getInstant());
            if (change == null || time.isBefore(change.getDateTimeBefore())) {
                return Optional.of(time.toInstant(offset));
            }
            if (change.isGap() && time.isBefore(change.getDateTimeAfter())) {
                return Optional.of(change.getInstant());
            }
            offset = change.getOffsetAfter();
            local = change.getDateTimeAfter().minusNanos(1);
            last = change;
        }
    }
}
