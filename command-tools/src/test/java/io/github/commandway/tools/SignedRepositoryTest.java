package io.github.commandway.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.github.commandway.tools.RepositoryException.Code;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.KeyPair;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Nothing comes from a repository but what its owner has signed, and nothing half. */
class SignedRepositoryTest {
    @TempDir
    Path folder;

    private RepositoryFixture fixture;

    @BeforeEach
    void open() throws IOException {
        fixture = new RepositoryFixture(folder);
    }

    @Test
    void anyFileIsFoundByItsVersionAndDownloadedAsItWas() throws Exception {
        Path program = Files.writeString(folder.resolve("commandway.jar"), "the program, 1.1.0");
        fixture.writer.addFile("commandway", "1.1.0", program, List.of(), List.of());
        Files.writeString(program, "the program, 2.0.0-rc.1");
        fixture.writer.addFile("commandway", "2.0.0-rc.1", program, List.of(), List.of());
        fixture.writer.publish(RepositoryFixture.WEEK);
        SignedRepository repository = fixture.repository();

        Artifact newest = repository.find("commandway", "");
        Path target = folder.resolve("new/commandway.jar");
        repository.download(newest, target);

        assertThat(newest.version()).isEqualTo("1.1.0");
        assertThat(newest.file()).isEqualTo("commandway/commandway-1.1.0.jar");
        assertThat(target).hasContent("the program, 1.1.0");
        assertThat(target.getParent()).isDirectoryNotContaining(path -> !path.equals(target));
        assertThat(Files.getPosixFilePermissions(target))
                .as("as any new file")
                .isEqualTo(Files.getPosixFilePermissions(program));
        assertThat(repository.find("commandway", ">=2.0.0-rc.1").version()).isEqualTo("2.0.0-rc.1");
        assertRefused(
                () -> repository.find("commandway", "^3"),
                Code.NOT_FOUND,
                "no version '^3' of commandway; there is 2.0.0-rc.1, 1.1.0");
        assertRefused(() -> repository.find("other", ""), Code.NOT_FOUND, "has no 'other' for ");
    }

    @Test
    void onlyWhatIsForThisMachineIsFound() throws Exception {
        Path program = Files.writeString(folder.resolve("tool.bin"), "x");
        fixture.writer.addFile("tool", "1.0.0", program, List.of("windows"), List.of());
        fixture.writer.addFile("tool", "1.0.0", program, List.of("linux", "mac"), List.of("aarch64"));
        fixture.writer.publish(RepositoryFixture.WEEK);

        assertThat(onPlatform("windows", "x86_64").find("tool", "").os()).containsExactly("windows");
        assertThat(onPlatform("mac", "aarch64").find("tool", "").file())
                .isEqualTo("tool/tool-1.0.0-linux-mac-aarch64.bin");
        assertRefused(
                () -> onPlatform("linux", "x86_64").find("tool", ""),
                Code.NOT_FOUND,
                "has no 'tool' for linux on x86_64");
    }

    private SignedRepository onPlatform(String os, String arch) {
        return SignedRepository.builder(fixture.published.toUri(), fixture.keys.getPublic(), fixture.memory)
                .clock(fixture.time.clock())
                .platform(new Platform(os, arch))
                .build();
    }

