package io.github.commandway.http;

import io.github.commandway.manager.IdGenerator;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * How tools are run over HTTP. Immutable.
 *
 * @param ids makes the ids of runs; null for those that the manager makes
 * @param commandLineHelp how the host's command line is used, for {@code GET /result/help}; plain text, empty for nothing
 */
public record ToolHttpOptions(@Nullable IdGenerator ids, Supplier<String> commandLineHelp) {
    /** The manager's ids, and nothing about a command line. */
    public static ToolHttpOptions ofDefaults() {
        return new ToolHttpOptions(null, () -> "");
    }

    /** The same with other ids. */
    public ToolHttpOptions withIds(IdGenerator ids) {
        return new ToolHttpOptions(ids, commandLineHelp);
    }

    /** The same with help for the command line. */
    public ToolHttpOptions withCommandLineHelp(Supplier<String> commandLineHelp) {
        return new ToolHttpOptions(ids, commandLineHelp);
    }
}
