package io.github.commandway.system;

import io.github.commandway.dispatch.Command;
import io.github.commandway.system.MemoryStore.Condition;
import java.time.Duration;
import java.util.Map;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;

/** Values under keys, in stores that have names. All commands complete at once; an unknown store fails with {@link NoSuchElementException}. */
public final class StoreService implements SystemService {
    /** The id of {@link Get}. */
    public static final int GET = 120;
    /** The id of {@link Set}. */
    public static final int SET = 121;
    /** The id of {@link Delete}. */
    public static final int DELETE = 122;
    /** The id of {@link Has}. */
    public static final int HAS = 123;
    /** The id of {@link EntryOf}. */
    public static final int ENTRY = 124;
    /** The id of {@link ListEntries}. */
    public static final int LIST = 125;
    /** The id of {@link Put}. */
    public static final int PUT = 126;

    private final Map<String, MemoryStore> stores;
    private volatile boolean closed;

    /** @param stores by name; stay the caller's */
    public StoreService(Map<String, MemoryStore> stores) {
        this.stores = Map.copyOf(stores);
    }

    @Override
    public String name() {
        return "store";
    }

    @Override
    public void registerAll(Registrar registrar) {
        registrar.register(GET, (context, command, tag, receiver) -> {
            Get get = (Get) command;
            receiver.completeYield(tag, store(get.store).get(get.key), null);
        });
        registrar.register(SET, (context, command, tag, receiver) -> {
            Set set = (Set) command;
            store(set.store).set(set.key, set.value, set.ttl);
            receiver.completeYield(tag, null, null);
        });
        registrar.register(DELETE, (context, command, tag, receiver) -> {
            Delete delete = (Delete) command;
            store(delete.store).delete(delete.key);
            receiver.completeYield(tag, null, null);
        });
        registrar.register(HAS, (context, command, tag, receiver) -> {
            Has has = (Has) command;
            receiver.completeYield(tag, store(has.store).entry(has.key) != null, null);
        });
        registrar.register(ENTRY, (context, command, tag, receiver) -> {
            EntryOf entry = (EntryOf) command;
            receiver.completeYield(tag, store(entry.store).entry(entry.key), null);
        });
        registrar.register(LIST, (context, command, tag, receiver) -> {
            ListEntries list = (ListEntries) command;
            receiver.completeYield(tag, store(list.store).list(list.prefix, list.after, list.limit), null);
        });
        registrar.register(PUT, (context, command, tag, receiver) -> {
            Put put = (Put) command;
            receiver.completeYield(tag, store(put.store).put(put.key, put.value, put.ttl, put.condition), null);
        });
    }

    @Override
    public void close() {
        closed = true;
    }

    private MemoryStore store(String name) throws Exception {
        if (closed) {
            throw Completion.stopped(name());
        }
        MemoryStore store = stores.get(name);
        if (store == null) {
            throw new NoSuchElementException("there is no store '" + name + "'; there are " + stores.keySet());
        }
        return store;
    }

    /** Completes with the value, or with null if there is none. Pooled: taken with {@link #of}, and gone once it was released. */
    public static final class Get implements Command {
        private static final Pool<Get> POOL = new Pool<>();

        private String store = "";
        private String key = "";

        private Get() {}

        /** A command to get the value of a key. */
        public static Get of(String store, String key) {
            Get command = POOL.poll();
            if (command == null) {
                command = new Get();
            }
            command.store = store;
            command.key = key;
            return command;
        }

        @Override
        public int commandId() {
            return GET;
        }

        @Override
        public void release() {
            POOL.release(this);
        }
    }

    /** Sets a value, whatever was there. Completes with null. Pooled: taken with {@link #of}, and gone once it was released. */
    public static final class Set implements Command {
        private static final Object NOTHING = new Object();
        private static final Pool<Set> POOL = new Pool<>();

        private String store = "";
        private String key = "";
        private Object value = NOTHING;
        private @Nullable Duration ttl;

        private Set() {}

        /**
         * A command to set the value of a key.
         *
         * @param ttl after which the entry is gone, more than zero; null for never
         */
        public static Set of(String store, String key, Object value, @Nullable Duration ttl) {
            Set command = POOL.poll();
            if (command == null) {
                command = new Set();
            }
            command.store = store;
            command.key = key;
            command.value = value;
            command.ttl = ttl;
            return command;
        }

        @Override
        public int commandId() {
            return SET;
        }

        @Override
        public void release() {
            value = NOTHING;
            POOL.release(this);
        }
    }

    /** Takes an entry away. Completes with null, or fails with {@link NoSuchElementException} if there is none. */
    public record Delete(String store, String key) implements Command {
        @Override
        public int commandId() {
            return DELETE;
        }
    }

    /** Completes with whether there is an entry. */
    public record Has(String store, String key) implements Command {
        @Override
        public int commandId() {
            return HAS;
        }
    }

    /** Completes with the value and its version, a {@link MemoryStore.Entry}, or with null if there is none. */
    public record EntryOf(String store, String key) implements Command {
        @Override
        public int commandId() {
            return ENTRY;
        }
    }

    /** Completes with some entries in the order of their keys, a {@link MemoryStore.Page}; see {@link MemoryStore#list}. */
    public record ListEntries(String store, String prefix, String after, int limit) implements Command {
        /** The first {@link MemoryStore#DEFAULT_PAGE} entries whose keys begin with {@code prefix}. */
        public ListEntries(String store, String prefix) {
            this(store, prefix, "", MemoryStore.DEFAULT_PAGE);
        }

        @Override
        public int commandId() {
            return LIST;
        }
    }

    /** Sets a value if what is there is as expected. Completes with the new version, a Long; see {@link MemoryStore#put}. */
    public record Put(
            String store,
            String key,
            Object value,
            @Nullable Duration ttl,
            Condition condition) implements Command {
        @Override
        public int commandId() {
            return PUT;
        }
    }
}
