package io.github.commandway.manager;

import java.io.Serial;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A command was not accepted: nothing was recorded, and nothing will run. */
public final class CommandRejectedException extends Exception {
    @Serial
    private static final long serialVersionUID = 1L;

    /** Why a command was not accepted, and so what the caller can do. */
    public enum Code {
        /** Too many commands are open. Try again later. */
        CAPACITY,
        /** This target has as many commands or bytes waiting and in flight as it may have. Try again later. */
        TARGET_BUSY,
        /** No agent of this id was ever seen. Check the id. */
        TARGET_UNKNOWN,
        /** The agent is away and the request does not allow waiting. Try again later, or with a ttl. */
        TARGET_AWAY,
        /** Nothing here handles this kind of target or command. Check the request and how the server was put together. */
        UNKNOWN_COMMAND,
        /** The payload is larger than what is allowed. Send less. */
        PAYLOAD_TOO_LARGE,
        /** The idempotency key was used with another request. Use a new key. */
        IDEMPOTENCY_CONFLICT,
        /** An open command has the same exclusive key. Wait until it has ended, or cancel it. */
        EXCLUSIVE_KEY_TAKEN,
        /** The manager is being stopped. Try again later, elsewhere. */
        SHUTTING_DOWN,
        /** The store could not record the command. Try again later. */
        STORE_FAILED;

        /** Whether the same request may be accepted later. */
        public boolean isRetryable() {
            return switch (this) {
                case CAPACITY, TARGET_BUSY, TARGET_AWAY, SHUTTING_DOWN, STORE_FAILED -> true;
                case TARGET_UNKNOWN, UNKNOWN_COMMAND, PAYLOAD_TOO_LARGE, IDEMPOTENCY_CONFLICT, EXCLUSIVE_KEY_TAKEN ->
                    false;
            };
        }
    }

    private final Code code;
    private final transient @Nullable CommandRecord existing;

    /** A refusal with its message for people. */
    public CommandRejectedException(Code code, String message) {
        super(message, null, false, false);
        this.code = code;
        this.existing = null;
    }

    /** A refusal because of an earlier command. */
    public CommandRejectedException(Code code, String message, CommandRecord existing) {
        super(message, null, false, false);
        this.code = code;
        this.existing = existing;
    }

    /** A refusal that something else caused. */
    public CommandRejectedException(Code code, String message, Throwable cause) {
        super(message, cause);
        this.code = code;
        this.existing = null;
    }

    /** Why. */
    public Code code() {
        return code;
    }

    /** The command that is in the way: after {@link Code#IDEMPOTENCY_CONFLICT} and {@link Code#EXCLUSIVE_KEY_TAKEN}. */
    public Optional<CommandRecord> existing() {
        return Optional.ofNullable(existing);
    }
}
