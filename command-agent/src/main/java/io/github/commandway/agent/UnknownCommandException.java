package io.github.commandway.agent;

import java.io.Serial;

/** There is no such kind of command on this agent. */
public final class UnknownCommandException extends Exception {
    @Serial
    private static final long serialVersionUID = 1L;

    /**
     * @param type the kind that was asked for
     * @param known the kinds that there are, for the message
     */
    public UnknownCommandException(String type, Iterable<String> known) {
        super("unknown command '" + type + "'; this agent knows: " + String.join(", ", known));
    }
}
