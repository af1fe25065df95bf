package io.github.commandway.manager;

import java.time.Duration;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What a caller wants done: a target, a type, a payload, and for how long. Immutable, and may be submitted any number of times.
 *
 * <p>Defaults: empty payload, {@code timeout} 30 s, {@code ttl} the same as the timeout, no idempotency key, nobody authenticated.
 */
public final class CommandRequest {
    /** The longest timeout and ttl: 30 days. */
    public static final Duration MAX_DURATION = Duration.ofDays(30);

    /** The timeout where none is given: 30 s. */
    public static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(30);

    private static final int MAX_TEXT = 256;
    private static final byte[] NO_BYTES = {};

    private final Target target;
    private final String type;
    private final byte[] payload;
    private final Duration timeout;
    private final Duration ttl;
    private final @Nullable String idempotencyKey;
    private final @Nullable String principal;
    private final @Nullable String traceParent;

    private CommandRequest(Builder builder) {
        target = builder.target;
        type = requireText("type", builder.type);
        payload = builder.payload;
        timeout = requireWithin("timeout", builder.timeout, Duration.ofMillis(1));
        ttl = builder.ttl == null ? timeout : requireWithin("ttl", builder.ttl, Duration.ZERO);
        idempotencyKey = builder.idempotencyKey == null ? null : requireText("idempotency key", builder.idempotencyKey);
        principal = builder.principal;
        traceParent = builder.traceParent;
    }

    /** Starts a request for a typed command on an agent. */
    public static Builder toAgent(String agentId, String type) {
        return new Builder(new Target.Agent(agentId), type);
    }

    /** Starts a request for any target. */
    public static Builder to(Target target, String type) {
        return new Builder(target, type);
    }

    /** Where it runs. */
    public Target target() {
        return target;
    }

    /** The name of the kind of command there, such as {@code restart}: 1 to 256 characters. */
    public String type() {
        return type;
    }

    /** The parameters, in whatever form the executor reads; not copied, so it must not be modified. */
    public byte[] payload() {
        return payload;
    }

    /** The longest time of execution, from the hand-over: 1 ms to 30 days. */
    public Duration timeout() {
        return timeout;
    }

    /** The longest time that it may wait to be handed over, from its acceptance: 0 to 30 days. */
    public Duration ttl() {
        return ttl;
    }

    /** With the same key (and principal) the same request is accepted once: 1 to 256 characters, or null. */
    public @Nullable String idempotencyKey() {
        return idempotencyKey;
    }

    /** On whose behalf, or null. */
    public @Nullable String principal() {
        return principal;
    }

    /** The W3C {@code traceparent} of the caller, or null. */
    public @Nullable String traceParent() {
        return traceParent;
    }

    /** Whether the other request asks for the same: everything but the trace is equal. */
    public boolean isSameAs(CommandRequest other) {
        return target.equals(other.target)
                && type.equals(other.type)
                && timeout.equals(other.timeout)
                && ttl.equals(other.ttl)
                && Objects.equals(idempotencyKey, other.idempotencyKey)
                && Objects.equals(principal, other.principal)
                && Arrays.equals(payload, other.payload);
    }

    @Override
    public String toString() {
        return "CommandRequest[" + type + " to " + target + ", " + payload.length + " bytes]";
    }

    private static String requireText(String what, String value) {
        if (value.isBlank() || value.length() > MAX_TEXT || hasControlCharacter(value)) {
            throw new IllegalArgumentException(
                    what + " must have 1 to " + MAX_TEXT + " characters and no control characters");
        }
        return value;
    }

    private static boolean hasControlCharacter(String value) {
        for (int i = 0; i < value.length(); i++) {
            if (Character.isISOControl(value.charAt(i))) {
                return true;
            }
        }
        return false;
    }

    private static Duration requireWithin(String what, Duration value, Duration least) {
        if (value.compareTo(least) < 0 || value.compareTo(MAX_DURATION) > 0) {
            throw new IllegalArgumentException(
                    what + " must be from " + least + " to " + MAX_DURATION + ", but is " + value);
        }
        return value;
    }

    /** Builds a {@link CommandRequest}; {@link #build()} checks all values. Not safe for use by many threads. */
    public static final class Builder {
        private final Target target;
        private final String type;
        private byte[] payload = NO_BYTES;
        private Duration timeout = DEFAULT_TIMEOUT;
        private @Nullable Duration ttl;
        private @Nullable String idempotencyKey;
        private @Nullable String principal;
        private @Nullable String traceParent;

        private Builder(Target target, String type) {
            this.target = target;
            this.type = type;
        }

        /** Sets the parameters; the array belongs to the request from now on. */
        public Builder payload(byte[] payload) {
            this.payload = payload;
            return this;
        }

        /** Sets the longest time of execution. */
        public Builder timeout(Duration timeout) {
            this.timeout = timeout;
            return this;
        }

        /** Sets the longest time of waiting; zero means now or not at all. */
        public Builder ttl(Duration ttl) {
            this.ttl = ttl;
            return this;
        }

        /** Sets the idempotency key. */
        public Builder idempotencyKey(@Nullable String idempotencyKey) {
            this.idempotencyKey = idempotencyKey;
            return this;
        }

        /** Sets on whose behalf. */
        public Builder principal(@Nullable String principal) {
            this.principal = principal;
            return this;
        }

        /** Sets the trace context. */
        public Builder traceParent(@Nullable String traceParent) {
            this.traceParent = traceParent;
            return this;
        }

        /**
         * Makes the request.
         *
         * @throws IllegalArgumentException if a value is not allowed; the message names it and what is
         */
        public CommandRequest build() {
            return new CommandRequest(this);
        }
    }
}
