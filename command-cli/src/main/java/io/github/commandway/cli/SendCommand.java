package io.github.commandway.cli;

import java.io.IOException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
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

    @Mixin
    private final SubmitOptions options = new SubmitOptions();

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
        options.putTimes(body);
        JsonNode answer = client.post("/api/command", body, options.headers());
        return printAccepted(client, answer, text(answer, "command_id"), options.waitSeconds());
    }
}
