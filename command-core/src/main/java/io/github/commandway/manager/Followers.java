package io.github.commandway.manager;

import io.github.commandway.timing.DeadlineWheel;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Stand-ins of open commands that somebody here waits for, and that are executed elsewhere: they become what is recorded. Safe for use by many threads. */
final class Followers {
    private static final Logger LOG = LoggerFactory.getLogger(Followers.class);

    private final CommandStore store;
    private final PromiseTable promises;
    private final DeadlineWheel<LiveCommand> deadlines;
    private final LongSupplier nextTag;
    private final Map<RecordId, LiveCommand> byId = new ConcurrentHashMap<>();
    private final Lookup lookup;
    private final Consumer<LiveCommand> release;

    /** Finds the open command of a record, if it is one of the manager's. */
    @FunctionalInterface
    interface Lookup {
        @Nullable LiveCommand live(RecordId id, long tag);
    }

    /** @param release lets go of a command of the manager's that has ended, and tells those who wait for that */
    Followers(
            CommandStore store,
            PromiseTable promises,
            DeadlineWheel<LiveCommand> deadlines,
            LongSupplier nextTag,
            Lookup lookup,
            Consumer<LiveCommand> release) {
        this.store = store;
        this.promises = promises;
        this.deadlines = deadlines;
        this.nextTag = nextTag;
        this.lookup = lookup;
        this.release = release;
    }

    /** The stand-in of an open command that is not here; it learns of the end within a second or so. */
    LiveCommand follow(CommandRecord record) {
        LiveCommand follower = byId.computeIfAbsent(record.id(), id -> {
            LiveCommand stranger = new LiveCommand(record, nextTag.getAsLong());
            stranger.owned = false;
            return stranger;
        });
        refresh(record.id());
        return follower;
    }

    /** Makes a command follow its record from now on. */
    void add(LiveCommand command) {
        byId.put(command.id, command);
        refresh(command.id);
    }

    /** Gives up following. Returns the stand-in, if there was one. */
    @Nullable LiveCommand remove(RecordId id) {
        return byId.remove(id);
    }

    /** Looks at all that are waited for, and gives up the others. */
    void refreshAll() {
        byId.forEach((id, follower) -> {
            if (follower.isWaitedFor()) {
                refresh(id);
            } else if (promises.get(follower.tag) != follower) {
                byId.remove(id, follower);
            }
        });
    }

    /** Reads the record of a command that may have changed elsewhere. */
    void refresh(RecordId id) {
        store.find(id).whenComplete((found, error) -> {
            if (error != null) {
                LOG.warn("command {} could not be read and is looked at again: {}", id, error.getMessage());
            } else {
                refresh(id, found.orElse(null));
            }
        });
    }

    private void refresh(RecordId id, @Nullable CommandRecord record) {
        LiveCommand follower = byId.get(id);
        LiveCommand command = follower != null || record == null ? follower : lookup.live(id, record.tag());
        if (command == null) {
            return;
        }
        boolean changed;
        boolean ended;
        List<Runnable> watchers;
        synchronized (command) {
            if (command.owned || command.is(LiveCommand.PUBLISHED)) {
                return;
            }
            if (record != null) {
                changed = record.lastSequence() != command.lastSequence;
                command.take(record);
            } else {
                // purged: what it was when it was last looked at is all there is to say
                changed = true;
            }
            ended = record == null || record.status().isTerminal();
            watchers = command.observers == null ? List.of() : List.copyOf(command.observers.watchers);
            if (ended) {
                deadlines.cancel(command);
            }
        }
        if (ended) {
            byId.remove(id);
            if (follower == null || promises.get(command.tag) == command) {
                release.accept(command);
            } else {
                command.publish().forEach(action -> CommandManager.runEndAction(action, command));
            }
        }
        if (changed || ended) {
            watchers.forEach(watcher -> EventDelivery.wake(watcher, command));
        }
    }
}
