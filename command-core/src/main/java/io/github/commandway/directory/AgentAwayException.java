package io.github.commandway.directory;

import java.io.Serial;

/** A message did not reach an agent because the agent is not connected. Nothing is kept for later; send again, or send a command. */
public final class AgentAwayException extends Exception {
    @Serial
    private static final long serialVersionUID = 1L;

    /** Says which agent, and since when or why. */
    public AgentAwayException(String message) {
        super(message, null, false, false);
    }
}
