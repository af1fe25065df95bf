package io.github.commandway.manager;

import io.github.commandway.manager.LiveCommand.Observers;
import java.time.Instant;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells listeners and watchers what happens to commands: of one command in order, and without a lock held. What nobody listens to costs nothing. Announcing is done with the
 * command's lock held, delivering without.
 */
final class EventDelivery {
    private static final Logger LOG = LoggerFactory.getLogger(EventDelivery.class);

    private final List<CommandListener> listeners;

    EventDelivery(List<CommandListener> listeners) {
        this.listeners = List.copyOf(listeners);
    }

    boolean isObserved(LiveCommand command) {
        return !listeners.isEmpty() || command.observers != null;
    }

    void announce(LiveCommand command, int sequence, CommandEvent.Type type, long atMillis) {
        if (isObserved(command)) {
            announce(command, CommandEvent.of(sequence, type, Instant.ofEpochMilli(atMillis), ""));
        }
    }

    /** Queues an event for those who listen; {@link #deliver} must follow when the command's lock is free. */
    void announce(LiveCommand command, CommandEvent event) {
        if (isObserved(command)) {
            command.observers().undelivered.addLast(event);
        }
    }

    /** Tells listeners and watchers what they have not been told, in order, whichever thread is first. */
    void deliver(LiveCommand command) {
        if (!isObserved(command)) {
            return;
        }
        while (true) {
            List<CommandEvent> events;
            List<Runnable> watchers;
            synchronized (command) {
                Observers observers = command.observers();
                if (observers.delivering || observers.undelivered.isEmpty()) {
                    return;
                }
                observers.delivering = true;
                events = List.copyOf(observers.undelivered);
                observers.undelivered.clear();
                watchers = List.copyOf(observers.watchers);
            }
            for (CommandEvent event : events) {
                listeners.forEach(listener -> tell(listener, command, event));
            }
            watchers.forEach(watcher -> wake(watcher, command));
            synchronized (command) {
                command.observers().delivering = false;
            }
        }
    }

    @SuppressWarnings("IllegalCatch")
    private static void tell(CommandListener listener, LiveCommand command, CommandEvent event) {
        try {
            listener.onEvent(command, event);
        } catch (Throwable e) {
            LOG.error("a listener failed on event {} of {}", event.sequence(), command, e);
        }
    }

    @SuppressWarnings("IllegalCatch")
    static void wake(Runnable watcher, LiveCommand command) {
        try {
            watcher.run();
        } catch (Throwable e) {
            LOG.error("a watcher of {} failed", command, e);
        }
    }
}
