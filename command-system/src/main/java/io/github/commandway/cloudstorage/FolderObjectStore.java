package io.github.commandway.cloudstorage;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.PriorityQueue;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * A folder whose files are objects, for a single machine. A key cannot lead out of it. A file holds an object's type and metadata in front of its bytes. There are no addresses to give away.
 */
public final class FolderObjectStore implements ObjectStore {
    private static final int FORMAT = 1;
    private static final int LONGEST_NAME = 250;
    private static final String FOLDER = "d-";
    private static final String OBJECT = "o-";
    private static final String UNFINISHED = "t-";

    private final Path root;

    /**
     * @param root is made if it is not there; nobody else should write into it
     * @throws IOException if it cannot be made
     */
    public FolderObjectStore(Path root) throws IOException {
        this.root = Files.createDirectories(root).toRealPath();
    }

    @Override
    public Page list(String prefix, String after, int max) throws IOException {
        // the smallest max + 1 of all, so that a page takes no more memory than a page
        PriorityQueue<String> smallest = new PriorityQueue<>(Comparator.reverseOrder());
        try (Stream<Path> files = Files.walk(root)) {
            files.filter(file -> file.getFileName().toString().startsWith(OBJECT))
                    .map(this::keyOf)
                    .filter(key -> key.startsWith(prefix) && key.compareTo(after) > 0)
                    .forEach(key -> {
                        smallest.add(key);
                        if (smallest.size() > max + 1) {
                            smallest.remove();
                        }
                    });
        } catch (UncheckedIOException e) {
            throw e.getCause() == null ? new IOException(e) : e.getCause();
        }
        boolean hasMore = smallest.size() > max;
        if (hasMore) {
            smallest.remove();
        }
        List<Info> items = new ArrayList<>();
        for (String key : smallest.stream().sorted().toList()) {
            try {
                Info info = head(key);
                items.add(new Info(key, info.size(), info.modifiedAt(), info.etag(), null, Map.of()));
            } catch (NoSuchElementException e) {
                // it was taken away meanwhile, and so is not in the list
            }
        }
        return new Page(
                items, items.isEmpty() ? after : items.get(items.size() - 1).key(), hasMore);
    }

    @Override
    public Download download(String key, long largest) throws IOException {
        try (DataInputStream in = open(key)) {
            Head head = Head.read(in);
            if (head.size > largest) {
                throw new IOException("object '" + key + "' has " + head.size + " bytes, and may have " + largest);
            }
            byte[] content = in.readNBytes((int) head.size);
            if (content.length != head.size) {
                throw new IOException(
                        "object '" + key + "' is damaged: " + content.length + " of " + head.size + " bytes");
            }
            return new Download(info(key, head), content);
        }
    }

    @Override
    public Info upload(String key, byte[] content, String contentType, Map<String, String> metadata)
            throws IOException {
        Path file = fileOf(key);
        Path folder = Files.createDirectories(parentOf(file));
        Head head = new Head(content.length, etag(content), contentType, new TreeMap<>(metadata));
        Path unfinished = Files.createTempFile(folder, UNFINISHED, "");
        try {
            try (DataOutputStream out = new DataOutputStream(Files.newOutputStream(unfinished))) {
                head.write(out);
                out.write(content);
            }
            Files.move(unfinished, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(unfinished);
        }
        return info(key, head);
    }

    @Override
    public void delete(String key) throws IOException {
        Files.deleteIfExists(fileOf(key));
    }

    @Override
    public Info head(String key) throws IOException {
        try (DataInputStream in = open(key)) {
            return info(key, Head.read(in));
        }
    }

    @Override
    public URI presignGet(String key, Duration life) {
        throw new UnsupportedOperationException("a folder has no addresses to give away");
    }

    @Override
    public URI presignPut(String key, Duration life) {
        throw new UnsupportedOperationException("a folder has no addresses to give away");
    }

    private Info info(String key, Head head) throws IOException {
        return new Info(
                key,
                head.size,
                Files.getLastModifiedTime(fileOf(key)).toInstant(),
                head.etag,
                head.contentType,
                head.metadata);
    }

    private DataInputStream open(String key) throws IOException {
        try {
            return new DataInputStream(new BufferedInputStream(Files.newInputStream(fileOf(key))));
        } catch (NoSuchFileException e) {
            throw new NoSuchElementException("there is no object '" + key + "'", e);
        }
    }

    /** Each part of the key is a name of its own, in letters that no file system gives a meaning to. */
    private Path fileOf(String key) {
        Path path = root;
        String[] parts = key.split("/", -1);
        for (int i = 0; i < parts.length; i++) {
            String name = (i < parts.length - 1 ? FOLDER : OBJECT)
                    + URLEncoder.encode(parts[i], StandardCharsets.UTF_8).replace("*", "%2A");
            if (name.length() > LONGEST_NAME) {
                throw new IllegalArgumentException("a part of the key is too long for a file name: '" + parts[i] + "'");
            }
            path = path.resolve(name);
        }
        return path;
    }

    private String keyOf(Path file) {
        StringBuilder key = new StringBuilder();
        for (Path part : root.relativize(file)) {
            String name = part.toString();
            key.append(URLDecoder.decode(name.substring(OBJECT.length()), StandardCharsets.UTF_8));
            if (name.startsWith(FOLDER)) {
                key.append('/');
            }
        }
        return key.toString();
    }

    private Path parentOf(Path file) {
        Path parent = file.getParent();
        return parent == null ? root : parent;
    }

    private static String etag(byte[] content) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    /** What stands in a file in front of the object's bytes. */
    private record Head(long size, String etag, String contentType, Map<String, String> metadata) {
        void write(DataOutputStream out) throws IOException {
            out.writeByte(FORMAT);
            out.writeLong(size);
            out.writeUTF(etag);
            out.writeUTF(contentType);
            out.writeInt(metadata.size());
            for (Map.Entry<String, String> entry : metadata.entrySet()) {
                out.writeUTF(entry.getKey());
                out.writeUTF(entry.getValue());
            }
        }

        static Head read(DataInputStream in) throws IOException {
            int format = in.readUnsignedByte();
            if (format != FORMAT) {
                throw new IOException("this is no object, or one of a newer version: " + format);
            }
            long size = in.readLong();
            String etag = in.readUTF();
            String contentType = in.readUTF();
            Map<String, String> metadata = new TreeMap<>();
            for (int left = in.readInt(); left > 0; left--) {
                metadata.put(in.readUTF(), in.readUTF());
            }
            return new Head(size, etag, contentType, metadata);
        }
    }
}
