package io.github.commandway.tools;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/** The folder of one run, which only the server's user can open: what it works on, what it has written, and how far it is. */
final class RunFolder {
    private static final Set<PosixFilePermission> OWN = PosixFilePermissions.fromString("rwx------");

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
        WorkTree.delete(work);
        Files.createDirectories(folder.resolve("work"), permissions(folder));
        return Files.createDirectory(work, permissions(folder));
    }

    /** @throws IllegalArgumentException if the path leads out of the folder */
    static void write(Path work, String path, byte[] content) throws IOException {
        Files.write(fileFor(work, path), content);
    }

    /** @throws IllegalArgumentException if the path leads out of the folder */
    static void copy(Path source, Path work, String path) throws IOException {
        // not its permissions, among which the tool may have put a right to be somebody else
        try (InputStream in = Files.newInputStream(source)) {
            Files.copy(in, fileFor(work, path), StandardCopyOption.REPLACE_EXISTING);
        }
    }

    private static Path fileFor(Path work, String path) throws IOException {
        Path file = inside(work, path);
        Path parent = file.getParent();
        if (parent != null) {
            Files.createDirectories(parent, permissions(work));
        }
        return file;
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

    /** Deletes what it worked on. */
    void deleteWork() throws IOException {
        WorkTree.delete(folder.resolve("work"));
        try (var rest = Files.newDirectoryStream(folder, "stdin-*")) {
            for (Path file : rest) {
                Files.deleteIfExists(file);
            }
        }
    }

    void delete() throws IOException {
        WorkTree.delete(folder);
    }
}
