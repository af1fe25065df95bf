package io.github.commandway.quic.identity;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.IntStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Files that only their owner may read, replaced as a whole or not at all. */
final class PrivateFiles {

    private static final Logger logger = LoggerFactory.getLogger(PrivateFiles.class);

    private static final String LOCK_FILE = "identity.lock";
    private static final Set<PosixFilePermission> OWNER_ONLY = PosixFilePermissions.fromString("rw-------");
    private static final Set<PosixFilePermission> OWNER_ONLY_DIRECTORY = PosixFilePermissions.fromString("rwx------");
    private static final Set<PosixFilePermission> READABLE = PosixFilePermissions.fromString("rw-r--r--");

    // A file lock is held by the process and refuses a second thread of it, so threads take one of these first.
    private static final ReentrantLock[] THREAD_LOCKS =
            IntStream.range(0, 16).mapToObj(i -> new ReentrantLock()).toArray(ReentrantLock[]::new);

    private PrivateFiles() {}

    /** What runs while the directory is locked. */
    interface Action<T, X extends Exception> {
        T run() throws IOException, X;
    }

    /** Makes the directory, for its owner only; one that exists stays as it is. */
    static void createDirectory(Path directory) throws IOException {
        if (!Files.isDirectory(directory)) {
            Files.createDirectories(directory, attributes(directory, OWNER_ONLY_DIRECTORY));
        }
    }

    /**
     * Runs {@code action} while no other thread and no other process runs one for this directory. Waits without a
     * limit; must not be nested.
     */
    static <T, X extends Exception> T withLock(Path directory, Action<T, X> action) throws IOException, X {
        Path file = directory.toRealPath().resolve(LOCK_FILE);
        ReentrantLock threadLock = THREAD_LOCKS[Math.floorMod(file.hashCode(), THREAD_LOCKS.length)];
        threadLock.lock();
        try (FileChannel channel = open(file, OWNER_ONLY, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                FileLock lock = channel.lock()) {
            logger.trace("locked {}", lock);
            return action.run();
        } finally {
            threadLock.unlock();
        }
    }

    /** Replaces {@code file}; on disk when this returns. Call it under {@link #withLock}. */
    static void replace(Path file, byte[] content) throws IOException {
        replace(file, content, OWNER_ONLY);
    }

    /** As {@link #replace}, but everybody may read the file. */
    static void replaceReadable(Path file, byte[] content) throws IOException {
        replace(file, content, READABLE);
    }

    private static void replace(Path file, byte[] content, Set<PosixFilePermission> permissions) throws IOException {
        Path temporary = file.resolveSibling("." + file.getFileName() + ".tmp");
        Files.deleteIfExists(temporary); // left by a process that was killed; its permissions are not known
        try {
            try (FileChannel channel =
                    open(temporary, permissions, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                writeFully(channel, content);
                channel.force(true);
            }
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(temporary);
        }
        forceDirectory(file);
    }

    static void writeFully(FileChannel channel, byte[] content) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(content);
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
    }

    /** Reads {@code file} whole, and refuses one that is longer than {@code limit} bytes. */
    static byte[] read(Path file, int limit) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            byte[] content = in.readNBytes(limit + 1);
            if (content.length > limit) {
                throw new IdentityException(file + " is longer than " + limit + " bytes; it is not one of ours");
            }
            return content;
        }
    }

    static void warnIfOthersCanRead(Path file) throws IOException {
        if (isPosix(file)) {
            Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(file);
            if (!OWNER_ONLY.containsAll(permissions)) {
                logger.warn(
                        "{} holds a private key and has permissions {}; allow only its owner: chmod 600 {}",
                        file,
                        PosixFilePermissions.toString(permissions),
                        file);
            }
        }
    }

    private static FileChannel open(Path file, Set<PosixFilePermission> permissions, OpenOption... options)
            throws IOException {
        return FileChannel.open(file, Set.of(options), attributes(file, permissions));
    }

    // Without this the new name may be missing after a power failure. Windows cannot open a directory.
    private static void forceDirectory(Path file) throws IOException {
        Path directory = file.toAbsolutePath().getParent();
        if (directory != null && isPosix(file)) {
            try (FileChannel channel = FileChannel.open(directory, EnumSet.of(StandardOpenOption.READ))) {
                channel.force(true);
            }
        }
    }

    private static FileAttribute<?>[] attributes(Path path, Set<PosixFilePermission> permissions) {
        return isPosix(path)
                ? new FileAttribute<?>[] {PosixFilePermissions.asFileAttribute(permissions)}
                : new FileAttribute<?>[0];
    }

    private static boolean isPosix(Path path) {
        return path.getFileSystem().supportedFileAttributeViews().contains("posix");
    }
}
