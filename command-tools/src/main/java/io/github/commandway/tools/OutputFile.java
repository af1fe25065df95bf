package io.github.commandway.tools;

import io.github.commandway.tool.api.RunOutput;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SeekableByteChannel;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/**
 * The output of a run on disk: pieces one after another, each with one byte for the channel and the charset, eight for the time in milliseconds since 1970,
 * four for the length, and then the bytes. Which charsets there are stands in a
 * file beside it, one in each line; the first one is UTF-8 and stands nowhere. Written by one thread, and read by any number at the same time.
 */
final class OutputFile implements AutoCloseable {
    private static final List<String> CHANNELS = List.of("stdout", "stderr");
    private static final int MAX_CHARSETS = 127;
    private static final int HEADER = 13;
    private static final int MAX_PIECE = 1 << 20;

    private final Path file;
    private final RandomAccessFile out;
    private final Clock clock;
    private long room;
    private int charset;

    /** Keeps nothing until it is {@link #begin begun}. */
    OutputFile(Path file, Clock clock) throws IOException {
        this.clock = clock;
        this.file = file;
        // not a channel, which an interrupt would close in the middle of a piece
        this.out = new RandomAccessFile(file.toFile(), "rw");
        out.seek(out.length());
    }

    /**
     * Cuts off a piece that is not there whole, which a server left that was killed while it wrote: what follows it could not be read. Nobody else must write.
     */
    static void cutOff(Path file) throws IOException {
        if (!Files.exists(file)) {
            return;
        }
        try (RandomAccessFile pieces = new RandomAccessFile(file.toFile(), "rw")) {
            long end = 0;
            while (pieces.length() - end >= HEADER) {
                pieces.seek(end + HEADER - Integer.BYTES);
                int length = pieces.readInt();
                if (length <= 0 || length > MAX_PIECE || pieces.length() - end - HEADER < length) {
                    break;
                }
                end += HEADER + length;
            }
            pieces.setLength(end);
        }
    }

    /**
     * Says what comes from now on.
     *
     * @param bytes how many of output are kept, without what stands between them
     * @param encoding the charset of it
     */
    void begin(long bytes, Charset encoding) throws IOException {
        room = bytes;
        List<Charset> known = charsets(file);
        charset = known.indexOf(encoding);
        if (charset < 0) {
            if (known.size() >= MAX_CHARSETS) {
                throw new IOException("its tools write in more than " + MAX_CHARSETS + " encodings");
            }
            Files.writeString(
                    charsetsFile(file), encoding.name() + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            charset = known.size();
        }
    }

    private static Path charsetsFile(Path file) {
        return file.resolveSibling("charsets");
    }

    private static List<Charset> charsets(Path file) throws IOException {
        List<Charset> charsets = new ArrayList<>(List.of(StandardCharsets.UTF_8));
        if (Files.exists(charsetsFile(file))) {
            Files.readAllLines(charsetsFile(file)).forEach(name -> charsets.add(Charset.forName(name)));
        }
        return charsets;
    }

    /**
     * Returns how many of the bytes were kept: fewer than all once the limit is reached.
     *
     * @throws IOException if they cannot be written; none of them are there then
     */
    int append(String channel, byte[] data, int count) throws IOException {
        int keep = (int) Math.min(count, room);
        long before = out.getFilePointer();
        boolean written = false;
        try {
            for (int from = 0; from < keep; from += MAX_PIECE) {
                write(channel, data, from, Math.min(MAX_PIECE, keep - from));
            }
            written = true;
        } finally {
            if (!written) {
                out.setLength(before);
            }
        }
        room -= keep;
        return keep;
    }

    private void write(String channel, byte[] data, int from, int count) throws IOException {
        ByteBuffer piece = ByteBuffer.allocate(HEADER + count);
        piece.put((byte) (CHANNELS.indexOf(channel) + CHANNELS.size() * charset))
                .putLong(clock.millis())
                .putInt(count)
                .put(data, from, count);
        out.write(piece.array());
    }

    /** Reads whole pieces from a position, until {@code maxBytes} are exceeded or there is no more. */
    static RunOutput read(Path file, long position, int maxBytes) throws IOException {
        List<RunOutput.Piece> pieces = new ArrayList<>();
        long next = position;
        try (SeekableByteChannel channel = Files.newByteChannel(file)) {
            if (position < 0 || position > channel.size()) {
                throw noPiece(position);
            }
            InputStream in = Channels.newInputStream(channel.position(position));
            DataInputStream data = new DataInputStream(in);
            List<Charset> charsets = List.of(StandardCharsets.UTF_8);
            long sum = 0;
            while (sum < maxBytes && channel.size() - next >= HEADER) {
                int which = data.readUnsignedByte();
                long at = data.readLong();
                int length = data.readInt();
                int number = which / CHANNELS.size();
                if (number >= charsets.size()) {
                    charsets = charsets(file);
                }
                if (number >= charsets.size() || length <= 0 || length > MAX_PIECE) {
                    throw noPiece(position);
                }
                if (channel.size() - next - HEADER < length) {
                    // the rest of it is being written
                    break;
                }
                byte[] bytes = new byte[length];
                data.readFully(bytes);
                long end = next + HEADER + length;
                pieces.add(new RunOutput.Piece(
                        next,
                        end,
                        Instant.ofEpochMilli(at),
                        CHANNELS.get(which % CHANNELS.size()),
                        bytes,
                        charsets.get(number)));
                next = end;
                sum += length;
            }
        } catch (EOFException e) {
            return new RunOutput(pieces, next);
        }
        return new RunOutput(pieces, next);
    }

    private static IllegalArgumentException noPiece(long position) {
        return new IllegalArgumentException("no piece of output begins at position " + position);
    }

    @Override
    public void close() throws IOException {
        out.close();
    }
}
