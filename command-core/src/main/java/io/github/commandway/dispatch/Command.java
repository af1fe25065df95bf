package io.github.commandway.dispatch;

/**
 * Something to be done: a kind, named by its number, and whatever fields that kind needs.
 *
 * <p>A command belongs to whoever dispatches it until its tag is completed. After that the dispatcher calls
 * {@link #release()} once, and nobody may touch the command again.
 */
public interface Command {

    /** The number of this kind of command: 0 to 255 for the system, 256 and above for applications. */
    int commandId();

    /** Returns a pooled command to its pool. Called at most once, after the command's tag was completed. */
    default void release() {}
}
