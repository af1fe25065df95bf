package io.github.commandway.quic.identity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.Date;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrustTest {

    private static final Duration DAY = Duration.ofDays(1);

    @TempDir
    Path root;

    private final SettableClock clock = new SettableClock();
    private final SecureRandom random = new SecureRandom();
    private CertificateAuthority authority;
    private CertificateAuthority stranger;
    private Identity server;
    private Identity agent;

    @BeforeEach
    void makePeers() throws IOException {
        authority = CertificateAuthority.openOrCreate(root.resolve("data"), clock, random);
        stranger = CertificateAuthority.openOrCreate(root.resolve("stranger"), clock, random);
        server = authority.issueServer(List.of(), DAY);
        agent = agent(authority);
    }

    private Identity agent(CertificateAuthority by) throws IOException {
        IdentityRequest request = IdentityRequest.create(random);
        return request.complete(by.issueAgent("a", request.der(), DAY), by.fingerprint(), clock);
    }

    private PinnedTrustManager pinned() {
        return new PinnedTrustManager(authority.fingerprint(), clock);
    }

    private static X509Certificate[] chain(Identity identity) {
        return identity.certificateChain().toArray(X509Certificate[]::new);
    }

    private static void assertRefused(X509ExtendedTrustManager trust, X509Certificate[] chain, String why) {
        assertThatThrownBy(() -> trust.checkServerTrusted(chain, "ECDHE_ECDSA"))
                .isInstanceOf(CertificateException.class)
                .hasMessageContaining(why);
    }

    @Test
    void pinAcceptsTheServerOfItsAuthority() {
        assertThatCode(() -> pinned().checkServerTrusted(chain(server), "ECDHE_ECDSA"))
                .doesNotThrowAnyException();
    }

    @Test
    void pinRefusesAnotherAuthority() {
        assertRefused(pinned(), chain(stranger.issueServer(List.of(), DAY)), "not under the authority");
    }

    @Test
    void pinRefusesAForeignServerThatOnlyShowsTheAuthority() {
        X509Certificate[] forged = {stranger.issueServer(List.of(), DAY).certificate(), authority.certificate()};
        assertRefused(pinned(), forged, "refused");
        X509Certificate[] longer = {
            stranger.issueServer(List.of(), DAY).certificate(), stranger.certificate(), authority.certificate()
        };
        assertRefused(pinned(), longer, "refused");
    }

    @Test
    void pinRefusesAChainThatLeavesTheAuthorityOut() {
        assertRefused(pinned(), new X509Certificate[] {server.certificate()}, "not under the authority");
        assertRefused(pinned(), new X509Certificate[0], "not under the authority");
    }

    @Test
    void pinRefusesTheAuthorityItselfAsAServer() {
        assertRefused(pinned(), new X509Certificate[] {authority.certificate()}, "as its own");
    }

    @Test
    void pinOnAServersOwnCertificateIsNotEnough() {
        var trust = new PinnedTrustManager(CertificateAuthority.fingerprint(server.certificate()), clock);
        assertRefused(trust, chain(server), "as its own");
    }

    @Test
    void agentsCertificateIsNoServers() {
        assertRefused(pinned(), chain(agent), "not one for a server");
        assertRefused(agent.trustManager(clock), chain(agent), "not one for a server");
    }

    @Test
    void serversCertificateIsNoAgents() {
        assertThatThrownBy(() -> server.trustManager(clock).checkClientTrusted(chain(server), "ECDHE_ECDSA"))
                .isInstanceOf(CertificateException.class)
                .hasMessageContaining("not one for an agent");
    }

    @Test
    void serverIsRefusedBeforeAndAfterItsTime() {
        clock.advance(DAY.plusSeconds(1));
        assertRefused(pinned(), chain(server), "validity check failed");
        clock.advance(DAY.plusHours(1).negated());
        assertRefused(pinned(), chain(server), "validity check failed");
    }

    @Test
    void authorityIsRefusedAfterItsTime() {
        Identity longLived = authority.issueServer(List.of(), Duration.ofDays(36_500));
        clock.advance(Duration.ofDays(3654));
        assertRefused(pinned(), chain(longLived), "validity check failed");
    }

    @Test
    void authorityIsRefusedAfterItsTimeEvenIfItSignedForLonger() throws Exception {
        X509Certificate forever = signed(Duration.ofDays(36_500), "commandway", false);
        X509Certificate[] chain = {forever, authority.certificate()};
        pinned().checkServerTrusted(chain, "ECDHE_ECDSA");
        clock.advance(Duration.ofDays(3654));
        assertThatThrownBy(() -> pinned().checkServerTrusted(chain, "ECDHE_ECDSA"))
                .isInstanceOf(CertificateException.class);
    }

    @Test
    void serverWithoutTheConstantNameIsRefused() throws Exception {
        X509Certificate[] chain = {signed(DAY, "commandway.example.org", false), authority.certificate()};
        assertRefused(pinned(), chain, "does not have the DNS name commandway");
        assertRefused(agent.trustManager(clock), chain, "does not have the DNS name commandway");
    }

    @Test
    void anotherAuthoritysCertificateIsNoServers() throws Exception {
        X509Certificate[] chain = {signed(DAY, "commandway", true), authority.certificate()};
        assertRefused(pinned(), chain, "as its own");
    }

    /** A server certificate by the real authority that it would not issue itself. */
    private X509Certificate signed(Duration validity, String dnsName, boolean isAuthority) throws Exception {
        var builder = new JcaX509v3CertificateBuilder(
                authority.certificate(),
                BigInteger.TWO,
                Date.from(clock.instant()),
                Date.from(clock.instant().plus(validity)),
                new X500Name("CN=x"),
                Keys.generate(random).getPublic());
        builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(isAuthority));
        builder.addExtension(Extension.extendedKeyUsage, false, new ExtendedKeyUsage(KeyPurposeId.id_kp_serverAuth));
        builder.addExtension(
                Extension.subjectAlternativeName,
                false,
                new GeneralNames(new GeneralName(GeneralName.dNSName, dnsName)));
        PrivateKey key = Pem.readKey(root.resolve("data/ca-key.pem"));
        return new JcaX509CertificateConverter()
                .getCertificate(builder.build(new JcaContentSignerBuilder(Keys.SIGNATURE_ALGORITHM).build(key)));
    }

    @Test
    void pinTrustsNoClient() {
        assertThatThrownBy(() -> pinned().checkClientTrusted(chain(agent), "ECDHE_ECDSA"))
                .isInstanceOf(CertificateException.class);
    }

    @Test
    void identityAcceptsPeersOfItsAuthorityOnly() throws Exception {
        agent.trustManager(clock).checkServerTrusted(chain(server), "ECDHE_ECDSA");
        server.trustManager(clock).checkClientTrusted(chain(agent), "ECDHE_ECDSA");
        assertRefused(agent.trustManager(clock), chain(stranger.issueServer(List.of(), DAY)), "refused");
        Identity intruder = agent(stranger);
        assertThatThrownBy(() -> server.trustManager(clock).checkClientTrusted(chain(intruder), "ECDHE_ECDSA"))
                .isInstanceOf(CertificateException.class);
        assertThat(server.trustManager(clock).getAcceptedIssuers()).containsExactly(authority.certificate());
    }

    @Test
    void knownChainIsRefusedAfterItsTime() throws Exception {
        X509ExtendedTrustManager trust = server.trustManager(clock);
        trust.checkClientTrusted(chain(agent), "ECDHE_ECDSA");
        trust.checkClientTrusted(chain(agent), "ECDHE_ECDSA");
        clock.advance(DAY.plusSeconds(1));
        assertThatThrownBy(() -> trust.checkClientTrusted(chain(agent), "ECDHE_ECDSA"))
                .isInstanceOf(CertificateException.class)
                .hasMessageContaining("validity check failed");
    }

    @Test
    void knownChainIsRefusedAfterItsAuthoritysTime() throws Exception {
        X509Certificate[] chain = {signed(Duration.ofDays(36_500), "commandway", false), authority.certificate()};
        agent.trustManager(clock).checkServerTrusted(chain, "ECDHE_ECDSA");
        clock.advance(Duration.ofDays(3654));
        assertThatThrownBy(() -> agent.trustManager(clock).checkServerTrusted(chain, "ECDHE_ECDSA"))
                .isInstanceOf(CertificateException.class);
    }

    @Test
    void knownChainIsRefusedUnderOtherAuthoritiesAndInAnotherRole() throws Exception {
        server.trustManager(clock).checkClientTrusted(chain(agent), "ECDHE_ECDSA");
        Identity strangersServer = stranger.issueServer(List.of(), DAY);
        assertThatThrownBy(() -> strangersServer.trustManager(clock).checkClientTrusted(chain(agent), "ECDHE_ECDSA"))
                .isInstanceOf(CertificateException.class)
                .hasMessageContaining("refused");
        assertRefused(server.trustManager(clock), chain(agent), "not one for a server");
    }

    @Test
    void chainWithASpoiltSignatureIsRefusedAfterTheRealOne() throws Exception {
        server.trustManager(clock).checkClientTrusted(chain(agent), "ECDHE_ECDSA");
        byte[] encoded = agent.certificate().getEncoded();
        encoded[encoded.length - 1] ^= 1;
        X509Certificate spoilt = (X509Certificate)
                CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(encoded));
        X509Certificate[] forged = {spoilt, authority.certificate()};
        for (int attempt = 0; attempt < 2; attempt++) {
            assertThatThrownBy(() -> server.trustManager(clock).checkClientTrusted(forged, "ECDHE_ECDSA"))
                    .isInstanceOf(CertificateException.class);
        }
    }

    @Test
    void verifiedChainsForgetTheLeastRecentlyUsed() throws Exception {
        List<X509Certificate> authorities = List.of(authority.certificate());
        var first = VerifiedChains.Digest.of(authorities, chain(agent));
        var second = VerifiedChains.Digest.of(authorities, chain(server));
        var third = VerifiedChains.Digest.of(List.of(stranger.certificate()), chain(server));
        VerifiedChains chains = new VerifiedChains(2);
        chains.add(first, authority.certificate());
        chains.add(second, authority.certificate());
        assertThat(chains.authorityOf(first)).isEqualTo(authority.certificate());
        chains.add(third, stranger.certificate());
        assertThat(chains.authorityOf(second)).isNull();
        assertThat(chains.authorityOf(first)).isEqualTo(authority.certificate());
        assertThat(chains.authorityOf(third)).isEqualTo(stranger.certificate());
    }

    @Test
    void realHandshakeSucceedsBothWays() throws Exception {
        assertThat(handshake(server, agent, agent.trustManager(clock))).isEqualTo("a");
        assertThat(handshake(server, agent, pinned())).isEqualTo("a");
    }

    @Test
    void realHandshakeFailsForAStrangerOnEitherEnd() throws Exception {
        Identity intruder = agent(stranger);
        // In TLS 1.3 the client is done before the server judges it, and sees the alert, or the end, on its first read.
        assertThatThrownBy(() -> handshake(server, intruder, pinned())).isInstanceOf(IOException.class);
        Identity impostor = stranger.issueServer(List.of(), DAY);
        assertThatThrownBy(() -> handshake(impostor, agent, pinned())).isInstanceOf(SSLException.class);
        assertThatThrownBy(() -> handshake(agent, agent, pinned())).isInstanceOf(SSLException.class);
    }

    /** One TLS 1.3 connection over loopback; returns the agent id that the server saw. */
    private String handshake(Identity serverSide, Identity clientSide, X509ExtendedTrustManager clientTrust)
            throws Exception {
        ExecutorService pool = Executors.newSingleThreadExecutor();
        try (SSLServerSocket listener = (SSLServerSocket) context(serverSide, serverSide.trustManager(clock))
                .getServerSocketFactory()
                .createServerSocket(0)) {
            listener.setNeedClientAuth(true);
            listener.setSoTimeout(30_000);
            CompletableFuture<String> seen = CompletableFuture.supplyAsync(
                    () -> {
                        try (SSLSocket socket = (SSLSocket) listener.accept()) {
                            socket.setSoTimeout(30_000);
                            socket.startHandshake();
                            socket.getOutputStream().write(1);
                            return Identity.agentId((X509Certificate)
                                            socket.getSession().getPeerCertificates()[0])
                                    .orElseThrow();
                        } catch (IOException e) {
                            throw new UncheckedIOException(e);
                        }
                    },
                    pool);
            try (SSLSocket socket = (SSLSocket) context(clientSide, clientTrust)
                    .getSocketFactory()
                    .createSocket(listener.getInetAddress(), listener.getLocalPort())) {
                socket.setSoTimeout(30_000);
                socket.startHandshake();
                assertThat(socket.getSession().getProtocol()).isEqualTo("TLSv1.3");
                if (socket.getInputStream().read() < 0) {
                    throw new IOException("the server closed the connection");
                }
            }
            return seen.get();
        } finally {
            pool.shutdownNow();
        }
    }

    private SSLContext context(Identity identity, X509ExtendedTrustManager trust) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry("own", identity.privateKey(), new char[0], chain(identity));
        KeyManagerFactory keys = KeyManagerFactory.getInstance("SunX509");
        keys.init(store, new char[0]);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), new TrustManager[] {trust}, random);
        return context;
    }
}
