package io.github.commandway.system;

import java.net.http.HttpResponse.BodySubscriber;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow.Subscription;
import org.jspecify.annotations.Nullable;

/** A body that is taken from the server only as fast as it is read. Its lock guards all fields that are not final; futures complete outside of it. */
final class ResponseStream implements ByteStream, BodySubscriber<ResponseStream> {
    private final int limit;
    private final ArrayDeque<ByteBuffer> buffers = new ArrayDeque<>();
    private long received;
    private boolean ended;
    private @Nullable Throwable failure;
    private @Nullable Subscription subscription;
    private @Nullable CompletableFuture<byte @Nullable []> reading;
    private int wanted;

    ResponseStream(int limit) {
        this.limit = limit;
    }

    @Override
    public CompletionStage<ResponseStream> getBody() {
        return CompletableFuture.completedFuture(this);
    }

    @Override
    public CompletableFuture<byte @Nullable []> read(int size) {
        CompletableFuture<byte @Nullable []> read = new CompletableFuture<>();
        Subscription more;
        synchronized (this) {
            if (reading != null && !reading.isDone()) {
                throw new IllegalStateException("the stream is being read already");
            }
            reading = read;
            wanted = size;
            more = buffers.isEmpty() && !ended ? subscription : null;
        }
        if (more != null) {
            more.request(1);
        }
        answer();
        return read;
    }

    /** Completes the read under way if there is something to complete it with. */
    private void answer() {
        CompletableFuture<byte @Nullable []> read;
        byte[] bytes = null;
        Throwable error = null;
        synchronized (this) {
            read = reading;
            if (read == null) {
                return;
            }
            ByteBuffer first = buffers.peek();
            if (first != null) {
                bytes = new byte[Math.min(wanted, first.remaining())];
                first.get(bytes);
                if (!first.hasRemaining()) {
                    buffers.remove();
                }
            } else if (ended) {
                error = failure;
            } else {
                return;
            }
            reading = null;
        }
        if (error == null) {
            read.complete(bytes);
        } else {
            read.completeExceptionally(error);
        }
    }

    @Override
    public CompletableFuture<Stat> stat() {
        return CompletableFuture.completedFuture(new Stat(-1, -1, true, false, false));
    }

    @Override
    public void close() {
        end(new ClosedChannelException());
        Subscription present;
        synchronized (this) {
            buffers.clear();
            present = subscription;
        }
        if (present != null) {
            present.cancel();
        }
    }

    @Override
    public void onSubscribe(Subscription given) {
        boolean late;
        boolean read;
        synchronized (this) {
            subscription = given;
            late = ended;
            read = reading != null;
        }
        if (late) {
            given.cancel();
        } else if (read) {
            given.request(1);
        }
    }

    @Override
    public void onNext(List<ByteBuffer> items) {
        Subscription more = null;
        boolean tooLarge;
        synchronized (this) {
            for (ByteBuffer item : items) {
                received += item.remaining();
                if (item.hasRemaining() && !ended && received <= limit) {
                    buffers.add(item);
                }
            }
            tooLarge = received > limit;
            if (buffers.isEmpty() && reading != null && !ended) {
                more = subscription;
            }
        }
        if (tooLarge) {
            end(WholeBody.tooLarge(limit));
            close();
            return;
        }
        if (more != null) {
            more.request(1);
        }
        answer();
    }

    @Override
    public void onError(Throwable error) {
        end(error);
    }

    @Override
    public void onComplete() {
        end(null);
    }

    private void end(@Nullable Throwable error) {
        synchronized (this) {
            if (ended) {
                return;
            }
            ended = true;
            failure = error;
        }
        answer();
    }
}
