package io.github.commandway.quic;

import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.nio.NioIoHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.util.concurrent.TimeUnit;

/**
 * Threads that do the input and output of links and servers, several of which can share them. What was given threads of its own by nobody
 * makes them itself. Close it after everything that uses it.
 */
public final class TransportThreads implements AutoCloseable {
    private static final long CLOSE_TIMEOUT_SECONDS = 5;

    private final EventLoopGroup group;

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
    }

    EventLoopGroup group() {
        return group;
    }

    /** Ends the threads, at the latest after 5 s. */
    @Override
    public void close() {
        group.shutdownGracefully(0, CLOSE_TIMEOUT_SECONDS, TimeUnit.SECONDS)
                .awaitUninterruptibly(CLOSE_TIMEOUT_SECONDS, TimeUnit.SECONDS);
    }
}
