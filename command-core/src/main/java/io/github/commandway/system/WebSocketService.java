package io.github.commandway.system;

import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.process.Pid;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Connections to WebSocket servers. What comes in waits in a bounded queue, and a full queue slows the server down. No thread is kept while a command waits. A connection ends with the process that
 * opened it.
 */
public final class WebSocketService implements SystemService {
    /** The id of {@link Connect}. */
    public static final int CONNECT = 80;
    /** The id of {@link Send}. */
    public static final int SEND = 81;
    /** The id of {@link Receive}. */
    public static final int RECEIVE = 82;
    /** The id of {@link Close}. */
    public static final int CLOSE = 83;
    /** The id of {@link Ping}. */
    public static final int PING = 84;
    /** The id of {@link Subscribe}. */
    public static final int SUBSCRIBE = 85;

    /** How large a message may be where nobody says, in bytes or characters. */
    public static final int DEFAULT_READ_LIMIT = 16 * 1024 * 1024;
    /** How many messages wait where nobody says. */
    public static final int DEFAULT_CAPACITY = 64;

    private static final int SENDS_WAITING = 64;
    private static final int GOING_AWAY = 1001;
    private static final int TOO_LARGE = 1009;
    private static final int NO_CODE = 1005;
    private static final Duration CLOSE_PATIENCE = Duration.ofSeconds(5);
    private static final Duration MAILBOX_RETRY = Duration.ofMillis(20);

    private final HttpClient client;
    private final ScheduledExecutorService timer;
    private final Handles<Connection> connections;

    /**
     * @param client opens the connections; stays the caller's
     * @param timer stays the caller's
     * @param limit how many connections there are at most
     */
    public WebSocketService(HttpClient client, ScheduledExecutorService timer, int limit) {
        this.client = client;
        this.timer = timer;
        connections = new Handles<>("websocket", limit, Connection::leave);
    }

    @Override
    public String name() {
        return "websocket";
    }

    @Override
    public void registerAll(Registrar registrar) {
        registrar.register(
                CONNECT, (context, command, tag, receiver) -> connect(context, (Connect) command, tag, receiver));
        registrar.register(SEND, (context, command, tag, receiver) -> {
            Send send = (Send) command;
            connections
                    .get(send.connection)
                    .send(
                            context,
                            new Completion(tag, receiver),
                            socket -> send.text == null
                                    ? socket.sendBinary(ByteBuffer.wrap(send.binary), true)
                                    : socket.sendText(send.text, true));
        });
        registrar.register(
                PING,
                (context, command, tag, receiver) -> connections
                        .get(((Ping) command).connection)
                        .send(
                                context,
                                new Completion(tag, receiver),
                                socket -> socket.sendPing(ByteBuffer.allocate(0))));
        registrar.register(
                RECEIVE,
                (context, command, tag, receiver) -> connections
                        .get(((Receive) command).connection)
                        .receive(context, new Completion(tag, receiver)));
        registrar.register(SUBSCRIBE, (context, command, tag, receiver) -> {
            Subscribe subscribe = (Subscribe) command;
            connections.get(subscribe.connection).subscribe(Caller.required(context), subscribe.topic);
            receiver.completeYield(tag, null, null);
        });
        registrar.register(CLOSE, (context, command, tag, receiver) -> {
            Close close = (Close) command;
            connections.get(close.connection).close(close, new Completion(tag, receiver));
        });
    }

    /** How many connections are open. */
    public int active() {
        return connections.size();
    }

    @Override
    public void ended(Pid process) {
        connections.closeAll(process);
    }

    @Override
    public void close() {
        connections.close();
    }

