import org.jspecify.annotations.NullMarked;

/** The HTTP facade. */
@NullMarked
module io.github.commandway.http {
    requires transitive io.github.commandway.core;
    requires io.netty.buffer;
    requires io.netty.codec.http;
    requires io.netty.common;
    requires io.netty.handler;
    requires io.netty.transport;
    requires micrometer.core;
    requires micrometer.registry.prometheus;
    requires org.reactivestreams;
    requires org.slf4j;
    requires reactor.core;
    requires reactor.netty.core;
    requires reactor.netty.http;
    requires tools.jackson.databind;
    requires transitive org.jspecify;

    exports io.github.commandway.http;
}
