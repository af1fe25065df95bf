package io.github.commandway.quic.identity;

/**
 * A join or a renewal that the server refused. Nothing was recorded and no use of the token was counted. The message is
 * meant for the person who started the agent and contains no secret.
 */
public final class JoinRefusedException extends Exception {

    private static final long serialVersionUID = 1L;

    /** Why it was refused. Only {@link #AGENT_LIMIT} can go away without somebody changing something. */
    public enum Reason {
        /** The text is not a join token. */
        MALFORMED_TOKEN,
        /** No such token, or its secret is wrong; the two are not told apart. */
        UNKNOWN_TOKEN,
        /** The token was made by another certificate authority. */
        OTHER_AUTHORITY,
        /** The token's lifetime is over. */
        EXPIRED_TOKEN,
        /** The token was revoked. */
        REVOKED_TOKEN,
        /** The token was used as often as it may be. */
        USED_UP_TOKEN,
        /** The token is bound to another agent id. */
        OTHER_AGENT,
        /** The agent id breaks the rule of {@link AgentIds}. */
        INVALID_AGENT_ID,
        /** The certificate request is damaged, has the wrong kind of key, or was not signed by its own key. */
        INVALID_REQUEST,
        /** The agent id belongs to another key. */
        AGENT_ID_TAKEN,
        /** The server has recorded as many agent ids as it may. */
        AGENT_LIMIT,
        /** The certificate shown for a renewal is not a valid certificate of a recorded agent. */
        NOT_RENEWABLE
    }

    private final Reason reason;

    JoinRefusedException(Reason reason, String message) {
        super(message);
        this.reason = reason;
    }

    JoinRefusedException(Reason reason, String message, Throwable cause) {
        super(message, cause);
        this.reason = reason;
    }

    /** Why it was refused. */
    public Reason reason() {
        return reason;
    }
}
