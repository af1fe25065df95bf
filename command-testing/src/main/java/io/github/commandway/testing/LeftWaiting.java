package io.github.commandway.testing;

import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.QueueingHandler;

/** Leaves commands in their queues. */
final class LeftWaiting implements QueueingHandler {
    @Override
    public CommandRequest admit(CommandRequest request) {
        return request;
    }

    @Override
    public void handle(CommandContext context, Command command, long tag, ResultReceiver receiver) {}
}
