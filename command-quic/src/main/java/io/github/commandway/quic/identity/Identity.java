package io.github.commandway.quic.identity;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.cert.CertificateException;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * What one end of a connection presents, and whom it trusts: a private key, the certificate chain for it, and the
 * certificates of the authorities whose peers it accepts. Immutable; the methods that touch no file never block.
 *
 * <p>In a directory it is three PEM files, which other tools can make as well: {@code key.pem} (mode 0600),
 * {@code chain.pem} (the own certificate first) and {@code trusted.pem}. A new agent makes one with {@link IdentityRequest}.
 */
public final class Identity {

    static final String KEY_FILE = "key.pem";
    private static final String CHAIN_FILE = "chain.pem";
    private static final String TRUSTED_FILE = "trusted.pem";

    private static final int URI_NAME = 6; // RFC 5280 section 4.2.1.6, GeneralName

    private final PrivateKey privateKey;
    private final List<X509Certificate> chain;
    private final List<X509Certificate> trusted;

    Identity(PrivateKey privateKey, List<X509Certificate> chain, List<X509Certificate> trusted) {
        this.privateKey = privateKey;
        this.chain = List.copyOf(chain);
        this.trusted = List.copyOf(trusted);
    }

    /** Whether {@code directory} holds a complete identity, as {@link #save} leaves it. */
    public static boolean exists(Path directory) {
        return Files.exists(directory.resolve(CHAIN_FILE));
    }

    /**
     * Reads what {@link #save} wrote.
     *
     * @throws IdentityException if a file is damaged, or the key and the certificate do not belong together
     */
    public static Identity load(Path directory) throws IOException {
        return load(directory.resolve(KEY_FILE), directory.resolve(CHAIN_FILE), directory.resolve(TRUSTED_FILE));
    }

    /**
     * Reads an identity from PEM files.
     *
     * @param keyFile one unencrypted private key (PKCS#8, or the older EC and RSA forms)
     * @param chainFile the own certificate, then those that lead to an authority
     * @param trustedFile the certificates of the authorities whose peers are accepted
     * @throws IdentityException if a file is damaged, or the key and the certificate do not belong together
     */
    public static Identity load(Path keyFile, Path chainFile, Path trustedFile) throws IOException {
        PrivateKey key = Pem.readKey(keyFile);
        List<X509Certificate> chain = Pem.readCertificates(chainFile);
        if (!Keys.match(key, chain.get(0).getPublicKey())) {
            throw new IdentityException(
                    "the private key in " + keyFile + " does not belong to the first certificate in " + chainFile);
        }
        return new Identity(key, chain, Pem.readCertificates(trustedFile));
    }

    /**
     * Writes the identity to {@code directory}, which is made if it is missing (0700). Each file is replaced as a whole, the
     * chain last, and is on disk when this returns. A crash in between leaves the identity that was there before, or, where
     * there was none, a directory for which {@link #exists} is false.
     *
     * @throws IdentityException if another private key is there already: it is never replaced, because nobody else has it
     */
    public void save(Path directory) throws IOException {
        PrivateFiles.createDirectory(directory);
        PrivateFiles.<Boolean, IOException>withLock(directory, () -> {
            Path keyFile = directory.resolve(KEY_FILE);
            if (!Files.exists(keyFile)) {
                PrivateFiles.replace(keyFile, Pem.encoded(privateKey));
            } else if (!Keys.match(Pem.readKey(keyFile), certificate().getPublicKey())) {
                throw new IdentityException(keyFile + " is the private key of another identity. Use another folder, or"
                        + " remove this one if that identity is no longer needed");
            }
            PrivateFiles.replaceReadable(directory.resolve(TRUSTED_FILE), Pem.encoded(trusted));
            PrivateFiles.replaceReadable(directory.resolve(CHAIN_FILE), Pem.encoded(chain));
            return true;
        });
    }

