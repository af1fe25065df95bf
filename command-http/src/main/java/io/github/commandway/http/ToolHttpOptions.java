package io.github.commandway.http;

import io.github.commandway.manager.IdGenerator;
import io.github.commandway.tool.api.ScheduleInfo;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * How tools are run over HTTP. Immutable.
 *
 * @param ids makes the ids of runs; null for those that the manager makes
 * @param commandLineHelp how the host's command line is used, for {@code GET /result/help}; plain text, empty for nothing
 * @param schedules what runs tools by itself, with some of its next times, for {@code GET /schedules}
 */
public record ToolHttpOptions(
        @Nullable IdGenerator ids, Supplier<String> commandLineHelp, Supplier<List<ScheduleInfo>> schedules) {
    /** The manager's ids, nothing about a command line, and no schedules. */
    public static ToolHttpOptions ofDefaults() {
        return new ToolHttpOptions(null, () -> "", List::of);
    }

    /** The same with other ids. */
    public ToolHttpOptions withIds(IdGenerator ids) {
        return new ToolHttpOptions(ids, commandLineHelp, schedules);
    }

    /** The same with help for the command line. */
    public ToolHttpOptions withCommandLineHelp(Supplier<String> commandLineHelp) {
        return new ToolHttpOptions(ids, commandLineHelp, schedules);
    }

    /** The same with schedules. */
    public ToolHttpOptions withSchedules(Supplier<List<ScheduleInfo>> schedules) {
        return new ToolHttpOptions(ids, commandLineHelp, schedules);
    }
}
