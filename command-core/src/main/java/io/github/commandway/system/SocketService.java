package io.github.commandway.system;

import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.process.Pid;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousChannelGroup;
import java.nio.channels.AsynchronousServerSocketChannel;
import java.nio.channels.AsynchronousSocketChannel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.CompletionHandler;
import java.nio.channels.DatagramChannel;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Connections over TCP, and datagrams over UDP, both read and written through {@link StreamService}. No thread is kept while a command waits for a TCP peer. What a process opened is closed when it
 * ends.
 */
public final class SocketService implements SystemService {
    /** The id of {@link Connect}. */
    public static final int CONNECT = 30;
    /** The id of {@link Listen}. */
    public static final int LISTEN = 31;
    /** The id of {@link Accept}. */
    public static final int ACCEPT = 32;
    /** The id of {@link Bind}. */
    public static final int BIND = 33;
    /** The id of {@link Resolve}. */
    public static final int RESOLVE = 34;
    /** The id of {@link CloseListener}. */
    public static final int CLOSE_LISTENER = 35;

    private static final Logger log = LoggerFactory.getLogger(SocketService.class);
    private static final int GROUP_THREADS = 2;

    private final StreamService streams;
    private final Workers workers;
    private final Workers datagrams;
    private final Handles<Listener> listeners;
    private final AsynchronousChannelGroup group;

    /**
     * @param streams keeps the connections; stays the caller's
     * @param workers looks up names and connects, which blocks; closed with this service
     * @param limit how many listeners there are at most, and half of how many commands may wait for UDP sockets
     * @throws IOException if the system has no sockets for us
     */
    public SocketService(StreamService streams, Workers workers, int limit) throws IOException {
        this.streams = streams;
        this.workers = workers;
        datagrams = new Workers("datagram", 2 * limit, 2 * limit);
        listeners = new Handles<>("listener", limit, Listener::close);
        group = AsynchronousChannelGroup.withFixedThreadPool(GROUP_THREADS, work -> {
            Thread thread = Executors.defaultThreadFactory().newThread(work);
            thread.setName("commandway-socket");
            thread.setDaemon(true);
            return thread;
        });
    }

    @Override
    public String name() {
        return "socket";
    }

    @Override
    public void registerAll(Registrar registrar) {
        registrar.register(
                CONNECT, (context, command, tag, receiver) -> connect(context, (Connect) command, tag, receiver));
        registrar.register(
                LISTEN, (context, command, tag, receiver) -> listen(context, (Listen) command, tag, receiver));
        registrar.register(
                ACCEPT,
                (context, command, tag, receiver) ->
                        listeners.get(((Accept) command).listener).accept(context, new Completion(tag, receiver)));
        registrar.register(BIND, (context, command, tag, receiver) -> bind(context, (Bind) command, tag, receiver));
        registrar.register(
                RESOLVE,
                (context, command, tag, receiver) -> workers.run(
                        context,
                        tag,
                        receiver,
                        job -> Arrays.stream(InetAddress.getAllByName(((Resolve) command).host))
                                .map(InetAddress::getHostAddress)
                                .toList()));
        registrar.register(
                CLOSE_LISTENER,
                (context, command, tag, receiver) ->
                        receiver.completeYield(tag, listeners.close(((CloseListener) command).listener), null));
    }

    /** How many listeners there are. */
    public int active() {
        return listeners.size();
    }

    @Override
    public void ended(Pid process) {
        listeners.closeAll(process);
    }

    @Override
    public void close() {
        listeners.close();
        workers.close();
        datagrams.close();
        try {
            group.shutdownNow();
        } catch (IOException e) {
            log.warn("Not all sockets could be closed", e);
        }
    }

    private void connect(CommandContext context, Connect command, long tag, ResultReceiver receiver) {
        workers.run(
                context,
                job -> {
                    AsynchronousSocketChannel channel = AsynchronousSocketChannel.open(group);
                    job.onCancel(() -> closeQuietly(channel));
                    try {
                        channel.connect(resolved(command.host, command.port)).get();
                        return channel;
                    } catch (ExecutionException e) {
                        closeQuietly(channel);
                        throw e.getCause() instanceof Exception cause ? cause : e;
                    } catch (IOException | InterruptedException e) {
                        closeQuietly(channel);
                        throw e;
                    }
                },
                (channel, error) -> {
                    Completion completion = new Completion(tag, receiver);
                    if (channel instanceof AsynchronousSocketChannel connected) {
                        opened(context, completion, connected);
                    } else {
                        completion.fail(error == null ? new ClosedChannelException() : error);
                    }
                });
    }

    private void opened(CommandContext context, Completion completion, AsynchronousSocketChannel channel) {
        SocketStream stream = new SocketStream(channel);
        Connected addresses;
        try {
            addresses = new Connected(0, text(channel.getLocalAddress()), text(channel.getRemoteAddress()));
        } catch (IOException e) {
            closeQuietly(channel);
            completion.fail(e);
            return;
        }
        streams.open(context, completion, stream, id -> new Connected(id, addresses.local, addresses.remote));
    }

