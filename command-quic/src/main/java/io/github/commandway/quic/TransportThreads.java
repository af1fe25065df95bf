package io.github.commandway.quic;

import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.nio.NioIoHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Threads that do the input and output of links and servers, several of which can share them. What was given threads of its own by nobody
 * makes them itself. Close it after everything that uses it.
 */
public final class TransportThreads implements AutoCloseable {
    private static final long CLOSE_TIMEOUT_SECONDS = 5;

    private static final int MAX_BLOCKING_THREADS = 4;
    private static final int MAX_BLOCKING_TASKS = 100_000;

    private final EventLoopGroup group;
    private final ThreadPoolExecutor blocking;

    /**
     * Makes daemon threads, which start when they are needed.
     *
     * @param count how many, from 1
     */
    public TransportThreads(int count) {
        if (count < 1) {
            throw new IllegalArgumentException("there must be 1 transport thread or more, not " + count);
        }
        IoHandlerFactory io = Epoll.isAvailable() ? EpollIoHandler.newFactory() : NioIoHandler.newFactory();
        group = new MultiThreadIoEventLoopGroup(count, new DefaultThreadFactory("commandway-io", true), io);
        blocking = new ThreadPoolExecutor(
                MAX_BLOCKING_THREADS,
                MAX_BLOCKING_THREADS,
                CLOSE_TIMEOUT_SECONDS,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(MAX_BLOCKING_TASKS),
                new DefaultThreadFactory("commandway-io-blocking", true));
        blocking.allowCoreThreadTimeOut(true);
    }

    EventLoopGroup group() {
        return group;
    }

    /** For what waits: look-ups of names, and the journal of those who joined. Refuses what is too much. */
    Executor blocking() {
        return blocking;
    }

    /** Ends the threads, at the latest after 5 s. */
    @Override
    public void close() {
        blocking.shutdown();
        group.shutdownGracefully(0, CLOSE_TIMEOUT_SECONDS, TimeUnit.SECONDS)
                .awaitUninterruptibly(CLOSE_TIMEOUT_SECONDS, TimeUnit.SECONDS);
    }
}
