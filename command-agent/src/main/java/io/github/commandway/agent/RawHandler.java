package io.github.commandway.agent;

/** Executes one kind of command on the bytes as they came. Called by many threads at once. */
@FunctionalInterface
public interface RawHandler {
    /**
     * Executes the command.
     *
     * @param context what the command is executed under
     * @param payload the parameters as they came; belongs to the handler
     * @return the result
     * @throws Exception if the command has failed; see {@link CommandRouter}
     */
    byte[] handle(ExecutionContext context, byte[] payload) throws Exception;
}
