package io.github.commandway.tools;

import io.github.commandway.tools.RepositoryException.Code;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.util.Collections;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.apache.commons.compress.archivers.zip.ZipArchiveEntry;
import org.apache.commons.compress.archivers.zip.ZipFile;
import org.jspecify.annotations.Nullable;

/** Packs the folder of a tool, and unpacks it: files, folders, and which files may be executed, but no links and nothing else. */
final class Archives {
    static final String TAR_GZ = ".tar.gz";
    static final String ZIP = ".zip";

    private static final int MAX_ENTRIES = 10_000;
    private static final int MAX_RATIO = 200;
    private static final long ALWAYS_ALLOWED = 1 << 20;
    private static final int CHUNK = 64 << 10;
    private static final int EXECUTABLE = 0755;
    private static final int PLAIN = 0644;
    private static final int OWNER_EXECUTES = 0100;

    private final Path target;
    private final long maxBytes;
    private final Map<String, UnpackedFile> files = new TreeMap<>();
    private final Set<String> names = new HashSet<>();
    private long bytes;
    private int entries;

    private Archives(Path target, long maxBytes) {
        this.target = target;
        this.maxBytes = maxBytes;
    }

    /**
     * A file that was unpacked.
     *
     * @param sha256 of its content, in hexadecimal digits
     * @param size in bytes
     * @param executable whether its owner may execute it
     */
    record UnpackedFile(String sha256, long size, boolean executable) {}

    /** Whether something of this name is unpacked here. */
    static boolean isArchive(String file) {
        return file.endsWith(TAR_GZ) || file.endsWith(ZIP);
    }

    /**
     * Unpacks an archive. Links, devices, duplicates, paths that lead out of the folder, and more than 10,000 entries or 200 times the size of the archive are refused.
     *
     * @param name says by its end what kind of archive it is
     * @param target an empty folder; may have got a part of it when this fails
     * @param maxBytes of all files together
     * @return the files, by their paths with {@code /}
     */
    static Map<String, UnpackedFile> unpack(Path archive, String name, Path target, long maxBytes) throws IOException {
        long most = Math.min(maxBytes, Math.max(ALWAYS_ALLOWED, Files.size(archive) * MAX_RATIO));
        Archives unpacking = new Archives(target, most);
        if (name.endsWith(ZIP)) {
            unpacking.unzip(archive);
        } else if (name.endsWith(TAR_GZ)) {
            unpacking.untar(archive);
        } else {
            throw refused("'" + name + "' should be a " + TAR_GZ + " or a " + ZIP);
        }
        return Collections.unmodifiableMap(unpacking.files);
    }

    private static RepositoryException refused(String message) {
        return new RepositoryException(Code.REFUSED, message);
    }

