package io.github.commandway.agent.command;

import io.github.commandway.agent.ExecutionContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.SecureDirectoryStream;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributeView;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** {@code file.read}, {@code file.write} and {@code file.list} under one folder. */
final class FileCommands {
    private static final int DEFAULT_READ = 1 << 20;
    private static final int DEFAULT_ENTRIES = 1_000;
    private static final int MAX_ENTRIES = 10_000;
    private static final Pattern PERM = Pattern.compile("0?[0-7]{3}");
    private static final Set<PosixFilePermission> DEFAULT_PERM = PosixFilePermissions.fromString("rw-r--r--");

    private final FileRoot root;
    private final int maxFileSize;
    private final Supplier<UUID> temporaryNames;

    FileCommands(FileRoot root, int maxFileSize, Supplier<UUID> temporaryNames) {
        this.root = root;
        this.maxFileSize = maxFileSize;
        this.temporaryNames = temporaryNames;
    }

    record ReadParams(
            String path,
            @Nullable Integer maxSize,
            @Nullable String encoding) {
        ReadParams {
            Checks.present("path", path);
        }
    }

    record ReadResult(String path, String content, String encoding, long size, boolean truncated) {}

    ReadResult read(ExecutionContext context, ReadParams params) throws IOException, CommandException {
        boolean base64 = isBase64(params.encoding);
        int wanted = params.maxSize == null ? Math.min(DEFAULT_READ, maxFileSize) : params.maxSize;
        if (wanted < 1 || wanted > maxFileSize) {
            throw FileRoot.refused("'max_size' must be from 1 to " + maxFileSize);
        }
        try (FileRoot.Entry entry = root.openExisting(params.path)) {
            requireRegular(params.path, entry);
            try (SeekableByteChannel channel = open(entry, StandardOpenOption.READ)) {
                byte[] bytes = readUpTo(channel, wanted);
                // The size can be zero although there is content, as in /proc, and it can change meanwhile.
                boolean truncated = bytes.length == wanted && channel.read(ByteBuffer.allocate(1)) > 0;
                long size = Math.max(channel.size(), bytes.length);
                return new ReadResult(
                        params.path,
                        content(params.path, bytes, base64, truncated),
                        base64 ? "base64" : "utf-8",
                        size,
                        truncated);
            }
        } catch (FileSystemException e) {
            throw failed("read", params.path, e);
        }
    }

