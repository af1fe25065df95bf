package io.github.commandway.directory;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** Which agents there are and whether they are connected; and messages to them. Safe for use by many threads. */
public interface AgentDirectory {
    /** What is known of one agent; empty if it was never seen. */
    Optional<AgentInfo> find(String agentId);

    /**
     * Agents in the order of their ids.
     *
     * @param connected only those that are, or are not; null for all
     * @param afterId only those whose id sorts after this one; null to begin
     * @param limit how many at most, from 1
     */
    List<AgentInfo> list(@Nullable Boolean connected, @Nullable String afterId, int limit);

    /** How many agents are connected. */
    int connectedCount();

    /** How many agents are known, connected or not. */
    int knownCount();

    /**
     * Sends a message to one agent.
     *
     * @param awaitReceipt whether to complete only when the agent has taken it, instead of when it was written
     * @return fails with {@link AgentAwayException} if the agent is not connected, goes away, or gives no receipt within 30 s
     */
    CompletableFuture<Void> send(String agentId, AgentMessage message, boolean awaitReceipt);

    /** Registers a listener for the life of the directory. */
    void addListener(AgentListener listener);
}
