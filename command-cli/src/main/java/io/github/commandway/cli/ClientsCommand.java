package io.github.commandway.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;

@Command(name = "clients", description = "Lists the agents, or shows one.")
final class ClientsCommand extends ClientCommand {
    @Parameters(index = "0", arity = "0..1", paramLabel = "<client>", description = "One agent.")
    private @Nullable String clientId;

    @Option(
            names = "--connected",
            arity = "0..1",
            fallbackValue = "true",
            paramLabel = "true|false",
            description = "Only those that are connected, or with false only those that are not.",
            order = 1)
    private @Nullable Boolean connected;

    @Option(names = "--limit", paramLabel = "<number>", description = "How many at most. Default: 50", order = 2)
    private int limit = 50;

    @Option(
            names = "--after",
            paramLabel = "<client>",
            description = "Only those whose id sorts after this one.",
            order = 3)
    private String after = "";

    ClientsCommand(Surroundings surroundings) {
        super(surroundings);
    }

    @Override
    public Integer call() throws ApiException, InterruptedException {
        if (clientId != null) {
            JsonNode answer = client().get("/api/clients/" + ApiClient.encoded(clientId));
            if (isJson()) {
                printJson(answer);
            } else {
                print(answer.toPrettyString());
            }
            return ExitCode.OK.code();
        }
        Map<String, String> query = new LinkedHashMap<>();
        query.put("connected", connected == null ? "" : connected.toString());
        query.put("limit", Integer.toString(limit));
        query.put("after", after);
        JsonNode answer = client().get(ApiClient.path("/api/clients", query));
        if (isJson()) {
            printJson(answer);
            return ExitCode.OK.code();
        }
        Table table = new Table("CLIENT", "CONNECTED", "ADDRESS", "SINCE", "UPTIME");
        for (JsonNode client : answer.path("clients")) {
            table.row(
                    text(client, "client_id"),
                    text(client, "connected"),
                    text(client, "remote_addr"),
                    text(client, "connected_at"),
                    text(client, "uptime"));
        }
        table.print(out());
        return ExitCode.OK.code();
    }
}
