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

    /**
     * Calls {@code action} once when the end of the command is recorded as safely as the store makes it, in whatever thread brings the news. It
     * is not called if that fails, or if the end turns out to be another one.
     */
    void whenEndRecorded(Runnable action);

    @Override
    default int commandId() {
        return request().target().commandId();
    }
}
