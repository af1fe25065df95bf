package io.github.commandway.bench;

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Drainable;
import io.grpc.KnownLength;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.ServerChannel;
import io.grpc.netty.shaded.io.netty.channel.epoll.Epoll;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollIoHandler;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollServerSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.nio.NioIoHandler;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioServerSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioSocketChannel;
import io.grpc.netty.shaded.io.netty.handler.ssl.ClientAuth;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContextBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslProvider;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The same job over one bidirectional gRPC-java stream: BoringSSL, one event loop for each side, answers and next requests
 * made on it ({@code directExecutor}), payloads handed over as byte arrays without protobuf.
 */
final class GrpcBidiEcho implements Peer {

    private static final String SERVICE = "bench.Echo";
    private static final MethodDescriptor<byte[], byte[]> ECHO = MethodDescriptor.<byte[], byte[]>newBuilder()
            .setType(MethodDescriptor.MethodType.BIDI_STREAMING)
            .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, "Echo"))
            .setRequestMarshaller(new Bytes())
            .setResponseMarshaller(new Bytes())
            .build();

    private final EventLoopGroup serverLoop = newEventLoop();
    private final EventLoopGroup clientLoop = newEventLoop();
    private final Answers answers = new Answers();
    private @Nullable Server server;
    private @Nullable ManagedChannel channel;
    private @Nullable ClientCall<byte[], byte[]> call;

    @Override
    public String name() {
        return "grpc";
    }

    @Override
    public void start() throws Exception {
        TestIdentity identity = TestIdentity.create();
        server = NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .bossEventLoopGroup(serverLoop)
                .workerEventLoopGroup(serverLoop)
                .channelType(serverChannelType())
                .sslContext(GrpcSslContexts.configure(
                                SslContextBuilder.forServer(identity.key(), identity.certificate()),
                                SslProvider.OPENSSL)
                        .trustManager(identity.certificate())
                        .clientAuth(ClientAuth.REQUIRE)
                        .build())
                .directExecutor()
                .addService(ServerServiceDefinition.builder(SERVICE)
                        .addMethod(ECHO, new Echo())
                        .build())
                .build()
                .start();
        channel = NettyChannelBuilder.forAddress(
                        new InetSocketAddress(InetAddress.getLoopbackAddress(), server.getPort()))
                .eventLoopGroup(clientLoop)
                .channelType(Epoll.isAvailable() ? EpollSocketChannel.class : NioSocketChannel.class)
                .sslContext(GrpcSslContexts.configure(SslContextBuilder.forClient(), SslProvider.OPENSSL)
                        .keyManager(identity.key(), identity.certificate())
                        .trustManager(identity.certificate())
                        .build())
                .overrideAuthority("localhost")
                .directExecutor()
                .build();
        call = channel.newCall(ECHO, CallOptions.DEFAULT);
        call.start(answers, new Metadata());
        call.request(Integer.MAX_VALUE);
        run(1, Duration.ZERO);
    }

    @Override
    public Measurement run(int inFlight, Duration duration) throws Exception {
        ClosedLoop loop = new ClosedLoop(inFlight, duration, this::send);
        // A call is not thread-safe: the first requests go out from the thread that sends the later ones.
        clientLoop.execute(() -> {
            answers.loop = loop;
            loop.start();
        });
        return loop.await();
    }

    @Override
    public void close() throws Exception {
        if (channel != null) {
            channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
        }
        if (server != null) {
            server.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
        }
        clientLoop.shutdownGracefully(0, 5, TimeUnit.SECONDS).sync();
        serverLoop.shutdownGracefully(0, 5, TimeUnit.SECONDS).sync();
    }

    private void send(int place, long sequence) {
        byte[] payload = new byte[PAYLOAD_BYTES];
        ByteBuffer.wrap(payload).putInt(place).putLong(sequence);
        call.sendMessage(payload);
    }

    private static EventLoopGroup newEventLoop() {
        return new MultiThreadIoEventLoopGroup(
                1, Epoll.isAvailable() ? EpollIoHandler.newFactory() : NioIoHandler.newFactory());
    }

    private static Class<? extends ServerChannel> serverChannelType() {
        return Epoll.isAvailable() ? EpollServerSocketChannel.class : NioServerSocketChannel.class;
    }

    private static final class Answers extends ClientCall.Listener<byte[]> {

        private @Nullable ClosedLoop loop;

        @Override
        public void onMessage(byte[] message) {
            ByteBuffer numbers = ByteBuffer.wrap(message);
            loop.answered(numbers.getInt(), numbers.getLong());
        }

        @Override
        public void onClose(Status status, Metadata trailers) {
            if (loop != null) {
                loop.fail(status.asException(trailers));
            }
        }
    }

    private static final class Echo implements ServerCallHandler<byte[], byte[]> {
        @Override
        public ServerCall.Listener<byte[]> startCall(ServerCall<byte[], byte[]> call, Metadata headers) {
            call.sendHeaders(new Metadata());
            call.request(Integer.MAX_VALUE);
            return new ServerCall.Listener<>() {
                @Override
                public void onMessage(byte[] message) {
                    call.sendMessage(message);
                }
            };
        }
    }

    /** What gRPC takes without a copy buffer of 8 KiB, as it does protobuf messages. */
    private static final class DrainableBytes extends ByteArrayInputStream implements Drainable, KnownLength {
        DrainableBytes(byte[] bytes) {
            super(bytes);
        }

        @Override
        public int drainTo(OutputStream target) throws IOException {
            int length = available();
            transferTo(target);
            return length;
        }
    }

    private static final class Bytes implements MethodDescriptor.Marshaller<byte[]> {
        @Override
        public InputStream stream(byte[] value) {
            return new DrainableBytes(value);
        }

        @Override
        public byte[] parse(InputStream stream) {
            try {
                // gRPC's streams know their length; readAllBytes would begin with a buffer of 16 KiB
                byte[] bytes = new byte[stream.available()];
                if (stream.readNBytes(bytes, 0, bytes.length) != bytes.length || stream.read() >= 0) {
                    throw new EOFException("a message of another length than announced");
                }
                return bytes;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
