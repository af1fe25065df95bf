package io.github.commandway.tool.api;

import java.io.Serial;

/** Why a tool is not run as it was asked for. The message is for the caller: what is wrong and what would be right. */
public final class ToolRequestException extends IllegalArgumentException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final Kind kind;

    /** The kinds of reasons. */
    public enum Kind {
        /** There is no tool or toolchain of this name. */
        UNKNOWN,
        /** It must not be run by a request without a body. */
        METHOD,
        /** It does not take what it is given, or the request cannot be read. */
        INVALID
    }

    /** Says why. */
    public ToolRequestException(Kind kind, String message) {
        super(message);
        this.kind = kind;
    }

    /** What kind of reason it is. */
    public Kind kind() {
        return kind;
    }
}
