package io.github.commandway.outbox;

import java.nio.charset.StandardCharsets;
import java.security.InvalidKeyException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Signs webhooks as the Standard Webhooks specification says: HMAC-SHA256 over id, time stamp and body. Immutable, safe for use by many threads.
 *
 * <p>The first secret is the current one. While a secret is being replaced, list the old one behind the new one: messages are signed with all,
 * and a signature by any is accepted.
 */
public final class WebhookSignature {
    private static final String ALGORITHM = "HmacSHA256";
    private static final String SECRET_PREFIX = "whsec_";
    private static final String VERSION = "v1,";
    private static final int SHORTEST_SECRET = 24;

    private final List<SecretKeySpec> keys;

    private WebhookSignature(List<SecretKeySpec> keys) {
        this.keys = keys;
    }

    /**
     * With secrets in their text form: {@code whsec_} and Base64, or Base64 alone, of at least 24 bytes.
     *
     * @throws IllegalArgumentException if one is no such text, or there is none; the message does not tell the secret
     */
    public static WebhookSignature ofSecrets(String... secrets) {
        if (secrets.length == 0) {
            throw new IllegalArgumentException("a signature needs a secret");
        }
        return new WebhookSignature(List.of(secrets).stream()
                .map(WebhookSignature::decode)
                .map(bytes -> new SecretKeySpec(bytes, ALGORITHM))
                .toList());
    }

    private static byte[] decode(String secret) {
        String text = secret.startsWith(SECRET_PREFIX) ? secret.substring(SECRET_PREFIX.length()) : secret;
        byte[] bytes;
        try {
            bytes = Base64.getDecoder().decode(text);
        } catch (IllegalArgumentException e) {
            // without the cause, whose message quotes the secret
            throw new IllegalArgumentException("a webhook's secret is Base64, with or without whsec_ before it");
        }
        if (bytes.length < SHORTEST_SECRET) {
            throw new IllegalArgumentException(
                    "a webhook's secret has at least " + SHORTEST_SECRET + " bytes, and this one has " + bytes.length);
        }
        return bytes;
    }

    /** The value of the header {@code webhook-signature}: one signature for each secret. */
    public String sign(String id, Instant timestamp, byte[] body) {
        StringBuilder value = new StringBuilder();
        for (SecretKeySpec key : keys) {
            value.append(value.isEmpty() ? "" : " ")
                    .append(VERSION)
                    .append(sign(key, id, timestamp.getEpochSecond(), body));
        }
        return value.toString();
    }

    /**
     * Whether a received message was signed with one of the secrets, not longer than {@code tolerance} ago or ahead.
     *
     * @param id the header {@code webhook-id}
     * @param timestamp the header {@code webhook-timestamp}: seconds since 1970
     * @param signatures the header {@code webhook-signature}
     */
    public boolean verify(
            String id, String timestamp, String signatures, byte[] body, Instant now, Duration tolerance) {
        long seconds;
        try {
            seconds = Long.parseLong(timestamp);
        } catch (NumberFormatException notATime) {
            return false;
        }
        // compared without a subtraction, which a made-up time stamp could make overflow
        if (seconds < now.minus(tolerance).getEpochSecond()
                || seconds > now.plus(tolerance).getEpochSecond()) {
            return false;
        }
        boolean valid = false;
        for (SecretKeySpec key : keys) {
            byte[] expected = (VERSION + sign(key, id, seconds, body)).getBytes(StandardCharsets.UTF_8);
            for (String signature : signatures.split(" ")) {
                valid |= MessageDigest.isEqual(expected, signature.getBytes(StandardCharsets.UTF_8));
            }
        }
        return valid;
    }

    private static String sign(SecretKeySpec key, String id, long seconds, byte[] body) {
        try {
            Mac mac = Mac.getInstance(ALGORITHM);
            mac.init(key);
            mac.update((id + "." + seconds + ".").getBytes(StandardCharsets.UTF_8));
            return Base64.getEncoder().encodeToString(mac.doFinal(body));
        } catch (NoSuchAlgorithmException | InvalidKeyException e) {
            throw new IllegalStateException("every Java runtime has " + ALGORITHM, e);
        }
    }
}
