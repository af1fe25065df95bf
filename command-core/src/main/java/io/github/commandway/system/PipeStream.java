package io.github.commandway.system;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** One direction of blocking bytes. The stream is its own lock, which keeps a second call out while the first is stuck. */
final class PipeStream implements ByteStream {
    private final Workers workers;
    private final @Nullable InputStream in;
    private final @Nullable OutputStream out;

    PipeStream(Workers workers, @Nullable InputStream in, @Nullable OutputStream out) {
        this.workers = workers;
        this.in = in;
        this.out = out;
    }

    @Override
    public CompletableFuture<byte @Nullable []> read(int size) {
        InputStream source = in;
        if (source == null) {
            return ByteStream.super.read(size);
        }
        return workers.<byte @Nullable []>submit(() -> {
            synchronized (this) {
                byte[] buffer = new byte[size];
                int count = source.read(buffer);
                return count < 0 ? null : count == size ? buffer : Arrays.copyOf(buffer, count);
            }
        });
    }

    @Override
    public CompletableFuture<Integer> write(byte[] data) {
        OutputStream sink = out;
        if (sink == null) {
            return ByteStream.super.write(data);
        }
        return workers.submit(() -> {
            synchronized (this) {
                sink.write(data);
                return data.length;
            }
        });
    }

    @Override
    public CompletableFuture<@Nullable Void> flush() {
        OutputStream sink = out;
        if (sink == null) {
            return ByteStream.super.flush();
        }
        return workers.<@Nullable Void>submit(() -> {
            synchronized (this) {
                sink.flush();
                return null;
            }
        });
    }

    @Override
    public CompletableFuture<Stat> stat() {
        return CompletableFuture.completedFuture(new Stat(-1, -1, in != null, out != null, false));
    }

    @Override
    public void close() throws IOException {
        if (in != null) {
            in.close();
        }
        if (out != null) {
            out.close();
        }
    }
}
