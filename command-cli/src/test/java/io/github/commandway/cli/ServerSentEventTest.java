package io.github.commandway.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.OutputStream;
import java.io.StringReader;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ServerSentEventTest {
    private static List<ServerSentEvent> read(String stream) throws IOException {
        List<ServerSentEvent> events = new ArrayList<>();
        ServerSentEvent.read(new BufferedReader(new StringReader(stream)), events::add);
        return events;
    }

    @Test
    void anEventHasItsIdTypeAndLinesOfData() throws IOException {
        assertThat(read("id: 7\nevent: sent\ndata: {\"a\":\ndata: 1}\n\n"))
                .containsExactly(new ServerSentEvent("7", "sent", "{\"a\":\n1}"));
    }

    @Test
    void commentsAndUnknownFieldsAreNoEvents() throws IOException {
        assertThat(read(": keep-alive\n\nretry: 5\n\ndata:x\n\n"))
                .containsExactly(new ServerSentEvent("", "message", "x"));
    }

    @Test
    void anEventThatIsCutOffIsDropped() throws IOException {
        assertThat(read("data: a\n\nid: 2\ndata: b\n")).containsExactly(new ServerSentEvent("", "message", "a"));
    }

    @Test
    void theTypeIsThatOfOneEventAndTheIdStays() throws IOException {
        assertThat(read("id: 1\nevent: a\ndata: x\n\ndata: y\n\n"))
                .containsExactly(new ServerSentEvent("1", "a", "x"), new ServerSentEvent("1", "message", "y"));
    }

    @Test
    void readingStopsWhenNoMoreIsWanted() throws IOException {
        List<ServerSentEvent> events = new ArrayList<>();
        ServerSentEvent.read(new BufferedReader(new StringReader("data: a\n\ndata: b\n\n")), event -> {
            events.add(event);
            return false;
        });

        assertThat(events).hasSize(1);
    }

    @Test
    void aStreamFromWhichNothingComesForTooLongEnds() throws Exception {
        String answer = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: a\n\n";
        List<ServerSentEvent> events = new ArrayList<>();
        try (ServerSocket listening = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            Thread server = new Thread(() -> answerAndFallSilent(listening, answer), "silent server");
            server.start();
            ApiClient client =
                    new ApiClient("http://127.0.0.1:" + listening.getLocalPort(), null, Duration.ofMillis(200));

            assertThat(client.follow("/", "", events::add)).isTrue();

            assertThat(events).containsExactly(new ServerSentEvent("", "message", "a"));
            server.join();
        }
    }

    /** Answers one connection, and keeps it open until the other end closes it. */
    private static void answerAndFallSilent(ServerSocket listening, String answer) {
        try (Socket connection = listening.accept()) {
            connection.getOutputStream().write(answer.getBytes(StandardCharsets.US_ASCII));
            connection.getOutputStream().flush();
            connection.getInputStream().transferTo(OutputStream.nullOutputStream());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
