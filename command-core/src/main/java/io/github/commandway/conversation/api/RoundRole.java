package io.github.commandway.conversation.api;

/** Who speaks in a round. */
public enum RoundRole {
    /** The user. */
    USER,
    /** Who answers. */
    ASSISTANT,
    /** The instructions. */
    SYSTEM,
    /** A tool that the assistant used. */
    TOOL
}
