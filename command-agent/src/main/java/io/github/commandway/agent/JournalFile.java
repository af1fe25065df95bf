package io.github.commandway.agent;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.RecordId;
import io.github.commandway.quic.Outcome;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The journal on disk: entries appended to a memory-mapped file, {@code journal-<n>.log}. An entry is safe from the end of the process when the
 * method returns, and from the end of the machine once the operating system has written it. When a file is full the entries that still count go to the next one,
 * and then the old one is deleted.
 *
 * <p>An entry is its length (4 bytes), the CRC-32C of what follows (4), its kind (1), the record id (17) and, for an outcome, duration (8), reason, message and result, each
 * with its length (4). Guarded by the lock of the {@link AgentJournal} that it belongs to.
 */
final class JournalFile implements AutoCloseable {
    static final int DEFAULT_BYTES = 16 << 20;

    private static final Logger LOG = LoggerFactory.getLogger(JournalFile.class);
    private static final int PREFIX_BYTES = 2 * Integer.BYTES;
    private static final int ID_BYTES = 2 + 2 * Long.BYTES;
    private static final int ZEROS = 1 << 16;
    private static final byte BEGUN = 1;
    private static final byte ENDED = 2;
    private static final byte CONFIRMED = 3;
    private static final ByteBuffer NOT_OPEN = ByteBuffer.allocate(0);

    private final Path directory;
    private final int minBytes;
    private final FileChannel lock;
    private final CRC32C checksum = new CRC32C();
    private ByteBuffer file = NOT_OPEN;
    private long number;

