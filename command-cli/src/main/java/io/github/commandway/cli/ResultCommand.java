package io.github.commandway.cli;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;

@Command(
        name = "result",
        description =
                "Prints what a run of a tool has written, and ends with its exit code, or with 7 if it has not ended; or gets the files that it has made.")
final class ResultCommand extends ClientCommand {
    @Parameters(index = "0", paramLabel = "<run>", description = "The id of the run.")
    private String id = "";

    @Option(
            names = "--follow",
            description = "Wait for the end of a run that goes on, and print as it writes.",
            order = 1)
    private boolean follow;

    @Option(names = "--files", description = "List the files that it has made.", order = 2)
    private boolean files;

    @Option(names = "--download", paramLabel = "<path>", description = "Get this one of them.", order = 3)
    private @Nullable String download;

    @Option(
            names = {"-o", "--output"},
            paramLabel = "<file>",
            description =
                    "Where to put it; - for the standard output. By default its own name in this folder, unless there is such a file.",
            order = 4)
    private @Nullable String output;

    ResultCommand(Surroundings surroundings) {
        super(surroundings);
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        ApiClient client = client();
        String path = "/result/" + ApiClient.encoded(id);
        if (download != null) {
            save(
                    client,
                    path + "/files/"
                            + Arrays.stream(download.split("/", -1))
                                    .map(ApiClient::encoded)
                                    .collect(Collectors.joining("/")),
                    download);
            return ExitCode.OK.code();
        }
        if (files) {
            printFiles(client.get(path + "/files"));
            return ExitCode.OK.code();
        }
        ToolRun run = new ToolRun(client, surroundings(), "result", id, isJson(), false);
        if (follow) {
            return run.follow();
        }
        JsonNode page = client.get(ToolRun.pagePath(id, ""));
        ExitCode outcome = ExitCode.ofStatus(text(page, "status"));
        if (isJson()) {
            printJson(page);
            return outcome.code();
        }
        if (outcome == ExitCode.STILL_OPEN) {
            surroundings()
                    .err()
                    .println("commandway result: " + id + " is " + text(page, "status")
                            + "; --follow waits for its end");
            return outcome.code();
        }
        return run.print(page);
    }

    private void printFiles(JsonNode answer) {
        if (isJson()) {
            printJson(answer);
            return;
        }
        Table table = new Table("FILE", "BYTES");
        for (JsonNode file : answer.path("files")) {
            table.row(text(file, "path"), text(file, "size"));
        }
        table.print(out());
    }

    private void save(ApiClient client, String path, String wanted) throws IOException, InterruptedException {
        if ("-".equals(output)) {
            try (InputStream content = client.download(path)) {
                content.transferTo(surroundings().output());
            }
            surroundings().output().flush();
            return;
        }
        String name = wanted.substring(wanted.lastIndexOf('/') + 1);
        Path file =
                surroundings().folder().resolve(output == null ? name : output).toAbsolutePath();
        Path parent = file.getParent();
        if (parent == null || !Files.isDirectory(parent) || Files.isDirectory(file)) {
            throw new UsageException(
                    file + " cannot be a file: it is a folder, or there is no folder for it; name another with -o");
        }
        try (InputStream content = client.download(path)) {
            // whole or not at all
            Path part = Files.createTempFile(parent, ".commandway", ".part");
            try {
                Files.copy(content, part, StandardCopyOption.REPLACE_EXISTING);
                if (output == null) {
                    Files.createLink(file, part);
                } else {
                    Files.move(part, file, StandardCopyOption.REPLACE_EXISTING);
                }
            } finally {
                Files.deleteIfExists(part);
            }
        } catch (FileAlreadyExistsException e) {
            throw new UsageException(file + " is there already; name another with -o", e);
        }
        surroundings().err().println(file);
    }
}
