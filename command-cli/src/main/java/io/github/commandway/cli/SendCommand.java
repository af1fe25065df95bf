package io.github.commandway.cli;

import java.io.IOException;
import java.math.BigDecimal;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

@Command(name = "send", description = "Sends a command to an agent.")
final class SendCommand extends ClientCommand {
    @Parameters(index = "0", paramLabel = "<client>", description = "The agent, such as client-001.")
    private String clientId = "";

    @Parameters(index = "1", paramLabel = "<type>", description = "The kind of command, such as restart.")
    private String type = "";

    @Parameters(
            index = "2",
            arity = "0..1",
            paramLabel = "<payload>",
            description = "The parameters: JSON, @file for a file that holds it, or - for the standard input.")
    private @Nullable String payload;

    @Option(
            names = "--timeout",
            paramLabel = "<seconds>",
            description = "How long it may take. The server's default is 30.",
            order = 1)
    private @Nullable BigDecimal timeout;

    @Option(
            names = "--ttl",
            paramLabel = "<seconds>",
            description =
                    "How long it may wait for the agent; 0: now or not at all. By default as long as the timeout.",
            order = 2)
    private @Nullable BigDecimal ttl;

    @Option(
            names = "--idempotency-key",
            paramLabel = "<key>",
            description = "Sent twice with the same key, it is accepted once.",
            order = 3)
    private @Nullable String idempotencyKey;

    @Option(
            names = "--wait",
            paramLabel = "<seconds>",
            description = "Wait up to so long for the outcome, print it, and end with its exit code.",
            order = 4)
    private @Nullable Integer wait;

    SendCommand(Surroundings surroundings) {
        super(surroundings);
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        ApiClient client = client();
        ObjectNode body = ApiClient.JSON.createObjectNode();
        body.put("client_id", clientId).put("command_type", type);
        JsonNode parameters = readPayload(payload);
        if (parameters != null) {
            body.set("payload", parameters);
        }
        if (timeout != null) {
            body.put("timeout", timeout);
        }
        if (ttl != null) {
            body.put("ttl", ttl);
        }
        Map<String, String> headers = idempotencyKey == null ? Map.of() : Map.of("Idempotency-Key", idempotencyKey);
        JsonNode answer = client.post("/api/command", body, headers);
        String id = text(answer, "command_id");
        if (wait != null) {
            return printCommand(awaitEnd(client, id, seconds(wait)));
        }
        if (isJson()) {
            printJson(answer);
        } else {
            out().println(id);
            out().flush();
        }
        return ExitCode.OK.code();
    }
}
