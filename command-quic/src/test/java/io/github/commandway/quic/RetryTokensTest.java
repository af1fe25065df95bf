package io.github.commandway.quic;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.net.InetSocketAddress;
import java.security.SecureRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

final class RetryTokensTest {
    private static final InetSocketAddress CLIENT = new InetSocketAddress("192.0.2.1", 4433);
    private static final byte[] CONNECTION_ID = {1, 2, 3, 4, 5, 6, 7, 8};

    private final AtomicLong nanos = new AtomicLong();
    private final RetryTokens tokens = new RetryTokens(new SecureRandom(), nanos::get);

    private ByteBuf token() {
        ByteBuf token = Unpooled.buffer();
        assertThat(tokens.writeToken(token, Unpooled.wrappedBuffer(CONNECTION_ID), CLIENT))
                .isTrue();
        assertThat(token.readableBytes()).isLessThanOrEqualTo(tokens.maxTokenLength());
        return token;
    }

    @Test
    void validTokenShowsWhereTheOriginalConnectionIdIs() {
        ByteBuf token = token();

        int offset = tokens.validateToken(token, CLIENT);

        assertThat(Unpooled.wrappedBuffer(CONNECTION_ID))
                .isEqualTo(token.slice(offset, token.readableBytes() - offset));
    }

    @Test
    void tokenIsOfNoUseAtAnotherAddress() {
        assertThat(tokens.validateToken(token(), new InetSocketAddress("192.0.2.2", 4433)))
                .isNegative();
        assertThat(tokens.validateToken(token(), new InetSocketAddress("192.0.2.1", 4434)))
                .isNegative();
    }

    @Test
    void tokenExpires() {
        ByteBuf token = token();
        nanos.addAndGet(TimeUnit.SECONDS.toNanos(10));

        assertThat(tokens.validateToken(token, CLIENT)).isNegative();
    }

    @Test
    void changedOrCutTokenIsRefused() {
        for (int i = 0; i < token().readableBytes(); i++) {
            ByteBuf changed = token();
            changed.setByte(i, changed.getByte(i) ^ 1);
            assertThat(tokens.validateToken(changed, CLIENT)).isNegative();
            assertThat(tokens.validateToken(token().slice(0, i), CLIENT)).isNegative();
        }
    }

    @Test
    void tokenOfAnotherProcessIsRefused() {
        assertThat(new RetryTokens(new SecureRandom(), nanos::get).validateToken(token(), CLIENT))
                .isNegative();
    }
}
