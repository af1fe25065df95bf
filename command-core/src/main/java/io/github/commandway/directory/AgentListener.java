package io.github.commandway.directory;

/** Is told of what agents do. Called in a transport's thread, so nothing may block; what is thrown is logged and goes no further. */
public interface AgentListener {
    /** A session of this agent began. */
    default void onConnected(AgentInfo agent) {}

    /** The agent says something else of itself: its labels or capabilities changed. */
    default void onChanged(AgentInfo agent) {}

    /** The newest session of this agent ended. */
    default void onDisconnected(AgentInfo agent) {}

    /** The agent sent a message of its own: an event, a report, a callback. */
    default void onMessage(String agentId, AgentMessage message) {}
}
