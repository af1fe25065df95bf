package io.github.commandway.manager;

import io.github.commandway.dispatch.Handler;

/**
 * A handler that may keep a command waiting before its executor gets it. The manager asks it before it records a command, and leaves it to
 * call {@link io.github.commandway.dispatch.ResultReceiver#handOver} and {@link io.github.commandway.dispatch.ResultReceiver#started}; for any
 * other handler the manager takes both as done when it calls the handler.
 */
public interface QueueingHandler extends Handler {
    /**
     * Refuses a request that has no chance, or for which there is no room. Must not block.
     *
     * @throws CommandRejectedException with which the submit fails; nothing is recorded
     */
    void admit(CommandRequest request) throws CommandRejectedException;
}
