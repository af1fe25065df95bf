package io.github.commandway.quic;

import io.github.commandway.quic.identity.CertificateAuthority;
import io.github.commandway.quic.identity.Identity;
import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollDatagramChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.socket.DatagramChannel;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioDatagramChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.quic.EpollQuicUtils;
import io.netty.handler.codec.quic.QuicChannel;
import io.netty.handler.codec.quic.QuicChannelOption;
import io.netty.handler.codec.quic.QuicClientCodecBuilder;
import io.netty.handler.codec.quic.QuicCodecBuilder;
import io.netty.handler.codec.quic.QuicConnectionCloseEvent;
import io.netty.handler.codec.quic.QuicSslContext;
import io.netty.handler.codec.quic.QuicSslContextBuilder;
import io.netty.handler.codec.quic.QuicStreamChannel;
import io.netty.handler.codec.quic.QuicStreamType;
import io.netty.handler.codec.quic.SegmentedDatagramPacketAllocator;
import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.ApplicationProtocolConfig.Protocol;
import io.netty.handler.ssl.ApplicationProtocolConfig.SelectedListenerFailureBehavior;
import io.netty.handler.ssl.ApplicationProtocolConfig.SelectorFailureBehavior;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.handler.ssl.SslProvider;
import io.netty.util.AttributeKey;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** How channels are made: the settings of both transports, and the client's way to a connection. */
final class TransportChannels {
    private static final Logger LOG = LoggerFactory.getLogger(TransportChannels.class);

    static final AttributeKey<Connection> CONNECTION = AttributeKey.valueOf(TransportChannels.class, "connection");

    private static final int CONNECT_TIMEOUT_MILLIS = 3_000;
    private static final int HANDSHAKE_TIMEOUT_MILLIS = 5_000;
    private static final long MIN_IDLE_TIMEOUT_MILLIS = 60_000;
    private static final int IDLE_HEARTBEATS = 6;
    private static final long CONNECTION_WINDOW_BYTES = 4 << 20;
    private static final long STREAM_WINDOW_BYTES = 1 << 20;
    private static final long MAX_LANES = 1_024;
    /** Segments of 1,200 bytes that one system call sends: together they must stay below the 64 KiB of a UDP datagram. */
    private static final int MAX_SEGMENTS = 32;

    private TransportChannels() {}

    /** Settings that both ends of a QUIC connection share; without the windows nothing could be sent at all. */
    static <B extends QuicCodecBuilder<B>> B configure(B codec, Duration heartbeat) {
        return codec.maxIdleTimeout(
                        Math.max(MIN_IDLE_TIMEOUT_MILLIS, IDLE_HEARTBEATS * heartbeat.toMillis()),
                        TimeUnit.MILLISECONDS)
                .initialMaxData(CONNECTION_WINDOW_BYTES)
                .initialMaxStreamDataBidirectionalLocal(STREAM_WINDOW_BYTES)
                .initialMaxStreamDataBidirectionalRemote(STREAM_WINDOW_BYTES)
                .initialMaxStreamDataUnidirectional(STREAM_WINDOW_BYTES)
                .initialMaxStreamsBidirectional(1)
                .initialMaxStreamsUnidirectional(MAX_LANES);
    }

    static SegmentedDatagramPacketAllocator segments() {
        return Epoll.isAvailable()
                ? EpollQuicUtils.newSegmentedAllocator(MAX_SEGMENTS)
                : SegmentedDatagramPacketAllocator.NONE;
    }

    static Class<? extends DatagramChannel> datagramChannel() {
        return Epoll.isAvailable() ? EpollDatagramChannel.class : NioDatagramChannel.class;
    }

    static Class<? extends ServerChannel> serverChannel() {
        return Epoll.isAvailable() ? EpollServerSocketChannel.class : NioServerSocketChannel.class;
    }

    private static Class<? extends SocketChannel> socketChannel() {
        return Epoll.isAvailable() ? EpollSocketChannel.class : NioSocketChannel.class;
    }

    static QuicSslContext quicServerTls(Identity identity, X509ExtendedTrustManager trust) {
        return QuicSslContextBuilder.forServer(new FixedKeyManager(identity), null)
                .trustManager(trust)
                // an agent that joins has no certificate yet
                .clientAuth(ClientAuth.OPTIONAL)
                .applicationProtocols(Wire.ALPN)
                .build();
    }

    static SslContext tcpServerTls(Identity identity, X509ExtendedTrustManager trust) throws SSLException {
        return tcpTls(
                SslContextBuilder.forServer(new FixedKeyManager(identity)).clientAuth(ClientAuth.OPTIONAL), trust);
    }

    private static SslContext tcpTls(SslContextBuilder tls, X509ExtendedTrustManager trust) throws SSLException {
        return tls.sslProvider(SslProvider.JDK)
                .trustManager(trust)
                .protocols("TLSv1.3")
                .applicationProtocolConfig(new ApplicationProtocolConfig(
                        Protocol.ALPN,
                        SelectorFailureBehavior.FATAL_ALERT,
                        SelectedListenerFailureBehavior.FATAL_ALERT,
                        Wire.ALPN))
                .build();
    }

