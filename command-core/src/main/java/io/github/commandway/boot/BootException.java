package io.github.commandway.boot;

import java.io.Serial;

/** An application could not be put together, started or stopped; the message names the component, the cause is its own. */
public final class BootException extends Exception {
    @Serial
    private static final long serialVersionUID = 1L;

    BootException(String message) {
        super(message);
    }

    BootException(String message, Throwable cause) {
        super(message, cause);
    }
}
