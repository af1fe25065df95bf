package io.github.commandway.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.http.FacadeFixture.Answer;
import java.io.InputStream;
import java.net.Socket;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

class EventRoutesTest {
    @RegisterExtension
    final FacadeFixture server = new FacadeFixture(options -> options.maxStreams(2));

    @Test
    void streamsEachEventAsItHappensAndEndsAfterTheTerminalOne() {
        String id = server.submit("client-001", "hang");
        Stream stream = new Stream(events(id));
        await().untilAsserted(() -> assertThat(stream.types()).containsExactly("pending", "sent", "executing"));

        server.running(id).output("half");
        await().untilAsserted(() -> assertThat(stream.types()).endsWith("output"));
        server.running(id).complete("{\n\"ok\": true}");

        stream.ended.join();
        assertThat(stream.contentType()).isEqualTo("text/event-stream;charset=utf-8");
        assertThat(stream.types()).containsExactly("pending", "sent", "executing", "output", "completed");
        assertThat(stream.ids()).containsExactly("1", "2", "3", "4", "5");
        JsonNode output = stream.data().get(3);
        assertThat(output.get("sequence").asLong()).isEqualTo(4);
        assertThat(output.get("channel").asString()).isEqualTo("stdout");
        assertThat(output.get("data").asString()).isEqualTo("half");
        assertThat(stream.data().get(4).at("/result/ok").asBoolean()).isTrue();
    }

    @Test
    void resumesBehindTheLastEventIdWithoutLossOrRepetition() {
        String id = server.submit("client-001", "hang");
        for (int i = 0; i < 100; i++) {
            server.running(id).output("chunk " + i);
        }
        server.running(id).complete("1");

        Stream rest = new Stream(events(id).header("Last-Event-ID", "50"));
        rest.ended.join();

        assertThat(rest.ids())
                .isEqualTo(
                        LongStream.rangeClosed(51, 104).mapToObj(Long::toString).toList());
        Stream sameByParameter = new Stream(server.request("/api/command/" + id + "/events?after=50"));
        sameByParameter.ended.join();
        assertThat(sameByParameter.ids()).isEqualTo(rest.ids());
    }

    @Test
    void answers204WhenNothingIsLeftOfAnEndedCommand() {
        String id = server.submit("client-001", "echo");

        Answer answer = server.get("/api/command/" + id + "/events", "Last-Event-ID", "4");

        assertThat(answer.status()).isEqualTo(204);
        assertThat(answer.body()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"-1", "x", "99", "99999999999999999999"})
    void refusesAPositionThatCannotBe(String position) {
        String id = server.submit("client-001", "echo");

        assertThat(server.get("/api/command/" + id + "/events", "Last-Event-ID", position)
                        .status())
                .isEqualTo(400);
    }

    @Test
    void answers404ForAnUnknownCommand() {
        assertThat(server.get("/api/command/20250208123359-1/events").status()).isEqualTo(404);
    }

    @Test
    void sendsACommentWhenNothingHappensForFifteenSeconds() {
        String id = server.submit("client-001", "hang");
        Stream stream = new Stream(events(id).header("Last-Event-ID", "3"));
        await().until(() -> server.time.waiting(Ends.KEEP_ALIVE) == 1);

        server.time.advance(Ends.KEEP_ALIVE);

        await().untilAsserted(() -> assertThat(stream.lines).contains(": keep-alive"));
        await().until(() -> server.time.waiting(Ends.KEEP_ALIVE) == 1);
        server.running(id).complete("1");
        stream.ended.join();
        assertThat(stream.types()).containsExactly("completed");
    }

    @Test
    void refusesMoreStreamsThanAllowedAndGivesThePlaceBackWhenAReaderGoes() throws Exception {
        String id = server.submit("client-001", "hang");
        Socket reader = openRaw(id);
        Stream second = new Stream(events(id));
        await().untilAsserted(() -> assertThat(second.types()).hasSize(3));

        assertThat(server.get("/api/command/" + id + "/events").status()).isEqualTo(503);

        reader.close();
        await().untilAsserted(() -> assertThat(server.get("/metrics").body()).contains("commandway_http_streams 1.0"));
        Stream third = new Stream(events(id));
        await().untilAsserted(() -> assertThat(third.types()).hasSize(3));
        server.running(id).complete("1");
        third.ended.join();
    }

    @Test
    void keepsWhatASlowReaderHasNotReadInTheBoundedLogAndSaysWhatItMissed() throws Exception {
        String id = server.submit("client-001", "hang");
        try (Socket reader = openRaw(id)) {
            String chunk = "x".repeat(60_000);
            for (int i = 0; i < 1_000; i++) {
                server.running(id).output(chunk);
            }
            server.running(id).complete("1");

            String all = new String(reader.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

            assertThat(all).contains("event: gap").contains("event: completed").endsWith("0\r\n\r\n");
            assertThat(all.length()).isLessThan(30_000_000);
        }
    }

    @Test
    void endsStreamsWithACommentOnShutdown() {
        String id = server.submit("client-001", "hang");
        Stream stream = new Stream(events(id));
        await().untilAsserted(() -> assertThat(stream.types()).hasSize(3));

        server.facade.shutdown(Duration.ofSeconds(5));

        stream.ended.join();
        assertThat(stream.lines).contains(": the server is stopping");
    }

    private HttpRequest.Builder events(String id) {
        return server.request("/api/command/" + id + "/events");
    }

    /** A reader that has read the first event and then, with little room in its socket, nothing more. */
    private Socket openRaw(String id) throws Exception {
        Socket socket = new Socket();
        socket.setReceiveBufferSize(4_096);
        socket.connect(server.facade.address());
        socket.getOutputStream()
                .write(("GET /api/command/" + id + "/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                        .getBytes(StandardCharsets.US_ASCII));
        InputStream in = socket.getInputStream();
        socket.setSoTimeout(20_000);
        StringBuilder read = new StringBuilder();
        while (read.indexOf("event: pending") < 0) {
            int next = in.read();
            assertThat(next).as("end after: %s", read).isNotNegative();
            read.append((char) next);
        }
        return socket;
    }

    /** A stream of events that is read as it comes. */
    private final class Stream {
        final List<String> lines = new CopyOnWriteArrayList<>();
        final CompletableFuture<HttpResponse<Void>> ended;
        private volatile String contentType;

        Stream(HttpRequest.Builder request) {
            ended = server.client.sendAsync(request.build(), info -> {
                contentType = info.headers().firstValue("Content-Type").orElse("");
                return BodyHandlers.fromLineSubscriber(new LineCollector(lines)).apply(info);
            });
        }

        String contentType() {
            return contentType;
        }

        List<String> types() {
            return valuesOf("event: ");
        }

        List<String> ids() {
            return valuesOf("id: ");
        }

        List<JsonNode> data() {
            return valuesOf("data: ").stream().map(FacadeFixture.JSON::readTree).toList();
        }

        private List<String> valuesOf(String name) {
            return lines.stream()
                    .filter(line -> line.startsWith(name))
                    .map(line -> line.substring(name.length()))
                    .toList();
        }
    }
}
