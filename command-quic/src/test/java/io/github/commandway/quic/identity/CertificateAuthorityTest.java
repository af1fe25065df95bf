package io.github.commandway.quic.identity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CertificateAuthorityTest {

    private static final Duration DAY = Duration.ofDays(1);

    @TempDir
    Path root;

    private final SettableClock clock = new SettableClock();
    private final SecureRandom random = new SecureRandom();

    private Path data() {
        return root.resolve("data");
    }

    private CertificateAuthority open() throws IOException {
        return CertificateAuthority.openOrCreate(data(), clock, random);
    }

    @Test
    void isMadeOnceAndThenOpened() throws Exception {
        CertificateAuthority made = open();
        CertificateAuthority opened = open();
        assertThat(opened.certificate()).isEqualTo(made.certificate());
        assertThat(opened.fingerprint()).isEqualTo(made.fingerprint()).matches("[0-9a-f]{64}");
        opened.issueServer(List.of(), DAY)
                .certificate()
                .verify(made.certificate().getPublicKey());
    }

    @Test
    void isAnEcdsaP256AuthorityForTenYears() throws Exception {
        X509Certificate certificate = open().certificate();
        assertThat(certificate.getSigAlgName()).isEqualTo("SHA256withECDSA");
        assertThat(Keys.isP256(certificate.getPublicKey())).isTrue();
        assertThat(certificate.getBasicConstraints()).isZero();
        assertThat(certificate.getKeyUsage()[5]).as("keyCertSign").isTrue();
        assertThat(certificate.getNotAfter().toInstant()).isEqualTo(Instant.parse("2036-03-01T12:00:00Z"));
    }

    @Test
    void fingerprintIsTheSha256OfTheCertificate() throws Exception {
        CertificateAuthority authority = open();
        assertThat(authority.fingerprint())
                .isEqualTo(HexFormat.of()
                        .formatHex(MessageDigest.getInstance("SHA-256")
                                .digest(authority.certificate().getEncoded())));
    }

    @Test
    void onlyItsOwnerCanReadTheKey() throws Exception {
        assumePosix();
        open();
        assertThat(permissions(data())).isEqualTo("rwx------");
        assertThat(permissions(data().resolve("ca-key.pem"))).isEqualTo("rw-------");
        assertThat(permissions(data().resolve("identity.lock"))).isEqualTo("rw-------");
        assertThat(Files.readString(data().resolve("ca.pem"))).doesNotContain("PRIVATE");
        assertThat(names(data())).containsExactlyInAnyOrder("ca-key.pem", "ca.pem", "identity.lock");
    }

    @Test
    void damagedKeyFileIsRefusedAndLeftUntouched() throws Exception {
        open();
        Path file = data().resolve("ca-key.pem");
        String good = Files.readString(file);
        List<String> damaged = List.of(
                "",
                "not a key at all",
                good.substring(0, good.length() / 2),
                good.substring(0, good.indexOf("-----BEGIN CERTIFICATE")),
                good.substring(good.indexOf("-----BEGIN CERTIFICATE")),
                good + good,
                good.replaceFirst("\n.{20}", "\n" + "A".repeat(20)),
                new StringBuilder(good).reverse().toString(),
                "x".repeat(2 * 1024 * 1024));
        for (String content : damaged) {
            Files.writeString(file, content);
            assertThatThrownBy(this::open).isInstanceOf(IdentityException.class).hasMessageContaining("ca-key.pem");
            assertThat(Files.readString(file)).isEqualTo(content);
        }
        Files.writeString(file, good);
        open();
    }

    @Test
    void anotherAuthoritysKeyIsRefused() throws Exception {
        open();
        CertificateAuthority.openOrCreate(root.resolve("other"), clock, random);
        Path file = data().resolve("ca-key.pem");
        String own = Files.readString(file);
        String other = Files.readString(root.resolve("other/ca-key.pem"));
        String mixed = other.substring(0, other.indexOf("-----BEGIN CERTIFICATE"))
                + own.substring(own.indexOf("-----BEGIN CERTIFICATE"));
        Files.writeString(file, mixed);
        assertThatThrownBy(this::open)
                .isInstanceOf(IdentityException.class)
                .hasMessageContaining("its private key does not belong to its certificate");
        Files.writeString(file, other);
        assertThatThrownBy(this::open)
                .isInstanceOf(IdentityException.class)
                .hasMessageContaining("ca.pem is not the certificate in");
    }

    @Test
    void anAgentsCertificateIsNoAuthority() throws Exception {
        CertificateAuthority authority = open();
        KeyPair keys = Keys.generate(random);
        List<X509Certificate> chain = authority.issueAgent("a", keys.getPublic(), DAY);
        Path foreign = Files.createDirectory(root.resolve("foreign"));
        Files.write(foreign.resolve("ca-key.pem"), new Pem(List.of(keys.getPrivate()), chain.subList(0, 1)).encoded());
        assertThatThrownBy(() -> CertificateAuthority.openOrCreate(foreign, clock, random))
                .isInstanceOf(IdentityException.class)
                .hasMessageContaining("not that of a P-256 certificate authority");
    }

    @Test
    void missingKeyIsNotSilentlyReplaced() throws Exception {
        open();
        Files.delete(data().resolve("ca-key.pem"));
        assertThatThrownBy(this::open)
                .isInstanceOf(IdentityException.class)
                .hasMessageContaining("ca-key.pem is missing");
        assertThat(data().resolve("ca-key.pem")).doesNotExist();
    }

    @Test
    void crashBetweenItsTwoFilesIsRepaired() throws Exception {
        CertificateAuthority authority = open();
        Files.delete(data().resolve("ca.pem"));
        assertThat(open().certificate()).isEqualTo(authority.certificate());
        assertThat(Pem.readCertificates(data().resolve("ca.pem"))).containsExactly(authority.certificate());
    }

    @Test
    void leftoverOfAKilledProcessIsReplaced() throws Exception {
        Files.createDirectory(data());
        Files.writeString(data().resolve(".ca-key.pem.tmp"), "-----BEGIN PRIV");
        open();
        assertThat(names(data())).containsExactlyInAnyOrder("ca-key.pem", "ca.pem", "identity.lock");
    }

    @Test
    void expiredAuthorityIsRefused() throws Exception {
        CertificateAuthority authority = open();
        clock.advance(Duration.ofDays(3654));
        assertThatThrownBy(this::open)
                .isInstanceOf(IdentityException.class)
                .hasMessageContaining("it expired on 2036-03-01");
        assertThatThrownBy(() -> authority.issueServer(List.of(), DAY)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void threadsThatStartAtOnceGetOneAuthority() throws Exception {
        int threads = 8;
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        try {
            CountDownLatch start = new CountDownLatch(1);
            List<Future<String>> opened = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                opened.add(pool.submit(() -> {
                    start.await();
                    return open().fingerprint();
                }));
            }
            start.countDown();
            Set<String> fingerprints = new HashSet<>();
            for (Future<String> future : opened) {
                fingerprints.add(future.get());
            }
            assertThat(fingerprints).hasSize(1);
        } finally {
            pool.shutdownNow();
        }
    }

    /** The other process of {@link #processesThatStartAtOnceGetOneAuthority}. */
    static final class OtherProcess {
        public static void main(String[] arguments) throws Exception {
            System.out.println("ready");
            if (System.in.read() < 0) {
                throw new IllegalStateException("the test went away");
            }
            System.out.println(
                    CertificateAuthority.openOrCreate(Path.of(arguments[0]), Clock.systemUTC(), new SecureRandom())
                            .fingerprint());
        }
    }

    @Test
    void processesThatStartAtOnceGetOneAuthority() throws Exception {
        List<Process> processes = new ArrayList<>();
        try {
            for (int i = 0; i < 3; i++) {
                processes.add(new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java")
                                        .toString(),
                                "-cp",
                                System.getProperty("java.class.path"),
                                OtherProcess.class.getName(),
                                data().toString())
                        .redirectError(ProcessBuilder.Redirect.INHERIT)
                        .start());
            }
            for (Process process : processes) {
                assertThat(process.inputReader().readLine()).isEqualTo("ready");
            }
            for (Process process : processes) {
                process.outputWriter().write('\n');
                process.outputWriter().flush();
            }
            Set<String> fingerprints = new HashSet<>();
            for (Process process : processes) {
                fingerprints.add(process.inputReader().readLine());
                assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
                assertThat(process.exitValue()).isZero();
            }
            assertThat(fingerprints).hasSize(1).doesNotContainNull();
            assertThat(CertificateAuthority.openOrCreate(data(), Clock.systemUTC(), random)
                            .fingerprint())
                    .isIn(fingerprints);
        } finally {
            processes.forEach(Process::destroyForcibly);
        }
    }

    @Test
    void serverCertificateAlwaysHasTheConstantName() throws Exception {
        Identity server = open().issueServer(List.of("Example.org", "localhost", "127.0.0.1", "::1"), DAY);
        X509Certificate certificate = server.certificate();
        assertThat(certificate.getExtendedKeyUsage()).containsExactly("1.3.6.1.5.5.7.3.1");
        assertThat(certificate.getSubjectAlternativeNames())
                .extracting(name -> (Object) name.get(1))
                .containsExactly("commandway", "example.org", "localhost", "127.0.0.1", "0:0:0:0:0:0:0:1");
        assertThat(server.agentId()).isEmpty();
        assertThat(server.certificateChain()).hasSize(2);
    }

    @Test
    void namesThatAreNoServerNamesAreRefused() throws Exception {
        CertificateAuthority authority = open();
        for (String name :
                List.of("", "a b", "-a", "a..b", "*.example.org", "http://a", "a".repeat(64), "300.1.1.1:9")) {
            assertThatThrownBy(() -> authority.issueServer(List.of(name), DAY))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("neither a DNS name nor an IP address");
        }
        String[] many = new String[101];
        Arrays.setAll(many, i -> "host" + i);
        assertThatThrownBy(() -> authority.issueServer(List.of(many), DAY)).hasMessageContaining("at most 100");
    }

    @Test
    void agentCertificateCarriesTheIdTheServerDecided() throws Exception {
        IdentityRequest request = IdentityRequest.create(random);
        String id = "a:" + "x".repeat(126);
        X509Certificate certificate = open().issueAgent(id, request.der(), DAY).get(0);
        assertThat(certificate.getExtendedKeyUsage()).containsExactly("1.3.6.1.5.5.7.3.2");
        assertThat(certificate.getSubjectAlternativeNames()).containsExactly(List.of(6, "urn:commandway:agent:" + id));
        assertThat(Identity.agentId(certificate)).contains(id);
        assertThat(certificate.getBasicConstraints()).isEqualTo(-1);
    }

    @Test
    void requestSignedByAnotherKeyIsRefused() throws Exception {
        KeyPair own = Keys.generate(random);
        byte[] forged =
                Keys.request(new KeyPair(own.getPublic(), Keys.generate(random).getPrivate()), random);
        CertificateAuthority authority = open();
        assertThatThrownBy(() -> authority.issueAgent("a", forged, DAY))
                .isInstanceOf(IdentityException.class)
                .hasMessageContaining("not signed by the key");
    }

    @Test
    void damagedRequestIsRefusedWhereverTheDamageIs() throws Exception {
        CertificateAuthority authority = open();
        byte[] good = IdentityRequest.create(random).der();
        for (int i = 0; i < good.length; i++) {
            byte[] damaged = good.clone();
            damaged[i] ^= 0x55;
            byte[] cut = Arrays.copyOf(good, i);
            assertThatThrownBy(() -> authority.issueAgent("a", damaged, DAY)).isInstanceOf(IdentityException.class);
            assertThatThrownBy(() -> authority.issueAgent("a", cut, DAY)).isInstanceOf(IdentityException.class);
        }
        assertThatThrownBy(() -> authority.issueAgent("a", new byte[17 * 1024], DAY))
                .hasMessageContaining("longer than");
    }

    @Test
    void otherKindsOfKeyAreRefused() throws Exception {
        CertificateAuthority authority = open();
        KeyPairGenerator p384 = KeyPairGenerator.getInstance("EC");
        p384.initialize(384);
        KeyPair wrongCurve = p384.generateKeyPair();
        assertThatThrownBy(() -> authority.issueAgent("a", wrongCurve.getPublic(), DAY))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> authority.issueAgent("a", Keys.request(wrongCurve, random), DAY))
                .isInstanceOf(IdentityException.class)
                .hasMessageContaining("P-256");
    }

    @Test
    void certificateNeverOutlivesItsAuthority() throws Exception {
        CertificateAuthority authority = open();
        Instant end = authority.certificate().getNotAfter().toInstant();
        Duration forever = Duration.ofSeconds(Long.MAX_VALUE);
        assertThat(authority.issueServer(List.of(), forever).expiresAt()).isEqualTo(end);
        assertThat(authority.issueServer(List.of(), DAY).expiresAt())
                .isEqualTo(clock.instant().plus(DAY));
        assertThatThrownBy(() -> authority.issueServer(List.of(), Duration.ZERO))
                .isInstanceOf(IllegalArgumentException.class);
    }

    static void assumePosix() {
        assumeTrue(FileSystems.getDefault().supportedFileAttributeViews().contains("posix"));
    }

    static String permissions(Path path) throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
    }

    static List<String> names(Path directory) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.map(file -> file.getFileName().toString()).toList();
        }
    }
}
