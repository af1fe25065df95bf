package io.github.commandway.outbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.github.commandway.store.Database;
import io.github.commandway.testing.ManualTime;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Against a real HTTP server. */
class WebhookPublisherTest {
    private static final String SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    private static final String OLD_SECRET = "whsec_" + "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ==";
    private static final OutboxEntry ENTRY = new OutboxEntry(
            UUID.fromString("0198c0de-0000-7000-8000-000000000001"),
            "orders",
            "order",
            "Größe \"1\"",
            "order.paid",
            "{\"total\": 12.50}",
            Map.of("correlation_id", "c-1", "id", "not this one", "Data", "nor this"),
            Instant.parse("2026-01-01T00:00:00Z"));

    private final JsonMapper mapper = JsonMapper.builder().build();
    private final List<Request> requests = new CopyOnWriteArrayList<>();
    private final CountDownLatch release = new CountDownLatch(1);
    private final ManualTime time = new ManualTime();
    private ExecutorService executor;
    private HttpServer server;
    private volatile Answer answer = exchange -> respond(exchange, 204, "");

    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Request(String path, Headers headers, byte[] body) {
        String header(String name) {
            return headers.getFirst(name);
        }
    }

    private interface Answer {
        void to(HttpExchange exchange) throws IOException;
    }

    @BeforeEach
    void startServer() throws IOException {
        executor = Executors.newCachedThreadPool();
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(executor);
        server.createContext("/", exchange -> {
            requests.add(new Request(
                    exchange.getRequestURI().getPath(),
                    exchange.getRequestHeaders(),
                    exchange.getRequestBody().readAllBytes()));
            answer.to(exchange);
        });
        server.start();
    }

    @AfterEach
    void stopServer() {
        release.countDown();
        server.stop(0);
        executor.shutdownNow();
    }

    @Test
    void postsAStructuredCloudEvent() {
        publish(hook().source("/shop").build());
        Request request = requests.get(0);
        assertThat(request.header("Content-Type")).isEqualTo("application/cloudevents+json; charset=utf-8");
        JsonNode event = mapper.readTree(request.body());
        assertThat(event.propertyNames())
                .containsExactlyInAnyOrder(
                        "specversion",
                        "id",
                        "source",
                        "type",
                        "subject",
                        "time",
                        "partitionkey",
                        "correlationid",
                        "datacontenttype",
                        "data");
        assertThat(event.get("specversion").asString()).isEqualTo("1.0");
        assertThat(event.get("id").asString()).isEqualTo(ENTRY.id().toString());
        assertThat(event.get("source").asString()).isEqualTo("/shop");
        assertThat(event.get("type").asString()).isEqualTo("order.paid");
        assertThat(event.get("subject").asString()).isEqualTo("Größe \"1\"");
        assertThat(event.get("time").asString()).isEqualTo("2026-01-01T00:00:00Z");
        assertThat(event.get("correlationid").asString()).isEqualTo("c-1");
        assertThat(event.get("data").get("total").asDouble()).isEqualTo(12.5);
    }

    @Test
    void postsABinaryCloudEventWhoseBodyIsThePayloadAsItIs() {
        publish(hook().binary().build());
        Request request = requests.get(0);
        assertThat(request.body()).asString(StandardCharsets.UTF_8).isEqualTo("{\"total\": 12.50}");
        assertThat(request.header("Content-Type")).isEqualTo("application/json");
        assertThat(request.header("ce-specversion")).isEqualTo("1.0");
        assertThat(request.header("ce-id")).isEqualTo(ENTRY.id().toString());
        assertThat(request.header("ce-type")).isEqualTo("order.paid");
        assertThat(request.header("ce-subject")).isEqualTo("Gr%C3%B6%C3%9Fe%20%221%22");
        assertThat(request.header("ce-correlationid")).isEqualTo("c-1");
        assertThat(request.headers()).doesNotContainKeys("Ce-data", "Ce-datacontenttype");
    }

