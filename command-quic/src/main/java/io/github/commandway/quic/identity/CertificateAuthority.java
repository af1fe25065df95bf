package io.github.commandway.quic.identity;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.Collection;
import java.util.Date;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.util.IPAddress;
import org.jspecify.annotations.Nullable;

/**
 * The certificate authority that a server makes for itself on first start: ECDSA on P-256 with SHA-256, valid for 10
 * years. It issues the server's certificate and those of its agents.
 *
 * <p>The directory holds {@code ca-key.pem} (the private key and the certificate, mode 0600 where there are POSIX
 * permissions) and {@code ca.pem} (the certificate alone, for everybody). Whoever can read {@code ca-key.pem} can be any
 * server and any agent.
 *
 * <p>Thread-safe. Issuing computes a signature in the calling thread.
 */
public final class CertificateAuthority {

    /** The DNS name in every server certificate, and the one that agents verify, whatever address they connect to. */
    public static final String SERVER_NAME = "commandway";

    private static final String KEY_FILE = "ca-key.pem";
    private static final String CERTIFICATE_FILE = "ca.pem";
    private static final int LIFETIME_YEARS = 10;
    private static final int MAX_SERVER_NAMES = 100;

    // So that a peer whose clock is a little behind does not see a certificate from the future.
    private static final Duration BACKDATED = Duration.ofMinutes(5);

    // RFC 1123 section 2.1, in lower case
    private static final Pattern DNS_NAME =
            Pattern.compile("(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*");

    private final PrivateKey key;
    private final X509Certificate certificate;
    private final Clock clock;
    private final SecureRandom random;

    private CertificateAuthority(PrivateKey key, X509Certificate certificate, Clock clock, SecureRandom random) {
        this.key = key;
        this.certificate = certificate;
        this.clock = clock;
        this.random = random;
    }

    /**
     * Opens the authority in {@code directory}, and makes it first if there is none. Of several threads and processes
     * that do so at once, one makes it and all get the same. A new directory is for its owner only (0700).
     *
     * @throws IdentityException if a file is there that is damaged, expired or not ours; it is left untouched
     * @throws IOException if the directory cannot be read or written; what was there before is still there
     */
    public static CertificateAuthority openOrCreate(Path directory, Clock clock, SecureRandom random)
            throws IOException {
        PrivateFiles.createDirectory(directory);
        return PrivateFiles.<CertificateAuthority, IOException>withLock(directory, () -> {
            Path keyFile = directory.resolve(KEY_FILE);
            Path certificateFile = directory.resolve(CERTIFICATE_FILE);
            if (!Files.exists(keyFile)) {
                if (Files.exists(certificateFile)) {
                    throw new IdentityException(certificateFile + " is there, but its private key " + keyFile
                            + " is missing. Restore it from a backup, or remove " + CERTIFICATE_FILE
                            + " to start a new certificate authority, which every agent has to join again");
                }
                PrivateFiles.replace(keyFile, create(clock, random).encoded());
            }
            CertificateAuthority authority = open(keyFile, clock, random);
            // The key file alone is the truth; this one may be missing after a crash between the two.
            if (!Files.exists(certificateFile)) {
                PrivateFiles.replaceReadable(certificateFile, Pem.encoded(List.of(authority.certificate)));
            } else if (!Pem.readCertificates(certificateFile).equals(List.of(authority.certificate))) {
                throw new IdentityException(certificateFile + " is not the certificate in " + keyFile
                        + ". Remove it, and it is written again, if the key file is the right one");
            }
            return authority;
        });
    }

