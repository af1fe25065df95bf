package io.github.commandway.cli;

import java.io.PrintWriter;
import java.util.Map;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;

/** Which part is wanted of a list that a server gives out in pages. */
final class PageOptions {
    @Option(names = "--limit", paramLabel = "<number>", description = "How many at most. Default: 50", order = 60)
    private int limit = 50;

    @Option(names = "--cursor", paramLabel = "<cursor>", description = "Continue after an earlier list.", order = 61)
    private String cursor = "";

    void put(Map<String, String> query) {
        query.put("limit", Integer.toString(limit));
        query.put("cursor", cursor);
    }

    /** Says how to go on if this was not the last page. */
    static void tellOfMore(JsonNode page, PrintWriter err) {
        String next = ClientCommand.text(page, "next_cursor");
        if (!next.isEmpty()) {
            err.println("There are more: --cursor " + next);
        }
    }
}
