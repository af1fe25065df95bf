package io.github.commandway.tools;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Locks that one thread of one process has at a time, on all of the machine; they end with their process. */
final class FileLocks {
    private static final long POLL_MILLIS = 50;

    private FileLocks() {}

    /** What is done while a lock is held. */
    interface Work<T> {
        T run() throws IOException, InterruptedException;
    }

    /**
     * Does something while it holds a lock, for which it waits.
     *
     * @throws IOException if it is not to be had within the limit, or the work failed
     */
    static <T> T holding(Path file, Duration limit, Work<T> work) throws IOException, InterruptedException {
        FileChannel channel = acquire(file, limit);
        try {
            return work.run();
        } finally {
            // which gives up the lock
            channel.close();
        }
    }

    private static FileChannel acquire(Path file, Duration limit) throws IOException, InterruptedException {
        Files.createDirectories(Objects.requireNonNull(file.getParent()));
        FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        boolean locked = false;
        try {
            for (long left = limit.toMillis(); !locked; left -= POLL_MILLIS) {
                locked = tryLock(channel) != null;
                if (!locked && left <= 0) {
                    throw new IOException("somebody else has had " + file + " locked for " + limit.toSeconds()
                            + " s; try again when they are done");
                }
                if (!locked) {
                    TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
                }
            }
            return channel;
        } finally {
            if (!locked) {
                channel.close();
            }
        }
    }

    private static @Nullable FileLock tryLock(FileChannel channel) throws IOException {
        try {
            return channel.tryLock();
        } catch (OverlappingFileLockException e) {
            // another thread of this process has it
            return null;
        }
    }
}
