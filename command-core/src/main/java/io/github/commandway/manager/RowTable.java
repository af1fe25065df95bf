package io.github.commandway.manager;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Rows by id, linked into chains through the rows themselves: of the many rows of a full store, most of which have long left the
 * processor's caches, an insertion or a removal touches hardly more than the one it is about. A chain has its oldest row in front,
 * where the removal of the oldest finds it at once. Grows, but never shrinks. Guarded by its own lock, which the caller holds.
 */
final class RowTable {
    private static final int FIRST_BUCKETS = 64;

    private @Nullable LiveCommand[] buckets = new LiveCommand[FIRST_BUCKETS];
    private int size;

    @Nullable LiveCommand get(RecordId id) {
        int hash = id.hashCode();
        LiveCommand row = buckets[hash & (buckets.length - 1)];
        while (row != null && !(row.idHash == hash && row.id.equals(id))) {
            row = row.nextRow;
        }
        return row;
    }

    /** Adds the row; returns false and adds nothing if there is one of that id. */
    boolean add(LiveCommand row) {
        if (get(row.id) != null) {
            return false;
        }
        if (size >= buckets.length / 2) {
            grow();
        }
        link(buckets, row);
        size++;
        return true;
    }

    private void grow() {
        @Nullable LiveCommand[] grown = new LiveCommand[2 * buckets.length];
        for (LiveCommand first : buckets) {
            LiveCommand row = first;
            while (row != null) {
                LiveCommand next = row.nextRow;
                row.nextRow = null;
                link(grown, row);
                row = next;
            }
        }
        buckets = grown;
    }

    private static void link(@Nullable LiveCommand[] buckets, LiveCommand row) {
        int bucket = row.idHash & (buckets.length - 1);
        LiveCommand last = buckets[bucket];
        if (last == null) {
            buckets[bucket] = row;
            return;
        }
        while (last.nextRow != null) {
            last = last.nextRow;
        }
        last.nextRow = row;
    }

    /** Removes the row; does nothing if it is not in the table. */
    void remove(LiveCommand row) {
        int bucket = row.idHash & (buckets.length - 1);
        LiveCommand previous = null;
        LiveCommand at = buckets[bucket];
        while (at != null && at != row) {
            previous = at;
            at = at.nextRow;
        }
        if (at == null) {
            return;
        }
        if (previous == null) {
            buckets[bucket] = row.nextRow;
        } else {
            previous.nextRow = row.nextRow;
        }
        row.nextRow = null;
        size--;
    }

    int size() {
        return size;
    }

    void forEach(Consumer<LiveCommand> action) {
        for (LiveCommand first : buckets) {
            for (LiveCommand row = first; row != null; row = row.nextRow) {
                action.accept(row);
            }
        }
    }
}
