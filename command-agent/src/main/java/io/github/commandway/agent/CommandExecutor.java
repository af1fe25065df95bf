package io.github.commandway.agent;

/** What the host application does when a command arrives: the one interface that every agent implements. */
@FunctionalInterface
public interface CommandExecutor {
    /**
     * Executes one command and returns its result. Runs in one of the agent's worker threads, which is interrupted when the command is
     * cancelled or its time is over; several commands are executed at once.
     *
     * @param type the name of the kind of command, such as {@code restart}
     * @param payload the parameters, usually JSON; belongs to the executor
     * @return the result, usually JSON, at most 64 MiB; the command has then completed. Null counts as empty
     * @throws UnknownCommandException if there is no such kind of command here
     * @throws Exception anything else: the command has failed, with this message
     */
    byte[] execute(String type, byte[] payload) throws Exception;

    /**
     * The same with the context of the command: its deadline, whether it is still wanted, and ways to report progress and output. An executor that has
     * use for these overrides this method; the agent calls no other.
     */
    default byte[] execute(ExecutionContext context, String type, byte[] payload) throws Exception {
        return execute(type, payload);
    }
}
