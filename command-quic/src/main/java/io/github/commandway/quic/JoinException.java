package io.github.commandway.quic;

import io.github.commandway.quic.identity.JoinRefusedException;
import java.io.IOException;
import java.io.Serial;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** An agent could not join: the server refused, or was not reached. The message is for the person who started the agent. */
public final class JoinException extends IOException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final JoinRefusedException.@Nullable Reason refusal;

    JoinException(JoinRefusedException.@Nullable Reason refusal, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.refusal = refusal;
    }

    /** Why the server refused; empty if it could not be asked or gave no answer that is known, and trying again later may help. */
    public Optional<JoinRefusedException.Reason> refusal() {
        return Optional.ofNullable(refusal);
    }
}
