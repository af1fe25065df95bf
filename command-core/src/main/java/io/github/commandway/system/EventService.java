package io.github.commandway.system;

import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.process.Pid;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Events of subjects, each a system and a kind, for the processes that subscribed to them. An event that a mailbox has no room for is left out and counted. The number of
 * subscriptions is limited.
 */
public final class EventService implements SystemService {
    /** The id of {@link Subscribe}. */
    public static final int SUBSCRIBE = 90;
    /** The id of {@link Send}. */
    public static final int SEND = 91;
    /** The id of {@link Unsubscribe}. */
    public static final int UNSUBSCRIBE = 92;

    /** How many subscriptions there are at most where nobody says. */
    public static final int DEFAULT_LIMIT = 4096;

    private final Handles<Subscription> subscriptions;
    private final Map<String, Map<String, List<Subscription>>> bySubject = new ConcurrentHashMap<>();
    private final List<Subscription> byPattern = new CopyOnWriteArrayList<>();
    private final Object changing = new Object();
    private final AtomicLong dropped = new AtomicLong();
    private volatile boolean closed;

    /** @param limit how many subscriptions there are at most */
    public EventService(int limit) {
        subscriptions = new Handles<>("subscription", limit, this::remove);
    }

    @Override
    public String name() {
        return "event";
    }

    @Override
    public void registerAll(Registrar registrar) {
        registrar.register(
                SUBSCRIBE, (context, command, tag, receiver) -> subscribe(context, (Subscribe) command, tag, receiver));
        registrar.register(SEND, (context, command, tag, receiver) -> {
            Send send = (Send) command;
            receiver.completeYield(tag, publish(new Event(send.system, send.kind, send.path, send.data)), null);
        });
        registrar.register(
                UNSUBSCRIBE,
                (context, command, tag, receiver) ->
                        receiver.completeYield(tag, subscriptions.close(((Unsubscribe) command).subscription), null));
    }

    /**
     * Gives an event to all who subscribed to its subject.
     *
     * @return how many got it
     * @throws IllegalStateException if the service was closed
     */
    public int publish(Event event) {
        if (closed) {
            throw new IllegalStateException("the event service was stopped");
        }
        int sent = 0;
        Map<String, List<Subscription>> kinds = bySubject.get(event.system);
        List<Subscription> exact = kinds == null ? null : kinds.get(event.kind);
        if (exact != null) {
            for (Subscription subscription : exact) {
                sent += deliver(subscription, event);
            }
        }
        for (Subscription subscription : byPattern) {
            if (subscription.matches(event)) {
                sent += deliver(subscription, event);
            }
        }
        return sent;
    }

    /** How many subscriptions there are. */
    public int active() {
        return subscriptions.size();
    }

    /** How many times an event did not reach a subscriber, because its mailbox was full or it was just ending. */
    public long dropped() {
        return dropped.get();
    }

    @Override
    public void ended(Pid process) {
        subscriptions.closeAll(process);
    }

    @Override
    public void close() {
        closed = true;
        subscriptions.close();
    }

    private int deliver(Subscription subscription, Event event) {
        if (subscription.caller.send(subscription.topic, event)) {
            return 1;
        }
        dropped.incrementAndGet();
        return 0;
    }

    private void subscribe(CommandContext context, Subscribe command, long tag, ResultReceiver receiver) {
        Subscription wanted = new Subscription(Caller.required(context), command.topic, command.system, command.kind);
        subscriptions.open(context, tag, receiver, wanted, id -> {
            add(wanted);
            return id;
        });
    }

    private void add(Subscription wanted) {
        synchronized (changing) {
            if (wanted.removed) {
                return;
            }
            if (wanted.isPattern()) {
                byPattern.add(wanted);
            } else {
                bySubject
                        .computeIfAbsent(wanted.system, any -> new ConcurrentHashMap<>())
                        .computeIfAbsent(wanted.kind, any -> new CopyOnWriteArrayList<>())
                        .add(wanted);
            }
        }
    }

    private void remove(Subscription gone) {
        synchronized (changing) {
            gone.removed = true;
            if (gone.isPattern()) {
                byPattern.remove(gone);
                return;
            }
            Map<String, List<Subscription>> kinds = bySubject.get(gone.system);
            List<Subscription> same = kinds == null ? null : kinds.get(gone.kind);
            if (kinds == null || same == null) {
                return;
            }
            same.remove(gone);
            if (same.isEmpty()) {
                kinds.remove(gone.kind);
                if (kinds.isEmpty()) {
                    bySubject.remove(gone.system);
                }
            }
        }
    }

    /**
     * Sends the calling process each {@link Event} of a subject on {@code topic}, until it unsubscribes or ends. Completes with the number of the subscription, a Long.
     *
     * @param system the system, in which {@code *} stands for any text
     * @param kind the kind, in which {@code *} stands for any text
     */
    public record Subscribe(String system, String kind, String topic) implements Command {
        @Override
        public int commandId() {
            return SUBSCRIBE;
        }
    }

    /** Ends a subscription. Completes with whether it was there. */
    public record Unsubscribe(long subscription) implements Command {
        @Override
        public int commandId() {
            return UNSUBSCRIBE;
        }
    }

    /** Publishes an event. Completes with how many subscriptions got it, an Integer. Pooled: taken with {@link #of}, and gone once it was released. */
    public static final class Send implements Command {
        private static final Pool<Send> POOL = new Pool<>();

        private String system = "";
        private String kind = "";
        private String path = "";
        private @Nullable Object data;

        private Send() {}

        /** A command to publish an event with these fields. */
        public static Send of(String system, String kind, String path, @Nullable Object data) {
            Send command = POOL.poll();
            if (command == null) {
                command = new Send();
            }
            command.system = system;
            command.kind = kind;
            command.path = path;
            command.data = data;
            return command;
        }

        @Override
        public int commandId() {
            return SEND;
        }

        @Override
        public void release() {
            data = null;
            POOL.release(this);
        }
    }

    /**
     * Something that happened.
     *
     * @param system where, such as {@code registry}
     * @param kind what, such as {@code entry.changed}
     * @param path to what
     * @param data anything immutable, or null
     */
    public record Event(
            String system,
            String kind,
            String path,
            @Nullable Object data) {}

    private static final class Subscription {
        final Caller caller;
        final String topic;
        final String system;
        final String kind;
        private final @Nullable Pattern systems;
        private final @Nullable Pattern kinds;
        boolean removed;

        Subscription(Caller caller, String topic, String system, String kind) {
            this.caller = caller;
            this.topic = topic;
            this.system = system;
            this.kind = kind;
            systems = pattern(system);
            kinds = pattern(kind);
        }

        boolean isPattern() {
            return systems != null || kinds != null;
        }

        boolean matches(Event event) {
            return matches(systems, system, event.system) && matches(kinds, kind, event.kind);
        }

        private static boolean matches(@Nullable Pattern pattern, String text, String actual) {
            return pattern == null
                    ? text.equals(actual)
                    : pattern.matcher(actual).matches();
        }

        private static @Nullable Pattern pattern(String text) {
            return text.indexOf('*') < 0
                    ? null
                    : Pattern.compile(
                            Arrays.stream(text.split("\\*+", -1))
                                    .map(Pattern::quote)
                                    .collect(Collectors.joining(".*")),
                            Pattern.DOTALL);
        }
    }
}
