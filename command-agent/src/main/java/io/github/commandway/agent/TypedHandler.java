package io.github.commandway.agent;

import org.jspecify.annotations.Nullable;

/**
 * Executes one kind of command with parameters that have been read from JSON. Called by many threads at once.
 *
 * @param <P> the type of the parameters, usually a record
 */
@FunctionalInterface
public interface TypedHandler<P> {
    /**
     * Executes the command.
     *
     * @param context what the command is executed under
     * @param params the parameters
     * @return the result, written as JSON; a {@code byte[]} goes out as it is, null is an empty result
     * @throws Exception if the command has failed; see {@link CommandRouter}
     */
    @Nullable Object handle(ExecutionContext context, P params) throws Exception;
}
