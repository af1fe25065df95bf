package io.github.commandway.http;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.List;
import java.util.Map;

/** A page for people that says how the API is used, made from the table of routes, and how the command line is. Needs nothing from elsewhere, and no scripts. */
final class HelpPage {
    private static final String STYLE = "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
            + "code,pre{font-family:monospace;background:#eee;padding:.1em .3em}pre{padding:1em;overflow:auto}"
            + "td{vertical-align:top;padding:.3em .8em .3em 0;border-top:1px solid #ccc}";

    private HelpPage() {}

    static Reply page(List<Route> routes, String commandLine) {
        StringBuilder html = new StringBuilder("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">")
                .append("<title>Commandway</title><style>")
                .append(STYLE)
                .append("</style></head><body>\n<h1>Commandway</h1>\n<h2>Running tools</h2>\n<pre>")
                .append(escape("""
                        curl http://host:port/cmd/ping/example.com
                        curl http://host:port/cmd --data-binary $'cmd: hello\\nargs: [world]'
                        curl 'http://host:port/cmd?body=json&onlyid=true' -d '{"cmd": "hello", "version": "^1"}'
                        curl 'http://host:port/result/<id>?sse=true'
                        """.replace("\\\\", "\\")))
                .append(
                        "</pre>\n<p>The status of a run's output says how the run ended: 200 completed, 500 failed, 504 timeout,")
                .append(
                        " 410 cancelled; 202 means that it has not ended. <code>X-Exit-Code</code> has the exit code.</p>\n")
                .append("<h2>HTTP</h2>\n<table>\n");
        for (Route route : routes) {
            html.append("<tr><td><code>")
                    .append(escape(route.method() + " " + route.path()))
                    .append("</code></td><td>")
                    .append(escape(route.summary()));
            for (Field field : route.query()) {
                html.append("<br><code>?")
                        .append(escape(field.name()))
                        .append("</code> ")
                        .append(escape(field.description()));
            }
            html.append("</td></tr>\n");
        }
        html.append("</table>\n");
        if (!commandLine.isEmpty()) {
            html.append("<h2>Command line</h2>\n<pre>")
                    .append(escape(commandLine))
                    .append("</pre>\n");
        }
        html.append("</body></html>\n");
        return new Reply.Full(
                200,
                Schemas.HTML + ";charset=utf-8",
                html.toString().getBytes(StandardCharsets.UTF_8),
                Map.of(
                        "Content-Security-Policy",
                        "default-src 'none'; style-src 'sha256-" + digest(STYLE)
                                + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"));
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
