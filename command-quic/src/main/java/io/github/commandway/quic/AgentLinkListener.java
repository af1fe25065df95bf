package io.github.commandway.quic;

import io.github.commandway.directory.AgentMessage;
import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.manager.RecordId;
import io.github.commandway.quic.identity.Identity;
import java.util.List;

/**
 * Is told what comes from the server. All methods are called in the link's thread, one at a time, and must not block; what they
 * throw is logged and goes no further.
 */
public interface AgentLinkListener {

    /**
     * Commands to execute, in the order in which they came. Before this returns they must be among the {@link #holdings}, so that a
     * reconnect that follows at once does not make the server send them again. One that is held already (the same
     * id) must not be executed again.
     */
    void onAssigned(List<Assignment> assignments);

    /**
     * A command is not wanted any more. It must be stopped and its outcome reported, as for any other; one that is not held is
     * ignored.
     */
    void onCancel(RecordId id, CancelCause cause);

    /** The server has these outcomes: they need not be kept any longer. One may come that is not held any more. */
    void onResultAcknowledged(List<RecordId> ids);

    /** A message that is not a command. Its receipt is sent when this returns. */
    default void onMessage(AgentMessage message) {}

    /**
     * A session began. Now every outcome that is not acknowledged has to be reported (again) with {@link AgentLink#report}: what was
     * reported during an earlier session or between two may be lost.
     *
     * @param transport what the session runs on, {@link Transport#QUIC} or {@link Transport#TCP}
     */
    default void onConnected(ServerAddress server, Transport transport) {}

    /** The session ended, or an attempt to begin one failed. The link tries again by itself. */
    default void onDisconnected(String reason) {}

    /** The server has renewed the certificate: to be kept for the next start. Later sessions of this link use it. */
    default void onIdentityRenewed(Identity identity) {}

    /** What this agent has: commands that it executes or is going to, and outcomes that are not acknowledged. Asked at each connect. */
    List<Holding> holdings();
}
