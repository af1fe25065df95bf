package io.github.commandway.manager;

/** Is told of every event of every command. */
@FunctionalInterface
public interface CommandListener {
    /**
     * Called once for each event, for one command in the order of the sequence numbers, in whatever thread made it happen. Must not
     * block; what it throws is logged and goes no further.
     */
    void onEvent(RecordedCommand command, CommandEvent event);
}
