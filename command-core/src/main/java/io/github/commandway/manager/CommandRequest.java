package io.github.commandway.manager;

import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What a caller wants done: a target, a type, a payload, and for how long. Immutable, and may be submitted any number of times.
 *
 * <p>Defaults: empty payload, {@code timeout} 30 s, {@code ttl} the same as the timeout, for a queue 24 h, no idempotency key, nobody authenticated; in a queue
 * priority 0, at once, no order key, and as many tries as the queue says.
 */
public final class CommandRequest {
    /** The longest timeout and ttl: 30 days. */
    public static final Duration MAX_DURATION = Duration.ofDays(30);

    /** The timeout where none is given: 30 s. */
    public static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(30);

    /** The ttl in a queue where none is given: 24 h. */
    public static final Duration DEFAULT_QUEUE_TTL = Duration.ofHours(24);

    /** The highest priority; the lowest is as far below 0. */
    public static final int MAX_PRIORITY = 100;

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
    private final int priority;
    private final @Nullable Instant notBefore;
    private final @Nullable String orderKey;
    private final @Nullable String exclusiveKey;
    private final @Nullable RetryPolicy retry;
    private final @Nullable String reference;

    private CommandRequest(Builder builder) {
        target = builder.target;
        type = requireText("type", builder.type);
        payload = builder.payload;
        timeout = requireWithin("timeout", builder.timeout, Duration.ofMillis(1));
        ttl = builder.ttl == null ? defaultTtl(target, timeout) : requireWithin("ttl", builder.ttl, Duration.ZERO);
        idempotencyKey = builder.idempotencyKey == null ? null : requireText("idempotency key", builder.idempotencyKey);
        principal = builder.principal;
        traceParent = builder.traceParent;
        priority = requirePriority(builder.priority);
        notBefore = builder.notBefore;
        orderKey = builder.orderKey == null ? null : requireText("order key", builder.orderKey);
        exclusiveKey = builder.exclusiveKey == null ? null : requireText("exclusive key", builder.exclusiveKey);
        retry = builder.retry;
        reference = builder.reference == null ? null : requireText("reference", builder.reference);
        if (!(target instanceof Target.Queue)
                && (priority != 0 || notBefore != null || orderKey != null || retry != null)) {
            throw new IllegalArgumentException(
                    "priority, not_before, order key and retries are for commands to a queue, and this one is to "
                            + target);
        }
    }

    private static Duration defaultTtl(Target target, Duration timeout) {
        return target instanceof Target.Queue && timeout.compareTo(DEFAULT_QUEUE_TTL) < 0 ? DEFAULT_QUEUE_TTL : timeout;
    }

    /** Starts a request for a typed command on an agent. */
    public static Builder toAgent(String agentId, String type) {
        return new Builder(new Target.Agent(agentId), type);
    }

    /** Starts a request for a command that waits its turn in a queue. */
    public static Builder toQueue(String queue, String type) {
        return new Builder(new Target.Queue(queue), type);
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

    /** In a queue: of those that wait the ones with the higher priority go first; from -100 to 100. */
    public int priority() {
        return priority;
    }

    /** In a queue: when it may begin at the earliest, or null for at once. The ttl counts from then. */
    public @Nullable Instant notBefore() {
        return notBefore;
    }

    /** In a queue: of those with the same key one is executed at a time, in the order in which they were accepted: 1 to 256 characters, or null. */
    public @Nullable String orderKey() {
        return orderKey;
    }

    /** While a command with this key is open no other one with it is accepted: 1 to 256 characters, or null. */
    public @Nullable String exclusiveKey() {
        return exclusiveKey;
    }

    /** In a queue: how often it is tried; null for what the queue says. */
    public @Nullable RetryPolicy retry() {
        return retry;
    }

    /** What the caller calls it: kept with the record and shown, and nothing more, so that it need not be unique; 1 to 256 characters, or null. */
    public @Nullable String reference() {
        return reference;
    }

    /** A builder with everything that this request says, to change some of it. */
    public Builder toBuilder() {
        return new Builder(target, type)
                .payload(payload)
                .timeout(timeout)
                .ttl(ttl)
                .idempotencyKey(idempotencyKey)
                .principal(principal)
                .traceParent(traceParent)
                .priority(priority)
                .notBefore(notBefore)
                .orderKey(orderKey)
                .exclusiveKey(exclusiveKey)
                .retry(retry)
                .reference(reference);
    }

    /**
     * Whether the other request asks for the same: everything is equal but the trace, the tries, and the moment before which it may not begin, which moves with the clock when it is
     * given as a delay.
     */
    public boolean isSameAs(CommandRequest other) {
        return target.equals(other.target)
                && type.equals(other.type)
                && timeout.equals(other.timeout)
                && ttl.equals(other.ttl)
                && priority == other.priority
                && Objects.equals(orderKey, other.orderKey)
                && Objects.equals(exclusiveKey, other.exclusiveKey)
                && Objects.equals(idempotencyKey, other.idempotencyKey)
                && Objects.equals(principal, other.principal)
                && Objects.equals(reference, other.reference)
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

    private static int requirePriority(int priority) {
        if (priority < -MAX_PRIORITY || priority > MAX_PRIORITY) {
            throw new IllegalArgumentException(
                    "priority must be from -" + MAX_PRIORITY + " to " + MAX_PRIORITY + ", but is " + priority);
        }
        return priority;
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
        private int priority;
        private @Nullable Instant notBefore;
        private @Nullable String orderKey;
        private @Nullable String exclusiveKey;
        private @Nullable RetryPolicy retry;
        private @Nullable String reference;

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

        /** Sets the priority in a queue. */
        public Builder priority(int priority) {
            this.priority = priority;
            return this;
        }

        /** Sets when it may begin at the earliest in a queue. */
        public Builder notBefore(@Nullable Instant notBefore) {
            this.notBefore = notBefore;
            return this;
        }

        /** Sets within what the order is kept in a queue that executes several commands at a time. */
        public Builder orderKey(@Nullable String orderKey) {
            this.orderKey = orderKey;
            return this;
        }

        /** Sets of what there may be only one open command. */
        public Builder exclusiveKey(@Nullable String exclusiveKey) {
            this.exclusiveKey = exclusiveKey;
            return this;
        }

        /** Sets how often it is tried in a queue. */
        public Builder retry(@Nullable RetryPolicy retry) {
            this.retry = retry;
            return this;
        }

        /** Sets what the caller calls it. */
        public Builder reference(@Nullable String reference) {
            this.reference = reference;
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
