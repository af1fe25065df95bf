package io.github.commandway.system;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;

/**
 * Values under keys, in memory, with versions, an optional time to live, and a limit. Reads take no lock; writes follow one another. Safe for use by many threads.
 */
public final class MemoryStore {
    /** How many entries a page of {@link #list} has by default. */
    public static final int DEFAULT_PAGE = 100;
    /** How many entries a page of {@link #list} has at most. */
    public static final int LARGEST_PAGE = 1000;

    private static final Comparator<Expiry> BY_TIME =
            Comparator.comparing(Expiry::at).thenComparing(Expiry::key);

    private final Clock clock;
    private final int limit;
    private final ConcurrentSkipListMap<String, Entry> entries = new ConcurrentSkipListMap<>();
    private final Object writing = new Object();
    private final TreeSet<Expiry> expiries = new TreeSet<>(BY_TIME);
    private int size;
    private long lastVersion;

    /**
     * @param clock tells when an entry's time is over
     * @param limit how many entries there are at most, 1 or more
     */
    public MemoryStore(Clock clock, int limit) {
        if (limit < 1) {
            throw new IllegalArgumentException("a store holds at least one entry, not " + limit);
        }
        this.clock = clock;
        this.limit = limit;
    }

    /** The value, or null if there is none. */
    public @Nullable Object get(String key) {
        Entry entry = entry(key);
        return entry == null ? null : entry.value;
    }

    /** The value with its version, or null if there is none. */
    public @Nullable Entry entry(String key) {
        Entry entry = entries.get(key);
        return entry == null || entry.isOver(clock) ? null : entry;
    }

    /**
     * Sets the value, whatever was there.
     *
     * @param ttl after which the entry is gone, more than zero; null for never
     * @return the entry's version
     * @throws RejectedExecutionException if the store is full
     */
    public long set(String key, Object value, @Nullable Duration ttl) {
        return put(key, value, ttl, Condition.ALWAYS);
    }

    /**
     * Sets the value if what is there is as expected.
     *
     * @param ttl after which the entry is gone, more than zero; null for never
     * @return the entry's version
     * @throws ConflictException if something else is there; nothing has changed
     * @throws RejectedExecutionException if the store is full
     */
    public long put(String key, Object value, @Nullable Duration ttl, Condition condition) {
        if (ttl != null && (ttl.isNegative() || ttl.isZero())) {
            throw new IllegalArgumentException("a time to live is more than zero, not " + ttl);
        }
        synchronized (writing) {
            Instant now = clock.instant();
            dropOld(now);
            Entry old = entries.get(key);
            condition.check(key, old);
            if (old == null && size >= limit) {
                throw new RejectedExecutionException("the store is full: it holds " + limit + " entries");
            }
            long version = ++lastVersion;
            Instant expiresAt = ttl == null ? null : later(now, ttl);
            entries.put(key, new Entry(key, value, version, expiresAt));
            if (old == null) {
                size++;
            } else if (old.expiresAt != null) {
                expiries.remove(new Expiry(old.expiresAt, key));
            }
            if (expiresAt != null) {
                expiries.add(new Expiry(expiresAt, key));
            }
            return version;
        }
    }

    /**
     * Takes the entry away.
     *
     * @throws NoSuchElementException if there is none
     */
    public void delete(String key) {
        synchronized (writing) {
            dropOld(clock.instant());
            Entry old = entries.remove(key);
            if (old == null) {
                throw new NoSuchElementException("there is no entry '" + key + "'");
            }
            size--;
            if (old.expiresAt != null) {
                expiries.remove(new Expiry(old.expiresAt, key));
            }
        }
    }

    /**
     * The entries in the order of their keys.
     *
     * @param prefix what the keys begin with; may be empty
     * @param after the key behind which to begin, such as the cursor of the page before; may be empty
     * @param max how many, from 1 to {@link #LARGEST_PAGE}
     */
    public Page list(String prefix, String after, int max) {
        if (max < 1 || max > LARGEST_PAGE) {
            throw new IllegalArgumentException("a page has 1 to " + LARGEST_PAGE + " entries, not " + max);
        }
        List<Entry> found = new ArrayList<>();
        boolean fromAfter = !after.isEmpty() && after.compareTo(prefix) >= 0;
        for (Entry entry :
                entries.tailMap(fromAfter ? after : prefix, !fromAfter).values()) {
            if (!entry.key.startsWith(prefix)) {
                break;
            }
            if (entry.isOver(clock)) {
                continue;
            }
            if (found.size() == max) {
                return new Page(found, found.get(max - 1).key, true);
            }
            found.add(entry);
        }
        return new Page(found, found.isEmpty() ? after : found.get(found.size() - 1).key, false);
    }

    /** How many entries take room; one whose time is over may still be among them until the next write. */
    public int size() {
        synchronized (writing) {
            return size;
        }
    }

    private void dropOld(Instant now) {
        while (!expiries.isEmpty() && !expiries.first().at.isAfter(now)) {
            Expiry over = expiries.pollFirst();
            if (over != null && entries.remove(over.key) != null) {
                size--;
            }
        }
    }

    private static Instant later(Instant now, Duration ttl) {
        Duration most = Duration.between(now, Instant.MAX);
        return ttl.compareTo(most) >= 0 ? Instant.MAX : now.plus(ttl);
    }

    /**
     * A value with what is known of it.
     *
     * @param version grows with every write to the store
     * @param expiresAt when the entry is gone, or null for never
     */
    public record Entry(
            String key,
            Object value,
            long version,
            @Nullable Instant expiresAt) {
        private boolean isOver(Clock clock) {
            return expiresAt != null && !expiresAt.isAfter(clock.instant());
        }
    }

    /**
     * Some entries in the order of their keys.
     *
     * @param cursor the key to go on after
     * @param hasMore whether there were more when this was read
     */
    public record Page(List<Entry> items, String cursor, boolean hasMore) {
        /** Copies the list. */
        public Page {
            items = List.copyOf(items);
        }
    }

    /** What must be there for a value to be set. */
    public static final class Condition {
        /** Anything or nothing. */
        public static final Condition ALWAYS = new Condition(-1);
        /** Nothing. */
        public static final Condition ABSENT = new Condition(0);

        private final long version;

        private Condition(long version) {
            this.version = version;
        }

        /**
         * An entry with this version.
         *
         * @param version 1 or more
         */
        public static Condition version(long version) {
            if (version < 1) {
                throw new IllegalArgumentException("versions begin with 1, and this is " + version);
            }
            return new Condition(version);
        }

        private void check(String key, @Nullable Entry present) {
            long is = present == null ? 0 : present.version;
            if (version >= 0 && version != is) {
                throw new ConflictException(key, version, is);
            }
        }
    }

    /** Something else was there than what was expected. */
    public static final class ConflictException extends RuntimeException {
        private static final long serialVersionUID = 1L;

        private final long present;

        private ConflictException(String key, long expected, long present) {
            super(
                    "entry '" + key + "' "
                            + (present == 0 ? "is absent" : "has version " + present)
                            + (expected == 0 ? " and should be absent" : " and should have version " + expected),
                    null,
                    false,
                    false);
            this.present = present;
        }

        /** The version that was there; 0 if nothing was. */
        public long present() {
            return present;
        }
    }

    private record Expiry(Instant at, String key) {}
}
