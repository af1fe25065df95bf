package io.github.commandway.quic;

import io.github.commandway.quic.TransportChannels.QuicEvents;
import io.github.commandway.quic.TransportChannels.TlsReady;
import io.github.commandway.quic.identity.Identity;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.codec.quic.QuicChannel;
import io.netty.handler.codec.quic.QuicChannelOption;
import io.netty.handler.codec.quic.QuicCodecDispatcher;
import io.netty.handler.codec.quic.QuicConnectionIdGenerator;
import io.netty.handler.codec.quic.QuicServerCodecBuilder;
import io.netty.handler.codec.quic.QuicSslContext;
import io.netty.handler.codec.quic.QuicStreamChannel;
import io.netty.handler.codec.quic.QuicStreamType;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import javax.net.ssl.X509ExtendedTrustManager;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The sockets that agents connect to: for QUIC on UDP and for TLS on TCP, with the same port number. A session begins with each connection. To be used by one thread at a time.
 */
final class ServerSockets {
    private static final Logger LOG = LoggerFactory.getLogger(ServerSockets.class);
    private static final int BIND_ATTEMPTS = 20;
    private static final int CONNECTION_ID_BYTES = 20;

    private final InetSocketAddress bindAddress;
    private final int eventLoops;
    private final Duration heartbeat;
    private final TransportThreads threads;
    private final RetryTokens retryTokens;
    private final Function<Channel, ServerSession> begin;
    private final List<Channel> bound = new ArrayList<>();

    /**
     * Makes them; nothing is bound yet.
     *
     * @param bindAddress with port 0 for any
     * @param eventLoops how many sockets there are for QUIC, where the system can share a port
     * @param threads serves them; stays the caller's
     * @param begin begins a session with a connection that is set up; called in the connection's event loop
     */
    ServerSockets(
            InetSocketAddress bindAddress,
            int eventLoops,
            Duration heartbeat,
            TransportThreads threads,
            RetryTokens retryTokens,
            Function<Channel, ServerSession> begin) {
        this.bindAddress = bindAddress;
        this.eventLoops = eventLoops;
        this.heartbeat = heartbeat;
        this.threads = threads;
        this.retryTokens = retryTokens;
        this.begin = begin;
    }

    /**
     * Binds all of them.
     *
     * @throws IOException if one of them cannot be bound; then none is
     */
    void bind(Identity identity, X509ExtendedTrustManager trust) throws IOException {
        QuicSslContext quicTls = TransportChannels.quicServerTls(identity, trust);
        SslContext tcpTls = TransportChannels.tcpServerTls(identity, trust);
        boolean anyPort = bindAddress.getPort() == 0;
        for (int attempt = 1; ; attempt++) {
            try {
                bindQuic(quicTls);
                bindTcp(tcpTls);
                return;
            } catch (IOException e) {
                close();
                bound.clear();
                if (!anyPort || attempt == BIND_ATTEMPTS) {
                    throw e;
                }
            }
        }
    }

    /**
     * Where they are bound.
     *
     * @throws IllegalStateException if they are not
     */
    InetSocketAddress address() {
        if (bound.isEmpty()) {
            throw new IllegalStateException("the server was not started");
        }
        return (InetSocketAddress) bound.get(0).localAddress();
    }

    void close() {
        bound.forEach(channel -> channel.close().awaitUninterruptibly());
    }

    private void bindQuic(QuicSslContext tls) throws IOException {
        int sockets = Epoll.isAvailable() ? eventLoops : 1;
        Bootstrap bootstrap = new Bootstrap().group(threads.group()).channel(TransportChannels.datagramChannel());
        if (sockets == 1) {
            bootstrap.handler(quicCodec(tls).build());
            add(bootstrap.bind(bindAddress));
            return;
        }
        // several sockets at one port, of which the kernel chooses one: the connection id says to which a packet
        // belongs
        bootstrap.option(EpollChannelOption.SO_REUSEPORT, true).handler(new QuicCodecDispatcher(CONNECTION_ID_BYTES) {
            @Override
            protected void initChannel(Channel channel, int localConnectionIdLength, QuicConnectionIdGenerator ids) {
                channel.pipeline()
                        .addLast(quicCodec(tls)
                                .localConnectionIdLength(localConnectionIdLength)
                                .connectionIdAddressGenerator(ids)
                                .build());
            }
        });
        add(bootstrap.bind(bindAddress));
        while (bound.size() < sockets) {
            add(bootstrap.bind(address()));
        }
    }

    private QuicServerCodecBuilder quicCodec(QuicSslContext tls) {
        return TransportChannels.configure(new QuicServerCodecBuilder(), heartbeat)
                .sslContext(tls)
                .tokenHandler(retryTokens)
                .option(QuicChannelOption.SEGMENTED_DATAGRAM_PACKET_ALLOCATOR, TransportChannels.segments())
                .handler(new QuicSessions())
                .streamHandler(new ChannelInitializer<QuicStreamChannel>() {
                    @Override
                    protected void initChannel(QuicStreamChannel stream) {
                        Connection connection = stream.parent()
                                .attr(TransportChannels.CONNECTION)
                                .get();
                        boolean isMain = stream.type() == QuicStreamType.BIDIRECTIONAL;
                        stream.pipeline().addLast(isMain ? connection : connection.newStreamReader());
                    }
                });
    }

    private void bindTcp(SslContext tls) throws IOException {
        ServerBootstrap bootstrap = new ServerBootstrap()
                .group(threads.group())
                .channel(TransportChannels.serverChannel())
                .option(ChannelOption.SO_REUSEADDR, true)
                .childOption(ChannelOption.TCP_NODELAY, true)
                .childHandler(new ChannelInitializer<SocketChannel>() {
                    @Override
                    protected void initChannel(SocketChannel channel) {
                        channel.pipeline().addLast(TransportChannels.newServerHandler(tls, channel), new TcpSessions());
                    }
                });
        add(bootstrap.bind(
                new InetSocketAddress(bindAddress.getAddress(), address().getPort())));
    }

    private void add(ChannelFuture binding) throws IOException {
        if (!binding.awaitUninterruptibly().isSuccess()) {
            throw new IOException(
                    "cannot bind " + bindAddress + ": " + binding.cause().getMessage(), binding.cause());
        }
        bound.add(binding.channel());
    }

    /** Begins a session with each QUIC connection. */
    @ChannelHandler.Sharable
    private final class QuicSessions extends QuicEvents {
        @Override
        public void channelActive(ChannelHandlerContext context) throws Exception {
            QuicChannel channel = (QuicChannel) context.channel();
            ServerSession session = begin.apply(channel);
            channel.attr(TransportChannels.CONNECTION).set(session);
            super.channelActive(context);
        }
    }

    /** Begins a session with each TCP connection. */
    private final class TcpSessions extends TlsReady {
        @Override
        void ready(ChannelHandlerContext context, SslHandler ssl) {
            context.pipeline().replace(this, null, begin.apply(context.channel()));
        }

        @Override
        void failed(Throwable cause) {
            LOG.debug("a TLS connection was not set up", cause);
        }
    }
}