    @Test
    void signsAsTheStandardWebhooksSpecificationSays() {
        WebhookSignature signature = WebhookSignature.ofSecrets(SECRET);
        byte[] body = "{\"test\": 2432232314}".getBytes(StandardCharsets.UTF_8);
        String signed = signature.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", Instant.ofEpochSecond(1614265330), body);
        assertThat(signed).isEqualTo("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    @Test
    void aReceiverCanVerifyTheSignatureAlsoWhileTheSecretIsBeingReplaced() {
        publish(hook().signature(WebhookSignature.ofSecrets(SECRET, OLD_SECRET)).build());
        Request request = requests.get(0);
        Instant now = time.clock().instant();
        assertThat(request.header("webhook-id")).isEqualTo(ENTRY.id().toString());
        assertThat(request.header("webhook-timestamp")).isEqualTo(Long.toString(now.getEpochSecond()));
        assertThat(verifies(SECRET, request, request.body(), now)).isTrue();
        assertThat(verifies(OLD_SECRET, request, request.body(), now)).isTrue();
        assertThat(verifies("whsec_" + "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQg==", request, request.body(), now))
                .isFalse();
        assertThat(verifies(SECRET, request, new byte[] {1}, now)).isFalse();
        assertThat(verifies(SECRET, request, request.body(), now.plusSeconds(300)))
                .isTrue();
        assertThat(verifies(SECRET, request, request.body(), now.plusSeconds(301)))
                .isFalse();
        assertThat(verifies(SECRET, request, request.body(), now.minusSeconds(301)))
                .isFalse();
    }

    private static boolean verifies(String secret, Request request, byte[] body, Instant now) {
        return WebhookSignature.ofSecrets(secret)
                .verify(
                        request.header("webhook-id"),
                        request.header("webhook-timestamp"),
                        request.header("webhook-signature"),
                        body,
                        now,
                        Duration.ofMinutes(5));
    }

    @Test
    void aTimeStampThatIsNoneOrBeyondAllTimeIsNotVerified() {
        WebhookSignature signature = WebhookSignature.ofSecrets(SECRET);
        for (String timestamp : List.of("soon", "", Long.toString(Long.MIN_VALUE), Long.toString(Long.MAX_VALUE))) {
            assertThat(signature.verify("id", timestamp, "v1,x", new byte[0], ManualTime.START, Duration.ofMinutes(5)))
                    .isFalse();
        }
    }

    @Test
    void aSecretThatCannotBeUsedIsRefusedAndNotTold() {
        assertThatThrownBy(() -> WebhookSignature.ofSecrets("whsec_not*base64"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageNotContaining("not*base64")
                .hasNoCause();
        assertThatThrownBy(() -> WebhookSignature.ofSecrets("whsec_QUFB")).hasMessageContaining("has 3");
        assertThatThrownBy(WebhookSignature::ofSecrets).isInstanceOf(IllegalArgumentException.class);
    }

    @ParameterizedTest
    @ValueSource(ints = {400, 404, 410, 500, 301})
    void anyAnswerButASuccessIsAFailureOfTheEntry(int status) {
        answer = exchange -> respond(exchange, status, "");
        assertThatThrownBy(() -> publish(hook().build()))
                .hasCauseInstanceOf(IOException.class)
                .hasMessageContaining(Integer.toString(status));
    }

    @ParameterizedTest
    @ValueSource(ints = {429, 502, 503, 504})
    void anAnswerThatSaysNotNowMeansThatTheReceiverIsAway(int status) {
        answer = exchange -> respond(exchange, status, "");
        assertThatThrownBy(() -> publish(hook().build()))
                .hasCauseInstanceOf(PublisherUnavailableException.class)
                .hasMessageContaining(Integer.toString(status));
    }

    @Test
    void aConnectionThatIsRefusedMeansThatTheReceiverIsAway() {
        WebhookPublisher publisher = hook().build();
        server.stop(0);
        assertThatThrownBy(() -> publish(publisher)).hasCauseInstanceOf(PublisherUnavailableException.class);
    }

    @Test
    void redirectsAreNotFollowed() {
        answer = exchange -> {
            exchange.getResponseHeaders().add("Location", "/elsewhere");
            respond(exchange, 307, "");
        };
        assertThatThrownBy(() -> publish(hook().build())).hasMessageContaining("307");
        assertThat(requests).extracting(Request::path).containsExactly("/hook");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "ok", "{}", "{\"received\": false}", "{\"received\": \"yes\"}", "[true]", "{\"received\": 1}"
            })
    void whereAConfirmationIsWantedNothingElseWillDo(String body) {
        answer = exchange -> respond(exchange, 200, body);
        publish(hook().build());
        assertThatThrownBy(() -> publish(hook().confirmed().build())).hasMessageContaining("received");
    }

    @Test
    void aConfirmationIsAnAcknowledgement() {
        answer = exchange -> respond(exchange, 200, "{\"received\": true, \"more\": [1]}");
        publish(hook().confirmed().build());
        answer = exchange -> respond(exchange, 500, "{\"received\": true}");
        assertThatThrownBy(() -> publish(hook().confirmed().build())).hasMessageContaining("500");
    }

    @Test
    void anAnswerThatDoesNotComeInTimeIsAFailure() {
        answer = exchange -> awaitRelease();
        assertThatThrownBy(() -> publish(hook().timeout(Duration.ofMillis(100)).build()))
                .hasCauseInstanceOf(IOException.class);
    }

    @Test
    void anAnswerWhoseBodyDoesNotEndInTimeIsAFailure() {
        answer = exchange -> {
            exchange.sendResponseHeaders(200, 10);
            exchange.getResponseBody().write('{');
            exchange.getResponseBody().flush();
            awaitRelease();
        };
        assertThatThrownBy(() -> publish(hook().timeout(Duration.ofMillis(200)).build()))
                .hasCauseInstanceOf(IOException.class)
                .hasMessageContaining("PT0.2S");
    }

    @Test
    void anAnswerThatIsTooLongIsAFailure() {
        answer = exchange -> {
            exchange.sendResponseHeaders(200, 0);
            byte[] part = new byte[1_000];
            for (int i = 0; i < 100; i++) {
                exchange.getResponseBody().write(part);
            }
            exchange.close();
        };
        assertThatThrownBy(() -> publish(hook().build())).hasMessageContaining("65536");
    }

    @Test
    void theRelayPostsUntilTheReceiverConfirms(@TempDir Path folder) {
        answer = exchange -> respond(exchange, 200, "{\"received\": " + (requests.size() >= 5) + "}");
        try (Database database = Database.sqlite(folder.resolve("outbox.db"))) {
            Outbox outbox = new Outbox(database);
            try (OutboxRelay relay = OutboxRelay.of(outbox)
                    .publish("orders", hook().confirmed().build(), OutboxRelayContract.PATIENT)
                    .start()) {
                database.write(connection -> {
                            outbox.append(connection, ENTRY);
                            return true;
                        })
                        .join();
                await().untilAsserted(() -> assertThat(relay.stats().sent()).isEqualTo(1));
                assertThat(relay.stats().failed()).isEqualTo(4);
            }
        }
        assertThat(requests)
                .hasSize(5)
                .allSatisfy(request -> assertThat(request.header("webhook-id"))
                        .isEqualTo(ENTRY.id().toString()));
    }

    @Test
    void anAddressThatIsNoneIsRefused() {
        for (String address : List.of("ftp://host/x", "/path", "http:///x")) {
            assertThatThrownBy(() -> WebhookPublisher.to(URI.create(address)))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    private WebhookPublisher.Builder hook() {
        return WebhookPublisher.to(
                        URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/hook"))
                .clock(time.clock());
    }

    private static void publish(WebhookPublisher publisher) {
        publisher.publish(ENTRY).join();
    }

    private static void respond(HttpExchange exchange, int status, String body) throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
        if (bytes.length > 0) {
            exchange.getResponseBody().write(bytes);
        }
        exchange.close();
    }

    private void awaitRelease() {
        try {
            release.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
