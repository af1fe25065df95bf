package io.github.commandway.quic;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.WireFormat;
import io.github.commandway.manager.RecordId;
import io.github.commandway.quic.FrameDecoder.Sink;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoop;
import io.netty.handler.codec.quic.QuicChannel;
import io.netty.handler.codec.quic.QuicStreamChannel;
import io.netty.handler.codec.quic.QuicStreamType;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection, of either end: the handler of its main stream. It takes envelopes apart and puts them together, gives long messages streams
 * of their own, and knows when it last heard of the other end. Everything happens in the connection's event loop, except {@link #send},
 * {@link #close} and {@link #lastReadNanos}, which any thread may call.
 */
abstract class Connection extends ChannelInboundHandlerAdapter {
    private static final Logger LOG = LoggerFactory.getLogger(Connection.class);

    /** How many bytes of one lane (on TCP: of all lanes) may be with the network before the next are encoded. */
    private static final int LANE_WINDOW_BYTES = 4 * Wire.CHUNK_BYTES;

    private static final long LANES_CHECK_MILLIS = 5;

    private static final VarHandle UNSENT;

    static {
        try {
            UNSENT = MethodHandles.lookup().findVarHandle(Connection.class, "unsent", Outgoing.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** Stands in {@link #unsent} when nothing can be sent any more. */
    private static final Outgoing CLOSED = new Outgoing() {
        @Override
        int size() {
            return NOTHING;
        }

        @Override
        void writeTo(com.google.protobuf.CodedOutputStream out) {}
    };

    final LongSupplier ticker;
    private final FrameDecoder decoder = new FrameDecoder();

    /** The messages that wait to be sent, newest first. Whoever adds the first has the rest sent. */
    @SuppressWarnings("UnusedVariable") // by UNSENT
    private volatile @Nullable Outgoing unsent;

    private volatile long lastReadNanos;
    private volatile @Nullable String closeReason;
    private volatile @Nullable Channel transport;

    private long lastWriteNanos;
    private @Nullable Channel main;
    private boolean reading;
    private boolean ended;

    private @Nullable Map<RecordId, Lane> lanes;
    private @Nullable Queue<Lane> turns;
    private int turnBytes;
    private boolean takingTurns;
    private long maxBulkBytes = Long.MAX_VALUE;
    private long bulkBytes;
    private @Nullable Map<RecordId, Integer> bulks;
    private @Nullable Queue<Lane> parked;

    Connection(LongSupplier ticker) {
        this.ticker = ticker;
        lastReadNanos = ticker.getAsLong();
        lastWriteNanos = lastReadNanos;
    }

    /** Takes one message: the value of the envelope's field of that number. */
    abstract void onMessage(int field, CodedInputStream in) throws IOException;

    /** The frames of one read have been taken. */
    void onReadEnd() {}

    /** Reading pauses: the last moment to send something before everything is flushed. */
    void onReadComplete() {}

    /** The connection is over. Called once. */
    abstract void onEnded(String reason);

    /** The channel of the connection: the QUIC connection, or TCP's. Set before anything is read. */
    final void transport(Channel channel) {
        transport = channel;
    }

    final @Nullable Channel transport() {
        return transport;
    }

    final boolean isQuic() {
        return transport instanceof QuicChannel;
    }

    final EventLoop eventLoop() {
        Channel channel = transport;
        if (channel == null) {
            throw new IllegalStateException("not connected yet");
        }
        return channel.eventLoop();
    }

    final boolean isEnded() {
        return ended || closeReason != null;
    }

    final long lastReadNanos() {
        return lastReadNanos;
    }

    final long lastWriteNanos() {
        return lastWriteNanos;
    }

    /** Limits how many bytes may be announced and not acknowledged. */
    final void limitBulk(long bytes) {
        maxBulkBytes = bytes;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
        main = context.channel();
    }

    @Override
    public final void channelRead(ChannelHandlerContext context, Object message) {
        receive(decoder, (ByteBuf) message);
    }

    @Override
    public final void channelReadComplete(ChannelHandlerContext context) {
        readComplete();
    }

    @Override
    public final void channelInactive(ChannelHandlerContext context) {
        String reason = closeReason;
        end(reason == null ? "the other end closed the connection" : reason);
        close("closed");
    }

    @Override
    public final void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
        failed(cause);
    }

    /** Something went wrong that the connection cannot go on after. */
    final void failed(Throwable cause) {
        if (isEnded()) {
            return;
        }
        if (cause instanceof IOException) {
            // no stack trace: the other end is the cause, and can make many of these
            LOG.debug("connection {} failed: {}", transport, cause.toString());
        } else {
            LOG.error("connection {} failed", transport, cause);
        }
        String message = cause.getMessage();
        close(message == null ? cause.getClass().getSimpleName() : message);
    }

    private void receive(FrameDecoder from, ByteBuf buffer) {
        try {
            if (!isEnded()) {
                lastReadNanos = ticker.getAsLong();
                reading = true;
                from.decode(buffer, sink);
                onReadEnd();
            }
        } catch (IOException e) {
            brokenProtocol(e);
        } finally {
            buffer.release();
        }
    }

    /** The other end sent what it must not. */
    void brokenProtocol(IOException e) {
        failed(e);
    }

    private final Sink sink = this::onFrame;

    private void onFrame(CodedInputStream in) throws IOException {
        if (isEnded()) {
            return;
        }
        int tag = in.readTag();
        if (WireFormat.getTagWireType(tag) != WireFormat.WIRETYPE_LENGTH_DELIMITED) {
            throw new ProtocolException("an envelope must hold one message");
        }
        int outer = in.pushLimit(in.readRawVarint32());
        onMessage(WireFormat.getTagFieldNumber(tag), in);
        in.skipRawBytes(in.getBytesUntilLimit());
        in.popLimit(outer);
    }

    private void readComplete() {
        onReadComplete();
        reading = false;
        drain();
    }

    /** Reads the frames of one more stream of the other end. */
    final ChannelHandler newStreamReader() {
        return new StreamReader();
    }

    private final class StreamReader extends ChannelInboundHandlerAdapter {
        private final FrameDecoder frames = new FrameDecoder();

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            receive(frames, (ByteBuf) message);
        }

        @Override
        public void channelReadComplete(ChannelHandlerContext context) {
            readComplete();
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            failed(cause);
        }
    }

    /** Sends a message after all that were sent before, or drops it if the connection is over. Never blocks. */
    final void send(Outgoing message) {
        Outgoing newest;
        do {
            newest = unsent;
            if (newest == CLOSED) {
                message.done(false);
                return;
            }
            message.next = newest;
        } while (!UNSENT.compareAndSet(this, newest, message));
        if (newest == null) {
            EventLoop loop = eventLoop();
            // a read that is under way ends with a drain
            if (!loop.inEventLoop() || !reading) {
                try {
                    loop.execute(drain);
                } catch (RejectedExecutionException e) {
                    // the threads were closed, and the connection with them
                    LOG.debug("not sent: {}", transport, e);
                }
            }
        }
    }

    private final Runnable drain = this::drain;

    private void drain() {
        Channel channel = main;
        if (ended || channel == null || unsent == null) {
            return;
        }
        Outgoing next = oldestFirst((Outgoing) UNSENT.getAndSet(this, (Outgoing) null));
        Encoder encoder = Encoder.ofThread();
        boolean sentSome = false;
        while (next != null) {
            Outgoing message = next;
            next = message.next;
            message.next = null;
            Lane lane = laneOf(message);
            if (lane != null) {
                lane.add(message);
                continue;
            }
            boolean sent = encoder.append(message);
            message.done(sent);
            if (encoder.isFull()) {
                channel.write(encoder.take(channel.alloc()), channel.voidPromise());
                sentSome = true;
            }
        }
        if (!encoder.isEmpty()) {
            channel.write(encoder.take(channel.alloc()), channel.voidPromise());
            sentSome = true;
        }
        if (sentSome) {
            lastWriteNanos = ticker.getAsLong();
            channel.flush();
        }
        pumpLanes();
    }

    private static @Nullable Outgoing oldestFirst(@Nullable Outgoing newest) {
        Outgoing reversed = null;
        Outgoing message = newest;
        while (message != null) {
            Outgoing older = message.next;
            message.next = reversed;
            reversed = message;
            message = older;
        }
        return reversed;
    }

    private @Nullable Lane laneOf(Outgoing message) {
        boolean opens = message.opensLane();
        Map<RecordId, Lane> open = lanes;
        if (!opens && (open == null || open.isEmpty())) {
            return null;
        }
        RecordId id = message.order();
        if (id == null) {
            return null;
        }
        if (open == null) {
            open = new HashMap<>();
            lanes = open;
        }
        return opens ? open.computeIfAbsent(id, this::openLane) : open.get(id);
    }

    private Lane openLane(RecordId id) {
        Lane lane = new Lane(id);
        if (transport instanceof QuicChannel quic) {
            lane.opening = true;
            quic.createStream(QuicStreamType.UNIDIRECTIONAL, new LaneHandler())
                    .addListener((Future<QuicStreamChannel> opened) -> {
                        lane.opening = false;
                        if (opened.isSuccess()) {
                            lane.stream = opened.getNow();
                        } else {
                            // as many streams as the other end allows: on the main stream it goes as well
                            LOG.debug("no stream of its own for {}", id, opened.cause());
                        }
                        lane.pump();
                    });
        }
        return lane;
    }

    private void pumpLanes() {
        Map<RecordId, Lane> open = lanes;
        if (open != null && !open.isEmpty()) {
            for (Lane lane : open.values().toArray(new Lane[0])) {
                lane.pump();
            }
        }
    }

    /** The other end has what was announced under this id: others may be sent. */
    final void bulkAcknowledged(RecordId id) {
        Map<RecordId, Integer> announced = bulks;
        Integer size = announced == null ? null : announced.remove(id);
        if (size != null) {
            bulkBytes -= size;
            Queue<Lane> waiting = parked;
            parked = null;
            if (waiting != null) {
                waiting.forEach(Lane::pump);
            }
        }
    }

    private boolean takeBulk(RecordId id, int size) {
        if (maxBulkBytes == Long.MAX_VALUE) {
            return true;
        }
        if (bulkBytes > 0 && bulkBytes + size > maxBulkBytes) {
            return false;
        }
        if (bulks == null) {
            bulks = new HashMap<>();
        }
        if (bulks.putIfAbsent(id, size) == null) {
            bulkBytes += size;
        }
        return true;
    }

    /** Only fails the connection where a stream of its own fails. */
    private final class LaneHandler extends ChannelInboundHandlerAdapter {
        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            failed(cause);
        }
    }

    /** The messages of one record that must stay in order and must not delay others. */
    private final class Lane {
        private final RecordId id;
        private final Queue<Outgoing> messages = new ArrayDeque<>();
        private @Nullable QuicStreamChannel stream;
        private boolean opening;
        private boolean last;
        private boolean pumping;
        private boolean inTurn;
        private int unwritten;

        Lane(RecordId id) {
            this.id = id;
        }

        void add(Outgoing message) {
            messages.add(message);
            last |= message.endsLane();
        }

        void pump() {
            if (opening || pumping || ended) {
                return;
            }
            if (stream == null) {
                awaitTurn();
                return;
            }
            pumping = true;
            boolean wrote = false;
            while (unwritten < LANE_WINDOW_BYTES && writeNext(stream)) {
                wrote = true;
            }
            if (wrote) {
                lastWriteNanos = ticker.getAsLong();
                stream.flush();
            }
            pumping = false;
            if (unwritten < LANE_WINDOW_BYTES && wrote && !messages.isEmpty() && !isParked()) {
                // everything was written while it was flushed
                eventLoop().execute(this::pump);
            } else {
                finishIfDone();
            }
        }

        private void finishIfDone() {
            if (last
                    && messages.isEmpty()
                    && unwritten == 0
                    && lanes != null
                    && lanes.remove(id, this)
                    && stream != null) {
                stream.shutdownOutput();
            }
        }

        private boolean isParked() {
            return parked != null && parked.contains(this);
        }

        /** Writes one envelope; whether there was one. */
        private boolean writeNext(Channel channel) {
            Encoder encoder = Encoder.ofThread();
            while (true) {
                Outgoing message = messages.peek();
                if (message == null) {
                    return false;
                }
                int announced = message.bulkBytes();
                if (announced > 0 && !takeBulk(id, announced)) {
                    if (parked == null) {
                        parked = new ArrayDeque<>();
                    }
                    if (!parked.contains(this)) {
                        parked.add(this);
                    }
                    return false;
                }
                boolean any = encoder.append(message);
                boolean more = any && message.hasMore();
                if (!more) {
                    messages.remove();
                }
                if (any) {
                    ByteBuf bytes = encoder.take(channel.alloc());
                    int length = bytes.readableBytes();
                    unwritten += length;
                    if (stream == null) {
                        turnBytes += length;
                    }
                    channel.write(bytes).addListener(written -> written(message, length, more, written.isSuccess()));
                    return true;
                }
                message.done(false);
            }
        }

        private void written(Outgoing message, int length, boolean more, boolean success) {
            unwritten -= length;
            if (!more) {
                message.done(success);
            }
            if (stream == null) {
                turnBytes -= length;
                finishIfDone();
                takeTurns();
            } else {
                pump();
            }
        }

        private void awaitTurn() {
            if (!inTurn && !messages.isEmpty()) {
                if (turns == null) {
                    turns = new ArrayDeque<>();
                }
                inTurn = true;
                turns.add(this);
            }
            takeTurns();
        }

        void drop() {
            messages.forEach(message -> message.done(false));
            messages.clear();
        }
    }

    /** Writes one envelope of each lane that has no stream of its own, again and again, while there is room. */
    private void takeTurns() {
        Queue<Lane> waiting = turns;
        Channel channel = main;
        if (waiting == null || channel == null || takingTurns || ended) {
            return;
        }
        takingTurns = true;
        boolean wrote = true;
        while (wrote && turnBytes < LANE_WINDOW_BYTES) {
            wrote = false;
            Lane lane = waiting.poll();
            if (lane == null) {
                break;
            }
            lane.inTurn = false;
            wrote = lane.writeNext(channel);
            if (wrote) {
                lastWriteNanos = ticker.getAsLong();
                channel.flush();
            }
            if (!lane.messages.isEmpty() && !lane.isParked()) {
                lane.inTurn = true;
                waiting.add(lane);
            }
            wrote |= !waiting.isEmpty();
        }
        takingTurns = false;
    }

    /** Sends a last message and closes when it is written, or when that fails. */
    final void closeAfter(Outgoing message, String reason) {
        EventLoop loop = eventLoop();
        loop.execute(() -> {
            drain();
            Channel channel = main;
            if (channel == null || ended) {
                close(reason);
                return;
            }
            if (lanes != null
                    && !lanes.isEmpty()
                    && lanes.values().stream().anyMatch(lane -> !lane.messages.isEmpty())) {
                loop.schedule(() -> closeAfter(message, reason), LANES_CHECK_MILLIS, TimeUnit.MILLISECONDS);
                return;
            }
            Encoder encoder = Encoder.ofThread();
            encoder.append(message);
            channel.writeAndFlush(encoder.take(channel.alloc()))
                    .addListener((ChannelFutureListener) written -> lastWords(written.channel(), reason));
        });
    }

    private void lastWords(Channel channel, String reason) {
        if (channel instanceof QuicStreamChannel stream) {
            // closing the connection would drop what is still on its way: the other end closes it
            stream.shutdownOutput();
        } else {
            close(reason);
        }
    }

    /** Closes the connection; the first reason counts. Never blocks. */
    final void close(String reason) {
        if (closeReason == null) {
            closeReason = reason;
        }
        Channel channel = transport;
        if (channel instanceof QuicChannel quic) {
            quic.close(true, 0, Unpooled.copiedBuffer(limited(reason), StandardCharsets.UTF_8));
        } else if (channel != null) {
            channel.close();
        }
    }

    private static String limited(String reason) {
        // has to fit into one packet (RFC 9000, section 19.19)
        return reason.length() <= 200 ? reason : reason.substring(0, 200);
    }

    /** The channel is gone. Called in the event loop; only the first call counts. */
    final void end(String reason) {
        if (ended) {
            return;
        }
        ended = true;
        Outgoing dropped = oldestFirst((Outgoing) UNSENT.getAndSet(this, CLOSED));
        while (dropped != null) {
            Outgoing next = dropped.next;
            dropped.done(false);
            dropped = next;
        }
        if (lanes != null) {
            lanes.values().forEach(Lane::drop);
            lanes.clear();
        }
        String first = closeReason;
        onEnded(first == null ? reason : first);
    }
}
