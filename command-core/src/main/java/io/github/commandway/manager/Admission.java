package io.github.commandway.manager;

import io.github.commandway.manager.CommandRejectedException.Code;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** How many commands may be open, and how many bytes their payloads may take; and when, after a shutdown, none is open any more. Safe for use by many threads. */
final class Admission {
    private final int maxOpen;
    private final long maxOpenBytes;
    private final AtomicInteger open = new AtomicInteger();
    private final AtomicLong openBytes = new AtomicLong();
    private final CompletableFuture<Void> emptied = new CompletableFuture<>();
    private volatile boolean closed;

    Admission(int maxOpen, long maxOpenBytes) {
        this.maxOpen = maxOpen;
        this.maxOpenBytes = maxOpenBytes;
    }

    /** How many are open. */
    int open() {
        return open.get();
    }

    boolean isClosed() {
        return closed;
    }

    /** Takes room for one more, or refuses. */
    void take(CommandRequest request) throws CommandRejectedException {
        requireOpen();
        int openWithThis = open.incrementAndGet();
        long bytesWithThis = openBytes.addAndGet(request.payload().length);
        if (closed || openWithThis > maxOpen || bytesWithThis > maxOpenBytes) {
            release(request);
            // looked at again with the room taken: a close that has seen no open command must not be followed by one
            requireOpen();
            throw new CommandRejectedException(
                    Code.CAPACITY,
                    openWithThis > maxOpen
                            ? "as many commands are open as may be (" + maxOpen + "); try again when some have ended"
                            : "the payloads of open commands take as many bytes as they may (" + maxOpenBytes
                                    + "); try again when some have ended");
        }
    }

    /** Takes room for one that cannot be refused any more. */
    void takeAnyway(CommandRequest request) {
        open.incrementAndGet();
        openBytes.addAndGet(request.payload().length);
    }

    void release(CommandRequest request) {
        openBytes.addAndGet(-request.payload().length);
        if (open.decrementAndGet() == 0 && closed) {
            emptied.complete(null);
        }
    }

    /** @throws CommandRejectedException if it is closed */
    void requireOpen() throws CommandRejectedException {
        if (closed) {
            throw new CommandRejectedException(
                    Code.SHUTTING_DOWN, "no new commands are accepted: the manager is shutting down");
        }
    }

    /** From now on refuses new ones. */
    void close() {
        closed = true;
        if (open.get() == 0) {
            emptied.complete(null);
        }
    }

    /** Waits after a close until none is open. Returns false if that took longer. */
    boolean awaitEmpty(Duration timeout) throws InterruptedException {
        try {
            emptied.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
            return true;
        } catch (TimeoutException e) {
            return false;
        } catch (ExecutionException e) {
            throw new IllegalStateException("this cannot fail", e);
        }
    }
}
