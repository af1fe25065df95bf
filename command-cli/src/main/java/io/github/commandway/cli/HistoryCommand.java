package io.github.commandway.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;

@Command(name = "history", description = "Lists runs of tools and toolchains, newest first.")
final class HistoryCommand extends ClientCommand {
    @Option(names = "--user", paramLabel = "<name>", description = "Only those of this user.", order = 1)
    private String user = "";

    @Option(names = "--tool", paramLabel = "<name>", description = "Only those of this tool.", order = 2)
    private String tool = "";

    @Option(names = "--toolchain", paramLabel = "<name>", description = "Only those of this toolchain.", order = 2)
    private String toolchain = "";

    @Option(
            names = "--from",
            paramLabel = "<time>",
            description = "Only those handed over then or later, such as 2026-11-21T08:00:00Z.",
            order = 3)
    private String from = "";

    @Option(names = "--until", paramLabel = "<time>", description = "Only those handed over before.", order = 4)
    private String until = "";

    @Option(
            names = "--result",
            paramLabel = "<status>",
            description = "Only pending, executing, completed, failed, timeout or cancelled ones.",
            order = 5)
    private String result = "";

    @Mixin
    private final PageOptions page = new PageOptions();

    HistoryCommand(Surroundings surroundings) {
        super(surroundings);
    }

    @Override
    public Integer call() throws ApiException, InterruptedException {
        Map<String, String> query = new LinkedHashMap<>();
        query.put("user", user);
        query.put("tool", tool);
        query.put("toolchain", toolchain);
        query.put("from", from);
        query.put("until", until);
        query.put("result", result);
        page.put(query);
        JsonNode answer = client().get(ApiClient.path("/history", query));
        if (isJson()) {
            printJson(answer);
            return ExitCode.OK.code();
        }
        Table table = new Table("RUN", "TOOL", "VERSION", "USER", "STATUS", "EXIT", "CREATED", "ENDED");
        for (JsonNode run : answer.path("runs")) {
            table.row(
                    text(run, "id"),
                    run.has("toolchain") ? "toolchain=" + text(run, "toolchain") : text(run, "tool"),
                    text(run.path("result"), "version"),
                    text(run, "user"),
                    text(run, "status"),
                    text(run, "exit_code"),
                    text(run, "created_at"),
                    text(run, "ended_at"));
        }
        table.print(out());
        PageOptions.tellOfMore(answer, surroundings().err());
        return ExitCode.OK.code();
    }
}
