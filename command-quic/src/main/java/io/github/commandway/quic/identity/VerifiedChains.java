package io.github.commandway.quic.identity;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Remembers which certificate chains were found to lead to which authority, since the signatures in them need not be verified again when a
 * peer comes back: after an outage all of them do at once. Whether the chain is valid now, and what it is good for, has to be judged each time.
 * Its keys are digests of all of the chain and of all authorities, so nothing else can be taken for what was verified. What was not
 * looked for longest is forgotten first. For all threads.
 */
final class VerifiedChains {

    private final Map<Digest, X509Certificate> authorityOfChain;

    /** @param capacity chains to remember at most, each in some 100 bytes */
    VerifiedChains(int capacity) {
        authorityOfChain = new LinkedHashMap<>(16, 0.75f, true) {
            private static final long serialVersionUID = 1;

            @Override
            protected boolean removeEldestEntry(Map.Entry<Digest, X509Certificate> eldest) {
                return size() > capacity;
            }
        };
    }

    /** The authority that the chain was found to lead to, or null if it is not known. */
    synchronized @Nullable X509Certificate authorityOf(Digest chain) {
        return authorityOfChain.get(chain);
    }

    /** To be called only when all of the chain was verified up to {@code authority}. */
    synchronized void add(Digest chain, X509Certificate authority) {
        authorityOfChain.put(chain, authority);
    }

    /** The SHA-256 of a presented chain together with the authorities under which it is judged. */
    record Digest(long first, long second, long third, long fourth) {

        static Digest of(List<X509Certificate> authorities, X509Certificate[] chain)
                throws CertificateEncodingException {
            MessageDigest sha256;
            try {
                sha256 = MessageDigest.getInstance("SHA-256");
            } catch (NoSuchAlgorithmException e) {
                throw new IllegalStateException("every JVM has SHA-256", e);
            }
            // with the number, where the authorities end is unmistakable: each certificate has its length in it
            sha256.update(ByteBuffer.allocate(Integer.BYTES).putInt(0, authorities.size()));
            for (X509Certificate authority : authorities) {
                sha256.update(authority.getEncoded());
            }
            for (X509Certificate certificate : chain) {
                sha256.update(certificate.getEncoded());
            }
            ByteBuffer digest = ByteBuffer.wrap(sha256.digest());
            return new Digest(digest.getLong(), digest.getLong(), digest.getLong(), digest.getLong());
        }
    }
}
