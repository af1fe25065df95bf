package io.github.commandway.cloudstorage;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.cloudstorage.CloudStorageService.Delete;
import io.github.commandway.cloudstorage.CloudStorageService.Download;
import io.github.commandway.cloudstorage.CloudStorageService.Head;
import io.github.commandway.cloudstorage.CloudStorageService.ListObjects;
import io.github.commandway.cloudstorage.CloudStorageService.PresignedGet;
import io.github.commandway.cloudstorage.CloudStorageService.PresignedPut;
import io.github.commandway.cloudstorage.CloudStorageService.Upload;
import io.github.commandway.cloudstorage.ObjectStore.Info;
import io.github.commandway.cloudstorage.ObjectStore.Page;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.system.Workers;
import io.github.commandway.testing.HandlerDriver;
import io.github.commandway.testing.HandlerDriver.Call;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CloudStorageServiceTest {
    private static final String S3 = "s3";
    private static final String FOLDER = "folder";
    private static final int LARGEST = 1_000_000;

    @TempDir
    private static Path serverFolder;

    private static S3Server server;

    @TempDir
    private Path folder;

    private final String own = UUID.randomUUID() + "/";

    private final ObjectStore s3 =
            S3ObjectStore.open(server.address(), "us-east-1", "key", "secret", S3Server.BUCKET, Duration.ofSeconds(10));

    private @Nullable CloudStorageService opened;
    private @Nullable HandlerDriver driving;

    @BeforeAll
    static void startServer() throws IOException {
        server = S3Server.start(serverFolder);
    }

    @AfterAll
    static void stopServer() throws InterruptedException {
        server.stop();
    }

    @AfterEach
    void everyCommandCompletedOnce() throws IOException {
        service().close();
        await().until(() -> service().active() == 0);
        driver().verify();
        s3.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {S3, FOLDER})
    void whatIsUploadedIsFoundUntilItIsDeleted(String store) throws IOException {
        byte[] content = "hello".getBytes(UTF_8);
        Info uploaded = (Info) value(new Upload(store, own + "a", content, "text/plain", Map.of("color", "red")));
        ObjectStore.Download found = (ObjectStore.Download) value(new Download(store, own + "a"));
        assertThat(found.content()).isEqualTo(content);
        assertThat(found.info()).isEqualTo(uploaded);
        assertThat(uploaded.contentType()).isEqualTo("text/plain");
        assertThat(uploaded.metadata()).isEqualTo(Map.of("color", "red"));
        assertThat(uploaded.size()).isEqualTo(5);
        assertThat(value(new Head(store, own + "a"))).isEqualTo(uploaded);

        Info changed = (Info) value(new Upload(store, own + "a", new byte[0], "x/y", Map.of()));
        assertThat(changed.etag()).isNotEqualTo(uploaded.etag());
        assertThat(((ObjectStore.Download) value(new Download(store, own + "a"))).content())
                .isEmpty();

        assertThat(get(new Delete(store, own + "a"))).isNull();
        assertThat(get(new Delete(store, own + "a"))).isNull();
        assertThat(error(new Download(store, own + "a"))).isInstanceOf(NoSuchElementException.class);
        assertThat(error(new Head(store, own + "a"))).isInstanceOf(NoSuchElementException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {S3, FOLDER})
    void pagesFollowOneAnotherInTheOrderOfTheKeys(String store) throws IOException {
        for (int i : new int[] {3, 1, 2}) {
            get(new Upload(store, own + "b/" + i, new byte[i], "x/y", Map.of()));
        }
        get(new Upload(store, own + "a", new byte[1], "x/y", Map.of()));
        get(new Upload(store, own + "b", new byte[1], "x/y", Map.of()));
        get(new Upload(store, own + "c", new byte[1], "x/y", Map.of()));
        Page first = (Page) value(new ListObjects(store, own + "b/", "", 2));
        assertThat(first.items()).extracting(Info::key).containsExactly(own + "b/1", own + "b/2");
        assertThat(first.items()).extracting(Info::size).containsExactly(1L, 2L);
        assertThat(first.hasMore()).isTrue();
        Page second = (Page) value(new ListObjects(store, own + "b/", first.cursor(), 2));
        assertThat(second.items()).extracting(Info::key).containsExactly(own + "b/3");
        assertThat(second.hasMore()).isFalse();
        assertThat(((Page) value(new ListObjects(store, own, "", 1000))).items())
                .extracting(Info::key)
                .containsExactly(own + "a", own + "b", own + "b/1", own + "b/2", own + "b/3", own + "c");
    }

    @Test
    void anAddressIsGoodForReadingAndWriting() throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        URI put = (URI) value(new PresignedPut(S3, own + "a", Duration.ofMinutes(1)));
        assertThat(client.send(
                                HttpRequest.newBuilder(put)
                                        .PUT(BodyPublishers.ofString("by address"))
                                        .build(),
                                BodyHandlers.discarding())
                        .statusCode())
                .isEqualTo(200);
        URI get = (URI) value(new PresignedGet(S3, own + "a", Duration.ofMinutes(1)));
        assertThat(client.send(HttpRequest.newBuilder(get).build(), BodyHandlers.ofString())
                        .body())
                .isEqualTo("by address");
        assertThat(error(new PresignedGet(FOLDER, "a", Duration.ofMinutes(1))))
                .isInstanceOf(UnsupportedOperationException.class);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../../escaped",
                "/etc/passwd",
                "..",
                ".",
                "a//b",
                "a/",
                "C:\\x",
                "*?<>|\"",
                "ü/€ 😀",
                "a%2Fb",
                "t-x",
                "+"
            })
    void aKeyIsAKeyAndNothingElse(String key) throws IOException {
        get(new Upload(FOLDER, key, key.getBytes(UTF_8), "x/y", Map.of()));
        assertThat(((ObjectStore.Download) value(new Download(FOLDER, key))).content())
                .isEqualTo(key.getBytes(UTF_8));
        assertThat(((Page) value(new ListObjects(FOLDER, "", "", 10))).items())
                .extracting(Info::key)
                .containsExactly(key);
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files).containsExactly(folder.resolve("objects"));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {S3, FOLDER})
    void whatIsTooLargeIsNeitherUploadedNorDownloaded(String store) throws IOException {
        assertThat(error(new Upload(store, own + "a", new byte[LARGEST + 1], "x/y", Map.of())))
                .isInstanceOf(IllegalArgumentException.class);
        (store.equals(S3) ? s3 : new FolderObjectStore(folder.resolve("objects")))
                .upload(own + "a", new byte[LARGEST + 1], "x/y", Map.of());
        assertThat(error(new Download(store, own + "a")))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("may have " + LARGEST);
    }

    @ParameterizedTest
    @ValueSource(strings = {S3, FOLDER})
    void whatMakesNoSenseFails(String store) {
        assertThat(error(new Head("none", "a"))).isInstanceOf(NoSuchElementException.class);
        assertThat(error(new Head(store, ""))).isInstanceOf(IllegalArgumentException.class);
        assertThat(error(new Head(store, "ü".repeat(513)))).isInstanceOf(IllegalArgumentException.class);
        assertThat(error(new ListObjects(store, "", "", 0))).isInstanceOf(IllegalArgumentException.class);
        assertThat(error(new ListObjects(store, "", "", 1001))).isInstanceOf(IllegalArgumentException.class);
        assertThat(error(new PresignedGet(store, "a", Duration.ZERO))).isInstanceOf(IllegalArgumentException.class);
        assertThat(error(new PresignedPut(store, "a", Duration.ofDays(8))))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aServerThatIsNotThereFailsTheCommand() throws Exception {
        try (S3ObjectStore gone = S3ObjectStore.open(
                URI.create("http://127.0.0.1:1"), "us-east-1", "key", "secret", "b", Duration.ofSeconds(1))) {
            CloudStorageService other = new CloudStorageService(Map.of(S3, gone), new Workers("gone", 1, 0), LARGEST);
            HandlerDriver alone = new HandlerDriver(other);
            Call call = alone.call(new Head(S3, "a"));
            await().until(call::isDone);
            assertThat(call.error()).isInstanceOf(IOException.class);
            other.close();
        }
    }

    @Test
    void aStoppedServiceRefuses() {
        service().close();
        assertThat(driver().call(new Head(FOLDER, "a")).reason()).isEqualTo(Reason.SHUTDOWN);
    }

    @Test
    void othersSeeAnObjectWholeOrNotAtAll() throws Exception {
        List<byte[]> versions = IntStream.range(1, 20)
                .mapToObj(i -> String.valueOf(i % 10).repeat(i * 10_000).getBytes(UTF_8))
                .toList();
        ObjectStore store = new FolderObjectStore(folder.resolve("objects"));
        store.upload("a", versions.get(0), "x/y", Map.of());
        Thread writer = new Thread(() -> versions.forEach(version -> {
            try {
                store.upload("a", version, "x/y", Map.of());
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }));
        writer.start();
        while (writer.isAlive()) {
            assertThat(versions).contains(store.download("a", LARGEST).content());
        }
        writer.join();
    }

    private CloudStorageService service() {
        if (opened == null) {
            try {
                opened = new CloudStorageService(
                        Map.of(S3, s3, FOLDER, new FolderObjectStore(folder.resolve("objects"))),
                        new Workers("cloudstorage", 2, 4),
                        LARGEST);
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }
        return opened;
    }

    private HandlerDriver driver() {
        if (driving == null) {
            driving = new HandlerDriver(service());
        }
        return driving;
    }

    private Object value(Command command) {
        return Objects.requireNonNull(get(command));
    }

    private @Nullable Object get(Command command) {
        return driver().call(command).outcome().orTimeout(20, TimeUnit.SECONDS).join();
    }

    private Throwable error(Command command) {
        Call call = driver().call(command);
        await().until(call::isDone);
        return call.error();
    }
}
