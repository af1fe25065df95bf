package io.github.commandway.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.http.FacadeFixture.Answer;
import java.io.IOException;
import java.net.Socket;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RequestHandlerTest {
    private static final int MAX_BODY = 4_096;
    private static final Duration TIMEOUT = Duration.ofMillis(500);
    private static final String VALID =
            "{\"client_id\":\"client-001\",\"command_type\":\"echo\",\"payload\":{\"a\":[1,2.5e3,\"\\u00e4\",null,true]},\"timeout\":30,\"ttl\":1.5}";

    @RegisterExtension
    final FacadeFixture server = new FacadeFixture(options ->
            options.maxBodyBytes(MAX_BODY).maxWaiting(1).requestTimeout(TIMEOUT).idleTimeout(Duration.ofSeconds(30)));

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{                                                    | malformed_json  |                | line 1",
                "{\"client_id\":\"client-001\",\"command_type\":\"e\"} x  | malformed_json  |                | line 1, column 47",
                "[]                                                   | invalid_field   | ``               | must be a JSON object",
                "{\"client_id\":\"c\",\"client_id\":\"d\"}                   | malformed_json  |                | Duplicate",
                "{\"client_id\":\"c\",\"colour\":1}                         | unknown_field   | /colour        | known are client_id",
                "{\"client_id\":5,\"command_type\":\"e\"}                   | invalid_field   | /client_id     | column 14",
                "{\"client_id\":\"a b\",\"command_type\":\"e\"}               | invalid_field   | /client_id     | 1 to 128",
                "{\"client_id\":\"c\"}                                    | missing_field   | /command_type  | is required",
                "{\"client_id\":\"c\",\"command_type\":\"\"}                 | invalid_field   | /command_type  | 1 to 256",
                "{\"client_id\":\"c\",\"command_type\":\"\\ud800\"}           | invalid_field   | /command_type  | 1 to 256",
                "{\"client_id\":\"c\",\"command_type\":\"e\",\"timeout\":0}    | invalid_field   | /timeout       | 0.001 to 2592000",
                "{\"client_id\":\"c\",\"command_type\":\"e\",\"timeout\":\"5\"}  | invalid_field   | /timeout       | not the string",
                "{\"client_id\":\"c\",\"command_type\":\"e\",\"timeout\":1e999} | invalid_field   | /timeout       | 0.001 to 2592000",
                "{\"client_id\":\"c\",\"command_type\":\"e\",\"ttl\":-1}       | invalid_field   | /ttl           | from 0",
            })
    void refusesABodyThatIsNotRightAndNamesTheFieldAndThePlace(String body, String code, String field, String detail) {
        Answer answer = server.post("/api/command", body);

        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.text("/code")).isEqualTo(code);
        assertThat(answer.text("/detail")).contains(detail);
        if (field != null) {
            assertThat(answer.json().path("field").asString("")).isEqualTo(field);
        }
    }

    @Test
    void refusesJsonThatIsNestedTooDeeply() {
        String deep = "[".repeat(100) + "]".repeat(100);

        Answer answer = server.post("/api/command", "{\"payload\":" + deep + "}");

        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.text("/code")).isEqualTo("json_limit");
    }

    @Test
    void refusesABodyThatIsNotUtf8() {
        Answer answer = server.send(server.request("/api/command")
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofByteArray(new byte[] {'{', '"', (byte) 0xFF, '"', '}'}))
                .build());

        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.text("/detail")).contains("UTF-8");
    }

    @Test
    void survivesRandomAndMutatedBodies() {
        Random random = new Random(20240101);
        for (int i = 0; i < 1_500; i++) {
            byte[] body = random.nextInt(4) == 0
                    ? randomBytes(random)
                    : mutate(VALID.getBytes(StandardCharsets.UTF_8), random);
            String path = switch (random.nextInt(4)) {
                case 0 -> "/api/send";
                case 1 -> "/api/broadcast";
                default -> "/api/command";
            };
            Answer answer = server.send(server.request(path)
                    .header("Content-Type", "application/json")
                    .POST(BodyPublishers.ofByteArray(body))
                    .build());
            assertThat(answer.status())
                    .as("%s %s", path, new String(body, StandardCharsets.ISO_8859_1))
                    .isIn(200, 400, 404, 413);
            assertThat(answer.json().get("success").asBoolean()).isEqualTo(answer.status() == 200);
        }
    }

    private static byte[] randomBytes(Random random) {
        byte[] bytes = new byte[random.nextInt(200)];
        random.nextBytes(bytes);
        return bytes;
    }

    private static byte[] mutate(byte[] valid, Random random) {
        byte[] bytes = valid.clone();
        String interesting = "{}[]\",:\\0e-.\u0000 tn";
        for (int n = random.nextInt(4); n >= 0; n--) {
            bytes[random.nextInt(bytes.length)] = (byte)
                    (random.nextBoolean()
                            ? interesting.charAt(random.nextInt(interesting.length()))
                            : random.nextInt(256));
        }
        return random.nextInt(5) == 0 ? java.util.Arrays.copyOf(bytes, random.nextInt(bytes.length)) : bytes;
    }

    @Test
    void answers404ForAnUnknownPathAnd405WithAllowForAWrongMethod() {
        assertThat(server.get("/api/nothing").status()).isEqualTo(404);
        assertThat(server.get("/api/nothing").header("Content-Type")).isEqualTo("application/problem+json");

        Answer wrong = server.send(server.request("/api/commands").DELETE().build());
        assertThat(wrong.status()).isEqualTo(405);
        assertThat(wrong.header("Allow")).isEqualTo("GET, HEAD");
    }

    @Test
    void refusesAUrlThatIsNotPercentEncodedAsItMustBe() throws IOException {
        assertThat(raw("GET /api/clients/x%zz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
                .startsWith("HTTP/1.1 400")
                .contains("malformed_url");
        assertThat(raw("GET /api/clients?after=%zz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
                .startsWith("HTTP/1.1 400");
    }

    @Test
    void refusesAnotherNameThanItsOwnSoThatNoWebPageCanReachIt() throws IOException {
        assertThat(raw("GET /api/clients HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"))
                .startsWith("HTTP/1.1 403")
                .contains("foreign_host");
    }

    @Test
    void answersHeadAsGetWithoutABody() throws IOException {
        String raw = raw("HEAD /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");

        assertThat(raw)
                .startsWith("HTTP/1.1 200")
                .containsIgnoringCase("content-type: application/json")
                .endsWith("\r\n\r\n");
    }

    @ParameterizedTest
    @CsvSource({"text/plain", "application/x-www-form-urlencoded", "application/jsonx"})
    void refusesAnyContentTypeButJson(String type) {
        HttpRequest request = server.request("/api/command")
                .header("Content-Type", type)
                .POST(BodyPublishers.ofString(VALID))
                .build();

        assertThat(server.send(request).status()).isEqualTo(415);
        assertThat(server.manager.stats().accepted()).isZero();
    }

    @Test
    void whoSendsAllOfAnOversizeBodyBeforeReadingIsAnsweredAllTheSame() throws IOException {
        String head =
                "POST /api/command HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ";
        int length = 64 << 20;

        assertThat(raw(head + length + "\r\n\r\n" + "x".repeat(length))).startsWith("HTTP/1.1 413");
    }

    @Test
    void refusesAnOversizeBodyBeforeItIsReadAndWhileItIsRead() throws IOException {
        String head = "POST /api/command HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

        assertThat(raw(head + "Content-Length: 5000\r\n\r\n"))
                .startsWith("HTTP/1.1 413")
                .contains("body_too_large");
        assertThat(raw(head + "Content-Length: 99999999999999\r\n\r\n")).startsWith("HTTP/1.1 413");
        assertThat(raw(head + "Transfer-Encoding: chunked\r\n\r\n1388\r\n" + "x".repeat(5_000)))
                .startsWith("HTTP/1.1 413");
    }

    @Test
    void closesAConnectionWhoseHeadersTrickle() throws IOException {
        try (Socket socket = open()) {
            await().atMost(Duration.ofSeconds(20))
                    .pollInterval(Duration.ofMillis(50))
                    .until(() -> {
                        try {
                            socket.getOutputStream().write('x');
                            return false;
                        } catch (IOException closed) {
                            return true;
                        }
                    });
        }
    }

    @Test
    void endsARequestWhoseBodyDoesNotCome() throws IOException {
        try (Socket socket = open()) {
            socket.getOutputStream()
                    .write(
                            "POST /api/command HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
                                    .getBytes(StandardCharsets.US_ASCII));
            await().until(() -> server.time.waiting(TIMEOUT) == 1);

            server.time.advance(TIMEOUT);

            assertThat(new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                    .startsWith("HTTP/1.1 408");
        }
    }

    @Test
    void refusesHeadersThatAreTooLarge() throws IOException {
        assertThat(raw("GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + "x".repeat(20_000) + "\r\n\r\n"))
                .containsPattern("^HTTP/1.1 4(13|31)");
    }

    @Test
    void keepsTheConnectionAfterARefusal() throws IOException {
        String two =
                "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

        assertThat(raw(two)).startsWith("HTTP/1.1 404").contains("HTTP/1.1 200");
    }

    @Test
    void refusesMoreWaitingRequestsThanAllowed() {
        String id = server.submit("client-001", "hang");
        CompletableFuture<Answer> waiting = server.sendAsync(
                server.request("/api/command/" + id).header("Prefer", "wait=60").build());
        await().until(() -> server.time.waiting(Duration.ofSeconds(60)) == 1);

        Answer refused = server.post("/api/command", VALID, "Prefer", "wait=1");

        assertThat(refused.status()).isEqualTo(503);
        assertThat(refused.header("Retry-After")).isEqualTo("1");
        assertThat(server.manager.stats().accepted()).isEqualTo(1);
        server.running(id).complete("1");
        assertThat(waiting.join().text("/command/status")).isEqualTo("completed");
        assertThat(server.post("/api/command", VALID, "Prefer", "wait=1").status())
                .isEqualTo(200);
    }

    @Test
    void answersAFailureOfItsOwnWith500AndAnIdAndNothingElse() {
        server.edge.agents.put("broken-find", true);
        server.edge.failFind = true;

        Answer answer = server.get("/api/clients/broken-find");

        assertThat(answer.status()).isEqualTo(500);
        assertThat(answer.text("/detail")).contains("error id").doesNotContain("secret");
    }

    private Socket open() throws IOException {
        Socket socket = new Socket(
                server.facade.address().getAddress(), server.facade.address().getPort());
        socket.setSoTimeout(20_000);
        return socket;
    }

    private String raw(String request) throws IOException {
        try (Socket socket = open()) {
            socket.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
