package io.github.commandway.store;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/** The database cannot be used, or could not do what it was asked for; the message says why. What was asked for has not happened. */
public final class StoreException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;

    StoreException(String message) {
        super(message);
    }

    StoreException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
