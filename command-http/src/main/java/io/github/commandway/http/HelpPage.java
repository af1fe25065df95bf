package io.github.commandway.http;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Says people how the API is used, made from the table of routes, and how the command line is: as a page to browsers, otherwise as plain text. Needs nothing from elsewhere, and no
 * scripts.
 */
final class HelpPage {
    private static final String STYLE = "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
            + "code,pre{font-family:monospace;background:#eee;padding:.1em .3em}pre{padding:1em;overflow:auto}"
            + "td{vertical-align:top;padding:.3em .8em .3em 0;border-top:1px solid #ccc}";

    private static final String EXAMPLES = """
            curl http://host:port/tools
            curl http://host:port/cmd/hello/world
            curl http://host:port/cmd -d '{cmd: hello, version: ^1, args: [world], env: {TZ: UTC}}'
            curl 'http://host:port/cmd?body=json&onlyid=true' -d '{"cmd": "hello", "args": ["world"]}'
            curl -N 'http://host:port/cmd?sse=true' -d 'cmd: hello'
            curl -d '' 'http://host:port/cmd?toolchain=report'
            curl http://host:port/result/<id>
            curl -N 'http://host:port/result/<id>?sse=true'
            curl -O http://host:port/result/<id>/files/<path>
            curl -X POST http://host:port/cancel/<id>
            """;

    private static final List<Entry> BODY = List.of(
            new Entry("cmd", "The tool."),
            new Entry("toolchain", "A toolchain instead; the same as ?toolchain=."),
            new Entry(
                    "version",
                    "Which version: 1.4.2, latest, the beginning of a commit's hash, or a range such as ^1.2. The newest if not given."),
            new Entry("args", "A list of arguments."),
            new Entry(
                    "params",
                    "A map of the parameters that the tool or toolchain has; /tools and /toolchains say which."),
            new Entry("env", "Environment variables: {A: b}, [{A: b}] or [A=b]."),
            new Entry("stdin", "A text that it reads from its standard input."),
            new Entry("stdin_base64", "The same, as Base64 of the bytes."),
            new Entry("inputs", "Files that are put into its folder: a map of paths to their contents in Base64."),
            new Entry("dry_run", "true: the toolchain is only checked, and its plan returned."));

    private static final List<Entry> STATUSES = List.of(
            new Entry(
                    "200",
                    "It completed. With onlyid=true, sse=true and Accept: application/json a status says nothing of its end."),
            new Entry("202", "It has not ended."),
            new Entry("400", "Something in the request is wrong; the answer says what, and what would be right."),
            new Entry("404", "There is no such tool, version or run."),
            new Entry("410", "It was cancelled."),
            new Entry("500", "It failed; X-Exit-Code has its exit code."),
            new Entry("504", "It took too long."));

    private static final List<String> FOR_TOOLS =
            List.of("/cmd", "/result", "/cancel", "/history", "/tools", "/toolchains");

    private final List<Route> routes;
    private final Supplier<String> commandLine;

    /** A name and what it stands for, which may have several lines. */
    private record Entry(String name, String meaning) {}

    /** A part of the help: text as it is, or entries. */
    private record Part(String title, String text, List<Entry> entries) {}

    /**
     * Makes one.
     *
     * @param routes all that there are; read when help is asked for
     * @param commandLine how that is used; empty for nothing
     */
    HelpPage(List<Route> routes, Supplier<String> commandLine) {
        this.routes = routes;
        this.commandLine = commandLine;
    }

    /**
     * The help.
     *
     * @param accept the header of that name, or null
     */
    Reply answer(@Nullable String accept) {
        Reply.Full help = accept != null && accept.toLowerCase(Locale.ROOT).contains(Schemas.HTML) ? page() : text();
        return help.header("Vary", "Accept");
    }

    private List<Part> parts() {
        List<Part> parts = new ArrayList<>();
        parts.add(new Part("Running tools", EXAMPLES, List.of()));
        parts.add(new Part("The body of POST /cmd, in YAML or JSON", "", BODY));
        parts.add(new Part("The status of an answer with a run's output", "", STATUSES));
        parts.add(
                new Part("HTTP", "", routesForToolsFirst().map(HelpPage::entry).toList()));
        String usage = commandLine.get();
        if (!usage.isEmpty()) {
            parts.add(new Part("Command line", usage, List.of()));
        }
        return parts;
    }

    private Stream<Route> routesForToolsFirst() {
        return routes.stream().sorted(Comparator.comparing(route -> {
            int end = route.path().indexOf('/', 1);
            return !FOR_TOOLS.contains(end < 0 ? route.path() : route.path().substring(0, end));
        }));
    }

    private static Entry entry(Route route) {
        StringBuilder meaning = new StringBuilder(route.summary());
        for (Field field : route.query()) {
            meaning.append("\n?").append(field.name()).append("=  ").append(field.description());
            if (!field.allowed().isEmpty()) {
                meaning.append(" One of ")
                        .append(String.join(", ", field.allowed()))
                        .append('.');
            }
        }
        return new Entry(route.method() + " " + route.path(), meaning.toString());
    }

    private Reply.Full text() {
        StringBuilder text = new StringBuilder();
        for (Part part : parts()) {
            text.append(part.title()).append("\n\n");
            part.text()
                    .lines()
                    .forEach(line ->
                            text.append("  ").append(line.stripTrailing()).append('\n'));
            for (Entry entry : part.entries()) {
                text.append("  ").append(entry.name()).append('\n');
                entry.meaning()
                        .lines()
                        .forEach(line -> text.append("      ").append(line).append('\n'));
            }
            text.append('\n');
        }
        return Reply.text(Schemas.TEXT + ";charset=utf-8", text.toString());
    }

    private Reply.Full page() {
        StringBuilder html = new StringBuilder("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">")
                .append("<title>Commandway</title><style>")
                .append(STYLE)
                .append("</style></head><body>\n<h1>Commandway</h1>\n");
        for (Part part : parts()) {
            html.append("<h2>").append(escape(part.title())).append("</h2>\n");
            if (!part.text().isEmpty()) {
                html.append("<pre>").append(escape(part.text())).append("</pre>\n");
            }
            if (!part.entries().isEmpty()) {
                html.append("<table>\n");
                for (Entry entry : part.entries()) {
                    html.append("<tr><td><code>")
                            .append(escape(entry.name()))
                            .append("</code></td><td>")
                            .append(escape(entry.meaning()).replace("\n", "<br>"))
                            .append("</td></tr>\n");
                }
                html.append("</table>\n");
            }
        }
        html.append("</body></html>\n");
        return Reply.text(Schemas.HTML + ";charset=utf-8", html.toString())
                .header(
                        "Content-Security-Policy",
                        "default-src 'none'; style-src 'sha256-" + digest(STYLE)
                                + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }

    private static String digest(String text) {
        try {
            return Base64.getEncoder()
                    .encodeToString(MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
