package io.github.commandway.process;

import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** How a process is started, and what ties it to others. Immutable. */
public final class SpawnOptions {
    private static final SpawnOptions DEFAULTS = builder().build();

    private final @Nullable Pid parent;
    private final boolean monitored;
    private final boolean linked;
    private final boolean trappingLinks;
    private final @Nullable String name;
    private final int mailbox;
    private final @Nullable String principal;
    private final @Nullable String traceParent;
    private final @Nullable Consumer<Exit> onExit;

    private SpawnOptions(Builder builder) {
        parent = builder.parent;
        monitored = builder.monitored;
        linked = builder.linked;
        trappingLinks = builder.trappingLinks;
        name = builder.name;
        mailbox = builder.mailbox;
        principal = builder.principal;
        traceParent = builder.traceParent;
        onExit = builder.onExit;
    }

    /** What {@link Builder} lists as defaults. */
    public static SpawnOptions defaults() {
        return DEFAULTS;
    }

    /** Starts from the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /** The process on whose behalf the new one is started, or null. */
    public @Nullable Pid parent() {
        return parent;
    }

    /** Whether the parent is told how the new one ends. */
    public boolean isMonitored() {
        return monitored;
    }

    /** Whether parent and child fail together. */
    public boolean isLinked() {
        return linked;
    }

    /** Whether the failure of a linked process is an event, and not its own failure. */
    public boolean isTrappingLinks() {
        return trappingLinks;
    }

    /** The name that it is found under, or null. */
    public @Nullable String name() {
        return name;
    }

    /** How many messages wait for it at most. */
    public int mailbox() {
        return mailbox;
    }

    /** On whose behalf its commands are executed, or null. */
    public @Nullable String principal() {
        return principal;
    }

    /** The W3C {@code traceparent} of its commands, or null. */
    public @Nullable String traceParent() {
        return traceParent;
    }

    @Nullable Consumer<Exit> onExit() {
        return onExit;
    }

    /** The same for a process that another one starts: it is the parent, and its principal and trace are inherited, unless something else is said here. */
    SpawnOptions startedBy(ProcessContext starter) {
        if (parent != null && principal != null && traceParent != null) {
            return this;
        }
        Builder builder = toBuilder();
        builder.parent = parent == null ? starter.pid() : parent;
        builder.principal = principal == null ? starter.principal() : principal;
        builder.traceParent = traceParent == null ? starter.traceParent() : traceParent;
        return builder.build();
    }

    /** A builder that has everything as it is here. */
    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.parent = parent;
        builder.monitored = monitored;
        builder.linked = linked;
        builder.trappingLinks = trappingLinks;
        builder.name = name;
        builder.mailbox = mailbox;
        builder.principal = principal;
        builder.traceParent = traceParent;
        builder.onExit = onExit;
        return builder;
    }

    /** Defaults: no parent, no name, links not trapped, a mailbox of 1,000 messages, nobody's behalf. */
    public static final class Builder {
        private @Nullable Pid parent;
        private boolean monitored;
        private boolean linked;
        private boolean trappingLinks;
        private @Nullable String name;
        private int mailbox = 1_000;
        private @Nullable String principal;
        private @Nullable String traceParent;
        private @Nullable Consumer<Exit> onExit;

        private Builder() {}

        /** The process on whose behalf it is started. */
        public Builder parent(Pid pid) {
            parent = Objects.requireNonNull(pid);
            return this;
        }

        /** The parent is told how it ends. */
        public Builder monitored() {
            monitored = true;
            return this;
        }

        /** If it fails, so does the parent, and the other way round, unless they trap links. */
        public Builder linked() {
            linked = true;
            return this;
        }

        /** The failure of a linked process comes as an event. */
        public Builder trapLinks() {
            trappingLinks = true;
            return this;
        }

        /** The name that it is found under; one process at a time has it. */
        public Builder name(String unique) {
            if (unique.isEmpty()) {
                throw new IllegalArgumentException("a name must not be empty");
            }
            name = unique;
            return this;
        }

        /** How many messages wait for it at most; a further one is refused, and its sender told so. */
        public Builder mailbox(int messages) {
            if (messages < 1) {
                throw new IllegalArgumentException("a mailbox needs room for at least one message, not " + messages);
            }
            mailbox = messages;
            return this;
        }

        /** On whose behalf its commands are executed. */
        public Builder principal(String whose) {
            principal = Objects.requireNonNull(whose);
            return this;
        }

        /** The W3C {@code traceparent} of its commands. */
        public Builder traceParent(String header) {
            traceParent = Objects.requireNonNull(header);
            return this;
        }

        /** Called once when it has ended, also if it could not be started, in the thread where that happens. Must not block. */
        public Builder onExit(Consumer<Exit> action) {
            onExit = Objects.requireNonNull(action);
            return this;
        }

        /** The options. */
        public SpawnOptions build() {
            return new SpawnOptions(this);
        }
    }
}
