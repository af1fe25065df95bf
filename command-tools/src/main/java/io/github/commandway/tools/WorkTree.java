package io.github.commandway.tools;

import io.github.commandway.tool.api.RunFile;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** Looks through folders of which a tool may have made anything: deeper than a path can name, closed to us, or changing at this moment. Links are not followed. */
final class WorkTree {
    private static final int MAX_LISTED = 1_000;
    private static final int MAX_LISTED_CHARACTERS = 64 << 10;

    /** So much that, whatever the encoding, the system can still name what is in a folder with such a path. */
    private static final int DEEP = 500;

    private static final Set<PosixFilePermission> OWN = PosixFilePermissions.fromString("rwx------");

    private WorkTree() {}

    /**
     * Why there is too much in a folder; null if there is not. What vanishes meanwhile does not count.
     *
     * @param mostBytes in its files
     * @param mostEntries files and folders
     */
    static @Nullable String tooMuch(Path folder, long mostBytes, int mostEntries) throws IOException {
        Measuring measuring = new Measuring(folder, mostBytes, mostEntries);
        Files.walkFileTree(folder, measuring);
        return measuring.problem;
    }

    /** The files, by their paths, with their sizes; links are not files. The first 1,000 of them, or fewer if their paths are long. */
    static List<RunFile> files(Path folder) throws IOException {
        Listing listing = new Listing(folder);
        Files.walkFileTree(folder, listing);
        return listing.files;
    }

    /** Deletes a file, or a folder with all that is in it; nothing if it is not there. */
    static void delete(Path start) throws IOException {
        if (!Files.exists(start, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        Deleting deleting = new Deleting(start);
        Files.walkFileTree(start, deleting);
        while (!deleting.moved.isEmpty()) {
            Files.walkFileTree(deleting.moved.remove(), deleting);
        }
        Files.deleteIfExists(start);
    }

    private static boolean isPosix(Path path) {
        return path.getFileSystem().supportedFileAttributeViews().contains("posix");
    }

    private static boolean isClosed(Path path, IOException problem) {
        return problem instanceof AccessDeniedException && Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS);
    }

    private static final class Measuring extends SimpleFileVisitor<Path> {
        private final Path folder;
        private final long mostBytes;
        private final int mostEntries;
        private long bytes;
        private int entries;
        private @Nullable String problem;

        Measuring(Path folder, long mostBytes, int mostEntries) {
            this.folder = folder;
            this.mostBytes = mostBytes;
            this.mostEntries = mostEntries;
        }

        @Override
        public FileVisitResult preVisitDirectory(Path visited, BasicFileAttributes attributes) {
            boolean isClosed = !Files.isExecutable(visited) && Files.exists(visited, LinkOption.NOFOLLOW_LINKS);
            return isClosed ? close() : count(visited, 0);
        }

        @Override
        public FileVisitResult visitFileFailed(Path path, IOException failure) {
            return isClosed(path, failure) ? close() : next();
        }

        @Override
        public FileVisitResult postVisitDirectory(Path visited, @Nullable IOException failure) {
            return next();
        }

        /** Not opened by us: a tool that still runs may put a link in its place. */
        private FileVisitResult close() {
            problem = "its folder has folders that cannot be looked into";
            return next();
        }

        @Override
        public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
            return count(file, attributes.size());
        }

        private FileVisitResult count(Path path, long size) {
            bytes += size;
            entries++;
            if (bytes > mostBytes) {
                problem = "its folder has " + bytes + " bytes; the most is " + mostBytes;
            } else if (entries > mostEntries) {
                problem = "its folder has more than " + mostEntries + " files and folders";
            } else if (path.toString().length() - folder.toString().length() > Names.MAX_PATH) {
                problem = "its folder has paths with more than " + Names.MAX_PATH + " characters";
            }
            return next();
        }

        private FileVisitResult next() {
            return problem == null ? FileVisitResult.CONTINUE : FileVisitResult.TERMINATE;
        }
    }

    private static final class Listing extends SimpleFileVisitor<Path> {
        private final Path folder;
        private final List<RunFile> files = new ArrayList<>();
        private int characters;

        Listing(Path folder) {
            this.folder = folder;
        }

        @Override
        public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
            String path = folder.relativize(file).toString().replace('\\', '/');
            if (attributes.isRegularFile() && characters + path.length() <= MAX_LISTED_CHARACTERS) {
                characters += path.length();
                files.add(new RunFile(path, attributes.size()));
            }
            return next();
        }

        @Override
        public FileVisitResult visitFileFailed(Path path, IOException failure) {
            return next();
        }

        @Override
        public FileVisitResult postVisitDirectory(Path visited, @Nullable IOException failure) {
            return next();
        }

        private FileVisitResult next() {
            return files.size() < MAX_LISTED ? FileVisitResult.CONTINUE : FileVisitResult.TERMINATE;
        }
    }

    private static final class Deleting extends SimpleFileVisitor<Path> {
        private final Path start;
        private final Deque<Path> moved = new ArrayDeque<>();
        private final Set<Path> opened = new HashSet<>();

        Deleting(Path start) {
            this.start = start;
        }

        @Override
        public FileVisitResult preVisitDirectory(Path visited, BasicFileAttributes attributes) throws IOException {
            if (isPosix(visited)) {
                // a tool may have seen to it that nothing can be deleted
                Files.setPosixFilePermissions(visited, OWN);
            }
            if (visited.toString().length() - start.toString().length() <= DEEP) {
                return FileVisitResult.CONTINUE;
            }
            Path near = start.resolve(UUID.randomUUID().toString());
            Files.move(visited, near);
            moved.add(near);
            return FileVisitResult.SKIP_SUBTREE;
        }

        @Override
        public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
            Files.delete(file);
            return FileVisitResult.CONTINUE;
        }

        @Override
        public FileVisitResult visitFileFailed(Path path, IOException failure) throws IOException {
            if (isClosed(path, failure) && isPosix(path) && opened.add(path)) {
                Files.setPosixFilePermissions(path, OWN);
                Files.walkFileTree(path, this);
            } else if (!(failure instanceof NoSuchFileException)) {
                throw failure;
            }
            return FileVisitResult.CONTINUE;
        }

        @Override
        public FileVisitResult postVisitDirectory(Path visited, @Nullable IOException failure) throws IOException {
            if (failure != null) {
                throw failure;
            }
            // the start is still needed for what has been moved there
            if (!visited.equals(start)) {
                Files.delete(visited);
            }
            return FileVisitResult.CONTINUE;
        }
    }
}
