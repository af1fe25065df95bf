package io.github.commandway.bench;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollDatagramChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioDatagramChannel;
import io.netty.handler.codec.quic.EpollQuicUtils;
import io.netty.handler.codec.quic.QuicChannel;
import io.netty.handler.codec.quic.QuicChannelOption;
import io.netty.handler.codec.quic.QuicClientCodecBuilder;
import io.netty.handler.codec.quic.QuicCodecBuilder;
import io.netty.handler.codec.quic.QuicServerCodecBuilder;
import io.netty.handler.codec.quic.QuicSslContext;
import io.netty.handler.codec.quic.QuicSslContextBuilder;
import io.netty.handler.codec.quic.QuicStreamChannel;
import io.netty.handler.codec.quic.QuicStreamType;
import io.netty.handler.codec.quic.SegmentedDatagramPacketAllocator;
import io.netty.handler.ssl.ClientAuth;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Clock;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * What Netty's QUIC codec gives with nothing on top: varint-length-delimited messages on one long-lived bidirectional
 * stream, which the server decodes and writes back. One event loop for each side.
 */
final class RawQuicEcho implements Peer {

    /** How a handler hands its messages to the stream. */
    enum Writes {
        /** One write for all the messages that a read brought: the ceiling. */
        PER_READ,
        /** One write for each message and a flush at the end of the read: what a handler usually does. */
        PER_MESSAGE
    }

    private static final String PROTOCOL = "bench-echo";
    /** Segments of 1200 bytes that one system call sends: together they must stay below the 64 KiB of a UDP datagram. */
    private static final int MAX_SEGMENTS = 32;

    private final Writes writes;
    private final Clock clock;
    private final EventLoopGroup serverLoop = newEventLoop();
    private final EventLoopGroup clientLoop = newEventLoop();
    private @Nullable QuicStreamChannel stream;

    RawQuicEcho(Writes writes, Clock clock) {
        this.writes = writes;
        this.clock = clock;
    }

    @Override
    public String name() {
        return writes == Writes.PER_READ ? "raw_quic" : "raw_quic_per_message";
    }

    @Override
    public void start() throws Exception {
        TestIdentity identity = TestIdentity.create(clock);
        Channel server = bindServer(identity);

        QuicSslContext clientTls = QuicSslContextBuilder.forClient()
                .keyManager(identity.key(), null, identity.certificate())
                .trustManager(identity.certificate())
                .applicationProtocols(PROTOCOL)
                .build();
        ChannelHandler clientCodec = tune(new QuicClientCodecBuilder())
                .sslEngineProvider(channel -> clientTls.newEngine(channel.alloc(), "localhost", 0))
                .build();
        stream = QuicChannel.newBootstrap(bind(clientLoop, clientCodec))
                .option(QuicChannelOption.SEGMENTED_DATAGRAM_PACKET_ALLOCATOR, segments())
                .handler(new ChannelInboundHandlerAdapter())
                .remoteAddress(server.localAddress())
                .connect()
                .get()
                .createStream(QuicStreamType.BIDIRECTIONAL, new Requests(writes))
                .get();
    }

    @Override
    public Measurement run(int inFlight, Duration duration) throws Exception {
        if (stream == null) {
            throw new IllegalStateException("not started");
        }
        Requests requests = stream.pipeline().get(Requests.class);
        ClosedLoop loop = new ClosedLoop(inFlight, duration, requests::send);
        stream.eventLoop().execute(() -> requests.start(loop));
        return loop.await();
    }

    @Override
    public void close() throws Exception {
        if (stream != null) {
            stream.parent().close().sync();
        }
        clientLoop.shutdownGracefully(0, 5, TimeUnit.SECONDS).sync();
        serverLoop.shutdownGracefully(0, 5, TimeUnit.SECONDS).sync();
    }

    private Channel bindServer(TestIdentity identity) throws Exception {
        ChannelHandler codec = tune(new QuicServerCodecBuilder())
                .option(QuicChannelOption.SEGMENTED_DATAGRAM_PACKET_ALLOCATOR, segments())
                .sslContext(QuicSslContextBuilder.forServer(identity.key(), null, identity.certificate())
                        .trustManager(identity.certificate())
                        .clientAuth(ClientAuth.REQUIRE)
                        .applicationProtocols(PROTOCOL)
                        .build())
                .streamHandler(new ChannelInitializer<QuicStreamChannel>() {
                    @Override
                    protected void initChannel(QuicStreamChannel channel) {
                        channel.pipeline().addLast(new Echo(writes));
                    }
                })
                .build();
        return bind(serverLoop, codec);
    }

    private static <B extends QuicCodecBuilder<B>> B tune(B codec) {
        return codec.maxIdleTimeout(60, TimeUnit.SECONDS)
                .initialMaxData(4 << 20)
                .initialMaxStreamDataBidirectionalLocal(1 << 20)
                .initialMaxStreamDataBidirectionalRemote(1 << 20)
                .initialMaxStreamsBidirectional(1);
    }

