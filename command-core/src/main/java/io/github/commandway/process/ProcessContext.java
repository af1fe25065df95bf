package io.github.commandway.process;

import io.github.commandway.dispatch.CommandContext;

/**
 * What a command is executed under when a process yielded it. {@link #onCancel} fires when that process ends before the
 * command does, or when the yield's deadline passes. {@link #deadline} is {@link java.time.Instant#MAX} where there is none.
 *
 * <p>A handler that has completed its tag before it returned has no further use for the context: it may stand for another
 * command of the same process from then on.
 */
public interface ProcessContext extends CommandContext {

    /** The process that yielded the command. */
    Pid pid();

    /** Reaches the other processes beside it. */
    Mail mail();
}
