package io.github.commandway.agent;

/**
 * What happens around the handlers of a {@link CommandRouter}. Middleware forms an onion: the one that was added first is the outermost. It sees only commands
 * that have a handler, so what it keeps for each type is bounded by the number of routes.
 *
 * <p>Called by many threads at once. A failure is an exception: a {@link io.github.commandway.dispatch.CommandException} where the reason matters, anything
 * else for a failure of the executor.
 */
@FunctionalInterface
public interface Middleware {
    /**
     * Executes the command, usually by calling {@code next}.
     *
     * @param context what the command is executed under
     * @param type the full name of the kind of command, with the prefix of its group
     * @param payload as it came
     * @param next the rest of the way to the handler
     * @return the result
     * @throws Exception if the command has failed or is refused
     */
    byte[] execute(ExecutionContext context, String type, byte[] payload, Next next) throws Exception;

    /** The rest of the way to the handler: the inner middleware, then the handler itself. */
    @FunctionalInterface
    interface Next {
        /**
         * Goes on.
         *
         * @param context the context as it was given, or one around it
         * @param payload the payload as it was given, or another one
         * @return the result
         * @throws Exception if the command has failed or is refused
         */
        byte[] execute(ExecutionContext context, byte[] payload) throws Exception;
    }
}
