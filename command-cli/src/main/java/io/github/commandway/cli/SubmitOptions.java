package io.github.commandway.cli;

import java.math.BigDecimal;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ObjectNode;

/** What can be said with everything that is handed over to a server. */
final class SubmitOptions {
    @Option(
            names = "--timeout",
            paramLabel = "<seconds>",
            description = "How long it may take. By default 30, in a queue what the server is set to.",
            order = 50)
    private @Nullable BigDecimal timeout;

    @Option(
            names = "--ttl",
            paramLabel = "<seconds>",
            description =
                    "How long it may wait; 0: now or not at all. By default as long as the timeout, in a queue what the server is set to.",
            order = 51)
    private @Nullable BigDecimal ttl;

    @Option(
            names = "--idempotency-key",
            paramLabel = "<key>",
            description = "Sent twice with the same key, it is accepted once.",
            order = 52)
    private @Nullable String idempotencyKey;

    @Option(
            names = "--wait",
            paramLabel = "<seconds>",
            description = "Wait up to so long for the outcome, print it, and end with its exit code.",
            order = 53)
    private @Nullable Integer wait;

    void putTimes(ObjectNode body) {
        if (timeout != null) {
            body.put("timeout", timeout);
        }
        if (ttl != null) {
            body.put("ttl", ttl);
        }
    }

    Map<String, String> headers() {
        Map<String, String> headers = new LinkedHashMap<>();
        if (idempotencyKey != null) {
            headers.put("Idempotency-Key", idempotencyKey);
        }
        return headers;
    }

    /** How long to wait for the outcome; null to print the id at once. */
    @Nullable Integer waitSeconds() {
        return wait;
    }
}
