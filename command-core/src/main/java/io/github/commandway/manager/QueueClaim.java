package io.github.commandway.manager;

import io.github.commandway.dispatch.CommandContext;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What {@link CommandManager#claim} took out of a queue.
 *
 * @param commands in the order in which they are to be begun
 * @param nextDue when the first of those that may not begin yet may; null if there is none
 */
public record QueueClaim(List<Claimed> commands, @Nullable Instant nextDue) {
    /**
     * One attempt of one command.
     *
     * @param context what it is executed under
     * @param command the command
     * @param tag under which the manager takes its outcome
     */
    public record Claimed(CommandContext context, RecordedCommand command, long tag) {}
}