    static @Nullable SocketAddress remoteAddress(@Nullable Channel transport) {
        if (transport instanceof QuicChannel quic) {
            return quic.remoteSocketAddress();
        }
        return transport == null ? null : transport.remoteAddress();
    }

    /**
     * The certificate that the other end has presented, or null. A copy of what TLS keeps: reading that one would make it keep the parsed form,
     * which is some KiB for each connection.
     */
    static @Nullable X509Certificate peerCertificate(Channel transport) {
        SSLEngine engine;
        if (transport instanceof QuicChannel quic) {
            engine = quic.sslEngine();
        } else {
            SslHandler handler = transport.pipeline().get(SslHandler.class);
            engine = handler == null ? null : handler.engine();
        }
        if (engine == null) {
            return null;
        }
        try {
            byte[] encoded = engine.getSession().getPeerCertificates()[0].getEncoded();
            return (X509Certificate)
                    CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(encoded));
        } catch (SSLPeerUnverifiedException e) {
            LOG.debug("{} presents no certificate", transport);
            return null;
        } catch (CertificateException e) {
            throw new IllegalStateException("a certificate that was verified cannot be read", e);
        }
    }

    /** What a client presents and whom it trusts, made ready for both transports. */
    static final class ClientTls {
        private final @Nullable Identity identity;
        private final X509ExtendedTrustManager trust;
        private @Nullable QuicSslContext quic;
        private @Nullable SslContext tcp;

        /** Without an identity it presents nothing. */
        ClientTls(@Nullable Identity identity, X509ExtendedTrustManager trust) {
            this.identity = identity;
            this.trust = trust;
        }

        synchronized QuicSslContext quic() {
            QuicSslContext context = quic;
            if (context == null) {
                QuicSslContextBuilder builder =
                        QuicSslContextBuilder.forClient().trustManager(trust).applicationProtocols(Wire.ALPN);
                if (identity != null) {
                    builder.keyManager(new FixedKeyManager(identity), null);
                }
                // the trust manager knows the name to expect, which is not the host's
                context = builder.endpointIdentificationAlgorithm(null).build();
                quic = context;
            }
            return context;
        }

        synchronized SslContext tcp() throws SSLException {
            SslContext context = tcp;
            if (context == null) {
                SslContextBuilder builder = SslContextBuilder.forClient().endpointIdentificationAlgorithm(null);
                if (identity != null) {
                    builder.keyManager(new FixedKeyManager(identity));
                }
                context = tcpTls(builder, trust);
                tcp = context;
            }
            return context;
        }
    }

    /**
     * Connects, so that {@code connection} is the handler of a main stream that can be written to.
     *
     * @param transport not {@link Transport#AUTO}
     */
    static Future<Void> connect(
            TransportThreads threads,
            EventLoop loop,
            ServerAddress server,
            Transport transport,
            ClientTls tls,
            Duration heartbeat,
            Connection connection) {
        Promise<Void> connected = loop.newPromise();
        try {
            threads.blocking().execute(() -> {
                try {
                    InetSocketAddress address =
                            new InetSocketAddress(InetAddress.getByName(server.host()), server.port());
                    loop.execute(() -> {
                        try {
                            if (transport == Transport.TCP) {
                                connectTcp(loop, address, tls.tcp(), connection, connected);
                            } else {
                                connectQuic(loop, address, tls.quic(), heartbeat, connection, connected);
                            }
                        } catch (IOException e) {
                            connected.tryFailure(e);
                        }
                    });
                } catch (UnknownHostException e) {
                    connected.tryFailure(new IOException("the server's name '" + server.host() + "' is not known", e));
                }
            });
        } catch (RejectedExecutionException e) {
            connected.tryFailure(e);
        }
        return connected;
    }

    private static void connectQuic(
            EventLoop loop,
            InetSocketAddress server,
            QuicSslContext tls,
            Duration heartbeat,
            Connection connection,
            Promise<Void> connected) {
        ChannelHandler codec = configure(new QuicClientCodecBuilder(), heartbeat)
                .sslEngineProvider(
                        channel -> tls.newEngine(channel.alloc(), CertificateAuthority.SERVER_NAME, server.getPort()))
                .build();
        new Bootstrap()
                .group(loop)
                .channel(datagramChannel())
                .handler(codec)
                .bind(0)
                .addListener((io.netty.channel.ChannelFuture bound) -> {
                    if (!bound.isSuccess()) {
                        connected.tryFailure(bound.cause());
                        return;
                    }
                    Channel socket = bound.channel();
                    QuicChannel.newBootstrap(socket)
                            .option(QuicChannelOption.SEGMENTED_DATAGRAM_PACKET_ALLOCATOR, segments())
                            .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, CONNECT_TIMEOUT_MILLIS)
                            .handler(QuicEvents.INSTANCE)
                            .streamHandler(new ChannelInitializer<QuicStreamChannel>() {
                                @Override
                                protected void initChannel(QuicStreamChannel stream) {
                                    stream.pipeline().addLast(connection.newStreamReader());
                                }
                            })
                            .remoteAddress(server)
                            .connect()
                            .addListener((Future<QuicChannel> result) -> {
                                if (result.isSuccess()) {
                                    openMainStream(result.getNow(), socket, connection, connected);
                                } else {
                                    closeAfterRead(socket);
                                    connected.tryFailure(result.cause());
                                }
                            });
                });
    }

    /** Closes the socket when it is not being read from, since the rest of that read would fail. */
    private static void closeAfterRead(Channel socket) {
        socket.eventLoop().execute(socket::close);
    }

    private static void openMainStream(
            QuicChannel quic, Channel socket, Connection connection, Promise<Void> connected) {
        quic.closeFuture().addListener(closed -> closeAfterRead(socket));
        quic.attr(CONNECTION).set(connection);
        connection.transport(quic);
        quic.createStream(QuicStreamType.BIDIRECTIONAL, connection).addListener(opened -> {
            if (opened.isSuccess()) {
                connected.trySuccess(null);
            } else {
                quic.close();
                connected.tryFailure(opened.cause());
            }
        });
    }

    private static void connectTcp(
            EventLoop loop, InetSocketAddress server, SslContext tls, Connection connection, Promise<Void> connected) {
        new Bootstrap()
                .group(loop)
                .channel(socketChannel())
                .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, CONNECT_TIMEOUT_MILLIS)
                .option(ChannelOption.TCP_NODELAY, true)
                .handler(new ChannelInitializer<SocketChannel>() {
                    @Override
                    protected void initChannel(SocketChannel channel) {
                        SslHandler handler =
                                tls.newHandler(channel.alloc(), CertificateAuthority.SERVER_NAME, server.getPort());
                        handler.setHandshakeTimeoutMillis(HANDSHAKE_TIMEOUT_MILLIS);
                        channel.pipeline().addLast(handler, new TlsReady() {
                            @Override
                            void ready(ChannelHandlerContext context, SslHandler ssl) {
                                connection.transport(context.channel());
                                context.pipeline().replace(this, null, connection);
                                connected.trySuccess(null);
                            }

                            @Override
                            void failed(Throwable cause) {
                                connected.tryFailure(cause);
                            }
                        });
                    }
                })
                .connect(server)
                .addListener(result -> {
                    if (!result.isSuccess()) {
                        connected.tryFailure(result.cause());
                    }
                });
    }

    static SslHandler newServerHandler(SslContext tls, SocketChannel channel) {
        SslHandler handler = tls.newHandler(channel.alloc());
        handler.setHandshakeTimeoutMillis(HANDSHAKE_TIMEOUT_MILLIS);
        return handler;
    }

    /** Waits on TCP until TLS is up. */
    abstract static class TlsReady extends ChannelInboundHandlerAdapter {
        /** TLS is up, with the protocol that we speak. */
        abstract void ready(ChannelHandlerContext context, SslHandler ssl);

        /** It will not be. */
        abstract void failed(Throwable cause);

        @Override
        public void userEventTriggered(ChannelHandlerContext context, Object event) {
            if (event instanceof SslHandshakeCompletionEvent completion) {
                SslHandler ssl = context.pipeline().get(SslHandler.class);
                if (!completion.isSuccess()) {
                    failed(completion.cause());
                    context.close();
                } else if (!Wire.ALPN.equals(ssl.applicationProtocol())) {
                    failed(new ProtocolException("the other end does not speak " + Wire.ALPN));
                    context.close();
                } else {
                    ready(context, ssl);
                }
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext context) {
            failed(new IOException("the connection was closed while TLS was set up"));
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            failed(cause);
            context.close();
        }
    }

    /** Tells a connection of the end of its QUIC connection. */
    @ChannelHandler.Sharable
    static class QuicEvents extends ChannelInboundHandlerAdapter {
        static final QuicEvents INSTANCE = new QuicEvents();

        @Override
        public void userEventTriggered(ChannelHandlerContext context, Object event) {
            if (event instanceof QuicConnectionCloseEvent close) {
                Connection connection = context.channel().attr(CONNECTION).get();
                if (connection != null) {
                    String reason = reasonOf(close);
                    connection.end(reason.isEmpty() ? "the other end closed the connection" : reason);
                }
            }
            context.fireUserEventTriggered(event);
        }

        private static String reasonOf(QuicConnectionCloseEvent close) {
            try {
                return new String(close.reason(), StandardCharsets.UTF_8);
            } catch (NullPointerException noReason) {
                // Netty copies the reason without asking whether there is one
                return "";
            }
        }

        @Override
        public void channelInactive(ChannelHandlerContext context) {
            Connection connection = context.channel().attr(CONNECTION).get();
            if (connection != null) {
                connection.end("the connection was lost");
            }
            context.fireChannelInactive();
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            Connection connection = context.channel().attr(CONNECTION).get();
            if (connection != null) {
                connection.failed(cause);
            } else {
                context.close();
            }
        }
    }
}
