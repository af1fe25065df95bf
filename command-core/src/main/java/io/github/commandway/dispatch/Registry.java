package io.github.commandway.dispatch;

import java.lang.invoke.VarHandle;
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

    /** The system's handlers, filled when the registry is frozen: whoever gets the registry after that sees all of them. */
    private final @Nullable Handler[] system = new Handler[CommandIds.FIRST_APPLICATION_ID];

    /** The applications' handlers; set once, with the same visibility, and null until the registry is frozen. */
    private @Nullable Int2ObjectHashMap<Handler> extended;

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
            if (extended != null) {
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

    /**
     * Closes the registry for good. Calling it again does nothing. Threads must get to know the registry in a way that makes this call visible to them
     * (JLS 17.4.5), such as through the final field of what is built with it.
     */
    public void freeze() {
        synchronized (lock) {
            if (extended != null) {
                return;
            }
            Int2ObjectHashMap<Handler> applications = new Int2ObjectHashMap<>();
            registrations.forEach((id, registration) -> {
                if (id < system.length) {
                    system[id] = registration.handler;
                } else {
                    applications.put((int) id, registration.handler);
                }
            });
            VarHandle.releaseFence();
            extended = applications;
        }
    }

    /** Whether {@link #freeze()} was called. */
    public boolean isFrozen() {
        synchronized (lock) {
            return extended != null;
        }
    }

    /** The handler of {@code commandId}, or null if there is none. Any int is allowed. */
    public @Nullable Handler get(int commandId) {
        if (commandId >= 0 && commandId < system.length) {
            Handler handler = system[commandId];
            if (handler != null) {
                return handler;
            }
        }
        return getOther(commandId);
    }

    private @Nullable Handler getOther(int commandId) {
        Int2ObjectHashMap<Handler> applications = extended;
        if (applications == null) {
            return getUnderLock(commandId);
        }
        // after this fence all that freeze() wrote before it set the field is seen
        VarHandle.acquireFence();
        return commandId >= 0 && commandId < system.length ? system[commandId] : applications.get(commandId);
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

    private @Nullable Handler getUnderLock(int commandId) {
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
}