    JournalFile(Path directory, int minBytes) throws IOException {
        this.directory = directory;
        this.minBytes = minBytes;
        Files.createDirectories(directory);
        lock = FileChannel.open(directory.resolve("journal.lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        if (!isLocked(lock)) {
            lock.close();
            throw new IOException("the journal in " + directory
                    + " is in use by another agent; give each agent a data folder of its own");
        }
    }

    private static boolean isLocked(FileChannel lock) throws IOException {
        try {
            return lock.tryLock() != null;
        } catch (OverlappingFileLockException heldInThisProcess) {
            return false;
        }
    }

    /** Reads the files that there are, oldest first. */
    void recover(Map<RecordId, Optional<Outcome>> entries) throws IOException {
        for (long found : numbers()) {
            read(pathOf(found), entries);
            number = found;
        }
    }

    /** Goes on in a new file that begins with {@code entries}, and deletes the old ones. */
    void startNext(Map<RecordId, Optional<Outcome>> entries) throws IOException {
        List<Long> old = numbers();
        long live = 0;
        for (Optional<Outcome> outcome : entries.values()) {
            live += PREFIX_BYTES + (outcome.isPresent() ? sizeOf(outcome.get()) : ID_BYTES);
        }
        long bytes = Math.max(minBytes, 2 * live);
        if (bytes > Integer.MAX_VALUE) {
            throw new IOException(
                    "outcomes that the server has not confirmed take " + live + " bytes, more than a journal can hold");
        }
        Path path = pathOf(++number);
        try (FileChannel channel = FileChannel.open(
                path, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            // written, not only mapped: on a full disk this fails here, and not as a fault at some later put
            ByteBuffer zeros = ByteBuffer.allocate(ZEROS);
            for (long written = 0; written < bytes; written += channel.write(zeros)) {
                zeros.clear().limit((int) Math.min(ZEROS, bytes - written));
            }
            var mapped = channel.map(FileChannel.MapMode.READ_WRITE, 0, bytes);
            file = mapped;
            entries.forEach((id, outcome) -> {
                if (outcome.isPresent()) {
                    writeOutcome(outcome.get());
                } else {
                    write(BEGUN, id);
                }
            });
            // the old ones may go only when the new one is safe, whatever happens to the machine
            mapped.force();
        }
        for (long each : old) {
            Files.deleteIfExists(pathOf(each));
        }
    }

    /** @param entries what counts, this one included, in case a new file has to be started */
    void begun(RecordId id, Map<RecordId, Optional<Outcome>> entries) {
        if (hasRoom(ID_BYTES)) {
            write(BEGUN, id);
        } else {
            rotate(entries);
        }
    }

    /** As {@link #begun}. */
    void ended(Outcome outcome, Map<RecordId, Optional<Outcome>> entries) {
        if (hasRoom(sizeOf(outcome))) {
            writeOutcome(outcome);
        } else {
            rotate(entries);
        }
    }

    /** As {@link #begun}. */
    void confirmed(RecordId id, Map<RecordId, Optional<Outcome>> entries) {
        if (hasRoom(ID_BYTES)) {
            write(CONFIRMED, id);
        } else {
            rotate(entries);
        }
    }

    private void rotate(Map<RecordId, Optional<Outcome>> entries) {
        if (!lock.isOpen()) {
            throw new IllegalStateException("the journal in " + directory + " is closed");
        }
        try {
            startNext(entries);
        } catch (IOException e) {
            throw new UncheckedIOException("the journal in " + directory + " cannot be continued", e);
        }
    }

    private boolean hasRoom(int size) {
        // behind the last entry a length of zero must follow
        return file.remaining() >= PREFIX_BYTES + size + Integer.BYTES;
    }

    private static int sizeOf(Outcome outcome) {
        return ID_BYTES
                + Long.BYTES
                + 3 * Integer.BYTES
                + outcome.reason().code().length()
                + utf8(outcome.message()).length
                + outcome.result().length;
    }

    private void write(byte kind, RecordId id) {
        int start = file.position();
        putId(start, kind, id);
        seal(start);
    }

    private void writeOutcome(Outcome outcome) {
        int start = file.position();
        putId(start, ENDED, outcome.id());
        file.putLong(outcome.executionTime().toNanos());
        put(utf8(outcome.reason().code()));
        put(utf8(outcome.message()));
        put(outcome.result());
        seal(start);
    }

    private void putId(int start, byte kind, RecordId id) {
        file.position(start + PREFIX_BYTES);
        file.put(kind).put((byte) id.form().number()).putLong(id.high()).putLong(id.low());
    }

    private void put(byte[] bytes) {
        file.putInt(bytes.length).put(bytes);
    }

    private void seal(int start) {
        int size = file.position() - start - PREFIX_BYTES;
        file.putInt(start + Integer.BYTES, checksumOf(file, start + PREFIX_BYTES, size));
        // the length goes last: an entry without it does not exist
        file.putInt(start, size);
    }

    private int checksumOf(ByteBuffer buffer, int offset, int length) {
        checksum.reset();
        checksum.update(buffer.slice(offset, length));
        return (int) checksum.getValue();
    }

    private void read(Path path, Map<RecordId, Optional<Outcome>> entries) throws IOException {
        ByteBuffer source = ByteBuffer.wrap(Files.readAllBytes(path));
        while (source.remaining() >= PREFIX_BYTES + ID_BYTES) {
            int size = source.getInt(source.position());
            int start = source.position() + PREFIX_BYTES;
            if (size == 0) {
                return;
            }
            if (size < ID_BYTES
                    || size > source.limit() - start
                    || source.getInt(start - Integer.BYTES) != checksumOf(source, start, size)) {
                Path kept = path.resolveSibling(path.getFileName() + ".damaged");
                Files.copy(path, kept, StandardCopyOption.REPLACE_EXISTING);
                LOG.warn(
                        "{} is damaged at byte {}; what came after it is lost, a copy is kept as {}",
                        path,
                        start - PREFIX_BYTES,
                        kept);
                return;
            }
            apply(source.slice(start, size), entries);
            source.position(start + size);
        }
    }

    private static void apply(ByteBuffer entry, Map<RecordId, Optional<Outcome>> entries) {
        byte kind = entry.get();
        RecordId.Form form = RecordId.Form.ofNumber(entry.get());
        RecordId id = RecordId.of(form, entry.getLong(), entry.getLong());
        switch (kind) {
            case BEGUN -> entries.put(id, Optional.empty());
            case CONFIRMED -> entries.remove(id);
            default -> entries.put(id, Optional.of(outcome(id, entry)));
        }
    }

    private static Outcome outcome(RecordId id, ByteBuffer entry) {
        Duration duration = Duration.ofNanos(entry.getLong());
        Reason reason = Reason.ofCode(text(entry)).orElse(Reason.LOST);
        String message = text(entry);
        return new Outcome(id, reason, message, bytes(entry), duration);
    }

    private static String text(ByteBuffer source) {
        return new String(bytes(source), StandardCharsets.UTF_8);
    }

    private static byte[] bytes(ByteBuffer source) {
        byte[] bytes = new byte[source.getInt()];
        source.get(bytes);
        return bytes;
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private List<Long> numbers() throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.map(path -> path.getFileName().toString())
                    .filter(name -> name.matches("journal-\\d{1,18}\\.log"))
                    .map(name -> Long.parseLong(name.replaceAll("\\D", "")))
                    .sorted()
                    .toList();
        }
    }

    private Path pathOf(long fileNumber) {
        return directory.resolve("journal-" + fileNumber + ".log");
    }

    @Override
    public void close() throws IOException {
        file = NOT_OPEN;
        lock.close();
    }
}
