package io.github.commandway.tools;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The output of a run on disk: pieces one after another, each with one byte for the channel, four for the length, and then the bytes. Written by one thread, and read by any number at the
 * same time.
 */
final class OutputFile implements AutoCloseable {
    private static final List<String> CHANNELS = List.of("stdout", "stderr");
    private static final int HEADER = 5;

    private final OutputStream out;
    private long room;

    /** Keeps nothing until it is {@link #allow allowed}. */
    OutputFile(Path file) throws IOException {
        // not a channel, which an interrupt would close in the middle of a piece
        this.out = new FileOutputStream(file.toFile(), true);
    }

    /** Sets how many bytes of output are kept from now on, without what stands between them. */
    void allow(long bytes) {
        room = bytes;
    }

    /** Returns how many of the bytes were kept: fewer than all once the limit is reached. */
    int append(String channel, byte[] data, int count) throws IOException {
        int keep = (int) Math.min(count, room);
        if (keep > 0) {
            ByteBuffer piece = ByteBuffer.allocate(HEADER + keep);
            piece.put((byte) CHANNELS.indexOf(channel)).putInt(keep).put(data, 0, keep);
            out.write(piece.array());
            room -= keep;
        }
        return keep;
    }

    /** Reads whole pieces from a position, until {@code maxBytes} are exceeded or there is no more. */
    static RunOutput read(Path file, long position, int maxBytes) throws IOException {
        List<RunOutput.Piece> pieces = new ArrayList<>();
        long next = position;
        try (SeekableByteChannel channel = Files.newByteChannel(file);
                InputStream in = Channels.newInputStream(channel.position(position));
                DataInputStream data = new DataInputStream(in)) {
            long sum = 0;
            while (sum < maxBytes && channel.size() - next >= HEADER) {
                int which = data.readUnsignedByte();
                int length = data.readInt();
                if (which >= CHANNELS.size() || length <= 0) {
                    throw new IllegalArgumentException("no piece of output begins at position " + position);
                }
                if (channel.size() - next - HEADER < length) {
                    // the rest of it is being written
                    break;
                }
                byte[] bytes = new byte[length];
                data.readFully(bytes);
                pieces.add(new RunOutput.Piece(next, CHANNELS.get(which), bytes));
                next += HEADER + length;
                sum += length;
            }
        } catch (EOFException e) {
            return new RunOutput(pieces, next);
        }
        return new RunOutput(pieces, next);
    }

    @Override
    public void close() throws IOException {
        out.close();
    }
}
