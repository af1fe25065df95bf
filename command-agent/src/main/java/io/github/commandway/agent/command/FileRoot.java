package io.github.commandway.agent.command;

import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import org.jspecify.annotations.Nullable;

/**
 * The folder that callers may reach into, and no further.
 *
 * <p>A path is first resolved with its symbolic links, and refused if it leaves the folder. Then the result, which has no links any more, is opened one part
 * after another relative to the open folder before it, and no link is followed: who replaces a part by a link meanwhile makes the command fail, but does not
 * lead it outside. Thread-safe.
 */
final class FileRoot {
    private final Path root;

    /**
     * @throws IOException if it is not a folder that can be opened
     * @throws UnsupportedOperationException if the system cannot open files relative to an open folder
     */
    FileRoot(Path root) throws IOException {
        this.root = root.toRealPath();
        openRoot().close();
    }

    @SuppressWarnings("StreamResourceLeak") // the caller closes it
    private SecureDirectoryStream<Path> openRoot() throws IOException {
        DirectoryStream<Path> stream = Files.newDirectoryStream(root);
        if (stream instanceof SecureDirectoryStream<Path> secure) {
            return secure;
        }
        stream.close();
        throw new UnsupportedOperationException(
                "file commands need a system that can open files relative to a folder: " + root);
    }

    /** Opens a folder; the caller closes it. */
    SecureDirectoryStream<Path> openDirectory(String path) throws IOException, CommandException {
        Path relative = parse(path, true);
        return openRelative(real(path, root.resolve(relative)));
    }

    /** Opens the folder of something that exists, links in its path resolved; the caller closes it. */
    Entry openExisting(String path) throws IOException, CommandException {
        Path real = real(path, root.resolve(parse(path, false)));
        return entry(real);
    }

    /** Opens the folder of something that need not exist; if it is a link to something inside, it is the link's target. The caller closes it. */
    Entry openForWriting(String path) throws IOException, CommandException {
        Path target = root.resolve(parse(path, false));
        if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
            return entry(real(path, target));
        }
        Path folder = real(path, parentOf(target));
        return entry(folder.resolve(nameOf(target)));
    }

    private Entry entry(Path real) throws IOException {
        return new Entry(openRelative(parentOf(real)), nameOf(real));
    }

    private static Path parentOf(Path path) {
        Path parent = path.getParent();
        return parent == null ? path : parent;
    }

    private static Path nameOf(Path path) {
        Path name = path.getFileName();
        return name == null ? path : name;
    }

    private Path real(String given, Path path) throws IOException, CommandException {
        Path real;
        try {
            real = path.toRealPath();
        } catch (NoSuchFileException e) {
            throw new CommandException(Reason.EXECUTOR_ERROR, "there is no '" + given + "'");
        }
        if (!real.startsWith(root)) {
            throw refused("'" + given + "' leads out of the allowed folder");
        }
        return real;
    }

    private SecureDirectoryStream<Path> openRelative(Path real) throws IOException {
        SecureDirectoryStream<Path> current = openRoot();
        if (real.equals(root)) {
            return current;
        }
        for (Path part : root.relativize(real)) {
            SecureDirectoryStream<Path> next;
            try {
                next = current.newDirectoryStream(part, LinkOption.NOFOLLOW_LINKS);
            } finally {
                current.close();
            }
            current = next;
        }
        return current;
    }

    private static Path parse(String path, boolean rootAllowed) throws CommandException {
        if (path.indexOf('\0') >= 0) {
            throw refused("'path' is not a path");
        }
        Path parsed = Path.of(path);
        if (parsed.isAbsolute() || parsed.getRoot() != null) {
            throw refused("'" + path + "' must be relative to the allowed folder");
        }
        for (Path part : parsed) {
            if (part.toString().equals("..")) {
                throw refused("'" + path + "' must not contain '..'");
            }
        }
        Path normal = parsed.normalize();
        if (normal.toString().isEmpty() && !rootAllowed) {
            throw refused("'path' must name a file");
        }
        return normal;
    }

    static CommandException refused(String message) {
        return new CommandException(Reason.REJECTED_BY_AGENT, message);
    }

    /** A name in an open folder. */
    record Entry(SecureDirectoryStream<Path> folder, Path name) implements AutoCloseable {
        @Override
        public void close() throws IOException {
            folder.close();
        }
    }

    /** What the system says, without the paths of this machine. */
    static String explain(FileSystemException e) {
        @Nullable String reason = e.getReason();
        return reason == null ? e.getClass().getSimpleName() : reason;
    }
}
