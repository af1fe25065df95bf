package io.github.commandway.quic.identity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.StringWriter;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.Arrays;
import java.util.Date;
import java.util.List;
import org.bouncycastle.asn1.sec.ECPrivateKey;
import org.bouncycastle.asn1.sec.SECObjectIdentifiers;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.util.io.pem.PemObject;
import org.bouncycastle.util.io.pem.PemWriter;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IdentityTest {

    private static final Duration MONTH = Duration.ofDays(30);

    @TempDir
    Path root;

    private final SettableClock clock = new SettableClock();
    private final SecureRandom random = new SecureRandom();
    private CertificateAuthority authority;

    @BeforeEach
    void makeAuthority() throws IOException {
        authority = CertificateAuthority.openOrCreate(root.resolve("data"), clock, random);
    }

    private Identity agent(String id) throws IOException {
        IdentityRequest request = IdentityRequest.create(random);
        return request.complete(authority.issueAgent(id, request.der(), MONTH), authority.fingerprint(), clock);
    }

    @Test
    void isReadBackAsItWasSaved() throws Exception {
        Identity saved = agent("client-001");
        Path directory = root.resolve("agent");
        assertThat(Identity.exists(directory)).isFalse();
        saved.save(directory);
        assertThat(Identity.exists(directory)).isTrue();
        Identity loaded = Identity.load(directory);
        assertThat(loaded.agentId()).contains("client-001");
        assertThat(loaded.privateKey()).isEqualTo(saved.privateKey());
        assertThat(loaded.certificateChain()).isEqualTo(saved.certificateChain());
        assertThat(loaded.trustedCertificates()).containsExactly(authority.certificate());
    }

    @Test
    void onlyItsOwnerCanReadTheKey() throws Exception {
        CertificateAuthorityTest.assumePosix();
        Path directory = root.resolve("agent");
        agent("a").save(directory);
        assertThat(CertificateAuthorityTest.permissions(directory)).isEqualTo("rwx------");
        assertThat(CertificateAuthorityTest.permissions(directory.resolve("key.pem")))
                .isEqualTo("rw-------");
        assertThat(CertificateAuthorityTest.names(directory))
                .containsExactlyInAnyOrder("key.pem", "chain.pem", "trusted.pem", "identity.lock");
    }

    @Test
    void neverReplacesAnotherPrivateKey() throws Exception {
        Path directory = root.resolve("agent");
        agent("a").save(directory);
        byte[] before = Files.readAllBytes(directory.resolve("key.pem"));
        Identity other = agent("a");
        assertThatThrownBy(() -> other.save(directory))
                .isInstanceOf(IdentityException.class)
                .hasMessageContaining("another identity");
        assertThat(Files.readAllBytes(directory.resolve("key.pem"))).isEqualTo(before);
    }

    @Test
    void damagedFilesAreRefusedByName() throws Exception {
        Path directory = root.resolve("agent");
        agent("a").save(directory);
        for (String name : List.of("key.pem", "chain.pem", "trusted.pem")) {
            Path file = directory.resolve(name);
            String good = Files.readString(file);
            for (String content : List.of("", "junk", good.substring(0, good.length() / 2))) {
                Files.writeString(file, content);
                assertThatThrownBy(() -> Identity.load(directory))
                        .isInstanceOf(IdentityException.class)
                        .hasMessageContaining(name);
            }
            Files.writeString(file, good);
        }
        Identity.load(directory);
        Files.delete(directory.resolve("trusted.pem"));
        assertThatThrownBy(() -> Identity.load(directory)).isInstanceOf(NoSuchFileException.class);
    }

    @Test
    void keyOfAnotherCertificateIsRefused() throws Exception {
        agent("a").save(root.resolve("a"));
        agent("b").save(root.resolve("b"));
        assertThatThrownBy(() -> Identity.load(
                        root.resolve("a/key.pem"), root.resolve("b/chain.pem"), root.resolve("a/trusted.pem")))
                .isInstanceOf(IdentityException.class)
                .hasMessageContaining("does not belong to the first certificate");
    }

    @Test
    void requestKeepsItsKeyAcrossACrash() throws Exception {
        Path directory = root.resolve("agent");
        IdentityRequest before = IdentityRequest.openOrCreate(directory, random);
        IdentityRequest after = IdentityRequest.openOrCreate(directory, random);
        assertThat(Keys.requestedKey(after.der())).isEqualTo(Keys.requestedKey(before.der()));
        assertThat(Identity.exists(directory)).isFalse();
        Identity identity =
                after.complete(authority.issueAgent("a", before.der(), MONTH), authority.fingerprint(), clock);
        identity.save(directory);
        assertThat(Identity.load(directory).agentId()).contains("a");
    }

    @Test
    void requestRefusesAnAnswerThatIsNotForIt() throws Exception {
        IdentityRequest request = IdentityRequest.create(random);
        List<X509Certificate> own = authority.issueAgent("a", request.der(), MONTH);
        List<X509Certificate> foreign =
                authority.issueAgent("a", Keys.generate(random).getPublic(), MONTH);
        assertThatThrownBy(() -> request.complete(foreign, authority.fingerprint(), clock))
                .hasMessageContaining("another key");
        assertThatThrownBy(() -> request.complete(List.of(), authority.fingerprint(), clock))
                .isInstanceOf(IdentityException.class);
        assertThatThrownBy(() -> request.complete(own, "00".repeat(32), clock))
                .hasMessageContaining("not by the authority");
        assertThatThrownBy(
                        () -> request.complete(own.subList(0, 1), CertificateAuthority.fingerprint(own.get(0)), clock))
                .isInstanceOf(IdentityException.class);
        clock.advance(MONTH.plusDays(1));
        assertThatThrownBy(() -> request.complete(own, authority.fingerprint(), clock))
                .isInstanceOf(IdentityException.class);
    }

    @Test
    void needsRenewalWhenLessThanAThirdOfItsValidityIsLeft() throws Exception {
        Identity identity = agent("a");
        clock.advance(Duration.ofDays(19));
        assertThat(identity.needsRenewal(clock)).isFalse();
        clock.advance(Duration.ofDays(1).plusMinutes(1));
        assertThat(identity.needsRenewal(clock)).isTrue();
        assertThat(identity.isExpired(clock)).isFalse();
        clock.advance(Duration.ofDays(10));
        assertThat(identity.isExpired(clock)).isTrue();
        assertThat(identity.needsRenewal(clock)).isTrue();
    }

    @Test
    void renewalKeepsKeyAndIdAndReplacesTheSavedChain() throws Exception {
        Path directory = root.resolve("agent");
        Identity identity = agent("a");
        identity.save(directory);
        clock.advance(Duration.ofDays(25));
        Identity renewed = identity.renewed(authority.issueAgent("a", identity.renewalRequest(random), MONTH), clock);
        renewed.save(directory);
        Identity loaded = Identity.load(directory);
        assertThat(loaded.needsRenewal(clock)).isFalse();
        assertThat(loaded.privateKey()).isEqualTo(identity.privateKey());

        assertThatThrownBy(() ->
                        identity.renewed(authority.issueAgent("b", identity.renewalRequest(random), MONTH), clock))
                .hasMessageContaining("another agent: b");
        Identity other = agent("a");
        assertThatThrownBy(() -> identity.renewed(other.certificateChain(), clock))
                .hasMessageContaining("another key");
        CertificateAuthority stranger = CertificateAuthority.openOrCreate(root.resolve("stranger"), clock, random);
        assertThatThrownBy(
                        () -> identity.renewed(stranger.issueAgent("a", identity.renewalRequest(random), MONTH), clock))
                .hasMessageContaining("refused");
    }

    @Test
    void agentIdNeedsExactlyOneUriOfOurForm() throws Exception {
        String ours = "urn:commandway:agent:";
        assertThat(Identity.agentId(certificate(ours + "a"))).contains("a");
        assertThat(Identity.agentId(certificate("spiffe://example.org/x", ours + "a")))
                .contains("a");
        assertThat(Identity.agentId(certificate(ours + "a", ours + "b"))).isEmpty();
        assertThat(Identity.agentId(certificate(ours + "a", ours + "not valid")))
                .isEmpty();
        assertThat(Identity.agentId(certificate(ours))).isEmpty();
        assertThat(Identity.agentId(certificate("urn:other:agent:a"))).isEmpty();
        assertThat(Identity.agentId(certificate())).isEmpty();
        assertThat(Identity.agentId(authority.certificate())).isEmpty();
    }

    private X509Certificate certificate(String... uris) throws Exception {
        KeyPair keys = Keys.generate(random);
        var builder = new JcaX509v3CertificateBuilder(
                new X500Name("CN=x"),
                BigInteger.ONE,
                Date.from(clock.instant()),
                Date.from(clock.instant().plus(MONTH)),
                new X500Name("CN=" + AgentIds.toUri("subject")),
                keys.getPublic());
        if (uris.length > 0) {
            GeneralName[] names = Arrays.stream(uris)
                    .map(uri -> new GeneralName(GeneralName.uniformResourceIdentifier, uri))
                    .toArray(GeneralName[]::new);
            builder.addExtension(Extension.subjectAlternativeName, false, new GeneralNames(names));
        }
        return new JcaX509CertificateConverter()
                .getCertificate(
                        builder.build(new JcaContentSignerBuilder(Keys.SIGNATURE_ALGORITHM).build(keys.getPrivate())));
    }

    @Test
    void filesOfOtherToolsAreReadToo() throws Exception {
        Identity identity = agent("a");
        identity.save(root.resolve("agent"));
        // the older EC form (RFC 5915) with its curve inside, and with text around it, as openssl writes them
        var older = new ECPrivateKey(
                256,
                ((java.security.interfaces.ECPrivateKey) identity.privateKey()).getS(),
                SECObjectIdentifiers.secp256r1);
        var writer = new StringWriter();
        try (var pem = new PemWriter(writer)) {
            pem.writeObject(new PemObject("EC PRIVATE KEY", older.getEncoded()));
        }
        Path key = root.resolve("old.pem");
        Files.writeString(key, "Bag Attributes\n" + writer);
        assertThat(Identity.load(key, root.resolve("agent/chain.pem"), root.resolve("agent/trusted.pem"))
                        .agentId())
                .contains("a");
    }

    @Test
    void textFormsShowNoKey() throws Exception {
        Identity identity = agent("client-001");
        assertThat(identity).hasToString("Identity[agent client-001, expires 2026-03-31T12:00:00Z]");
        assertThat(new Pem(List.of(identity.privateKey()), List.of())).hasToString("Pem[1 keys, 0 certificates]");
        assertThat(authority).hasToString("CertificateAuthority[" + authority.fingerprint() + "]");
        assertThat(IdentityRequest.create(random).toString()).hasSizeLessThan(80);
    }
}