    private static Pem create(Clock clock, SecureRandom random) {
        KeyPair keys = Keys.generate(random);
        Instant now = clock.instant();
        X500Name name = new X500Name(
                "CN=Commandway CA " + HexFormat.of().formatHex(random(random, 4))); // tells several apart in tools
        var builder = new JcaX509v3CertificateBuilder(
                name,
                serialNumber(random),
                Date.from(now.minus(BACKDATED)),
                Date.from(now.atZone(ZoneOffset.UTC).plusYears(LIFETIME_YEARS).toInstant()),
                name,
                keys.getPublic());
        try {
            var extensions = new JcaX509ExtensionUtils();
            builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(0));
            builder.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign | KeyUsage.cRLSign));
            builder.addExtension(
                    Extension.subjectKeyIdentifier, false, extensions.createSubjectKeyIdentifier(keys.getPublic()));
            return new Pem(List.of(keys.getPrivate()), List.of(sign(builder, keys.getPrivate(), random)));
        } catch (IOException | GeneralSecurityException e) {
            throw new IllegalStateException("this JVM cannot make a certificate", e);
        }
    }

    private static CertificateAuthority open(Path file, Clock clock, SecureRandom random) throws IOException {
        Pem pem = Pem.read(file);
        if (pem.keys().size() != 1 || pem.certificates().size() != 1) {
            throw refused(file, "it must hold one private key and one certificate", null);
        }
        PrivateKey key = pem.keys().get(0);
        X509Certificate certificate = pem.certificates().get(0);
        if (!Keys.isP256(certificate.getPublicKey()) || certificate.getBasicConstraints() < 0) {
            throw refused(file, "its certificate is not that of a P-256 certificate authority", null);
        }
        if (!Keys.match(key, certificate.getPublicKey())) {
            throw refused(file, "its private key does not belong to its certificate", null);
        }
        try {
            certificate.verify(certificate.getPublicKey());
            certificate.checkValidity(Date.from(clock.instant()));
        } catch (CertificateExpiredException e) {
            throw refused(file, "it expired on " + certificate.getNotAfter().toInstant(), e);
        } catch (CertificateNotYetValidException e) {
            throw refused(
                    file,
                    "it is valid from " + certificate.getNotBefore().toInstant()
                            + " on; is this machine's clock right?",
                    e);
        } catch (GeneralSecurityException e) {
            throw refused(file, "its certificate is not self-signed", e);
        }
        PrivateFiles.warnIfOthersCanRead(file);
        return new CertificateAuthority(key, certificate, clock, random);
    }

    private static IdentityException refused(Path file, String why, @Nullable Throwable cause) {
        return new IdentityException(
                file + " cannot be used as a certificate authority: " + why
                        + ". Restore it from a backup, or move it and " + CERTIFICATE_FILE
                        + " away to start a new authority, which every agent has to join again",
                cause);
    }

    /** The authority's own certificate. */
    public X509Certificate certificate() {
        return certificate;
    }

    /**
     * The SHA-256 digest of the certificate's DER encoding in 64 lower-case hexadecimal digits, which is what
     * {@code openssl x509 -fingerprint -sha256} prints, without its colons.
     */
    public String fingerprint() {
        return fingerprint(certificate);
    }

    static String fingerprint(X509Certificate certificate) {
        return HexFormat.of().formatHex(Keys.sha256(Pem.der(certificate)));
    }

    /**
     * Issues a certificate with a new key for a server, with the extended key usage {@code serverAuth} only.
     *
     * @param dnsNamesAndIps further names and literal IP addresses to put beside {@link #SERVER_NAME}, at most 100; agents do
     *     not need them
     * @param validity how long it is valid, at least one second; cut off at the end of the authority's own validity
     * @throws IllegalArgumentException if a name is neither a DNS name nor an IP address
     */
    public Identity issueServer(Collection<String> dnsNamesAndIps, Duration validity) {
        if (dnsNamesAndIps.size() > MAX_SERVER_NAMES) {
            throw new IllegalArgumentException(
                    "at most " + MAX_SERVER_NAMES + " server names, but there are " + dnsNamesAndIps.size());
        }
        Map<String, GeneralName> names = new LinkedHashMap<>();
        names.put(SERVER_NAME, new GeneralName(GeneralName.dNSName, SERVER_NAME));
        dnsNamesAndIps.forEach(name -> names.put(name.toLowerCase(Locale.ROOT), generalName(name)));
        KeyPair keys = Keys.generate(random);
        List<X509Certificate> chain = issue(
                keys.getPublic(),
                "Commandway server",
                new GeneralNames(names.values().toArray(GeneralName[]::new)),
                KeyPurposeId.id_kp_serverAuth,
                validity);
        return new Identity(keys.getPrivate(), chain, List.of(certificate));
    }

    private static GeneralName generalName(String name) {
        if (IPAddress.isValid(name)) {
            return new GeneralName(GeneralName.iPAddress, name);
        }
        String lowerCase = name.toLowerCase(Locale.ROOT);
        if (!DNS_NAME.matcher(lowerCase).matches()) {
            throw new IllegalArgumentException("'" + name + "' is neither a DNS name nor an IP address");
        }
        return new GeneralName(GeneralName.dNSName, lowerCase);
    }

    /**
     * Issues a certificate for the key of a PKCS#10 request, as {@link #issueAgent(String, PublicKey, Duration)} does. What the
     * request says about its subject is ignored.
     *
     * @param requestDer the request, at most 16 KiB
     * @throws IdentityException if the request is damaged, or not signed by the key that it asks for
     */
    public List<X509Certificate> issueAgent(String agentId, byte[] requestDer, Duration validity)
            throws IdentityException {
        return issueAgent(agentId, Keys.requestedKey(requestDer), validity);
    }

    /**
     * Issues a certificate that lets the holder of the private key be the agent {@code agentId}: the extended key usage
     * is {@code clientAuth} only, and the id is the URI {@code urn:commandway:agent:<id>} among the subject alternative
     * names. Nothing is recorded; {@link JoinTokens} does that.
     *
     * @param key an EC key on P-256 whose private half the agent is known to hold
     * @param validity how long it is valid, at least one second; cut off at the end of the authority's own validity
     * @return the agent's certificate and then the authority's
     * @throws IllegalArgumentException if the id breaks the rule of {@link AgentIds} or the key is of another kind
     */
    public List<X509Certificate> issueAgent(String agentId, PublicKey key, Duration validity) {
        if (!Keys.isP256(key)) {
            throw new IllegalArgumentException("the agent's key is not an EC key on P-256");
        }
        return issue(
                key,
                "Commandway agent",
                new GeneralNames(new GeneralName(GeneralName.uniformResourceIdentifier, AgentIds.toUri(agentId))),
                KeyPurposeId.id_kp_clientAuth,
                validity);
    }

    // The subject is for people: an agent id may be longer than a common name, so only the alternative names count.
    private List<X509Certificate> issue(
            PublicKey subjectKey, String commonName, GeneralNames names, KeyPurposeId purpose, Duration validity) {
        if (validity.toSeconds() < 1) {
            throw new IllegalArgumentException("a certificate's validity must be at least 1 s, not " + validity);
        }
        Instant now = clock.instant().truncatedTo(ChronoUnit.SECONDS);
        Instant lastMoment = certificate.getNotAfter().toInstant();
        if (!now.isBefore(lastMoment)) {
            throw new IllegalStateException("the certificate authority expired on " + lastMoment);
        }
        Instant end = validity.compareTo(Duration.between(now, lastMoment)) < 0 ? now.plus(validity) : lastMoment;
        var builder = new JcaX509v3CertificateBuilder(
                certificate,
                serialNumber(random),
                Date.from(now.minus(BACKDATED)),
                Date.from(end),
                new X500Name("CN=" + commonName),
                subjectKey);
        try {
            var extensions = new JcaX509ExtensionUtils();
            builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(false));
            builder.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature));
            builder.addExtension(Extension.extendedKeyUsage, false, new ExtendedKeyUsage(purpose));
            builder.addExtension(Extension.subjectAlternativeName, false, names);
            builder.addExtension(
                    Extension.subjectKeyIdentifier, false, extensions.createSubjectKeyIdentifier(subjectKey));
            builder.addExtension(
                    Extension.authorityKeyIdentifier,
                    false,
                    extensions.createAuthorityKeyIdentifier(certificate.getPublicKey()));
            return List.of(sign(builder, key, random), certificate);
        } catch (IOException | GeneralSecurityException e) {
            throw new IllegalStateException("this JVM cannot make a certificate", e);
        }
    }

    private static X509Certificate sign(X509v3CertificateBuilder builder, PrivateKey key, SecureRandom random)
            throws GeneralSecurityException {
        try {
            var signer = new JcaContentSignerBuilder(Keys.SIGNATURE_ALGORITHM)
                    .setSecureRandom(random)
                    .build(key);
            return new JcaX509CertificateConverter().getCertificate(builder.build(signer));
        } catch (OperatorCreationException e) {
            throw new GeneralSecurityException(e);
        }
    }

    private static BigInteger serialNumber(SecureRandom random) {
        return new BigInteger(1, random(random, 16));
    }

    private static byte[] random(SecureRandom random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    @Override
    public String toString() {
        return "CertificateAuthority[" + fingerprint() + "]";
    }
}
