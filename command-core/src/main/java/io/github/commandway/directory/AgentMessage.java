package io.github.commandway.directory;

/**
 * A message to or from an agent that is not a command: it has no record and no outcome beyond its receipt.
 *
 * @param id names the message; its receipt carries it
 * @param type what it is, such as {@code event} or {@code report.status}: 1 to 256 characters
 * @param payload at most 64 KiB; must not be modified
 */
@SuppressWarnings("ArrayRecordComponent") // passed on as it came
public record AgentMessage(String id, String type, byte[] payload) {
    /** The most bytes of payload. */
    public static final int MAX_PAYLOAD = 64 * 1024;

    /** Checks type and payload. */
    public AgentMessage {
        if (type.isBlank() || type.length() > 256) {
            throw new IllegalArgumentException("message type must have 1 to 256 characters");
        }
        if (payload.length > MAX_PAYLOAD) {
            throw new IllegalArgumentException("message payload has " + payload.length + " bytes; the most is "
                    + MAX_PAYLOAD + ", larger ones go as commands");
        }
    }
}
