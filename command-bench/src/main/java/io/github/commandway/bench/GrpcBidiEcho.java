package io.github.commandway.bench;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import io.github.commandway.dispatch.CommandIds;
import io.github.commandway.quic.wire.Command;
import io.github.commandway.quic.wire.Reason;
import io.github.commandway.quic.wire.RecordId;
import io.github.commandway.quic.wire.Result;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Drainable;
import io.grpc.KnownLength;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.Marshaller;
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
import io.grpc.protobuf.ProtoUtils;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Clock;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * One bidirectional gRPC-java stream: BoringSSL, one event loop for each side, answers and next requests made on it
 * ({@code directExecutor}). It carries the payloads either in protobuf messages with the fields of the product's own, or as bare byte arrays.
 */
final class GrpcBidiEcho implements Peer {

    private static final String SERVICE = "bench.Echo";

    private final String name;
    private final Clock clock;
    private final MethodDescriptor<byte[], byte[]> echo;
    private final EventLoopGroup serverLoop = newEventLoop();
    private final EventLoopGroup clientLoop = newEventLoop();
    private final Answers answers = new Answers();
    private @Nullable Server server;
    private @Nullable ManagedChannel channel;
    private @Nullable ClientCall<byte[], byte[]> call;

    private GrpcBidiEcho(String name, Clock clock, Marshaller<byte[]> requests, Marshaller<byte[]> answers) {
        this.name = name;
        this.clock = clock;
        echo = MethodDescriptor.<byte[], byte[]>newBuilder()
                .setType(MethodDescriptor.MethodType.BIDI_STREAMING)
                .setFullMethodName(MethodDescriptor.generateFullMethodName(SERVICE, "Echo"))
                .setRequestMarshaller(requests)
                .setResponseMarshaller(answers)
                .build();
    }

    /** Sends a command and answers with a result, each with an id, a tag and whatever else the product's messages have. */
    static GrpcBidiEcho ofMessages(Clock clock) {
        return new GrpcBidiEcho(
                "grpc",
                clock,
                new InMessage<>(
                        Command.getDefaultInstance(),
                        payload -> Command.newBuilder()
                                .setId(newId())
                                .setTag(ByteBuffer.wrap(payload).getInt())
                                .setCommandId(CommandIds.AGENT_EXECUTE)
                                .setType("echo")
                                .setPayload(ByteString.copyFrom(payload))
                                .setDeadlineMillis(clock.millis() + 30_000)
                                .setAttempt(1)
                                .build(),
                        command -> command.getPayload().toByteArray()),
                new InMessage<>(
                        Result.getDefaultInstance(),
                        data -> Result.newBuilder()
                                .setId(newId())
                                .setTag(ByteBuffer.wrap(data).getInt())
                                .setReason(Reason.OK)
                                .setData(ByteString.copyFrom(data))
                                .setExecutionNanos(1_000)
                                .build(),
                        result -> result.getData().toByteArray()));
    }

    private static RecordId newId() {
        ThreadLocalRandom random = ThreadLocalRandom.current();
        return RecordId.newBuilder()
                .setHigh(random.nextLong())
                .setLow(random.nextLong())
                .build();
    }

    /** Sends bytes and answers with the same: no protobuf, no ids. */
    static GrpcBidiEcho ofBytes(Clock clock) {
        return new GrpcBidiEcho("grpc_bytes", clock, new Bytes(), new Bytes());
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public void start() throws Exception {
        TestIdentity identity = TestIdentity.create(clock);
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
                        .addMethod(echo, new Echo())
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
        call = channel.newCall(echo, CallOptions.DEFAULT);
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

    /** A payload on its way in a protobuf message. */
    private static final class InMessage<M extends Message> implements Marshaller<byte[]> {
        private final Marshaller<M> messages;
        private final Function<byte[], M> wrap;
        private final Function<M, byte[]> unwrap;

        InMessage(M example, Function<byte[], M> wrap, Function<M, byte[]> unwrap) {
            messages = ProtoUtils.marshaller(example);
            this.wrap = wrap;
            this.unwrap = unwrap;
        }

        @Override
        public InputStream stream(byte[] value) {
            return messages.stream(wrap.apply(value));
        }

        @Override
        public byte[] parse(InputStream stream) {
            return unwrap.apply(messages.parse(stream));
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

    private static final class Bytes implements Marshaller<byte[]> {
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
