package io.github.commandway.outbox;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/** What is said of commands that have ended, in the language of one kind of chat. What comes from commands is shown as it is: nothing in it is markup there. */
enum ChatText {
    /** DingTalk's Markdown. */
    MARKDOWN {
        @Override
        String escape(String text) {
            StringBuilder escaped = new StringBuilder(text.length() + 16);
            for (int i = 0; i < text.length(); i++) {
                char c = text.charAt(i);
                switch (c) {
                    case '&' -> escaped.append("&amp;");
                    case '<' -> escaped.append("&lt;");
                    default -> {
                        if (ANYWHERE.indexOf(c) >= 0 || (i == 0 && AT_THE_BEGINNING.indexOf(c) >= 0)) {
                            escaped.append('\\');
                        }
                        escaped.append(c);
                    }
                }
            }
            return escaped.toString();
        }

        @Override
        String strong(String escaped) {
            return "**" + escaped + "**";
        }

        @Override
        String link(String address, String escaped) {
            return "[" + escaped + "](" + address + ")";
        }

        @Override
        String quoted(List<String> lines) {
            StringBuilder quoted = new StringBuilder();
            lines.forEach(line -> quoted.append("> ").append(escape(line)).append("  \n"));
            return quoted.toString();
        }

        @Override
        String lineEnd() {
            return "  \n";
        }
    },
    /** Slack's mrkdwn, which others understand, too. */
    MRKDWN {
        @Override
        String escape(String text) {
            return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
        }

        @Override
        String strong(String escaped) {
            return "*" + escaped + "*";
        }

        @Override
        String link(String address, String escaped) {
            return "<" + address + "|" + escaped + ">";
        }

        @Override
        String quoted(List<String> lines) {
            return "```\n" + escape(String.join("\n", lines)).replace("```", "'''") + "\n```\n";
        }

        @Override
        String lineEnd() {
            return "\n";
        }
    };

    private static final String ANYWHERE = "\\`*_[]>|~";
    private static final String AT_THE_BEGINNING = "#+-";
    private static final int MAX_LISTED = 10;
    private static final int MAX_MESSAGE = 500;
    private static final int MAX_LISTED_MESSAGE = 100;

    abstract String escape(String text);

    abstract String strong(String escaped);

    abstract String link(String address, String escaped);

    abstract String quoted(List<String> lines);

    abstract String lineEnd();

    /** What the message is about, in plain words. */
    static String title(List<JsonNode> ended) {
        if (ended.size() == 1) {
            return what(ended.get(0)) + " " + ended.get(0).path("status").asString("");
        }
        Map<String, Integer> counts = new LinkedHashMap<>();
        ended.forEach(one -> counts.merge(one.path("status").asString(""), 1, Integer::sum));
        StringBuilder title = new StringBuilder(ended.size() + " commands have ended:");
        counts.forEach((status, count) ->
                title.append(' ').append(count).append(' ').append(status).append(','));
        title.setLength(title.length() - 1);
        return title.toString();
    }

    private static String what(JsonNode ended) {
        String version = ended.path("version").asString("");
        return ended.path("type").asString("") + (version.isEmpty() ? "" : " " + version);
    }

    /**
     * The message.
     *
     * @param output the last lines of what it wrote, if there is one command; may be empty
     */
    String message(List<JsonNode> ended, List<String> output) {
        StringBuilder text = new StringBuilder(strong(escape(oneLine(title(ended), MAX_MESSAGE)))).append(lineEnd());
        if (ended.size() > 1) {
            for (JsonNode one : ended.subList(0, Math.min(MAX_LISTED, ended.size()))) {
                text.append(escape(oneLine(what(one), MAX_MESSAGE)))
                        .append(": ")
                        .append(escape(oneLine(why(one), MAX_LISTED_MESSAGE)))
                        .append(", ")
                        .append(run(one))
                        .append(lineEnd());
            }
            if (ended.size() > MAX_LISTED) {
                text.append("and ").append(ended.size() - MAX_LISTED).append(" more");
            }
            return text.toString();
        }
        JsonNode one = ended.get(0);
        text.append(escape(oneLine(why(one), MAX_MESSAGE)));
        if (!one.path("exit_code").isMissingNode() && !why(one).contains("exit code")) {
            text.append(", exit code ").append(escape(one.path("exit_code").asString("")));
        }
        text.append(lineEnd())
                .append(escape("took "
                        + Duration.ofMillis(one.path("duration_ms").asLong(0))
                                .toString()
                                .substring(2)
                                .toLowerCase(Locale.ROOT)))
                .append(escape(", on " + oneLine(one.path("target").asString(""), MAX_MESSAGE)));
        if (!one.path("principal").isMissingNode()) {
            text.append(escape(", for " + oneLine(one.path("principal").asString(""), MAX_LISTED_MESSAGE)));
        }
        text.append(lineEnd()).append(run(one)).append(lineEnd());
        if (!output.isEmpty()) {
            text.append('\n').append(quoted(output));
        }
        return text.toString();
    }

    private String run(JsonNode ended) {
        String id = escape(ended.path("id").asString(""));
        String address = ended.path("link").asString("");
        return address.isEmpty() ? "run " + id : link(address, "run " + id);
    }

    private static String why(JsonNode ended) {
        String reason = ended.path("reason").asString("");
        String message = ended.path("message").asString("");
        return message.isEmpty() ? reason : reason + ": " + message;
    }

    /** Line ends and other control characters would let a message look like something else. */
    private static String oneLine(String text, int longest) {
        String line = text.replaceAll("\\p{Cntrl}+", " ");
        return line.length() <= longest ? line : line.substring(0, longest - 1) + "…";
    }
}
