package io.github.commandway.dispatch;

import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * Takes what handlers have to say of the commands they were given. All methods may be called from any thread, do not
 * block, and ignore (and count) a tag that is not open any more.
 */
@FunctionalInterface
public interface ResultReceiver {

    /**
     * Ends the command behind {@code tag}. The first call for a tag decides; later ones are counted and dropped.
     *
     * @param data the result; beside an {@code error} what there is to keep of the failure, or null. Who receives it says which types it takes
     * @param error why the command failed, or null if it succeeded; a {@link CommandException} carries its {@link Reason}
     */
    void completeYield(long tag, @Nullable Object data, @Nullable Throwable error);

    /**
     * Asks for leave to hand the command to whoever will execute it, and starts its execution clock. A handler that keeps commands waiting
     * calls this immediately before it lets one go, and lets it go only if the answer is true. Asking again after a
     * lost hand-over is allowed.
     *
     * @return false if the command has ended or is not wanted any more, and must not be executed
     */
    default boolean handOver(long tag) {
        return true;
    }

    /**
     * Writes down to whom the command is going to be given, for a handler that chooses among several: so that after a crash it is looked for there, and not given to another one. To be called before
     * the hand-over.
     *
     * @param assignee such as {@code agent:client-001}
     * @return completes with true when that is recorded; with false if the command has ended or is not wanted any more, and must not be given to anybody
     */
    default CompletableFuture<Boolean> assign(long tag, String assignee) {
        return CompletableFuture.completedFuture(true);
    }

    /** Says that the executor has begun. Without this call a command that is completed counts as begun at that moment. */
    default void started(long tag) {}

    /**
     * Reports progress of a command that is being executed.
     *
     * @param fraction from 0 to 1, or negative if unknown
     * @param message what is being done, in a few words; may be empty
     */
    default void progress(long tag, double fraction, String message) {}

    /**
     * Passes on a piece of the output of a command that is being executed. Pieces of one command are kept in the order of the calls.
     *
     * @param channel which output this is, such as {@code stdout}
     * @param data the bytes; the receiver owns the array from now on
     */
    default void output(long tag, String channel, byte[] data) {}
}
