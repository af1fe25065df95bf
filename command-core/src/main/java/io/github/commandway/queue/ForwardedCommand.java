package io.github.commandway.queue;

import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.manager.Target;

/** A command from a queue, or to a group, as the handler of the target behind it sees it. */
final class ForwardedCommand implements RecordedCommand {
    private final RecordedCommand command;
    private final CommandRequest request;

    ForwardedCommand(RecordedCommand command, Target target) {
        this.command = command;
        request = request(command.request(), target);
    }

    /** The same request to another target. */
    static CommandRequest request(CommandRequest asked, Target target) {
        return CommandRequest.to(target, asked.type())
                .payload(asked.payload())
                .timeout(asked.timeout())
                .ttl(asked.ttl())
                .principal(asked.principal())
                .traceParent(asked.traceParent())
                .reference(asked.reference())
                .build();
    }

    @Override
    public RecordId id() {
        return command.id();
    }

    @Override
    public CommandRequest request() {
        return request;
    }

    @Override
    public int attempt() {
        return command.attempt();
    }

    @Override
    public CommandRecord record() {
        return command.record();
    }

    @Override
    public void whenOutcomeRecorded(Runnable action) {
        command.whenOutcomeRecorded(action);
    }
}