    private static byte[] readUpTo(SeekableByteChannel channel, int limit) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(limit, Math.max(channel.size(), 8192)));
        while (true) {
            while (buffer.hasRemaining()) {
                if (channel.read(buffer) < 0) {
                    return Arrays.copyOf(buffer.array(), buffer.position());
                }
            }
            if (buffer.position() == limit) {
                return buffer.array();
            }
            ByteBuffer larger = ByteBuffer.allocate((int) Math.min(limit, 2L * buffer.capacity()));
            larger.put(buffer.flip());
            buffer = larger;
        }
    }

    private static String content(String path, byte[] bytes, boolean base64, boolean truncated)
            throws CommandException {
        if (base64) {
            return Base64.getEncoder().encodeToString(bytes);
        }
        int length = truncated ? Utf8.wholeCharacters(bytes) : bytes.length;
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes, 0, length))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new CommandException(
                    Reason.EXECUTOR_ERROR, "'" + path + "' is not UTF-8 text; read it with \"encoding\": \"base64\"");
        }
    }

    record WriteParams(
            String path,
            String content,
            @Nullable String encoding,
            @Nullable String mode,
            @Nullable String perm) {
        WriteParams {
            Checks.present("path", path);
            if (content == null) {
                throw new IllegalArgumentException("'content' is missing");
            }
            if (perm != null && !PERM.matcher(perm).matches()) {
                throw new IllegalArgumentException("'perm' must be three octal digits such as \"0644\"");
            }
        }
    }

    record WriteResult(String path, int written, boolean success) {}

    WriteResult write(ExecutionContext context, WriteParams params) throws IOException, CommandException {
        byte[] bytes = bytes(params);
        if (bytes.length > maxFileSize) {
            throw FileRoot.refused("'content' has " + bytes.length + " bytes, more than the limit of " + maxFileSize);
        }
        Set<PosixFilePermission> perm = params.perm == null ? null : permissions(params.perm);
        String mode = params.mode == null ? "overwrite" : params.mode;
        try (FileRoot.Entry entry = root.openForWriting(params.path)) {
            boolean exists = requireRegularOrAbsent(params.path, entry);
            switch (mode) {
                case "overwrite" ->
                    replace(entry, bytes, perm != null ? perm : exists ? permissionsOf(entry) : DEFAULT_PERM);
                case "append" -> append(entry, bytes, exists, perm);
                case "create" -> create(entry, bytes, perm != null ? perm : DEFAULT_PERM);
                default -> throw FileRoot.refused("'mode' must be overwrite, append or create");
            }
            return new WriteResult(params.path, bytes.length, true);
        } catch (FileAlreadyExistsException e) {
            throw new CommandException(Reason.EXECUTOR_ERROR, "'" + params.path + "' exists already");
        } catch (FileSystemException e) {
            throw failed("write", params.path, e);
        }
    }

    /** The name first, so that of two who create it only one succeeds; then the content all at once. */
    private void create(FileRoot.Entry entry, byte[] bytes, Set<PosixFilePermission> perm) throws IOException {
        open(entry, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW).close();
        boolean written = false;
        try {
            replace(entry, bytes, perm);
            written = true;
        } finally {
            if (!written) {
                entry.folder().deleteFile(entry.name());
            }
        }
    }

    private void replace(FileRoot.Entry entry, byte[] bytes, Set<PosixFilePermission> perm) throws IOException {
        SecureDirectoryStream<Path> folder = entry.folder();
        Path temporary = Path.of(".commandway-" + temporaryNames.get() + ".tmp");
        boolean moved = false;
        FileRoot.Entry file = new FileRoot.Entry(folder, temporary);
        try (SeekableByteChannel channel = openPrivately(file)) {
            writeAll(channel, bytes);
            setPermissions(file, perm);
            force(channel);
            folder.move(temporary, folder, entry.name());
            moved = true;
        } finally {
            if (!moved) {
                deleteIfThere(file);
            }
        }
    }

    private static void deleteIfThere(FileRoot.Entry file) throws IOException {
        try {
            file.folder().deleteFile(file.name());
        } catch (NoSuchFileException e) {
            // It was never made.
        }
    }

    private void append(FileRoot.Entry entry, byte[] bytes, boolean exists, @Nullable Set<PosixFilePermission> perm)
            throws IOException {
        try (SeekableByteChannel channel = open(entry, StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
            writeAll(channel, bytes);
            if (perm != null || !exists) {
                setPermissions(entry, perm != null ? perm : DEFAULT_PERM);
            }
            force(channel);
        }
    }

    private static void writeAll(SeekableByteChannel channel, byte[] bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
    }

    private static void force(SeekableByteChannel channel) throws IOException {
        if (channel instanceof FileChannel file) {
            file.force(true);
        }
    }

    record ListParams(@Nullable String path, @Nullable Integer limit) {
        ListParams {
            Checks.range("limit", limit, 1, MAX_ENTRIES);
        }
    }

    record ListEntry(String name, String type, long size, String modified, String perm) {}

    record ListResult(String path, List<ListEntry> entries, boolean truncated) {}

    ListResult list(ExecutionContext context, ListParams params) throws IOException, CommandException {
        String path = params.path == null ? "" : params.path;
        int limit = params.limit == null ? DEFAULT_ENTRIES : params.limit;
        try (SecureDirectoryStream<Path> folder = root.openDirectory(path)) {
            TreeSet<String> names = new TreeSet<>();
            boolean truncated = false;
            for (Path child : folder) {
                names.add(String.valueOf(child.getFileName()));
                if (names.size() > limit) {
                    names.pollLast();
                    truncated = true;
                }
            }
            List<ListEntry> entries = new ArrayList<>();
            for (String name : names) {
                try {
                    entries.add(describe(folder, name));
                } catch (NoSuchFileException e) {
                    // Deleted since its name was read.
                }
            }
            return new ListResult(path, entries, truncated);
        } catch (FileSystemException e) {
            throw failed("list", path, e);
        }
    }

    private static ListEntry describe(SecureDirectoryStream<Path> folder, String name) throws IOException {
        PosixFileAttributes attributes = folder.getFileAttributeView(
                        Path.of(name), PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS)
                .readAttributes();
        String type = attributes.isRegularFile()
                ? "file"
                : attributes.isDirectory() ? "directory" : attributes.isSymbolicLink() ? "symlink" : "other";
        return new ListEntry(
                name,
                type,
                attributes.size(),
                attributes.lastModifiedTime().toInstant().toString(),
                PosixFilePermissions.toString(attributes.permissions()));
    }

    /** Before it is opened: opening a pipe waits for its other end, and opening a device can do anything. */
    private static void requireRegular(String path, FileRoot.Entry entry) throws IOException, CommandException {
        if (!attributes(entry).isRegularFile()) {
            throw FileRoot.refused("'" + path + "' is not a regular file");
        }
    }

    private static boolean requireRegularOrAbsent(String path, FileRoot.Entry entry)
            throws IOException, CommandException {
        try {
            requireRegular(path, entry);
            return true;
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    private static BasicFileAttributes attributes(FileRoot.Entry entry) throws IOException {
        return entry.folder()
                .getFileAttributeView(entry.name(), BasicFileAttributeView.class, LinkOption.NOFOLLOW_LINKS)
                .readAttributes();
    }

    private static Set<PosixFilePermission> permissionsOf(FileRoot.Entry entry) throws IOException {
        return posix(entry).readAttributes().permissions();
    }

    /** Set afterwards and not on opening, where the process's umask would take some away. */
    private static void setPermissions(FileRoot.Entry entry, Set<PosixFilePermission> perm) throws IOException {
        posix(entry).setPermissions(perm);
    }

    private static PosixFileAttributeView posix(FileRoot.Entry entry) {
        return entry.folder()
                .getFileAttributeView(entry.name(), PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS);
    }

    private static SeekableByteChannel open(FileRoot.Entry entry, OpenOption... options) throws IOException {
        Set<OpenOption> all = new HashSet<>(List.of(options));
        all.add(LinkOption.NOFOLLOW_LINKS);
        return entry.folder().newByteChannel(entry.name(), all);
    }

    private static SeekableByteChannel openPrivately(FileRoot.Entry entry) throws IOException {
        return entry.folder()
                .newByteChannel(
                        entry.name(),
                        Set.of(StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW, LinkOption.NOFOLLOW_LINKS),
                        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    }

    private static byte[] bytes(WriteParams params) throws CommandException {
        if (!isBase64(params.encoding)) {
            return params.content.getBytes(StandardCharsets.UTF_8);
        }
        try {
            return Base64.getDecoder().decode(params.content);
        } catch (IllegalArgumentException e) {
            throw FileRoot.refused("'content' is not base64");
        }
    }

    private static boolean isBase64(@Nullable String encoding) throws CommandException {
        if (encoding == null || encoding.equals("utf-8")) {
            return false;
        }
        if (encoding.equals("base64")) {
            return true;
        }
        throw FileRoot.refused("'encoding' must be utf-8 or base64");
    }

    private static Set<PosixFilePermission> permissions(String octal) {
        int bits = Integer.parseInt(octal, 8);
        char[] symbols = "rwxrwxrwx".toCharArray();
        for (int i = 0; i < symbols.length; i++) {
            if ((bits & (0400 >> i)) == 0) {
                symbols[i] = '-';
            }
        }
        return PosixFilePermissions.fromString(new String(symbols));
    }

    private static CommandException failed(String verb, String path, FileSystemException e) {
        return new CommandException(
                Reason.EXECUTOR_ERROR, "cannot " + verb + " '" + path + "': " + FileRoot.explain(e));
    }
}
