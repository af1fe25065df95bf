package io.github.commandway.quic.identity;

import java.security.GeneralSecurityException;
import java.security.cert.CertPathValidator;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXCertPathValidatorResult;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Instant;
import java.util.Arrays;
import java.util.Date;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/** Decides whether a peer's certificate chain makes it a server or an agent, under the given authorities, now. */
final class PeerVerifier {

    private static final String SERVER_AUTH = "1.3.6.1.5.5.7.3.1"; // RFC 5280 section 4.2.1.12
    private static final String CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
    private static final int DNS_NAME = 2; // RFC 5280 section 4.2.1.6, GeneralName
    private static final int MAX_CHAIN = 10;

    /** For all of this JVM, where one server sees many agents, or many links the same server. */
    private static final VerifiedChains VERIFIED = new VerifiedChains(100_000);

    private final List<X509Certificate> authorities;
    private final Clock clock;

    PeerVerifier(List<X509Certificate> authorities, Clock clock) {
        this.authorities = authorities;
        this.clock = clock;
    }

    void verifyServer(X509Certificate[] chain) throws CertificateException {
        verify(chain, "a server", SERVER_AUTH);
        var names = chain[0].getSubjectAlternativeNames();
        boolean named = names != null
                && names.stream()
                        .anyMatch(name -> name.get(0).equals(DNS_NAME)
                                && CertificateAuthority.SERVER_NAME.equalsIgnoreCase(String.valueOf(name.get(1))));
        if (!named) {
            throw new CertificateException(
                    "the peer's certificate does not have the DNS name " + CertificateAuthority.SERVER_NAME);
        }
    }

    void verifyAgent(X509Certificate[] chain) throws CertificateException {
        verify(chain, "an agent", CLIENT_AUTH);
        if (Identity.agentId(chain[0]).isEmpty()) {
            throw new CertificateException("the peer's certificate does not have exactly one valid agent id");
        }
    }

    private void verify(X509Certificate[] chain, String role, String keyPurpose) throws CertificateException {
        if (chain.length == 0 || chain.length > MAX_CHAIN) {
            throw new CertificateException(
                    "a certificate chain has 1 to " + MAX_CHAIN + " certificates, not " + chain.length);
        }
        X509Certificate leaf = chain[0];
        List<X509Certificate> belowAuthority = Arrays.stream(chain)
                .takeWhile(certificate -> !authorities.contains(certificate))
                .toList();
        if (belowAuthority.isEmpty() || leaf.getBasicConstraints() >= 0) {
            throw new CertificateException("the peer presented an authority's certificate as its own");
        }
        Instant now = clock.instant();
        VerifiedChains.Digest digest = VerifiedChains.Digest.of(authorities, chain);
        X509Certificate known = VERIFIED.authorityOf(digest);
        if (known == null || !areValid(belowAuthority, now) || !areValid(List.of(known), now)) {
            VERIFIED.add(digest, authorityOf(belowAuthority, Date.from(now)));
        }
        List<String> purposes = leaf.getExtendedKeyUsage();
        if (purposes == null || !purposes.contains(keyPurpose)) {
            throw new CertificateException("the peer's certificate is not one for " + role);
        }
    }

    private static boolean areValid(List<X509Certificate> certificates, Instant now) {
        return certificates.stream()
                .allMatch(
                        certificate -> !now.isBefore(certificate.getNotBefore().toInstant())
                                && !now.isAfter(certificate.getNotAfter().toInstant()));
    }

    /** The authority that the path leads to; all of it is valid now. */
    private X509Certificate authorityOf(List<X509Certificate> belowAuthority, Date now) throws CertificateException {
        Set<TrustAnchor> anchors = authorities.stream()
                .map(authority -> new TrustAnchor(authority, null))
                .collect(Collectors.toSet());
        try {
            PKIXParameters parameters = new PKIXParameters(anchors);
            parameters.setRevocationEnabled(false); // JoinTokens.isCurrent takes its place
            parameters.setDate(now);
            var path = CertificateFactory.getInstance("X.509").generateCertPath(belowAuthority);
            var result = (PKIXCertPathValidatorResult)
                    CertPathValidator.getInstance("PKIX").validate(path, parameters);
            // RFC 5280 section 6.1 takes an anchor as given, so its time and kind are ours to check.
            X509Certificate authority = result.getTrustAnchor().getTrustedCert();
            authority.checkValidity(now);
            if (authority.getBasicConstraints() < 0) {
                throw new CertificateException("the trusted certificate is not an authority's");
            }
            return authority;
        } catch (CertificateException e) {
            throw e;
        } catch (GeneralSecurityException e) {
            throw new CertificateException("the peer's certificate chain is refused: " + e.getMessage(), e);
        }
    }
}
