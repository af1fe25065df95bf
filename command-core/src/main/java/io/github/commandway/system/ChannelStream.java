package io.github.commandway.system;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** A channel with a position, which is what the lock on the channel guards. */
final class ChannelStream implements ByteStream {
    private final Workers workers;
    private final SeekableByteChannel channel;
    private final boolean readable;
    private final boolean writable;

    ChannelStream(Workers workers, SeekableByteChannel channel, boolean readable, boolean writable) {
        this.workers = workers;
        this.channel = channel;
        this.readable = readable;
        this.writable = writable;
    }

    @Override
    public CompletableFuture<byte @Nullable []> read(int size) {
        if (!readable) {
            return ByteStream.super.read(size);
        }
        return workers.<byte @Nullable []>submit(() -> {
            synchronized (channel) {
                ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(size, roomUpTo(channel)));
                int count = channel.read(buffer);
                return count < 0 ? null : Arrays.copyOf(buffer.array(), count);
            }
        });
    }

    /** What is left to read, and one byte more, so that the end is noticed and a large read of a small file needs little memory. */
    private static long roomUpTo(SeekableByteChannel channel) throws IOException {
        return Math.max(0, channel.size() - channel.position()) + 1;
    }

    @Override
    public CompletableFuture<Integer> write(byte[] data) {
        if (!writable) {
            return ByteStream.super.write(data);
        }
        return workers.submit(() -> {
            synchronized (channel) {
                ByteBuffer buffer = ByteBuffer.wrap(data);
                while (buffer.hasRemaining()) {
                    channel.write(buffer);
                }
                return data.length;
            }
        });
    }

    @Override
    public CompletableFuture<Long> seek(long offset, Whence whence) {
        return workers.submit(() -> {
            synchronized (channel) {
                long base = switch (whence) {
                    case START -> 0;
                    case CURRENT -> channel.position();
                    case END -> channel.size();
                };
                long position = Math.addExact(base, offset);
                if (position < 0) {
                    throw new IllegalArgumentException("there is no position " + position);
                }
                channel.position(position);
                return position;
            }
        });
    }

    @Override
    public CompletableFuture<Stat> stat() {
        return workers.submit(() -> {
            synchronized (channel) {
                return new Stat(channel.size(), channel.position(), readable, writable, true);
            }
        });
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
