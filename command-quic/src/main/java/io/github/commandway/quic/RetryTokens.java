package io.github.commandway.quic;

import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.quic.QuicTokenHandler;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.function.LongSupplier;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * The tokens of Retry packets, with which a client proves that it receives at the address it sends from (RFC 9000, section 8.1.2): the
 * time of expiry and the original connection id, under an HMAC-SHA256 that also covers the address. The key lives as long as the process.
 */
final class RetryTokens implements QuicTokenHandler {
    private static final String ALGORITHM = "HmacSHA256";
    private static final int MAC_BYTES = 32;
    private static final int HEAD_BYTES = MAC_BYTES + Long.BYTES;
    // RFC 9000, section 17.2
    private static final int MAX_CONNECTION_ID_BYTES = 20;
    private static final long LIFETIME_NANOS = 10_000_000_000L;

    private final SecretKeySpec key;
    private final LongSupplier ticker;

    RetryTokens(SecureRandom random, LongSupplier ticker) {
        byte[] secret = new byte[MAC_BYTES];
        random.nextBytes(secret);
        key = new SecretKeySpec(secret, ALGORITHM);
        this.ticker = ticker;
    }

    @Override
    public boolean writeToken(ByteBuf out, ByteBuf originalConnectionId, InetSocketAddress address) {
        byte[] id = new byte[originalConnectionId.readableBytes()];
        originalConnectionId.getBytes(originalConnectionId.readerIndex(), id);
        long expiry = ticker.getAsLong() + LIFETIME_NANOS;
        out.writeBytes(mac(address, expiry, id)).writeLong(expiry).writeBytes(id);
        return true;
    }

    @Override
    public int validateToken(ByteBuf token, InetSocketAddress address) {
        int length = token.readableBytes();
        if (length < HEAD_BYTES || length > maxTokenLength()) {
            return -1;
        }
        int start = token.readerIndex();
        byte[] mac = new byte[MAC_BYTES];
        token.getBytes(start, mac);
        long expiry = token.getLong(start + MAC_BYTES);
        byte[] id = new byte[length - HEAD_BYTES];
        token.getBytes(start + HEAD_BYTES, id);
        boolean valid = MessageDigest.isEqual(mac, mac(address, expiry, id)) && expiry - ticker.getAsLong() > 0;
        return valid ? HEAD_BYTES : -1;
    }

    @Override
    public int maxTokenLength() {
        return HEAD_BYTES + MAX_CONNECTION_ID_BYTES;
    }

    private byte[] mac(InetSocketAddress address, long expiry, byte[] id) {
        try {
            Mac mac = Mac.getInstance(ALGORITHM);
            mac.init(key);
            mac.update(address.getAddress().getAddress());
            mac.update(ByteBuffer.allocate(Integer.BYTES + Long.BYTES)
                    .putInt(address.getPort())
                    .putLong(expiry)
                    .array());
            return mac.doFinal(id);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this JVM has no " + ALGORITHM, e);
        }
    }
}
