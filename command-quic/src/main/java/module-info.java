import org.jspecify.annotations.NullMarked;

/** The wire protocol and its transport over QUIC. */
@NullMarked
module io.github.commandway.quic {
    requires transitive io.github.commandway.core;
    requires com.google.protobuf;
    requires io.netty.buffer;
    requires io.netty.codec;
    requires io.netty.codec.classes.quic;
    requires io.netty.common;
    requires io.netty.handler;
    requires io.netty.transport;
    requires io.netty.transport.classes.epoll;
    requires org.agrona;
    requires org.bouncycastle.pkix;
    requires org.bouncycastle.provider;
    requires org.bouncycastle.util;
    requires org.slf4j;
    requires transitive org.jspecify;

    exports io.github.commandway.quic;
    exports io.github.commandway.quic.identity;
}
