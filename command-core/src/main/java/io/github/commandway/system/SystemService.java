package io.github.commandway.system;

import io.github.commandway.dispatch.Dispatcher;
import io.github.commandway.process.Pid;

/**
 * A group of handlers that may keep things open from one command to the next, such as timers, streams or transactions. What a process opened
 * is closed when the process has ended; everything is closed with the service. Safe for use by many threads.
 */
public interface SystemService extends Dispatcher, AutoCloseable {

    /** Closes what {@code process} opened. To be called once the contexts of its commands are cancelled; does not block. */
    default void ended(Pid process) {}

    /**
     * Ends all that is open and under way: each command that waits completes with reason {@code shutdown}, later ones are refused. Does not wait
     * for work that is slow to stop. Calling it again does nothing.
     */
    @Override
    void close();
}
