package io.github.commandway.quic.identity;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.HexFormat;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a new agent is given: the right to ask for a certificate, and the fingerprint by which it knows the server before it
 * has one. Its text is {@code cwj1.<id>.<secret>.<fingerprint>}, each part in base64url; the secret has 192 bits. Whoever has
 * the text can join, so {@link #toString} leaves the secret out.
 */
public final class JoinToken {

    static final int ID_BYTES = 9;
    static final int SECRET_BYTES = 24;

    private static final int MAX_FILE_BYTES = 4096;

    // 9, 24 and 32 bytes in base64url
    private static final Pattern FORM =
            Pattern.compile("cwj1\\.([A-Za-z0-9_-]{12})\\.([A-Za-z0-9_-]{32})\\.([A-Za-z0-9_-]{43})");

    private final String id;
    private final byte[] secret;
    private final byte[] caFingerprint;

    JoinToken(String id, byte[] secret, String caFingerprint) {
        this.id = id;
        this.secret = secret.clone();
        this.caFingerprint = HexFormat.of().parseHex(caFingerprint);
    }

    private JoinToken(Matcher form) {
        Base64.Decoder decoder = Base64.getUrlDecoder();
        this.id = form.group(1);
        this.secret = decoder.decode(form.group(2));
        this.caFingerprint = decoder.decode(form.group(3));
    }

    /**
     * Reads a token's text; white space around it is ignored.
     *
     * @throws IllegalArgumentException if it is not a join token; the message does not repeat the text
     */
    public static JoinToken parse(String text) {
        Matcher form = FORM.matcher(text.strip());
        if (!form.matches()) {
            throw new IllegalArgumentException("not a join token: it has the form cwj1.<id>.<secret>.<fingerprint> and"
                    + " is 94 characters long; was it copied completely?");
        }
        return new JoinToken(form);
    }

    /**
     * Reads the token in {@code file}, such as {@link JoinTokens#LOCAL_TOKEN_FILE}.
     *
     * @throws IdentityException if the file holds something else
     */
    public static JoinToken read(Path file) throws IOException {
        String text = new String(PrivateFiles.read(file, MAX_FILE_BYTES), StandardCharsets.US_ASCII);
        try {
            return parse(text);
        } catch (IllegalArgumentException e) {
            throw new IdentityException(file + " does not hold a join token", e);
        }
    }

    /** The public part that names this token in lists and logs. */
    public String id() {
        return id;
    }

    /** The {@linkplain CertificateAuthority#fingerprint() fingerprint} of the authority of the server to join. */
    public String caFingerprint() {
        return HexFormat.of().formatHex(caFingerprint);
    }

    /** The whole token, with its secret, to be handed to an agent. */
    public String text() {
        Base64.Encoder encoder = Base64.getUrlEncoder().withoutPadding();
        return "cwj1." + id + "." + encoder.encodeToString(secret) + "." + encoder.encodeToString(caFingerprint);
    }

    // The secret is random and long, so a plain digest of it cannot be reversed by guessing.
    String secretHash() {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(Keys.sha256(secret));
    }

    /** Whether this token has the secret with that hash; takes as long when it has not. */
    boolean hasSecret(String hash) {
        return MessageDigest.isEqual(
                hash.getBytes(StandardCharsets.US_ASCII), secretHash().getBytes(StandardCharsets.US_ASCII));
    }

    @Override
    public String toString() {
        return "JoinToken[" + id + "]";
    }
}
