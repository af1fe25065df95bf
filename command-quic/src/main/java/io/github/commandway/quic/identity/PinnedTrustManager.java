package io.github.commandway.quic.identity;

import java.net.Socket;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.util.Arrays;
import java.util.List;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * Trusts a server before there is anything to trust but the fingerprint in a join token: its chain must contain the
 * authority's certificate with exactly that fingerprint, lead to it and be valid now, be one for a server
 * ({@code serverAuth}) and have the DNS name {@link CertificateAuthority#SERVER_NAME}. It trusts no client.
 */
public final class PinnedTrustManager extends X509ExtendedTrustManager {

    private final String caFingerprint;
    private final Clock clock;

    /** Trusts servers under the authority with this {@linkplain CertificateAuthority#fingerprint() fingerprint}. */
    public PinnedTrustManager(String caFingerprint, Clock clock) {
        this.caFingerprint = caFingerprint;
        this.clock = clock;
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType) throws CertificateException {
        List<X509Certificate> authority = Arrays.stream(chain)
                .filter(certificate ->
                        CertificateAuthority.fingerprint(certificate).equals(caFingerprint))
                .toList();
        if (authority.isEmpty()) {
            throw new CertificateException("the server is not under the authority of the join token (fingerprint "
                    + caFingerprint + "): it is another server, or it has a new authority and a new token is needed");
        }
        new PeerVerifier(authority, clock).verifyServer(chain);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket)
            throws CertificateException {
        checkServerTrusted(chain, authType);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
            throws CertificateException {
        checkServerTrusted(chain, authType);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType) throws CertificateException {
        throw new CertificateException("clients are not accepted here");
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket)
            throws CertificateException {
        checkClientTrusted(chain, authType);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
            throws CertificateException {
        checkClientTrusted(chain, authType);
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
        return new X509Certificate[0];
    }
}