    private void untar(Path archive) throws IOException {
        try (InputStream in = new BufferedInputStream(Files.newInputStream(archive));
                TarArchiveInputStream tar = new TarArchiveInputStream(new GZIPInputStream(in, CHUNK))) {
            for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
                byte type = entry.getLinkFlag();
                boolean plain = type == TarConstants.LF_NORMAL || type == TarConstants.LF_OLDNORM;
                add(entry.getName(), entry.isDirectory(), plain, entry.getMode(), tar);
            }
        }
    }

    private void unzip(Path archive) throws IOException {
        try (ZipFile zip = ZipFile.builder().setPath(archive).get()) {
            for (ZipArchiveEntry entry : Collections.list(zip.getEntriesInPhysicalOrder())) {
                int mode = entry.getUnixMode();
                // without a mode it comes from a system that has none
                boolean plain =
                        !entry.isUnixSymlink() && (mode >> 12 == 0 || mode >> 12 == 010) && zip.canReadEntryData(entry);
                try (InputStream in = entry.isDirectory() ? null : zip.getInputStream(entry)) {
                    add(entry.getName(), entry.isDirectory(), plain, mode, in);
                }
            }
        }
    }

    private void add(String name, boolean isFolder, boolean isPlainFile, int mode, @Nullable InputStream in)
            throws IOException {
        if (++entries > MAX_ENTRIES) {
            throw refused("it has more than " + MAX_ENTRIES + " entries");
        }
        String path = name.startsWith("./") ? name.substring(2) : name;
        path = path.endsWith("/") ? path.substring(0, path.length() - 1) : path;
        if (isFolder && (path.isEmpty() || path.equals("."))) {
            return;
        }
        String problem = whyNot(path);
        if (problem != null) {
            throw refused("its entry '" + path + "' " + problem);
        }
        Path file = target.resolve(path);
        if (isFolder) {
            Files.createDirectories(file);
            return;
        }
        if (!isPlainFile || in == null) {
            throw refused("its entry '" + path + "' should be a file or a folder, and no link or anything else");
        }
        if (!names.add(path.toLowerCase(Locale.ROOT))) {
            throw refused("its entry '" + path + "' is there twice, on systems where case does not count");
        }
        Files.createDirectories(Objects.requireNonNull(file.getParent()));
        files.put(path, write(file, (mode & OWNER_EXECUTES) != 0, in));
    }

    /** Names that are none on some system are refused on all. */
    private static @Nullable String whyNot(String path) {
        String outside = Names.whyOutside(path);
        if (outside != null) {
            return outside;
        }
        if (path.indexOf('\\') >= 0) {
            return "must not contain '\\'";
        }
        for (String part : path.split("/", -1)) {
            if (part.isEmpty() || part.endsWith(".") || part.endsWith(" ")) {
                return "must have names that end with neither '.' nor a space";
            }
        }
        return null;
    }

    private UnpackedFile write(Path file, boolean executable, InputStream in) throws IOException {
        MessageDigest digest = SignedRepository.sha256();
        long size = 0;
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            OutputStream out = Channels.newOutputStream(channel);
            byte[] buffer = new byte[CHUNK];
            for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
                bytes += count;
                if (bytes > maxBytes) {
                    throw refused("it is larger than the " + maxBytes + " bytes that it may have unpacked");
                }
                digest.update(buffer, 0, count);
                out.write(buffer, 0, count);
                size += count;
            }
            channel.force(true);
        }
        setExecutable(file, executable);
        return new UnpackedFile(HexFormat.of().formatHex(digest.digest()), size, executable);
    }

    private static void setExecutable(Path file, boolean executable) throws IOException {
        if (file.getFileSystem().supportedFileAttributeViews().contains("posix")) {
            Files.setPosixFilePermissions(
                    file, PosixFilePermissions.fromString(executable ? "rwxr-xr-x" : "rw-r--r--"));
        }
    }

    /**
     * What is in a folder, as it would have been unpacked. Folders do not count; a link counts as a file with an empty hash.
     *
     * @return the files, by their paths with {@code /}
     */
    static Map<String, UnpackedFile> read(Path folder) throws IOException {
        Map<String, UnpackedFile> found = new TreeMap<>();
        for (Path file : list(folder)) {
            boolean plain = Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS);
            found.put(
                    path(folder, file),
                    plain
                            ? new UnpackedFile(sha256(file), Files.size(file), Files.isExecutable(file))
                            : new UnpackedFile("", 0, false));
        }
        return found;
    }

    /** All but folders, by name. */
    private static List<Path> list(Path folder) throws IOException {
        try (Stream<Path> all = Files.walk(folder)) {
            return all.filter(path -> !Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS))
                    .sorted()
                    .toList();
        }
    }

    private static String path(Path folder, Path file) {
        return folder.relativize(file).toString().replace('\\', '/');
    }

    static String sha256(Path file) throws IOException {
        MessageDigest digest = SignedRepository.sha256();
        try (InputStream in = new DigestInputStream(Files.newInputStream(file), digest)) {
            in.transferTo(OutputStream.nullOutputStream());
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    /**
     * Packs a folder as {@code .tar.gz}. The same content gives the same bytes.
     *
     * @throws IllegalArgumentException if there is something in it that would not be unpacked
     */
    static void pack(Path folder, Path archive) throws IOException {
        List<Path> all = list(folder);
        if (all.isEmpty() || all.size() > MAX_ENTRIES) {
            throw new IllegalArgumentException(
                    folder + " should have 1 to " + MAX_ENTRIES + " files in it, and has " + all.size());
        }
        try (OutputStream out =
                        new BufferedOutputStream(Files.newOutputStream(archive, StandardOpenOption.CREATE_NEW));
                TarArchiveOutputStream tar = new TarArchiveOutputStream(new GZIPOutputStream(out), "UTF-8")) {
            tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
            tar.setBigNumberMode(TarArchiveOutputStream.BIGNUMBER_POSIX);
            for (Path file : all) {
                String path = path(folder, file);
                String problem = Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)
                        ? whyNot(path)
                        : "should be a file, and no link or anything else";
                if (problem != null) {
                    throw new IllegalArgumentException(file + " " + problem);
                }
                TarArchiveEntry entry = new TarArchiveEntry(path);
                entry.setSize(Files.size(file));
                entry.setMode(Files.isExecutable(file) ? EXECUTABLE : PLAIN);
                entry.setModTime(0);
                tar.putArchiveEntry(entry);
                Files.copy(file, tar);
                tar.closeArchiveEntry();
            }
        }
    }
}
