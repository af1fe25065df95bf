package io.github.commandway.cli;

import java.io.Serial;

/** What the user asked for cannot be done as it was asked for. The message says why, and what would be right. */
final class UsageException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;

    UsageException(String message) {
        super(message);
    }

    UsageException(String message, Throwable cause) {
        super(message, cause);
    }
}
