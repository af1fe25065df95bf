package io.github.commandway.tools;

import java.io.IOException;
import java.io.Serial;

/** Something could not be had from a repository, or was refused. The message says what, where, and what would be right. Nothing was changed. */
public final class RepositoryException extends IOException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final Code code;

    RepositoryException(Code code, String message) {
        super(message);
        this.code = code;
    }

    RepositoryException(Code code, String message, Throwable cause) {
        super(message, cause);
        this.code = code;
    }

    /** What to do about it. */
    public enum Code {
        /** The repository does not answer, or not in time, or stops in the middle: try again later. */
        UNREACHABLE,
        /** What it gives is not what the key's owner has signed, or no longer valid: ask the owner, and do not use it. */
        UNTRUSTED,
        /** There is no such artifact for this machine. */
        NOT_FOUND,
        /** The artifact, or what was asked for, is not allowed here. */
        REFUSED
    }

    /** What to do about it. */
    public Code code() {
        return code;
    }
}
