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
     * Has {@code action} called once when the outcome of the current attempt, whatever it is, is recorded as safely as the store makes it: as the end of the
     * command, or as the reason for another attempt. It is called in whatever thread brings the news, before a further attempt begins, and not at all if recording fails. There is one such
     * action; a second call replaces the first.
     */
    void whenOutcomeRecorded(Runnable action);

    @Override
    default int commandId() {
        return request().target().commandId();
    }
}
