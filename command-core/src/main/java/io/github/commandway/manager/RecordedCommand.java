package io.github.commandway.manager;

import io.github.commandway.dispatch.Command;

/** A command that the manager has recorded and gives to a handler. Every handler that the manager calls receives this kind of command. */
public interface RecordedCommand extends Command {
    /** The id of its record. */
    RecordId id();

    /** What was asked for. */
    CommandRequest request();

    /** Which try this is, from 1. */
    int attempt();

    /** What is recorded of it at this moment. */
    CommandRecord record();

    @Override
    default int commandId() {
        return request().target().commandId();
    }
}