    private void listen(CommandContext context, Listen command, long tag, ResultReceiver receiver) {
        workers.run(
                context,
                job -> {
                    AsynchronousServerSocketChannel channel = AsynchronousServerSocketChannel.open(group);
                    try {
                        channel.bind(resolved(command.host, command.port));
                        return new Listener(channel);
                    } catch (IOException e) {
                        closeQuietly(channel);
                        throw e;
                    }
                },
                (made, error) -> {
                    if (made instanceof Listener listener) {
                        listeners.open(
                                context, tag, receiver, listener, id -> new Listening(id, listener.localAddress()));
                    } else {
                        receiver.completeYield(tag, null, error);
                    }
                });
    }

    private void bind(CommandContext context, Bind command, long tag, ResultReceiver receiver) {
        workers.run(
                context,
                job -> {
                    DatagramChannel channel = DatagramChannel.open();
                    try {
                        channel.bind(resolved(command.host, command.port));
                        if (command.remoteHost != null) {
                            channel.connect(resolved(command.remoteHost, command.remotePort));
                        }
                        return new DatagramStream(datagrams, channel);
                    } catch (IOException e) {
                        closeQuietly(channel);
                        throw e;
                    }
                },
                (made, error) -> {
                    Completion completion = new Completion(tag, receiver);
                    if (!(made instanceof DatagramStream stream)) {
                        completion.fail(error == null ? new ClosedChannelException() : error);
                        return;
                    }
                    streams.open(
                            context,
                            completion,
                            stream,
                            id -> new Connected(
                                    id,
                                    stream.localAddress(),
                                    command.remoteHost == null ? "" : command.remoteHost + ":" + command.remotePort));
                });
    }

    private static InetSocketAddress resolved(String host, int port) throws UnknownHostException {
        return new InetSocketAddress(InetAddress.getByName(host), port);
    }

    static String text(@Nullable SocketAddress address) {
        return address instanceof InetSocketAddress inet
                ? inet.getAddress().getHostAddress() + ":" + inet.getPort()
                : "";
    }

    private static void closeQuietly(AutoCloseable channel) {
        try {
            channel.close();
        } catch (Exception e) {
            log.debug("A socket that is not needed could not be closed", e);
        }
    }

    private static void checkPort(int port) {
        if (port < 0 || port > 0xFFFF) {
            throw new IllegalArgumentException("a port is from 0 to 65535, not " + port);
        }
    }

    /** Opens a TCP connection. Completes with {@link Connected}. */
    public record Connect(String host, int port) implements Command {
        /** Checks the port. */
        public Connect {
            checkPort(port);
        }

        @Override
        public int commandId() {
            return CONNECT;
        }
    }

    /**
     * Listens for TCP connections. Completes with {@link Listening}.
     *
     * @param port 0 for any that is free
     */
    public record Listen(String host, int port) implements Command {
        /** Checks the port. */
        public Listen {
            checkPort(port);
        }

        @Override
        public int commandId() {
            return LISTEN;
        }
    }

    /** Waits for a connection. Completes with {@link Connected}. Only one command may wait at a time. */
    public record Accept(long listener) implements Command {
        @Override
        public int commandId() {
            return ACCEPT;
        }
    }

    /**
     * Opens a UDP socket. Completes with {@link Connected}. A read takes one datagram, and cuts off what is longer than it asks for; a write sends one, which needs a remote address.
     *
     * @param port 0 for any that is free
     * @param remoteHost the only one to exchange datagrams with, or null for only receiving, from all
     * @param remotePort counts with {@code remoteHost}
     */
    public record Bind(String host, int port, @Nullable String remoteHost, int remotePort) implements Command {
        /** Checks the ports. */
        public Bind {
            checkPort(port);
            checkPort(remotePort);
        }

        @Override
        public int commandId() {
            return BIND;
        }
    }

    /** Completes with the addresses of a host, a list of Strings. */
    public record Resolve(String host) implements Command {
        @Override
        public int commandId() {
            return RESOLVE;
        }
    }

    /** Ends a listener, and fails who waits for a connection. Completes with whether it was open. */
    public record CloseListener(long listener) implements Command {
        @Override
        public int commandId() {
            return CLOSE_LISTENER;
        }
    }

    /**
     * A connection or a UDP socket.
     *
     * @param stream the number of its stream
     * @param local our address and port
     * @param remote the other side's; empty if there is none
     */
    public record Connected(long stream, String local, String remote) {}

    /**
     * A listener.
     *
     * @param listener its number
     * @param local its address and port
     */
    public record Listening(long listener, String local) {}

    /** The lock guards the fields that are not final. */
    private final class Listener implements CompletionHandler<AsynchronousSocketChannel, @Nullable Void> {
        private final AsynchronousServerSocketChannel channel;
        private boolean accepting;
        private boolean closed;
        private @Nullable AsynchronousSocketChannel ready;
        private @Nullable Waiting waiting;