    private void connect(CommandContext context, Connect command, long tag, ResultReceiver receiver) {
        Completion completion = new Completion(tag, receiver);
        Connection connection = new Connection(Handles.ownerOf(context), command.readLimit, command.capacity);
        WebSocket.Builder builder = client.newWebSocketBuilder().connectTimeout(command.dialTimeout);
        command.headers.forEach(builder::header);
        if (!command.protocols.isEmpty()) {
            builder.subprotocols(
                    command.protocols.get(0),
                    command.protocols.subList(1, command.protocols.size()).toArray(String[]::new));
        }
        CompletableFuture<WebSocket> opened = builder.buildAsync(command.url, connection);
        completion.endOnCancel(context, () -> opened.cancel(true));
        opened.whenComplete((socket, error) -> {
            if (error != null) {
                completion.fail(CommandException.unwrap(error));
            } else if (completion.isDone()) {
                socket.abort();
            } else {
                connection.socket = socket;
                connections.open(context, completion, connection, id -> {
                    connection.id = id;
                    return new Connected(id, socket.getSubprotocol());
                });
            }
        });
    }

    /**
     * Opens a connection. Completes with {@link Connected}.
     *
     * @param dialTimeout how long that may take, more than zero
     * @param readLimit how large a message may be, 1 or more; a larger one ends the connection
     * @param capacity how many messages wait to be received before the server is slowed down, 1 or more
     */
    public record Connect(
            URI url,
            Map<String, String> headers,
            List<String> protocols,
            Duration dialTimeout,
            int readLimit,
            int capacity)
            implements Command {
        /** Copies and checks what it gets. */
        public Connect {
            headers = Map.copyOf(headers);
            protocols = List.copyOf(protocols);
            if (dialTimeout.isNegative() || dialTimeout.isZero() || readLimit < 1 || capacity < 1) {
                throw new IllegalArgumentException("timeout, read limit and capacity are more than zero, not "
                        + dialTimeout + ", " + readLimit + " and " + capacity);
            }
        }

        /** Opens a connection with default limits. */
        public Connect(URI url) {
            this(url, Map.of(), List.of(), HttpService.DEFAULT_TIMEOUT, DEFAULT_READ_LIMIT, DEFAULT_CAPACITY);
        }

        @Override
        public int commandId() {
            return CONNECT;
        }
    }

    /**
     * A connection.
     *
     * @param connection its number
     * @param protocol the protocol that was agreed on; may be empty
     */
    public record Connected(long connection, String protocol) {}

    /** Sends a message, after those that were sent before. Completes with null once it is on its way. If this is cancelled, it may be sent all the same. */
    @SuppressWarnings("ArrayRecordComponent")
    public record Send(long connection, @Nullable String text, byte[] binary) implements Command {
        /** A message of text. */
        public static Send text(long connection, String text) {
            return new Send(connection, text, new byte[0]);
        }

        /** A message of bytes, which belong to the command until it has completed. */
        public static Send binary(long connection, byte[] bytes) {
            return new Send(connection, null, bytes);
        }

        @Override
        public int commandId() {
            return SEND;
        }
    }

    /** Completes with the next message, {@link Received}. Only one command may wait at a time. */
    public record Receive(long connection) implements Command {
        @Override
        public int commandId() {
            return RECEIVE;
        }
    }

    /** Says farewell and forgets the connection. Completes with null once that is on its way. */
    public record Close(long connection, int code, String reason) implements Command {
        @Override
        public int commandId() {
            return CLOSE;
        }
    }

    /** Sends a ping. Completes with null once it is on its way. */
    public record Ping(long connection) implements Command {
        @Override
        public int commandId() {
            return PING;
        }
    }

    /** Sends the calling process, which must have opened the connection, each {@link Received} on {@code topic} from now on, the last of them with {@code end}. Completes with null at once. */
    public record Subscribe(long connection, String topic) implements Command {
        @Override
        public int commandId() {
            return SUBSCRIBE;
        }
    }

    /**
     * What came in: text, or bytes, or the end.
     *
     * @param end whether the connection has ended
     * @param code why, if it has; 1005 if nobody said, 1006 if it broke
     * @param reason why, in words; may be empty
     */
    @SuppressWarnings("ArrayRecordComponent")
    public record Received(@Nullable String text, byte @Nullable [] binary, boolean end, int code, String reason) {}

