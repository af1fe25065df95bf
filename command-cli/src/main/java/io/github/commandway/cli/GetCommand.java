package io.github.commandway.cli;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "get", description = "Shows a command and what has become of it; the exit code tells the same.")
final class GetCommand extends ClientCommand {
    @Parameters(index = "0", paramLabel = "<command>", description = "The id of the command.")
    private String id = "";

    @Option(names = "--wait", paramLabel = "<seconds>", description = "Wait up to so long for the end.", order = 1)
    private @Nullable Integer wait;

    GetCommand(Surroundings surroundings) {
        super(surroundings);
    }

    @Override
    public Integer call() throws ApiException, InterruptedException {
        return printCommand(awaitEnd(client(), id, seconds(wait)));
    }
}
