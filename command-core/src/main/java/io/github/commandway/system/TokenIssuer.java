package io.github.commandway.system;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.RejectedExecutionException;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Makes tokens that tell who somebody is and what they may do, signed with HMAC-SHA256, and checks them. A token can be read by whoever has it, but not changed. Every token ends at a time of its own, or earlier if
 * it is revoked; what is revoked is kept in memory until the token would have ended anyway. Safe for use by many threads.
 */
public final class TokenIssuer {
    /** The shortest key, in bytes. */
    public static final int SHORTEST_KEY = 32;
    /** The longest token, in characters. */
    public static final int LONGEST_TOKEN = 8 * 1024;

    private static final String PREFIX = "cw1.";
    private static final String ALGORITHM = "HmacSHA256";
    private static final int ID_LENGTH = 16;

    private final SecretKeySpec key;
    private final Clock clock;
    private final SecureRandom random;
    private final Duration longestLife;
    private final int limit;
    private final Set<String> revoked = new HashSet<>();
    private final TreeMap<Instant, List<String>> revokedByEnd = new TreeMap<>();

    /**
     * @param key the secret, at least {@link #SHORTEST_KEY} random bytes; whoever has it can make tokens
     * @param longestLife how long a token lives at most
     * @param limit how many tokens are kept as revoked at most
     */
    public TokenIssuer(byte[] key, Clock clock, SecureRandom random, Duration longestLife, int limit) {
        if (key.length < SHORTEST_KEY) {
            throw new IllegalArgumentException("a key has at least " + SHORTEST_KEY + " bytes, not " + key.length);
        }
        if (longestLife.isNegative() || longestLife.isZero()) {
            throw new IllegalArgumentException("a token lives for more than no time, not for " + longestLife);
        }
        this.key = new SecretKeySpec(key, ALGORITHM);
        this.clock = clock;
        this.random = random;
        this.longestLife = longestLife;
        this.limit = limit;
    }

    /**
     * Makes a token.
     *
     * @param actor who it is for; not empty
     * @param scope what it allows
     * @param life how long it lives, more than zero and at most what the issuer allows
     * @param meta what else is to be known
     */
    public String create(String actor, Set<String> scope, Duration life, Map<String, String> meta) {
        if (actor.isEmpty()) {
            throw new IllegalArgumentException("a token is for somebody");
        }
        if (life.isNegative() || life.isZero() || life.compareTo(longestLife) > 0) {
            throw new IllegalArgumentException(
                    "a token lives for more than zero and at most " + longestLife + ", not for " + life);
        }
        byte[] id = new byte[ID_LENGTH];
        random.nextBytes(id);
        byte[] claims =
                write(new Claims(encode(id), actor, scope, clock.instant().plus(life), meta));
        String token = PREFIX + encode(claims) + "." + encode(sign(claims));
        if (token.length() > LONGEST_TOKEN) {
            throw new IllegalArgumentException(
                    "the token would have " + token.length() + " characters, and " + LONGEST_TOKEN + " is the most");
        }
        return token;
    }

    /**
     * What a token says.
     *
     * @throws InvalidTokenException if it was not made with this key, was changed, has ended or was revoked
     */
    public Claims validate(String token) throws InvalidTokenException {
        Claims claims = check(token);
        synchronized (revoked) {
            if (revoked.contains(claims.id)) {
                throw new InvalidTokenException("the token was revoked");
            }
        }
        return claims;
    }

    /**
     * Makes a token invalid. Doing so again does nothing.
     *
     * @throws InvalidTokenException if it is invalid anyway
     * @throws RejectedExecutionException if as many are revoked as may; the token stays valid
     */
    public void revoke(String token) throws InvalidTokenException {
        Claims claims = check(token);
        synchronized (revoked) {
            while (!revokedByEnd.isEmpty() && !revokedByEnd.firstKey().isAfter(clock.instant())) {
                revokedByEnd.pollFirstEntry().getValue().forEach(revoked::remove);
            }
            if (revoked.contains(claims.id)) {
                return;
            }
            if (revoked.size() >= limit) {
                throw new RejectedExecutionException("as many tokens are revoked as are remembered (" + limit + ")");
            }
            revoked.add(claims.id);
            revokedByEnd
                    .computeIfAbsent(claims.expiresAt, any -> new ArrayList<>())
                    .add(claims.id);
        }
    }

    private Claims check(String token) throws InvalidTokenException {
        int dot = token.lastIndexOf('.');
        if (token.length() > LONGEST_TOKEN || !token.startsWith(PREFIX) || dot < PREFIX.length()) {
            throw new InvalidTokenException("this is no token");
        }
        byte[] claims;
        byte[] signature;
        try {
            claims = Base64.getUrlDecoder().decode(token.substring(PREFIX.length(), dot));
            signature = Base64.getUrlDecoder().decode(token.substring(dot + 1));
        } catch (IllegalArgumentException e) {
            throw new InvalidTokenException("this is no token");
        }
        if (!MessageDigest.isEqual(sign(claims), signature)) {
            throw new InvalidTokenException("the token was not made here, or was changed");
        }
        Claims read = read(claims);
        if (!read.expiresAt.isAfter(clock.instant())) {
            throw new InvalidTokenException("the token ended at " + read.expiresAt);
        }
        return read;
    }

    private byte[] sign(byte[] claims) {
        try {
            Mac mac = Mac.getInstance(ALGORITHM);
            mac.init(key);
            mac.update(PREFIX.getBytes(StandardCharsets.US_ASCII));
            return mac.doFinal(claims);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java has " + ALGORITHM, e);
        }
    }

    private static String encode(byte[] bytes) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    private static byte[] write(Claims claims) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeUTF(claims.id);
            out.writeLong(claims.expiresAt.getEpochSecond());
            out.writeInt(claims.expiresAt.getNano());
            out.writeUTF(claims.actor);
            out.writeInt(claims.scope.size());
            for (String item : new TreeSet<>(claims.scope)) {
                out.writeUTF(item);
            }
            out.writeInt(claims.meta.size());
            for (Map.Entry<String, String> item : new TreeMap<>(claims.meta).entrySet()) {
                out.writeUTF(item.getKey());
                out.writeUTF(item.getValue());
            }
        } catch (IOException e) {
            throw new IllegalArgumentException("this does not fit into a token", e);
        }
        return bytes.toByteArray();
    }

    /** Reads what {@link #write} wrote; only called for bytes that we signed. */
    private static Claims read(byte[] bytes) {
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
            String id = in.readUTF();
            Instant expiresAt = Instant.ofEpochSecond(in.readLong(), in.readInt());
            String actor = in.readUTF();
            Set<String> scope = new HashSet<>();
            for (int left = in.readInt(); left > 0; left--) {
                scope.add(in.readUTF());
            }
            Map<String, String> meta = new TreeMap<>();
            for (int left = in.readInt(); left > 0; left--) {
                meta.put(in.readUTF(), in.readUTF());
            }
            return new Claims(id, actor, scope, expiresAt, meta);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * What a token says.
     *
     * @param id the token's own
     * @param actor who it is for
     * @param scope what it allows
     * @param expiresAt when it ends
     * @param meta what else is to be known
     */
    public record Claims(String id, String actor, Set<String> scope, Instant expiresAt, Map<String, String> meta) {
        /** Copies what it gets. */
        public Claims {
            scope = Set.copyOf(scope);
            meta = Map.copyOf(meta);
        }
    }

    /** A token that proves nothing. */
    public static final class InvalidTokenException extends Exception {
        private static final long serialVersionUID = 1L;

        private InvalidTokenException(String message) {
            super(message, null, false, false);
        }
    }
}
