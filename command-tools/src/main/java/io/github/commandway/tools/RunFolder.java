package io.github.commandway.tools;

import io.github.commandway.tool.api.RunFile;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileVisitResult;
import java.nio.file.FileVisitor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The folder of one run, which only the server's user can open: what it works on, what it has written, and how far it is. */
final class RunFolder {
    private static final Set<PosixFilePermission> OWN = PosixFilePermissions.fromString("rwx------");
    private static final int MAX_LISTED = 1_000;
    private static final int MAX_LISTED_CHARACTERS = 64 << 10;

    private final Path folder;

    private RunFolder(Path folder) {
        this.folder = folder;
    }

    /**
     * Makes the folder. That it is there says that the run has begun.
     *
     * @throws FileAlreadyExistsException if it had begun before
     */
    static RunFolder create(Path runs, String id) throws IOException {
        Files.createDirectories(runs, permissions(runs));
        Path folder = runs.resolve(id);
        Files.createDirectory(folder, permissions(runs));
        return new RunFolder(folder);
    }

    /**
     * Begins a further attempt of the same command in the folder of the first one.
     *
     * @return false if this attempt had begun before
     */
    boolean beginAttempt(int attempt) throws IOException {
        if (attempt < 2) {
            return false;
        }
        try {
            Files.createFile(folder.resolve("attempt-" + attempt));
        } catch (FileAlreadyExistsException e) {
            return false;
        }
        Files.deleteIfExists(state());
        return true;
    }

    static RunFolder of(Path runs, String id) {
        return new RunFolder(runs.resolve(id));
    }

    private static FileAttribute<?>[] permissions(Path path) {
        return isPosix(path)
                ? new FileAttribute<?>[] {PosixFilePermissions.asFileAttribute(OWN)}
                : new FileAttribute<?>[0];
    }

    private static boolean isPosix(Path path) {
        return path.getFileSystem().supportedFileAttributeViews().contains("posix");
    }

    boolean exists() {
        return Files.isDirectory(folder);
    }

    /** What was written, see {@link OutputFile}. */
    Path output() {
        return folder.resolve("output");
    }

    /** How far a toolchain is. */
    Path state() {
        return folder.resolve("state.json");
    }

    /** Where a step works; made when it begins. */
    Path work(String step) {
        return folder.resolve("work").resolve(step);
    }

    Path stdin(String step) {
        return folder.resolve("stdin-" + step);
    }

    /** An empty folder to work in, whatever an earlier attempt left. */
    Path freshWork(String step) throws IOException {
        Path work = work(step);
        delete(work);
        Files.createDirectories(folder.resolve("work"), permissions(folder));
        return Files.createDirectory(work, permissions(folder));
    }

    /** @throws IllegalArgumentException if the path leads out of the folder */
    static void write(Path work, String path, byte[] content) throws IOException {
        Path file = inside(work, path);
        Path parent = file.getParent();
        if (parent != null) {
            Files.createDirectories(parent, permissions(work));
        }
        Files.write(file, content);
    }

    /** @throws IllegalArgumentException if the path leads out of the folder, by its look or through links */
    static Path inside(Path work, String path) throws IOException {
        String outside = Names.whyOutside(path);
        Path file = outside == null ? work.resolve(path).normalize() : work;
        if (outside == null && (file.equals(work) || !Names.isReallyInside(work.toRealPath(), file))) {
            outside = "leads out of the folder of the run";
        }
        if (outside != null) {
            throw new IllegalArgumentException("the file '" + path + "' " + outside);
        }
        return file;
    }

    /** How many bytes are in the folder. What vanishes meanwhile does not count. */
    static long size(Path work) throws IOException {
        long[] sum = new long[1];
        walk(work, (file, attributes) -> sum[0] += attributes.size());
        return sum[0];
    }

    /** The files, by their paths, with their sizes; links are not files. The first 1,000 of them, or fewer if their paths are long. */
    static List<RunFile> files(Path work) throws IOException {
        List<RunFile> files = new ArrayList<>();
        int[] characters = new int[1];
        walk(work, (file, attributes) -> {
            String path = work.relativize(file).toString().replace('\\', '/');
            if (attributes.isRegularFile()
                    && files.size() < MAX_LISTED
                    && characters[0] + path.length() <= MAX_LISTED_CHARACTERS) {
                characters[0] += path.length();
                files.add(new RunFile(path, attributes.size()));
            }
        });
        return files;
    }

    private interface FileAction {
        void accept(Path file, BasicFileAttributes attributes);
    }

    private static void walk(Path work, FileAction action) throws IOException {
        Files.walkFileTree(work, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                action.accept(file, attributes);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFileFailed(Path file, IOException problem) {
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path visited, @Nullable IOException problem) {
                return FileVisitResult.CONTINUE;
            }
        });
    }

    /** Deletes what it worked on. */
    void deleteWork() throws IOException {
        delete(folder.resolve("work"));
        try (var rest = Files.newDirectoryStream(folder, "stdin-*")) {
            for (Path file : rest) {
                Files.deleteIfExists(file);
            }
        }
    }

    void delete() throws IOException {
        delete(folder);
    }

    /** Follows no links. */
    static void delete(Path start) throws IOException {
        if (!Files.exists(start, java.nio.file.LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        FileVisitor<Path> deleting = new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(Path visited, BasicFileAttributes attributes) throws IOException {
                if (isPosix(visited)) {
                    // a tool may have locked us out
                    Files.setPosixFilePermissions(visited, OWN);
                }
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path visited, @Nullable IOException problem) throws IOException {
                if (problem != null) {
                    throw problem;
                }
                Files.delete(visited);
                return FileVisitResult.CONTINUE;
            }
        };
        Files.walkFileTree(start, deleting);
    }
}
