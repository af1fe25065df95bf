package io.github.commandway.tools;

import io.github.commandway.tool.api.RunOutput;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
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
    private final OutputStream out;
    private final Clock clock;
    private long room;
    private int charset;

    /** Keeps nothing until it is {@link #begin begun}. */
    OutputFile(Path file, Clock clock) throws IOException {
        this.clock = clock;
        this.file = file;
        // not a channel, which an interrupt would close in the middle of a piece
        this.out = new FileOutputStream(file.toFile(), true);
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

    /** Returns how many of the bytes were kept: fewer than all once the limit is reached. */
    int append(String channel, byte[] data, int count) throws IOException {
        int keep = (int) Math.min(count, room);
        if (keep > 0) {
            ByteBuffer piece = ByteBuffer.allocate(HEADER + keep);
            piece.put((byte) (CHANNELS.indexOf(channel) + CHANNELS.size() * charset))
                    .putLong(clock.millis())
                    .putInt(keep)
                    .put(data, 0, keep);
            out.write(piece.array());
            room -= keep;
        }
        return keep;
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
