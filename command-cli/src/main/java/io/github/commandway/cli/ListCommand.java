package io.github.commandway.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;

@Command(name = "list", description = "Lists commands, newest first.")
final class ListCommand extends ClientCommand {
    @Option(names = "--client", paramLabel = "<client>", description = "Only those of this agent.", order = 1)
    private String clientId = "";

    @Option(
            names = "--status",
            paramLabel = "<status>",
            description = "Only pending, executing, completed, failed, timeout or cancelled ones.",
            order = 2)
    private String status = "";

    @Mixin
    private final PageOptions page = new PageOptions();

    ListCommand(Surroundings surroundings) {
        super(surroundings);
    }

    @Override
    public Integer call() throws ApiException, InterruptedException {
        Map<String, String> query = new LinkedHashMap<>();
        query.put("client_id", clientId);
        query.put("status", status);
        page.put(query);
        JsonNode answer = client().get(ApiClient.path("/api/commands", query));
        if (isJson()) {
            printJson(answer);
            return ExitCode.OK.code();
        }
        Table table = new Table("COMMAND", "CLIENT", "TYPE", "STATUS", "REASON", "CREATED");
        for (JsonNode command : answer.path("commands")) {
            table.row(
                    text(command, "command_id"),
                    text(command, "client_id"),
                    text(command, "command_type"),
                    text(command, "status"),
                    text(command, "reason"),
                    text(command, "created_at"));
        }
        table.print(out());
        PageOptions.tellOfMore(answer, surroundings().err());
        return ExitCode.OK.code();
    }
}
