package io.github.commandway.system;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.channels.SeekableByteChannel;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * Bytes to be read, written, or both. Its methods return at once, {@link #close} excepted. At a time there is one read and one write at most; whoever calls sees to that.
 * What a stream cannot do completes with {@link UnsupportedOperationException}. Cancelling a future stops the work; the stream should be closed then, since nobody
 * knows how far it came.
 */
public interface ByteStream {
    /**
     * Reads what is there, waiting for at least one byte.
     *
     * @param size how many bytes at most, 1 or more
     * @return completes with at least one byte, or with null at the end
     */
    default CompletableFuture<byte @Nullable []> read(int size) {
        return cannot("read");
    }

    /**
     * Writes all of {@code data}.
     *
     * @return completes with how many bytes that were
     */
    default CompletableFuture<Integer> write(byte[] data) {
        return cannot("write");
    }

    /**
     * Moves to another position.
     *
     * @return completes with the position from the start
     */
    default CompletableFuture<Long> seek(long offset, Whence whence) {
        return cannot("seek");
    }

    /** Passes on what was written but is still kept back. */
    default CompletableFuture<@Nullable Void> flush() {
        return CompletableFuture.completedFuture(null);
    }

    /** What is known of the stream. */
    CompletableFuture<Stat> stat();

    /**
     * Ends the stream, also for a read or write under way. May block. Calling it again does nothing.
     *
     * @throws IOException if what was written before may not have arrived
     */
    void close() throws IOException;

    /** Reads with the threads of {@code workers}, which a read that waits keeps. */
    static ByteStream of(Workers workers, InputStream in) {
        return new PipeStream(workers, in, null);
    }

    /** Writes with the threads of {@code workers}, which a write that waits keeps. */
    static ByteStream of(Workers workers, OutputStream out) {
        return new PipeStream(workers, null, out);
    }

    /**
     * Reads and writes a file, say, with the threads of {@code workers}.
     *
     * @param readable whether the channel was opened to be read
     * @param writable whether the channel was opened to be written
     */
    static ByteStream of(Workers workers, SeekableByteChannel channel, boolean readable, boolean writable) {
        return new ChannelStream(workers, channel, readable, writable);
    }

    private static <T> CompletableFuture<T> cannot(String what) {
        return CompletableFuture.failedFuture(new UnsupportedOperationException("this stream cannot " + what));
    }

    /** Where a position is counted from. */
    enum Whence {
        /** The first byte. */
        START,
        /** Where the stream is. */
        CURRENT,
        /** Behind the last byte. */
        END
    }

    /**
     * What is known of a stream.
     *
     * @param size in bytes; -1 if unknown
     * @param position bytes from the start; -1 if unknown
     */
    record Stat(long size, long position, boolean readable, boolean writable, boolean seekable) {}
}