    @Test
    void anIndexThatAnotherKeyHasSignedIsRefused() throws Exception {
        fixture.publish("hello", "1.0.0");
        KeyPair other = RepositoryKeys.generate(new SecureRandom());
        SignedRepository repository = SignedRepository.builder(
                        fixture.published.toUri(), other.getPublic(), fixture.memory)
                .build();

        assertRefused(repository::artifacts, Code.UNTRUSTED, "is not signed with the key that is trusted here");
        assertThatThrownBy(() -> RepositoryWriter.open(fixture.published, other, fixture.time.clock(), fixture.random))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("is not signed with these keys");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "AAAA", "not base64 !", "\u0000"})
    void whatIsNoSignatureIsRefused(String signature) throws Exception {
        fixture.publish("hello", "1.0.0");
        Files.writeString(fixture.published.resolve("index.json.sig"), signature);

        assertRefused(fixture.repository()::artifacts, Code.UNTRUSTED, "is not signed");
    }

    @Test
    void anIndexInWhichOneCharacterWasChangedIsRefused() throws Exception {
        fixture.publish("hello", "1.0.0");
        Path index = fixture.published.resolve("index.json");
        Files.writeString(index, Files.readString(index).replace("1.0.0", "1.0.1"));

        assertRefused(fixture.repository()::artifacts, Code.UNTRUSTED, "is not signed");
    }

    @Test
    void anIndexThatHasExpiredIsRefused() throws Exception {
        fixture.publish("hello", "1.0.0");
        fixture.time.advance(RepositoryFixture.WEEK.minusSeconds(1));
        assertThat(fixture.repository().artifacts()).hasSize(1);
        fixture.time.advance(Duration.ofSeconds(1));

        assertRefused(fixture.repository()::artifacts, Code.UNTRUSTED, "has expired at 2026-01-08T00:00:00Z");
        fixture.writer.publish(RepositoryFixture.WEEK);
        assertThat(fixture.repository().artifacts()).hasSize(1);
    }

    @Test
    void anOlderIndexThanWasSeenBeforeIsRefusedAlsoAtAnotherAddress() throws Exception {
        fixture.publish("hello", "1.0.0");
        SignedRepository old = fixture.repository(copyOfIndex("old"));
        fixture.publish("hello", "1.1.0");
        assertThat(fixture.repository().artifacts()).hasSize(2);

        assertRefused(old::artifacts, Code.UNTRUSTED, "has sequence 1, and 2 was seen before");
        assertThat(fixture.repository(copyOfIndex("mirror")).artifacts()).hasSize(2);
    }

    private Path copyOfIndex(String name) throws IOException {
        Path copy = Files.createDirectory(folder.resolve(name));
        for (String file : List.of("index.json", "index.json.sig")) {
            Files.copy(fixture.published.resolve(file), copy.resolve(file));
        }
        return copy;
    }

    @Test
    void anotherIndexWithTheSameSequenceIsRefused() throws Exception {
        fixture.writer.publish(RepositoryFixture.WEEK);
        Path fork = copyOfIndex("fork");
        fixture.open(fork).publish(Duration.ofDays(1));
        fixture.publish("hello", "1.0.0");
        assertThat(fixture.repository().artifacts()).hasSize(1);

        assertRefused(
                fixture.repository(fork)::artifacts,
                Code.UNTRUSTED,
                "another one than was seen before with the same sequence 2");
    }

    @Test
    void oneKeyMaySignSeveralRepositoriesButNoneTakesThePlaceOfAnother() throws Exception {
        fixture.publish("hello", "1.0.0");
        Path programs = folder.resolve("programs");
        fixture.open(programs).publish(RepositoryFixture.WEEK);
        assertThat(fixture.repository().artifacts()).hasSize(1);
        assertThat(fixture.repository(programs).artifacts()).isEmpty();

        for (String file : List.of("index.json", "index.json.sig")) {
            Files.copy(fixture.published.resolve(file), programs.resolve(file), StandardCopyOption.REPLACE_EXISTING);
        }

        assertRefused(fixture.repository(programs)::artifacts, Code.UNTRUSTED, "is another repository than before: ");
        assertThat(fixture.repository().artifacts()).hasSize(1);
    }

    @Test
    void aMemoryThatCannotBeReadIsNotTakenForAnEmptyOne() throws Exception {
        fixture.publish("hello", "1.0.0");
        assertThat(fixture.repository().artifacts()).hasSize(1);
        Path seen;
        try (Stream<Path> files = Files.list(fixture.memory)) {
            seen = files.filter(file -> file.toString().endsWith(".json"))
                    .findFirst()
                    .orElseThrow();
        }
        String whole = Files.readString(seen);
        for (String content : List.of(
                "{",
                "{}",
                "[]",
                whole.replace("\"sequence\"", "\"other\""),
                whole.replaceFirst("\"sequence\" : 1", "\"sequence\" : \"1\""),
                whole.replace("\"sha256\"", "\"other\""),
                whole.replaceFirst("(file:[^\"]*\" : )\"[^\"]*\"", "$1 7"))) {
            assertThat(content).isNotEqualTo(whole);
            Files.writeString(seen, content);
            assertThatThrownBy(fixture.repository()::artifacts)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("which says which index was seen last, cannot be read");
        }
    }

    @Test
    void anArtifactThatIsNotWhatWasSignedIsNotDownloaded() throws Exception {
        Artifact artifact = fixture.publish("hello", "1.0.0");
        Path file = fixture.published.resolve(artifact.file());
        byte[] content = Files.readAllBytes(file);
        Path target = folder.resolve("out/hello");

        content[content.length - 1] ^= 1;
        Files.write(file, content);
        assertRefused(
                () -> fixture.repository().download(artifact, target), Code.UNTRUSTED, "is not what was signed: its");

        Files.write(file, java.util.Arrays.copyOf(content, content.length - 1));
        assertRefused(
                () -> fixture.repository().download(artifact, target),
                Code.UNREACHABLE,
                "ended after " + (content.length - 1) + " of " + content.length + " bytes");

        Files.write(file, java.util.Arrays.copyOf(content, content.length + 1));
        assertRefused(() -> fixture.repository().download(artifact, target), Code.UNTRUSTED, "is longer than the ");

        Files.delete(file);
        assertRefused(() -> fixture.repository().download(artifact, target), Code.UNREACHABLE, "there is no file ");
        assertThat(target.getParent()).isEmptyDirectory();
    }

    @Test
    void aRepositoryOnAWebServerIsReadWithLimitsOfTimeAndSize() throws Exception {
        Artifact artifact = fixture.publish("hello", "1.0.0");
        CountDownLatch over = new CountDownLatch(1);
        ExecutorService threads = Executors.newCachedThreadPool();
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(threads);
        server.createContext("/good/", exchange -> answer(exchange, "/good/", 0));
        server.createContext("/short/", exchange -> answer(exchange, "/short/", 1));
        server.createContext("/long/", exchange -> answer(exchange, "/long/", -1));
        server.createContext("/moved/", exchange -> {
            exchange.getResponseHeaders()
                    .add("Location", exchange.getRequestURI().getPath().replace("/moved/", "/good/"));
            exchange.sendResponseHeaders(302, -1);
            exchange.close();
        });
        server.createContext("/stuck/", exchange -> {
            exchange.sendResponseHeaders(200, 100);
            exchange.getResponseBody().write('{');
            exchange.getResponseBody().flush();
            try {
                over.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            exchange.close();
        });
        server.start();
        try {
            Path target = folder.resolve("out/hello");
            for (String path : List.of("good", "moved")) {
                SignedRepository repository = at(server, "/" + path);
                repository.download(repository.find("hello", "^1"), target);
                assertThat(target).hasSameBinaryContentAs(fixture.published.resolve(artifact.file()));
                Files.delete(target);
            }
            assertRefused(() -> at(server, "/short").download(artifact, target), Code.UNREACHABLE, "could not be read");
            assertRefused(() -> at(server, "/long").download(artifact, target), Code.UNTRUSTED, "is longer than");
            assertRefused(() -> at(server, "/nothing").artifacts(), Code.UNREACHABLE, "was answered with status 404");
            assertRefused(() -> at(server, "/stuck").artifacts(), Code.UNREACHABLE, "did not come within");
            assertThat(target.getParent()).isEmptyDirectory();
        } finally {
            over.countDown();
            server.stop(0);
            threads.shutdownNow();
        }
        assertRefused(() -> at(server, "/good").artifacts(), Code.UNREACHABLE, "could not be read");
    }

    private SignedRepository at(HttpServer server, String path) {
        URI uri = URI.create("http://localhost:" + server.getAddress().getPort() + path);
        return SignedRepository.builder(uri, fixture.keys.getPublic(), fixture.memory)
                .clock(fixture.time.clock())
                .timeouts(
                        path.equals("/stuck") ? Duration.ofMillis(200) : Duration.ofSeconds(20), Duration.ofSeconds(20))
                .build();
    }

    /** @param missing how much less is sent than is announced; if negative, more is announced and sent than should be */
    private void answer(HttpExchange exchange, String prefix, int missing) throws IOException {
        byte[] content = Files.readAllBytes(
                fixture.published.resolve(exchange.getRequestURI().getPath().substring(prefix.length())));
        if (missing < 0) {
            exchange.sendResponseHeaders(200, 0);
            exchange.getResponseBody().write(content);
            exchange.getResponseBody().write('x');
        } else {
            exchange.sendResponseHeaders(200, content.length);
            exchange.getResponseBody().write(content, 0, content.length - missing);
        }
        exchange.close();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "ftp://host/tools",
                "tools",
                "https://user:secret@host/tools",
                "https://host/tools?token=secret",
                "https:///tools"
            })
    void anAddressThatCannotBeOneIsRefusedWithoutSayingItsSecrets(String address) {
        assertThatThrownBy(() -> SignedRepository.builder(URI.create(address), fixture.keys.getPublic(), fixture.memory)
                        .build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("the address of a repository should")
                .hasMessageNotContaining("secret");
    }

    @ParameterizedTest
    @ValueSource(strings = {"../hello-1.0.0.tar.gz", "/etc/passwd", "a/../../b", "hello 1", "a\\\\b", "con"})
    void anIndexThatNamesAFileElsewhereCannotBeUsed(String file) throws Exception {
        Artifact artifact = fixture.publish("hello", "1.0.0");
        String index = Files.readString(fixture.published.resolve("index.json"));

        assertThatThrownBy(() -> RepositoryIndex.parse(
                        index.replace(artifact.file(), file).getBytes(StandardCharsets.UTF_8)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("cannot be the path of a file");
        assertThatThrownBy(() -> fixture.repository()
                        .download(
                                new Artifact(
                                        "hello",
                                        "1.0.0",
                                        file,
                                        1,
                                        "0".repeat(64),
                                        List.of(),
                                        List.of(),
                                        artifact.published()),
                                folder.resolve("out")))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void whatWasPublishedIsNotChanged() throws Exception {
        Artifact artifact = fixture.publish("hello", "1.0.0");

        assertThatThrownBy(() -> fixture.publish("hello", "1.0.0"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("hello 1.0.0 is there; what was published is not changed");
        Files.writeString(fixture.published.resolve(artifact.file()), "something else");
        RepositoryWriter reopened = fixture.open(fixture.published);
        assertThat(reopened.artifacts()).containsExactly(artifact);
        assertThatThrownBy(() -> reopened.publish(RepositoryFixture.WEEK))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("has changed since hello 1.0.0 was added");
        assertThat(reopened.remove(artifact)).isTrue();
        reopened.publish(RepositoryFixture.WEEK);
        assertThat(fixture.repository().artifacts()).isEmpty();
    }

    @Test
    void theSameFolderGivesTheSameArchive() throws Exception {
        Artifact first = fixture.publish("hello", "1.0.0");
        fixture.time.advance(Duration.ofHours(1));
        Path source = fixture.sources.resolve("hello-1.0.0");
        Artifact second = fixture.writer.addTool("hello", "1.0.1", source, List.of(), List.of());

        assertThat(second.sha256()).isEqualTo(first.sha256());
    }

    @Test
    void keysAreKeptInFilesOfWhichThePrivateOneIsNobodyElses() throws Exception {
        Path privateFile = folder.resolve("repository.key");
        Path publicFile = folder.resolve("repository.pub");
        RepositoryKeys.write(fixture.keys, privateFile, publicFile);

        assertThat(RepositoryKeys.readPublic(publicFile)).isEqualTo(fixture.keys.getPublic());
        assertThat(RepositoryKeys.readPrivate(privateFile)).isEqualTo(fixture.keys.getPrivate());
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(privateFile)))
                .isEqualTo("rw-------");
        assertThatThrownBy(() -> RepositoryKeys.write(fixture.keys, privateFile, publicFile))
                .isInstanceOf(java.nio.file.FileAlreadyExistsException.class);
        assertThatThrownBy(() -> RepositoryKeys.readPublic(privateFile))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("should begin with -----BEGIN PUBLIC KEY-----");
        Files.copy(publicFile, privateFile, StandardCopyOption.REPLACE_EXISTING);
        Files.writeString(privateFile, Files.readString(publicFile).replace("PUBLIC", "PRIVATE"));
        assertThatThrownBy(() -> RepositoryKeys.readPrivate(privateFile))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("should hold an Ed25519 key");
    }

    private static void assertRefused(ThrowingCallable action, Code code, String message) {
        assertThatThrownBy(action)
                .isInstanceOfSatisfying(
                        RepositoryException.class,
                        e -> assertThat(e.code()).as(e.getMessage()).isEqualTo(code))
                .hasMessageContaining(message);
    }
}
