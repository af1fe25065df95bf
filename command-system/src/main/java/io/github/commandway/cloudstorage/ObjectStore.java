package io.github.commandway.cloudstorage;

import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;

/** Objects under keys. Methods may block, and stop when the thread is interrupted. Safe for use by many threads. */
public interface ObjectStore extends AutoCloseable {
    /** The longest key, in bytes of UTF-8. */
    int LONGEST_KEY = 1024;

    /**
     * Objects in the order of their keys.
     *
     * @param prefix what the keys begin with; may be empty
     * @param after the key behind which to begin; may be empty
     * @param max how many at most, from 1 to 1000
     * @throws IOException the store cannot tell
     */
    Page list(String prefix, String after, int max) throws IOException;

    /**
     * An object with its bytes.
     *
     * @param largest how many bytes it may have
     * @throws NoSuchElementException if there is none
     * @throws IOException if it cannot be read, or is larger
     */
    Download download(String key, long largest) throws IOException;

    /**
     * Sets an object. Others see either the old one or all of the new one.
     *
     * @return what is known of it
     * @throws IOException if it cannot be written
     */
    Info upload(String key, byte[] content, String contentType, Map<String, String> metadata) throws IOException;

    /**
     * Takes an object away; one that is not there is no error.
     *
     * @throws IOException if it cannot be taken away
     */
    void delete(String key) throws IOException;

    /**
     * What is known of an object.
     *
     * @throws NoSuchElementException if there is none
     * @throws IOException the store cannot tell
     */
    Info head(String key) throws IOException;

    /**
     * An address from which whoever has it can read the object for some time.
     *
     * @throws UnsupportedOperationException if the store has no addresses
     */
    URI presignGet(String key, Duration life);

    /**
     * An address to which whoever has it can put the object for some time.
     *
     * @throws UnsupportedOperationException if the store has no addresses
     */
    URI presignPut(String key, Duration life);

    /** Gives back what it holds. Does not block. */
    @Override
    default void close() {}

    /**
     * What is known of an object.
     *
     * @param contentType null where the store did not tell
     * @param metadata what was given when it was set; empty in lists
     */
    record Info(
            String key,
            long size,
            Instant modifiedAt,
            String etag,
            @Nullable String contentType,
            Map<String, String> metadata) {
        /** Copies the metadata. */
        public Info {
            metadata = Map.copyOf(metadata);
        }
    }

    /** An object and its bytes. */
    @SuppressWarnings("ArrayRecordComponent")
    record Download(Info info, byte[] content) {}

    /**
     * Some objects.
     *
     * @param cursor the key to go on after
     * @param hasMore whether there are more
     */
    record Page(List<Info> items, String cursor, boolean hasMore) {
        /** Copies the list. */
        public Page {
            items = List.copyOf(items);
        }
    }
}
