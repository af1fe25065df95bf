package io.github.commandway.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.util.function.Predicate;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/**
 * One event of a stream in the form of the HTML standard, section 9.2.
 *
 * @param id what to resume after; empty if the event has none
 * @param type the {@code event} field; {@code message} if there is none
 * @param data the {@code data} lines
 */
record ServerSentEvent(String id, String type, String data) {
    /** The data as JSON, which is what servers of ours send. */
    JsonNode json() {
        try {
            return ApiClient.JSON.readTree(data);
        } catch (JacksonException e) {
            throw new IllegalStateException("the server sent an event that is not JSON: " + data, e);
        }
    }

    /** Reads events until the stream ends or {@code consumer} wants no more. */
    static void read(BufferedReader lines, Predicate<ServerSentEvent> consumer) throws IOException {
        String id = "";
        String type = "message";
        StringBuilder data = new StringBuilder();
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            int colon = line.indexOf(':');
            String field = colon < 0 ? line : line.substring(0, colon);
            String value = colon < 0 ? "" : line.substring(colon + 1);
            value = value.startsWith(" ") ? value.substring(1) : value;
            switch (field) {
                case "id" -> id = value;
                case "event" -> type = value;
                case "data" -> data.append(value).append('\n');
                case "" -> {
                    boolean isEnd = colon < 0;
                    if (isEnd && data.length() > 0) {
                        data.setLength(data.length() - 1);
                        if (!consumer.test(new ServerSentEvent(id, type, data.toString()))) {
                            return;
                        }
                    }
                    if (isEnd) {
                        type = "message";
                        data.setLength(0);
                    }
                }
                default -> {
                    // the standard says to ignore what is not known, such as retry here
                }
            }
        }
    }
}
