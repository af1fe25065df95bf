package io.github.commandway.cli;

import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;

@Command(
        name = "cancel",
        description =
                "Cancels a command. One that waits never runs; one that runs is stopped. Ends with 0 if it was cancelled.")
final class CancelCommand extends ClientCommand {
    @Parameters(index = "0", paramLabel = "<command>", description = "The id of the command.")
    private String id = "";

    CancelCommand(Surroundings surroundings) {
        super(surroundings);
    }

    @Override
    public Integer call() throws ApiException, InterruptedException {
        JsonNode answer = client().post(
                        "/api/command/" + ApiClient.encoded(id) + "/cancel",
                        ApiClient.JSON.createObjectNode(),
                        Map.of());
        printCommand(answer);
        return statusOf(answer).ofCancelling().code();
    }
}