    /**
     * The agent id that {@code certificate} carries: its subject alternative names have exactly one URI
     * {@code urn:commandway:agent:<id>}, with a valid id; empty otherwise. This reads the certificate and verifies nothing; on
     * a connection the {@linkplain #trustManager trust manager} has done that.
     */
    public static Optional<String> agentId(X509Certificate certificate) {
        Collection<List<?>> names;
        try {
            names = certificate.getSubjectAlternativeNames();
        } catch (CertificateParsingException e) {
            return Optional.empty(); // names that cannot be read name no agent
        }
        if (names == null) {
            return Optional.empty();
        }
        List<String> uris = names.stream()
                .filter(name -> name.get(0).equals(URI_NAME))
                .map(name -> String.valueOf(name.get(1)))
                .filter(AgentIds::isAgentUri)
                .toList();
        return uris.size() == 1 ? AgentIds.fromUri(uris.get(0)) : Optional.empty();
    }

    /** The agent id in this identity's certificate; empty for a server's. */
    public Optional<String> agentId() {
        return agentId(certificate());
    }

    /** The private key. It does not change and is never logged. */
    public PrivateKey privateKey() {
        return privateKey;
    }

    /** This identity's own certificate, the first of {@link #certificateChain}. */
    public X509Certificate certificate() {
        return chain.get(0);
    }

    /** The own certificate and those that lead to an authority, which is included where we issued it. */
    public List<X509Certificate> certificateChain() {
        return chain;
    }

    /** The authorities whose peers are accepted. */
    public List<X509Certificate> trustedCertificates() {
        return trusted;
    }

    /** The last moment at which the certificate is valid. */
    public Instant expiresAt() {
        return certificate().getNotAfter().toInstant();
    }

    /** Whether the certificate's time is over, so that peers refuse it. */
    public boolean isExpired(Clock clock) {
        return clock.instant().isAfter(expiresAt());
    }

    /** Whether less than a third of the certificate's validity is left. */
    public boolean needsRenewal(Clock clock) {
        Duration validity = Duration.between(certificate().getNotBefore().toInstant(), expiresAt());
        return Duration.between(clock.instant(), expiresAt()).compareTo(validity.dividedBy(3)) < 0;
    }

    /**
     * A PKCS#10 request (DER) for a new certificate with the same key. The key stays, so that an answer that gets lost costs
     * nothing.
     *
     * @throws IdentityException if this identity's key is not an EC key on P-256
     */
    public byte[] renewalRequest(SecureRandom random) throws IdentityException {
        if (!Keys.isP256(certificate().getPublicKey())) {
            throw new IdentityException(
                    "only an EC key on P-256 can be renewed here; renew this certificate where it" + " was issued");
        }
        return Keys.request(new KeyPair(certificate().getPublicKey(), privateKey), random);
    }

    /**
     * This identity with the chain that a renewal brought, to be saved over the old one.
     *
     * @throws IdentityException if the chain is for another key or another agent, or not by an authority that this identity
     *     trusts, or not valid now
     */
    public Identity renewed(List<X509Certificate> newChain, Clock clock) throws IdentityException {
        if (newChain.isEmpty()
                || !newChain.get(0).getPublicKey().equals(certificate().getPublicKey())) {
            throw new IdentityException("the renewed certificate is for another key");
        }
        if (!agentId(newChain.get(0)).equals(agentId())) {
            throw new IdentityException("the renewed certificate is for another agent: "
                    + agentId(newChain.get(0)).orElse("none"));
        }
        try {
            new PeerVerifier(trusted, clock).verifyAgent(newChain.toArray(X509Certificate[]::new));
        } catch (CertificateException e) {
            throw new IdentityException("the renewed certificate is refused: " + e.getMessage(), e);
        }
        return new Identity(privateKey, newChain, trusted);
    }

    /**
     * A trust manager for connections under this identity, for either end. It accepts a server whose chain leads to a
     * trusted authority, that may be a server ({@code serverAuth}) and has the DNS name
     * {@link CertificateAuthority#SERVER_NAME}; and an agent whose chain does so, that may be a client ({@code clientAuth}) and
     * has an {@linkplain #agentId(X509Certificate) agent id}. The address that was connected to plays no part.
     */
    public X509ExtendedTrustManager trustManager(Clock clock) {
        return new PeerTrustManager(new PeerVerifier(trusted, clock), trusted);
    }

    @Override
    public String toString() {
        return "Identity[" + agentId().map(id -> "agent " + id).orElse("not an agent") + ", expires " + expiresAt()
                + "]";
    }
}