    /** One connection. Its lock guards all fields that are neither final nor volatile; nothing foreign is called under it. */
    private final class Connection implements WebSocket.Listener {
        private static final int BROKEN = 1006;

        private final @Nullable Pid owner;
        private final int readLimit;
        private final int capacity;
        private final StringBuilder text = new StringBuilder();
        private final ByteArrayOutputStream binary = new ByteArrayOutputStream();
        private final ArrayDeque<Received> queue = new ArrayDeque<>();
        volatile @Nullable WebSocket socket;
        volatile long id;
        private boolean starved;
        private boolean delivering;
        private @Nullable Received end;
        private @Nullable Completion waiter;
        private @Nullable Caller subscriber;
        private String topic = "";
        private CompletableFuture<?> lastSend = CompletableFuture.completedFuture(null);
        private int sends;

        Connection(@Nullable Pid owner, int readLimit, int capacity) {
            this.owner = owner;
            this.readLimit = readLimit;
            this.capacity = capacity;
        }

        @Override
        public void onOpen(WebSocket opened) {
            socket = opened;
            opened.request(1);
        }

        @Override
        public @Nullable CompletionStage<?> onText(WebSocket from, CharSequence data, boolean last) {
            Received whole = null;
            boolean tooLarge;
            synchronized (this) {
                text.append(data);
                tooLarge = text.length() > readLimit;
                if (last && !tooLarge) {
                    whole = new Received(text.toString(), null, false, 0, "");
                    text.setLength(0);
                }
            }
            accept(from, whole, tooLarge);
            return null;
        }

        @Override
        public @Nullable CompletionStage<?> onBinary(WebSocket from, ByteBuffer data, boolean last) {
            Received whole = null;
            boolean tooLarge;
            synchronized (this) {
                byte[] bytes = new byte[data.remaining()];
                data.get(bytes);
                binary.writeBytes(bytes);
                tooLarge = binary.size() > readLimit;
                if (last && !tooLarge) {
                    whole = new Received(null, binary.toByteArray(), false, 0, "");
                    binary.reset();
                }
            }
            accept(from, whole, tooLarge);
            return null;
        }

        private void accept(WebSocket from, @Nullable Received whole, boolean tooLarge) {
            if (tooLarge) {
                end(TOO_LARGE, "a message is larger than " + readLimit);
                from.abort();
                return;
            }
            boolean more;
            synchronized (this) {
                if (whole != null && end == null) {
                    queue.add(whole);
                }
                more = queue.size() < capacity;
                starved = !more;
            }
            if (more) {
                from.request(1);
            }
            deliver();
        }

        @Override
        public @Nullable CompletionStage<?> onClose(WebSocket from, int code, String reason) {
            end(code, reason);
            return null;
        }

        @Override
        public void onError(WebSocket from, Throwable error) {
            end(BROKEN, String.valueOf(error.getMessage()));
        }

        private void end(int code, String reason) {
            synchronized (this) {
                if (end == null) {
                    end = new Received(null, null, true, code, reason);
                }
            }
            deliver();
        }

        void receive(CommandContext context, Completion completion) {
            synchronized (this) {
                if (subscriber != null) {
                    throw new IllegalStateException("the messages of this connection go to a subscriber");
                }
                if (waiter != null && !waiter.isDone()) {
                    throw new IllegalStateException("another command waits for a message already");
                }
                waiter = completion;
            }
            completion.endOnCancel(context, () -> {});
            deliver();
        }

        void subscribe(Caller caller, String wanted) {
            if (!caller.pid().equals(owner)) {
                throw new IllegalArgumentException("only the process that opened the connection can subscribe to it");
            }
            synchronized (this) {
                if (subscriber != null || (waiter != null && !waiter.isDone())) {
                    throw new IllegalStateException("the messages of this connection are taken by somebody already");
                }
                subscriber = caller;
                topic = wanted;
            }
            deliver();
        }

