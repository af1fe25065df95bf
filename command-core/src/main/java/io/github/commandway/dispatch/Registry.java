package io.github.commandway.dispatch;

import java.util.Map;
import java.util.TreeMap;
import org.agrona.collections.Int2ObjectHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Which handler executes which kind of command. Handlers are registered while the system is being put together; then
 * {@link #freeze()} closes the registry, and from there on a look-up takes no lock and allocates nothing.
 *
 * <p>There is one table for ids and their owners: registering an id claims it, and a second claim fails at start-up. Safe for use by many threads.
 */
public final class Registry {
    private final Object lock = new Object();
    private final TreeMap<Integer, Registration> registrations = new TreeMap<>();

    /**
     * Set once and read without synchronisation: the final fields of {@link Frozen} make it safe to publish by a data race
     * (JLS 17.5), and a reader that still sees null takes the slow path under the lock.
     */
    private @Nullable Frozen frozen;

    /** Creates an empty registry. */
    public Registry() {}

    /**
     * Claims {@code commandId} for {@code owner} and sets its handler.
     *
     * @param owner the module that the id belongs to; named in the error when somebody else claims it too
     * @param commandId from 0 to {@link CommandIds#MAX_ID}
     * @throws IllegalStateException if the id is taken (the message names both owners and the free ids around it) or the registry is frozen
     */
    public void register(String owner, int commandId, Handler handler) {
        if (commandId < 0 || commandId > CommandIds.MAX_ID) {
            throw new IllegalArgumentException(
                    "command id " + commandId + " of '" + owner + "' is not within 0.." + CommandIds.MAX_ID);
        }
        synchronized (lock) {
            if (frozen != null) {
                throw new IllegalStateException("'" + owner + "' cannot register command " + commandId
                        + ": the registry is frozen; register before CommandManager is built");
            }
            Registration taken = registrations.putIfAbsent(commandId, new Registration(owner, handler));
            if (taken != null) {
                throw new IllegalStateException(
                        "command id " + commandId + " belongs to '" + taken.owner + "' and cannot be claimed by '"
                                + owner + "' as well; the next free ids are " + freeRangeAfter(commandId));
            }
        }
    }

    /** Registers all handlers of a dispatcher under its name. */
    public void register(Dispatcher dispatcher) {
        dispatcher.registerAll((commandId, handler) -> register(dispatcher.name(), commandId, handler));
    }

    /** Closes the registry for good. Calling it again does nothing. */
    public void freeze() {
        synchronized (lock) {
            if (frozen == null) {
                frozen = new Frozen(registrations);
            }
        }
    }

    /** Whether {@link #freeze()} was called. */
    public boolean isFrozen() {
        synchronized (lock) {
            return frozen != null;
        }
    }

    /** The handler of {@code commandId}, or null if there is none. Any int is allowed. */
    public @Nullable Handler get(int commandId) {
        Frozen table = frozen;
        return table != null ? table.get(commandId) : getUnfrozen(commandId);
    }

    /** Whether {@code commandId} has a handler. */
    public boolean has(int commandId) {
        return get(commandId) != null;
    }

    /** The module that claimed {@code commandId}, or null if it is free. */
    public @Nullable String ownerOf(int commandId) {
        synchronized (lock) {
            Registration registration = registrations.get(commandId);
            return registration == null ? null : registration.owner;
        }
    }

    private @Nullable Handler getUnfrozen(int commandId) {
        synchronized (lock) {
            Registration registration = registrations.get(commandId);
            return registration == null ? null : registration.handler;
        }
    }

    private String freeRangeAfter(int commandId) {
        int first = commandId;
        while (registrations.containsKey(first)) {
            first++;
        }
        Integer next = registrations.higherKey(first);
        int end = commandId < CommandIds.FIRST_APPLICATION_ID ? CommandIds.FIRST_APPLICATION_ID - 1 : CommandIds.MAX_ID;
        int last = next == null ? end : Math.min(end, next - 1);
        return first > last ? "none in this range" : first + ".." + last;
    }

    private record Registration(String owner, Handler handler) {}

    private static final class Frozen {
        private final @Nullable Handler[] system = new Handler[CommandIds.FIRST_APPLICATION_ID];
        private final Int2ObjectHashMap<Handler> extended = new Int2ObjectHashMap<>();

        Frozen(Map<Integer, Registration> registrations) {
            registrations.forEach((id, registration) -> {
                if (id < system.length) {
                    system[id] = registration.handler;
                } else {
                    extended.put((int) id, registration.handler);
                }
            });
        }

        @Nullable Handler get(int commandId) {
            @Nullable Handler[] table = system;
            return commandId >= 0 && commandId < table.length ? table[commandId] : extended.get(commandId);
        }
    }
}