        Listener(AsynchronousServerSocketChannel channel) {
            this.channel = channel;
        }

        String localAddress() {
            try {
                return text(channel.getLocalAddress());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        void accept(CommandContext context, Completion completion) throws IOException {
            AsynchronousSocketChannel found;
            boolean begin = false;
            synchronized (this) {
                if (closed) {
                    throw new ClosedChannelException();
                }
                if (waiting != null && !waiting.completion.isDone()) {
                    throw new IllegalStateException("another command waits for a connection already");
                }
                found = ready;
                ready = null;
                if (found == null) {
                    waiting = new Waiting(context, completion);
                    begin = !accepting;
                    accepting = true;
                }
            }
            if (found != null) {
                opened(context, completion, found);
                return;
            }
            // what comes in after that is kept for the next command
            completion.endOnCancel(context, () -> {});
            if (begin) {
                channel.accept(null, this);
            }
        }

        @Override
        public void completed(AsynchronousSocketChannel accepted, @Nullable Void nothing) {
            Waiting taker;
            synchronized (this) {
                accepting = false;
                taker = waiting == null || waiting.completion.isDone() ? null : waiting;
                waiting = null;
                if (taker == null && !closed) {
                    ready = accepted;
                    return;
                }
            }
            if (taker == null) {
                closeQuietly(accepted);
            } else {
                opened(taker.context, taker.completion, accepted);
            }
        }

        @Override
        public void failed(Throwable error, @Nullable Void nothing) {
            Waiting told;
            synchronized (this) {
                accepting = false;
                told = waiting;
                waiting = null;
            }
            if (told != null) {
                told.completion.fail(error);
            }
        }

        void close() {
            AsynchronousSocketChannel left;
            Waiting told;
            synchronized (this) {
                closed = true;
                left = ready;
                ready = null;
                told = waiting;
                waiting = null;
            }
            closeQuietly(channel);
            if (left != null) {
                closeQuietly(left);
            }
            if (told != null) {
                told.completion.fail(new ClosedChannelException());
            }
        }
    }

    private record Waiting(CommandContext context, Completion completion) {}

    /** A TCP connection. */
    private static final class SocketStream implements ByteStream {
        private final AsynchronousSocketChannel channel;

        SocketStream(AsynchronousSocketChannel channel) {
            this.channel = channel;
        }

        @Override
        public CompletableFuture<byte @Nullable []> read(int size) {
            CompletableFuture<byte @Nullable []> outcome = new CompletableFuture<>();
            ByteBuffer buffer = ByteBuffer.allocate(size);
            channel.read(buffer, null, new CompletionHandler<Integer, @Nullable Void>() {
                @Override
                public void completed(Integer count, @Nullable Void nothing) {
                    outcome.complete(count < 0 ? null : Arrays.copyOf(buffer.array(), count));
                }

                @Override
                public void failed(Throwable error, @Nullable Void nothing) {
                    outcome.completeExceptionally(error);
                }
            });
            return outcome;
        }

        @Override
        public CompletableFuture<Integer> write(byte[] data) {
            CompletableFuture<Integer> outcome = new CompletableFuture<>();
            ByteBuffer buffer = ByteBuffer.wrap(data);
            channel.write(buffer, null, new CompletionHandler<Integer, @Nullable Void>() {
                @Override
                public void completed(Integer count, @Nullable Void nothing) {
                    if (buffer.hasRemaining()) {
                        channel.write(buffer, null, this);
                    } else {
                        outcome.complete(data.length);
                    }
                }

                @Override
                public void failed(Throwable error, @Nullable Void nothing) {
                    outcome.completeExceptionally(error);
                }
            });
            return outcome;
        }

        @Override
        public CompletableFuture<Stat> stat() {
            return CompletableFuture.completedFuture(new Stat(-1, -1, true, true, false));
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }

    /** A UDP socket. */
    private static final class DatagramStream implements ByteStream {
        private final Workers workers;
        private final DatagramChannel channel;

        DatagramStream(Workers workers, DatagramChannel channel) {
            this.workers = workers;
            this.channel = channel;
        }

        String localAddress() {
            try {
                return text(channel.getLocalAddress());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public CompletableFuture<byte @Nullable []> read(int size) {
            return workers.<byte @Nullable []>submit(() -> {
                ByteBuffer buffer = ByteBuffer.allocate(Math.min(size, 0xFFFF));
                channel.receive(buffer);
                return Arrays.copyOf(buffer.array(), buffer.position());
            });
        }

        @Override
        public CompletableFuture<Integer> write(byte[] data) {
            return workers.submit(() -> channel.write(ByteBuffer.wrap(data)));
        }

        @Override
        public CompletableFuture<Stat> stat() {
            return CompletableFuture.completedFuture(new Stat(-1, -1, true, channel.isConnected(), false));
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }
}
