package io.github.commandway.cli;

import picocli.CommandLine.Command;
import tools.jackson.databind.JsonNode;

@Command(
        name = "schedules",
        description = "Lists what runs tools by itself, when it does so next, and what came of the last time.")
final class SchedulesCommand extends ClientCommand {
    SchedulesCommand(Surroundings surroundings) {
        super(surroundings);
    }

    @Override
    public Integer call() throws ApiException, InterruptedException {
        JsonNode answer = client().get("/schedules");
        if (isJson()) {
            printJson(answer);
            return ExitCode.OK.code();
        }
        Table table = new Table("SCHEDULE", "TOOL", "ON", "NEXT", "LAST", "RUN");
        for (JsonNode schedule : answer.path("schedules")) {
            String problem = text(schedule, "problem");
            table.row(
                    text(schedule, "name"),
                    schedule.has("toolchain") ? "toolchain=" + text(schedule, "toolchain") : text(schedule, "tool"),
                    text(schedule, "on"),
                    schedule.path("enabled").asBoolean()
                            ? schedule.path("next").path(0).asString("")
                            : "not enabled",
                    text(schedule, "last"),
                    problem.isEmpty() ? text(schedule, "run") : problem);
        }
        table.print(out());
        return ExitCode.OK.code();
    }
}
