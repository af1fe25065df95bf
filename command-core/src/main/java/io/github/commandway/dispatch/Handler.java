package io.github.commandway.dispatch;

/** Code that executes one kind of command and completes its tag, now or later. Called by many threads at once. */
@FunctionalInterface
public interface Handler {

    /**
     * Begins to execute a command. Never blocks the caller: work that takes long is done elsewhere and completes the
     * tag when it ends.
     *
     * <p>Either the handler calls {@link ResultReceiver#completeYield} exactly once for {@code tag}, before or after this
     * method returns; or it throws, and then must not have completed the tag: the caller completes it with what was thrown.
     * A second completion, one for an owner that is gone and one after the deadline are counted and dropped.
     *
     * @param context the deadline, cancellation and identity that the work is done under
     * @param command the command, valid until the tag is completed
     * @param tag ties the completion to this call; not reused while it is open
     * @param receiver takes the outcome; bound to the owner of this call, so it stays harmless when that owner is gone
     * @throws Exception if the command could not be begun
     */
    void handle(CommandContext context, Command command, long tag, ResultReceiver receiver) throws Exception;
}
