package io.github.commandway.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.StringReader;
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
}