        /** Gives away what can be given away, in order: only one thread at a time does. */
        private void deliver() {
            while (true) {
                Received next;
                Completion taker;
                Caller reader;
                synchronized (this) {
                    if (delivering) {
                        return;
                    }
                    next = queue.isEmpty() ? end : queue.peek();
                    taker = waiter != null && waiter.isDone() ? null : waiter;
                    reader = subscriber;
                    if (next == null || (taker == null && reader == null)) {
                        return;
                    }
                    delivering = true;
                }
                boolean given = taker == null ? reader != null && reader.send(topic, next) : taker.complete(next);
                if (!settle(next, given, taker)) {
                    return;
                }
            }
        }

        /** Whether there may be more to deliver. */
        private boolean settle(Received next, boolean given, @Nullable Completion taker) {
            boolean subscribed = taker == null;
            boolean more = false;
            synchronized (this) {
                delivering = false;
                if (given) {
                    if (waiter == taker) {
                        // otherwise the next command waits already
                        waiter = null;
                    }
                    if (next.end) {
                        subscriber = null;
                    } else {
                        queue.poll();
                        more = starved && queue.size() < capacity;
                        if (more) {
                            starved = false;
                        }
                    }
                }
            }
            WebSocket open = socket;
            if (more && open != null) {
                open.request(1);
            }
            if (given && next.end && subscribed) {
                connections.close(id);
                return false;
            }
            if (!given && subscribed) {
                timer.schedule(this::deliver, MAILBOX_RETRY.toNanos(), TimeUnit.NANOSECONDS);
                return false;
            }
            return true;
        }

        void send(
                CommandContext context,
                Completion completion,
                Function<WebSocket, CompletableFuture<WebSocket>> sending) {
            WebSocket open = socket;
            if (open == null) {
                throw new NoSuchElementException("the connection is not open");
            }
            CompletableFuture<?> before;
            CompletableFuture<@Nullable Void> mine = new CompletableFuture<>();
            synchronized (this) {
                if (sends >= SENDS_WAITING) {
                    throw new RejectedExecutionException(
                            "the connection is busy: " + SENDS_WAITING + " messages wait to be sent");
                }
                sends++;
                before = lastSend;
                lastSend = mine;
            }
            completion.endOnCancel(context, () -> {});
            before.whenComplete((nothing, ignored) -> {
                CompletableFuture<WebSocket> sent =
                        completion.isDone() ? CompletableFuture.completedFuture(open) : sending.apply(open);
                sent.whenComplete((done, error) -> {
                    synchronized (this) {
                        sends--;
                    }
                    mine.complete(null);
                    if (error == null) {
                        completion.complete(null);
                    } else {
                        completion.fail(CommandException.unwrap(error));
                    }
                });
            });
        }

        void close(Close command, Completion completion) {
            WebSocket open = socket;
            if (open == null) {
                throw new NoSuchElementException("the connection is not open");
            }
            open.sendClose(command.code, command.reason).whenComplete((done, error) -> {
                Throwable cause = error == null ? null : CommandException.unwrap(error);
                if (cause instanceof IllegalArgumentException) {
                    completion.fail(cause);
                    return;
                }
                connections.close(id);
                if (cause == null || cause instanceof IOException) {
                    // whoever is gone already needs no farewell
                    completion.complete(null);
                } else {
                    completion.fail(cause);
                }
            });
        }

        /** Ends it from our side; what waits is told. */
        void leave() {
            Completion told;
            synchronized (this) {
                told = waiter;
                waiter = null;
                subscriber = null;
                queue.clear();
                if (end == null) {
                    end = new Received(null, null, true, NO_CODE, "");
                }
            }
            if (told != null) {
                told.fail(new ClosedChannelException());
            }
            WebSocket open = socket;
            if (open != null && !open.isOutputClosed()) {
                open.sendClose(GOING_AWAY, "");
            }
            if (open != null && !open.isInputClosed()) {
                open.request(Long.MAX_VALUE);
                try {
                    timer.schedule(open::abort, CLOSE_PATIENCE.toNanos(), TimeUnit.NANOSECONDS);
                } catch (RejectedExecutionException e) {
                    open.abort();
                }
            }
        }
    }
}
