package io.github.commandway.quic.identity;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * A file, certificate or request that cannot be used as an identity. The message names it and says what to do; nothing
 * was changed. Trying again with the same input gives the same answer.
 */
public final class IdentityException extends IOException {

    private static final long serialVersionUID = 1L;

    IdentityException(String message) {
        super(message);
    }

    IdentityException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
