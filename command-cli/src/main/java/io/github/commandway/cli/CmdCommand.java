package io.github.commandway.cli;

import java.io.IOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.node.ObjectNode;

@Command(
        name = "cmd",
        description = {
            "Runs a tool or a toolchain of the server, prints what it writes as it comes, and ends with its exit code. Ctrl-C cancels it. Options stand"
                    + " before the tool; what comes after it is the tool's.",
            "%nExamples:",
            "  commandway cmd ping -c 3 host",
            "  commandway cmd --toolchain exportjob --param format=png"
        })
final class CmdCommand extends ClientCommand {
    private static final String TOOLCHAIN = "toolchain=";

    @Parameters(
            arity = "0..*",
            paramLabel = "<tool> [<argument>...]",
            description = "The tool and its arguments; toolchain=<name> is the same as --toolchain <name>.",
            hideParamSyntax = true)
    private List<String> words = new ArrayList<>();

    @Option(
            names = "--tool-version",
            paramLabel = "<version>",
            description = "A version, the beginning of a commit's hash, or a range such as ^1.2. Default: the newest",
            order = 1)
    private String version = "";

    @Option(names = "--toolchain", paramLabel = "<name>", description = "Run this toolchain instead.", order = 2)
    private String toolchain = "";

    @Option(names = "--param", paramLabel = "<name=value>", description = "A parameter; can be repeated.", order = 3)
    private Map<String, String> params = new LinkedHashMap<>();

    @Option(
            names = "--env",
            paramLabel = "<name=value>",
            description = "An environment variable; can be repeated.",
            order = 4)
    private Map<String, String> env = new LinkedHashMap<>();

    @Option(names = "--stdin", description = "Send the standard input on to it, once all of it was read.", order = 5)
    private boolean stdin;

    @Option(
            names = "--input",
            paramLabel = "<path=@file>",
            description =
                    "A file for its folder: the path there, and a file of this machine, or its text; can be repeated.",
            order = 6)
    private Map<String, String> inputs = new LinkedHashMap<>();

    @Option(
            names = "--on",
            paramLabel = "<target>",
            description =
                    "Where it runs, such as agent:client-001, group:os=linux or queue:builders. Default: the server",
            order = 7)
    private String on = "";

    @Option(names = "--dry-run", description = "Only check a toolchain, and print its plan.", order = 8)
    private boolean dryRun;

    @Option(
            names = "--timeout",
            paramLabel = "<seconds>",
            description = "How long it may take, if that is shorter than its own time.",
            order = 9)
    private @Nullable BigDecimal timeout;

    @Option(
            names = "--idempotency-key",
            paramLabel = "<key>",
            description = "Sent twice with the same key, it is run once.",
            order = 10)
    private @Nullable String idempotencyKey;

    @Option(names = "--detach", description = "Print the id of the run and end; 'result' has the rest.", order = 11)
    private boolean detach;

    @Option(
            names = "--progress",
            negatable = true,
            description = "Say what happens to it, on the standard error stream; by default if that is a terminal.",
            order = 12)
    private @Nullable Boolean progress;

    CmdCommand(Surroundings surroundings) {
        super(surroundings);
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        Map<String, String> headers = new LinkedHashMap<>();
        if (idempotencyKey != null) {
            headers.put("Idempotency-Key", idempotencyKey);
        }
        Map<String, String> query = new LinkedHashMap<>();
        query.put("body", "json");
        query.put("onlyid", "true");
        query.put("on", on);
        query.put("timeout", timeout == null ? "" : timeout.toPlainString());
        ObjectNode body = body();
        ApiClient client = client();
        String id = text(client.post(ApiClient.path("/cmd", query), body, headers), "id");
        if (detach) {
            print(id);
            return ExitCode.OK.code();
        }
        boolean isTold = progress == null ? surroundings().isWatched() : progress;
        return new ToolRun(client, surroundings(), "cmd", id, isJson(), isTold).followAndCancelWhenStopped();
    }

    private ObjectNode body() throws IOException {
        List<String> args = new ArrayList<>(words);
        String chain = toolchain;
        if (chain.isEmpty() && !args.isEmpty() && args.get(0).startsWith(TOOLCHAIN)) {
            chain = args.remove(0).substring(TOOLCHAIN.length());
        }
        ObjectNode body = ApiClient.JSON.createObjectNode();
        if (!chain.isEmpty()) {
            body.put("toolchain", chain);
        } else if (args.isEmpty()) {
            throw new UsageException(
                    "what to run is missing: a tool, or --toolchain <name>; 'commandway tools list' has them");
        } else {
            body.put("cmd", args.remove(0));
        }
        if (!version.isEmpty()) {
            body.put("version", version);
        }
        if (!args.isEmpty()) {
            args.forEach(body.putArray("args")::add);
        }
        if (!params.isEmpty()) {
            params.forEach(body.putObject("params")::put);
        }
        if (!env.isEmpty()) {
            env.forEach(body.putObject("env")::put);
        }
        if (stdin) {
            body.put("stdin_base64", surroundings().in().readAllBytes());
        }
        if (!inputs.isEmpty()) {
            ObjectNode files = body.putObject("inputs");
            for (Map.Entry<String, String> input : inputs.entrySet()) {
                files.put(input.getKey(), content(input.getKey(), input.getValue()));
            }
        }
        if (dryRun) {
            body.put("dry_run", true);
        }
        return body;
    }

    private byte[] content(String path, String given) {
        if (!given.startsWith("@")) {
            return given.getBytes(StandardCharsets.UTF_8);
        }
        String file = given.substring(1);
        try {
            return Files.readAllBytes(surroundings().folder().resolve(file));
        } catch (IOException e) {
            throw new UsageException("--input " + path + ": " + Commandway.described(e), e);
        }
    }
}
