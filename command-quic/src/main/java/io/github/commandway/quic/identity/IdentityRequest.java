package io.github.commandway.quic.identity;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.SecureRandom;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.util.List;

/**
 * A private key that has no certificate yet. The key is on disk before anything is asked for, so that an agent that is
 * killed while it joins asks again with the same key and is recognised.
 */
public final class IdentityRequest {

    private final KeyPair keys;
    private final byte[] request;

    private IdentityRequest(KeyPair keys, SecureRandom random) {
        this.keys = keys;
        this.request = Keys.request(keys, random);
    }

    /**
     * Takes the key in {@code directory}, or makes one (EC on P-256) and writes it there as {@code key.pem} (0600; a new
     * directory is 0700). Several threads and processes that do so at once get the same key.
     *
     * @throws IdentityException if {@code key.pem} is damaged or another kind of key; it is left untouched
     */
    public static IdentityRequest openOrCreate(Path directory, SecureRandom random) throws IOException {
        PrivateFiles.createDirectory(directory);
        return PrivateFiles.<IdentityRequest, IOException>withLock(directory, () -> {
            Path keyFile = directory.resolve(Identity.KEY_FILE);
            if (!Files.exists(keyFile)) {
                PrivateFiles.replace(keyFile, Pem.encoded(Keys.generate(random).getPrivate()));
            }
            return new IdentityRequest(Keys.pairOf(Pem.readKey(keyFile)), random);
        });
    }

    /** Makes a key in memory only; it is lost unless the identity that comes of it is saved. */
    public static IdentityRequest create(SecureRandom random) {
        return new IdentityRequest(Keys.generate(random), random);
    }

    /** The PKCS#10 request (RFC 2986) in DER, signed by the key. */
    public byte[] der() {
        return request.clone();
    }

    /**
     * The identity that comes of the server's answer; {@link Identity#save} it.
     *
     * @param chain the agent's certificate first, the authority's last
     * @param caFingerprint the fingerprint of the authority, from the join token
     * @throws IdentityException if the chain is for another key, not an agent's, not by that authority, or not valid now
     */
    public Identity complete(List<X509Certificate> chain, String caFingerprint, Clock clock) throws IdentityException {
        if (chain.isEmpty() || !chain.get(0).getPublicKey().equals(keys.getPublic())) {
            throw new IdentityException("the certificate that the server sent is for another key");
        }
        X509Certificate authority = chain.get(chain.size() - 1);
        if (!CertificateAuthority.fingerprint(authority).equals(caFingerprint)) {
            throw new IdentityException(
                    "the certificate that the server sent is not by the authority of the join token");
        }
        try {
            new PeerVerifier(List.of(authority), clock).verifyAgent(chain.toArray(X509Certificate[]::new));
        } catch (CertificateException e) {
            throw new IdentityException("the certificate that the server sent is refused: " + e.getMessage(), e);
        }
        return new Identity(keys.getPrivate(), chain, List.of(authority));
    }

    @Override
    public String toString() {
        return "IdentityRequest[key " + Keys.fingerprint(keys.getPublic()) + "]";
    }
}
