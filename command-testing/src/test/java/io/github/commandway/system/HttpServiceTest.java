package io.github.commandway.system;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.system.HttpService.BatchResult;
import io.github.commandway.system.HttpService.FilePart;
import io.github.commandway.system.HttpService.Request;
import io.github.commandway.system.HttpService.RequestBatch;
import io.github.commandway.system.HttpService.Response;
import io.github.commandway.system.StreamService.Read;
import io.github.commandway.testing.HandlerDriver;
import io.github.commandway.testing.HandlerDriver.Call;
import io.github.commandway.testing.ManualTime;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class HttpServiceTest {
    private static final int LIMIT = 20;

    private final ManualTime time = new ManualTime();
    private final StreamService streams = new StreamService(4);
    private final HttpService http = new HttpService(
            Map.of(HttpService.DEFAULT_CLIENT, HttpClient.newHttpClient()),
            streams,
            time.scheduler(),
            new Random(1),
            LIMIT);
    private final HandlerDriver driver = new HandlerDriver(http, streams);
    private final CountDownLatch asked = new CountDownLatch(1);
    private final CountDownLatch answer = new CountDownLatch(1);
    private final CountDownLatch brokenOff = new CountDownLatch(1);
    private final ExecutorService serverThreads = Executors.newCachedThreadPool();
    private HttpServer server;

    @BeforeEach
    void startServer() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(serverThreads);
        server.createContext("/echo", exchange -> {
            byte[] body = exchange.getRequestBody().readAllBytes();
            String text = exchange.getRequestMethod() + " " + exchange.getRequestURI() + "\n"
                    + exchange.getRequestHeaders().entrySet().stream()
                            .filter(header ->
                                    List.of("X-test", "Cookie", "Authorization").contains(header.getKey()))
                            .map(header -> header.getKey() + "=" + String.join(",", header.getValue()))
                            .sorted()
                            .collect(Collectors.joining("\n"))
                    + "\n" + new String(body, UTF_8);
            exchange.getResponseHeaders().add("Set-Cookie", "session=abc; HttpOnly");
            send(exchange, 200, text.getBytes(UTF_8));
        });
        server.createContext("/missing", exchange -> send(exchange, 404, "no".getBytes(UTF_8)));
        server.createContext("/large", exchange -> send(exchange, 200, new byte[100_000]));
        server.createContext("/slow", exchange -> {
            asked.countDown();
            try {
                answer.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            send(exchange, 200, "late".getBytes(UTF_8));
        });
        server.createContext("/endless", exchange -> {
            exchange.sendResponseHeaders(200, 0);
            asked.countDown();
            try (OutputStream out = exchange.getResponseBody()) {
                while (true) {
                    out.write(new byte[10_000]);
                    out.flush();
                }
            } catch (IOException e) {
                brokenOff.countDown();
            }
        });
        server.start();
    }

    @AfterEach
    void everyCommandCompletedOnceAndNothingIsLeft() {
        answer.countDown();
        http.close();
        streams.close();
        server.stop(0);
        serverThreads.shutdownNow();
        driver.verify();
        assertThat(http.active()).isZero();
    }

    @Test
    void aRequestSaysAllThatWasSetAndTheResponseHasIt() {
        Response response = get(request("PUT", "/echo?a=1")
                .query("b", "x y&")
                .header("X-Test", "1")
                .header("X-Test", "2")
                .cookie("c", "d")
                .basicAuth("me", "secret")
                .body("body".getBytes(UTF_8))
                .build());
        assertThat(response.status()).isEqualTo(200);
        assertThat(text(response))
                .isEqualTo("PUT /echo?a=1&b=x+y%26\nAuthorization=Basic bWU6c2VjcmV0\nCookie=c=d\nX-test=1,2\nbody");
        assertThat(response.cookies()).containsExactly(Map.entry("session", "abc"));
        assertThat(response.headers()).containsKey("set-cookie");
    }

    @Test
    void aStatusThatIsNoSuccessIsAResponse() {
        Response response = get(request("GET", "/missing").build());
        assertThat(response.status()).isEqualTo(404);
        assertThat(text(response)).isEqualTo("no");
    }

    @Test
    void formsAndFilesAreEncoded() {
        assertThat(text(get(
                        request("POST", "/echo").form("a", "1 2").form("b", "ü").build())))
                .endsWith("\na=1+2&b=%C3%BC");
        String multipart = text(get(request("POST", "/echo")
                .form("a", "1")
                .file(new FilePart("f", "na\"me\r\n.txt", "text/plain", "content".getBytes(UTF_8)))
                .build()));
        assertThat(multipart)
                .contains("Content-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n")
                .contains(
                        "Content-Disposition: form-data; name=\"f\"; filename=\"na%22me%0D%0A.txt\"\r\nContent-Type: text/plain\r\n\r\ncontent\r\n--commandway-");
    }

    @Test
    void aResponseThatIsTooLargeFails() {
        assertThat(error(request("GET", "/large").largestBody(99_999).build()))
                .hasStackTraceContaining("larger than 99999 bytes");
        assertThat(get(request("GET", "/large").largestBody(100_000).build()).body())
                .hasSize(100_000);
    }

    @Test
    void aRequestThatTakesTooLongIsAborted() throws Exception {
        Call call = driver.call(
                request("GET", "/slow").timeout(Duration.ofSeconds(5)).build());
        asked.await();
        time.advance(Duration.ofSeconds(5));
        assertThat(call.error()).isInstanceOf(HttpTimeoutException.class);
        assertThat(http.active()).isZero();
    }

    @Test
    void cancellingARequestAbortsIt() throws Exception {
        Call call = driver.call(request("GET", "/endless").build());
        asked.await();
        call.cancel(CancelCause.DEADLINE);
        assertThat(call.reason()).isEqualTo(Reason.EXECUTION_TIMEOUT);
        brokenOff.await();
    }

    @Test
    void aRequestEndsWithTheService() throws Exception {
        Call call = driver.call(request("GET", "/slow").build());
        asked.await();
        http.close();
        assertThat(call.reason()).isEqualTo(Reason.SHUTDOWN);
        assertThat(driver.call(request("GET", "/slow").build()).reason()).isEqualTo(Reason.SHUTDOWN);
    }

    @Test
    void aServerThatIsNotThereFailsTheRequest() {
        int port = server.getAddress().getPort();
        server.stop(0);
        assertThat(error(Request.builder("GET", URI.create("http://127.0.0.1:" + port + "/"))
                        .build()))
                .isInstanceOf(ConnectException.class);
    }

    @Test
    void requestsThatMakeNoSenseFail() {
        assertThat(error(
                        Request.builder("GET", URI.create("file:///etc/passwd")).build()))
                .isInstanceOf(IllegalArgumentException.class);
        assertThat(error(Request.builder("G E T", uri("/echo")).build())).isInstanceOf(IllegalArgumentException.class);
        assertThat(error(request("GET", "/echo").header("a\r\nb", "c").build()))
                .isInstanceOf(IllegalArgumentException.class);
        assertThat(error(request("GET", "/echo").client("other").build())).isInstanceOf(NoSuchElementException.class);
        assertThatThrownBy(request("GET", "/").timeout(Duration.ZERO)::build)
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(request("GET", "/").largestBody(-1)::build).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aStreamedBodyIsReadInPiecesAndOnlyAsFastAsWanted() {
        Response response = get(request("GET", "/large").streamed().build());
        assertThat(response.body()).isNull();
        long stream = Objects.requireNonNull(response.stream());
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        while (result(new Read(stream, 777)) instanceof byte[] piece) {
            assertThat(piece.length).isBetween(1, 777);
            bytes.writeBytes(piece);
        }
        assertThat(bytes.size()).isEqualTo(100_000);
    }

    @Test
    void aStreamThatItsOwnerLeavesBehindIsBrokenOff() throws Exception {
        Response response = get(request("GET", "/endless").streamed().build());
        assertThat(result(new Read(Objects.requireNonNull(response.stream())))).isNotNull();
        driver.process(1).end();
        streams.ended(driver.process(1).pid());
        brokenOff.await();
    }

    @Test
    void aStreamThatBecomesTooLargeFails() {
        Response response =
                get(request("GET", "/endless").streamed().largestBody(5_000).build());
        Read read = new Read(Objects.requireNonNull(response.stream()));
        Call last = driver.call(read);
        awaitEnd(last);
        while (!last.outcome().isCompletedExceptionally()) {
            last = driver.call(read);
            awaitEnd(last);
        }
        assertThat(last.error()).hasMessageContaining("larger than 5000");
    }

    @Test
    void aBatchAnswersInItsOrderAndTellsWhichFailed() {
        List<Request> requests = IntStream.range(0, 25)
                .mapToObj(i -> i == 7
                        ? request("GET", "/large").largestBody(1).build()
                        : request("GET", "/echo?" + i).build())
                .toList();
        @SuppressWarnings("unchecked")
        List<BatchResult> results = (List<BatchResult>) Objects.requireNonNull(result(new RequestBatch(requests)));
        assertThat(results).hasSize(25);
        for (int i = 0; i < 25; i++) {
            BatchResult result = results.get(i);
            if (i == 7) {
                assertThat(result.response()).isNull();
                assertThat(result.error()).isNotNull();
            } else {
                assertThat(text(Objects.requireNonNull(result.response()))).startsWith("GET /echo?" + i + "\n");
            }
        }
        assertThat((List<?>) result(new RequestBatch(List.of()))).isEmpty();
    }

    @Test
    void cancellingABatchAbortsAllOfIt() throws Exception {
        Call call = driver.call(new RequestBatch(List.of(
                request("GET", "/slow").build(), request("GET", "/endless").build())));
        asked.await();
        call.cancel(CancelCause.REQUESTED);
        assertThat(call.reason()).isEqualTo(Reason.CANCELLED_WHILE_RUNNING);
        await().until(() -> http.active() == 0);
    }

    @Test
    void aBatchThatMakesNoSenseIsRefused() {
        Request[] many = new Request[HttpService.LARGEST_BATCH + 1];
        Arrays.fill(many, request("GET", "/echo").build());
        assertThatThrownBy(() -> new RequestBatch(List.of(many))).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new RequestBatch(
                        List.of(request("GET", "/echo").streamed().build())))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void noMoreRequestsAreUnderWayThanMay() throws Exception {
        for (int i = 0; i < LIMIT; i++) {
            driver.call(request("GET", "/slow").build());
        }
        asked.await();
        assertThat(driver.call(request("GET", "/echo").build()).error()).isInstanceOf(RejectedExecutionException.class);
    }

    private HttpService.Builder request(String method, String path) {
        return Request.builder(method, uri(path));
    }

    private URI uri(String path) {
        return URI.create("http://127.0.0.1:" + server.getAddress().getPort() + path);
    }

    private Response get(Request request) {
        return (Response) Objects.requireNonNull(result(request));
    }

    private @Nullable Object result(Command command) {
        Call call = driver.call(command);
        awaitEnd(call);
        return call.result();
    }

    private Throwable error(Command command) {
        Call call = driver.call(command);
        awaitEnd(call);
        return call.error();
    }

    private static void awaitEnd(Call call) {
        await().until(call::isDone);
    }

    private static String text(Response response) {
        return new String(Objects.requireNonNull(response.body()), UTF_8);
    }

    private static void send(HttpExchange exchange, int status, byte[] body) throws IOException {
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }
}
