package io.github.commandway.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.http.FacadeFixture.Answer;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

class SlowReaderTest {
    @RegisterExtension
    final FacadeFixture patient = new FacadeFixture(options -> options.maxHeldBytes(100_000));

    @RegisterExtension
    final FacadeFixture impatient = new FacadeFixture(options -> options.idleTimeout(Duration.ofSeconds(1)));

    @Test
    void refusesRequestsWhileAnswersThatNobodyReadsTakeAllTheRoom() throws IOException {
        String id = bigResult(patient);
        try (Socket reader = openWithoutReading(patient, "/api/command/" + id)) {
            byte[] begin = reader.getInputStream().readNBytes("HTTP/1.1 200".length());
            assertThat(new String(begin, StandardCharsets.US_ASCII)).isEqualTo("HTTP/1.1 200");

            Answer refused = patient.get("/api/command/" + id);

            assertThat(refused.status()).isEqualTo(503);
            assertThat(refused.header("Retry-After")).isNotNull();
        }
        await().untilAsserted(() ->
                assertThat(patient.get("/api/command/" + id).status()).isEqualTo(200));
    }

    @Test
    void closesAConnectionWhosePeerDoesNotReadItsEvents() throws IOException {
        String id = impatient.submit("client-001", "hang");
        try (Socket reader = openWithoutReading(impatient, "/api/command/" + id + "/events")) {
            await().untilAsserted(
                            () -> assertThat(impatient.get("/metrics").body()).contains("commandway_http_streams 1.0"));
            await().atMost(Duration.ofSeconds(30)).untilAsserted(() -> {
                for (int i = 0; i < 10; i++) {
                    impatient.running(id).output("x".repeat(60_000));
                }
                assertThat(impatient.get("/metrics").body()).contains("commandway_http_streams 0.0");
            });
            assertThat(reader.isClosed()).isFalse();
        }
    }

    private static String bigResult(FacadeFixture server) {
        String id = server.submit("client-001", "hang");
        server.running(id).complete("\"" + "x".repeat(20_000_000) + "\"");
        return id;
    }

    private static Socket openWithoutReading(FacadeFixture server, String path) throws IOException {
        Socket socket = new Socket();
        socket.setReceiveBufferSize(4_096);
        socket.connect(server.facade.address());
        socket.getOutputStream()
                .write(("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
        return socket;
    }
}
