package io.github.commandway.quic;

import java.io.IOException;
import java.io.Serial;

/** The other end broke the protocol: the connection is closed, with this message. */
final class ProtocolException extends IOException {
    @Serial
    private static final long serialVersionUID = 1L;

    ProtocolException(String message) {
        super(message);
    }
}
