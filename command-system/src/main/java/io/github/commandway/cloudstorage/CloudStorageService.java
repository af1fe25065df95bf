package io.github.commandway.cloudstorage;

import io.github.commandway.dispatch.Command;
import io.github.commandway.system.SystemService;
import io.github.commandway.system.Workers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.NoSuchElementException;

/** Objects in stores that have names. What is uploaded and downloaded is in memory, and limited. Cancelling a command interrupts it. */
public final class CloudStorageService implements SystemService {
    /** The id of {@link ListObjects}. */
    public static final int LIST = 160;
    /** The id of {@link Download}. */
    public static final int DOWNLOAD = 161;
    /** The id of {@link Upload}. */
    public static final int UPLOAD = 162;
    /** The id of {@link Delete}. */
    public static final int DELETE = 163;
    /** The id of {@link PresignedGet}. */
    public static final int PRESIGNED_GET = 164;
    /** The id of {@link PresignedPut}. */
    public static final int PRESIGNED_PUT = 165;
    /** The id of {@link Head}. */
    public static final int HEAD = 166;

    /** How many objects a page of a list has at most. */
    public static final int LARGEST_PAGE = 1000;
    /** How long an address lives at most. */
    public static final Duration LONGEST_LIFE = Duration.ofDays(7);

    private final Map<String, ObjectStore> stores;
    private final Workers workers;
    private final long largest;

    /**
     * @param stores by name; stay the caller's
     * @param workers talk to the stores; closed with this service
     * @param largest how many bytes an object that is uploaded or downloaded has at most
     */
    public CloudStorageService(Map<String, ObjectStore> stores, Workers workers, long largest) {
        this.stores = Map.copyOf(stores);
        this.workers = workers;
        this.largest = largest;
    }

    @Override
    public String name() {
        return "cloudstorage";
    }

    @Override
    public void registerAll(Registrar registrar) {
        registrar.register(LIST, (context, command, tag, receiver) -> {
            ListObjects list = (ListObjects) command;
            if (list.limit < 1 || list.limit > LARGEST_PAGE) {
                throw new IllegalArgumentException("a page has 1 to " + LARGEST_PAGE + " objects, not " + list.limit);
            }
            ObjectStore store = store(list.store);
            workers.run(context, tag, receiver, job -> store.list(list.prefix, list.after, list.limit));
        });
        registrar.register(DOWNLOAD, (context, command, tag, receiver) -> {
            Download download = (Download) command;
            ObjectStore store = store(download.store);
            String key = checked(download.key);
            workers.run(context, tag, receiver, job -> store.download(key, largest));
        });
        registrar.register(UPLOAD, (context, command, tag, receiver) -> {
            Upload upload = (Upload) command;
            if (upload.content.length > largest) {
                throw new IllegalArgumentException(
                        "an object has at most " + largest + " bytes, not " + upload.content.length);
            }
            ObjectStore store = store(upload.store);
            String key = checked(upload.key);
            workers.run(
                    context,
                    tag,
                    receiver,
                    job -> store.upload(key, upload.content, upload.contentType, upload.metadata));
        });
        registrar.register(DELETE, (context, command, tag, receiver) -> {
            Delete delete = (Delete) command;
            ObjectStore store = store(delete.store);
            String key = checked(delete.key);
            workers.run(context, tag, receiver, job -> {
                store.delete(key);
                return null;
            });
        });
        registrar.register(PRESIGNED_GET, (context, command, tag, receiver) -> {
            PresignedGet get = (PresignedGet) command;
            ObjectStore store = store(get.store);
            String key = checked(get.key);
            Duration life = checked(get.life);
            workers.run(context, tag, receiver, job -> store.presignGet(key, life));
        });
        registrar.register(PRESIGNED_PUT, (context, command, tag, receiver) -> {
            PresignedPut put = (PresignedPut) command;
            ObjectStore store = store(put.store);
            String key = checked(put.key);
            Duration life = checked(put.life);
            workers.run(context, tag, receiver, job -> store.presignPut(key, life));
        });
        registrar.register(HEAD, (context, command, tag, receiver) -> {
            Head head = (Head) command;
            ObjectStore store = store(head.store);
            String key = checked(head.key);
            workers.run(context, tag, receiver, job -> store.head(key));
        });
    }

    /** How many commands are under way. */
    public int active() {
        return workers.active();
    }

    @Override
    public void close() {
        workers.close();
    }

    private ObjectStore store(String name) {
        ObjectStore store = stores.get(name);
        if (store == null) {
            throw new NoSuchElementException("there is no store '" + name + "'; there are " + stores.keySet());
        }
        return store;
    }

    private static String checked(String key) {
        int length = key.getBytes(StandardCharsets.UTF_8).length;
        if (length < 1 || length > ObjectStore.LONGEST_KEY) {
            throw new IllegalArgumentException("a key has 1 to " + ObjectStore.LONGEST_KEY + " bytes, not " + length);
        }
        return key;
    }

    private static Duration checked(Duration life) {
        if (life.isNegative() || life.isZero() || life.compareTo(LONGEST_LIFE) > 0) {
            throw new IllegalArgumentException("an address lives for up to " + LONGEST_LIFE + ", not for " + life);
        }
        return life;
    }

    /** Completes with objects in the order of their keys, an {@link ObjectStore.Page}; see {@link ObjectStore#list}. */
    public record ListObjects(String store, String prefix, String after, int limit) implements Command {
        @Override
        public int commandId() {
            return LIST;
        }
    }

    /** Completes with an object and its bytes, an {@link ObjectStore.Download}. */
    public record Download(String store, String key) implements Command {
        @Override
        public int commandId() {
            return DOWNLOAD;
        }
    }

    /** Sets an object. Completes with what is known of it, an {@link ObjectStore.Info}. The array belongs to the command until then. */
    @SuppressWarnings("ArrayRecordComponent")
    public record Upload(String store, String key, byte[] content, String contentType, Map<String, String> metadata)
            implements Command {
        /** Copies the metadata. */
        public Upload {
            metadata = Map.copyOf(metadata);
        }

        @Override
        public int commandId() {
            return UPLOAD;
        }
    }

    /** Takes an object away; one that is not there is no error. Completes with null. */
    public record Delete(String store, String key) implements Command {
        @Override
        public int commandId() {
            return DELETE;
        }
    }

    /** Completes with an address, a {@link java.net.URI}, from which the object can be read for some time. */
    public record PresignedGet(String store, String key, Duration life) implements Command {
        @Override
        public int commandId() {
            return PRESIGNED_GET;
        }
    }

    /** Completes with an address, a {@link java.net.URI}, to which the object can be put for some time. */
    public record PresignedPut(String store, String key, Duration life) implements Command {
        @Override
        public int commandId() {
            return PRESIGNED_PUT;
        }
    }

    /** Completes with what is known of an object, an {@link ObjectStore.Info}. */
    public record Head(String store, String key) implements Command {
        @Override
        public int commandId() {
            return HEAD;
        }
    }
}