    private static Channel bind(EventLoopGroup loop, ChannelHandler codec) throws InterruptedException {
        return new Bootstrap()
                .group(loop)
                .channel(Epoll.isAvailable() ? EpollDatagramChannel.class : NioDatagramChannel.class)
                .handler(codec)
                .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .sync()
                .channel();
    }

    private static EventLoopGroup newEventLoop() {
        return new MultiThreadIoEventLoopGroup(
                1, Epoll.isAvailable() ? EpollIoHandler.newFactory() : NioIoHandler.newFactory());
    }

    private static SegmentedDatagramPacketAllocator segments() {
        return Epoll.isAvailable()
                ? EpollQuicUtils.newSegmentedAllocator(MAX_SEGMENTS)
                : SegmentedDatagramPacketAllocator.NONE;
    }

    /** Reads frames, hands each to {@link #message}, and passes on what that writes. */
    private abstract static class Frames extends ChannelInboundHandlerAdapter {

        private static final int FRAME_BYTES = 1 + PAYLOAD_BYTES;
        private static final int BATCH_BYTES = 32 * FRAME_BYTES;

        private final Writes writes;
        private final Clock clock;
        private @Nullable ByteBuf incomplete;
        private @Nullable ByteBuf batch;

        Frames(Writes writes) {
            this.writes = writes;
        }

        /** Takes the payload between the buffer's reader index and {@code length} bytes further. */
        abstract void message(ChannelHandlerContext context, ByteBuf buffer, int length);

        /** The buffer for the next frame to be written, which is passed on by {@link #written}. */
        final ByteBuf frame(ChannelHandlerContext context) {
            if (batch == null) {
                batch = context.alloc().directBuffer(writes == Writes.PER_READ ? BATCH_BYTES : FRAME_BYTES);
            }
            return batch;
        }

        final void written(ChannelHandlerContext context) {
            if (writes == Writes.PER_MESSAGE) {
                passOn(context);
            }
        }

        final void passOn(ChannelHandlerContext context) {
            if (batch != null) {
                ByteBuf full = batch;
                batch = null;
                context.write(full, context.voidPromise());
            }
        }

        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            ByteBuf buffer = (ByteBuf) message;
            if (incomplete != null) {
                incomplete.writeBytes(buffer);
                buffer.release();
                buffer = incomplete;
                incomplete = null;
            }
            while (buffer.isReadable()) {
                int start = buffer.readerIndex();
                int length = readVarint(buffer);
                if (length < 0 || buffer.readableBytes() < length) {
                    buffer.readerIndex(start);
                    incomplete = context.alloc().directBuffer().writeBytes(buffer);
                    break;
                }
                int end = buffer.readerIndex() + length;
                message(context, buffer, length);
                buffer.readerIndex(end);
            }
            buffer.release();
        }

        @Override
        public void channelReadComplete(ChannelHandlerContext context) {
            passOn(context);
            context.flush();
        }

        @Override
        public void handlerRemoved(ChannelHandlerContext context) {
            if (incomplete != null) {
                incomplete.release();
                incomplete = null;
            }
        }

        /** Reads a length of the protobuf wire format, or returns -1 if its end has not arrived. */
        private static int readVarint(ByteBuf buffer) {
            int value = 0;
            for (int shift = 0; shift < 32; shift += 7) {
                if (!buffer.isReadable()) {
                    return -1;
                }
                byte next = buffer.readByte();
                value |= (next & 0x7F) << shift;
                if (next >= 0) {
                    return value;
                }
            }
            throw new IllegalArgumentException("a length of more than 5 bytes");
        }
    }

    private static final class Echo extends Frames {

        Echo(Writes writes) {
            super(writes);
        }

        @Override
        void message(ChannelHandlerContext context, ByteBuf buffer, int length) {
            frame(context).writeByte(length).writeBytes(buffer, buffer.readerIndex(), length);
            written(context);
        }
    }

    private static final class Requests extends Frames {

        private final byte[] filling = new byte[PAYLOAD_BYTES - Integer.BYTES - Long.BYTES];
        private @Nullable ChannelHandlerContext context;
        private @Nullable ClosedLoop loop;

        Requests(Writes writes) {
            super(writes);
        }

        @Override
        public void handlerAdded(ChannelHandlerContext context) {
            this.context = context;
        }

        void start(ClosedLoop next) {
            loop = next;
            next.start();
            passOn(context);
            context.flush();
        }

        void send(int place, long sequence) {
            frame(context)
                    .writeByte(PAYLOAD_BYTES)
                    .writeInt(place)
                    .writeLong(sequence)
                    .writeBytes(filling);
            written(context);
        }

        @Override
        void message(ChannelHandlerContext context, ByteBuf buffer, int length) {
            loop.answered(buffer.readInt(), buffer.readLong());
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            loop.fail(cause);
        }
    }
}
