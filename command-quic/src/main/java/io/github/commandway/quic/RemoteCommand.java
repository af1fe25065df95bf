package io.github.commandway.quic;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.RecordedCommand;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** One open command of one agent. The mutable fields are guarded by the agent's lock. */
final class RemoteCommand implements Consumer<CancelCause> {
    /** Where it is. */
    enum State {
        /** Not with the agent's list yet. */
        NEW,
        /** Waits for the agent, or for room. */
        WAITING,
        /** The receiver is being asked whether it may go. */
        HANDING_OVER,
        /** Was sent, and no outcome has come. */
        SENT,
        /** Not this agent's any more. */
        OVER
    }

    final RemoteAgent agent;
    final CommandContext context;
    final ResultReceiver receiver;
    final RecordedCommand recorded;
    private final RecordId id;
    private final CommandRequest request;
    private final long tag;
    private final int attempt;

    State state = State.NEW;

    @Nullable CancelCause cause;

    boolean wasSent;
    boolean started;

    /** An earlier run of the server had given it to the agent. */
    boolean isResumed;

    long outputSequence;

    RemoteCommand(
            RemoteAgent agent, RecordedCommand command, CommandContext context, long tag, ResultReceiver receiver) {
        this.agent = agent;
        this.context = context;
        this.receiver = receiver;
        this.tag = tag;
        this.recorded = command;
        id = command.id();
        request = command.request();
        attempt = command.attempt();
    }

    RecordId id() {
        return id;
    }

    CommandRequest request() {
        return request;
    }

    long tag() {
        return tag;
    }

    int attempt() {
        return attempt;
    }

    int bytes() {
        return request.payload().length;
    }

    /** It is not wanted any more. */
    @Override
    public void accept(CancelCause why) {
        agent.cancel(this, why);
    }
}
