package io.github.commandway.tools;

import io.github.commandway.dispatch.CommandIds;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A catalogue in a folder, and a manager that runs what is in it. */
final class ToolFixture implements AutoCloseable {
    static final JsonMapper JSON = JsonMapper.builder().build();

    final Path folder;
    final Path runs;
    final ToolCatalog catalog;
    final ToolHandler handler;
    final CommandManager manager;

    ToolFixture(Path folder) throws IOException {
        this(folder, builder -> builder);
    }

    ToolFixture(Path folder, UnaryOperator<ToolHandler.Builder> options) throws IOException {
        this.folder = folder;
        this.runs = folder.resolve("runs");
        catalog = ToolCatalog.open(folder);
        handler = options.apply(ToolHandler.builder(catalog, runs)).build();
        Registry registry = new Registry();
        registry.register("tools", CommandIds.TOOL_EXECUTE, handler);
        manager = CommandManager.ofDefaults(registry);
    }

    /** Writes a file of the catalogue; one that begins with {@code #!} may be executed. */
    static Path write(Path folder, String path, String content) throws IOException {
        Path file = folder.resolve(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, content);
        if (content.startsWith("#!")) {
            Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
        return file;
    }

    /** Makes a WebAssembly module, with the ending {@code .wasm}, of its text. */
    static void assemble(Path text) throws IOException, InterruptedException {
        String module = text.toString().replaceFirst("\\.wat$", ".wasm");
        Process process = new ProcessBuilder("wat2wasm", "-o", module, text.toString())
                .redirectErrorStream(true)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IOException(output);
        }
    }

    /** Writes a tool, version 1.0.0, that runs a shell script that its operator has registered. */
    static void script(Path folder, String tool, String script, String... yaml) throws IOException {
        write(folder, "tools/" + tool + "/1.0.0/main.sh", "#!/bin/sh\n" + script + "\n");
        write(folder, "tools/" + tool + "/1.0.0/tool.yaml", "command: [main.sh]\n" + String.join("\n", yaml) + "\n");
    }

    CommandHandle submit(ToolRequest request) throws Exception {
        return submit(handler.commandFor(request).build());
    }

    CommandHandle submit(CommandRequest request) throws Exception {
        return manager.submit(request).get(30, TimeUnit.SECONDS);
    }

    CommandRecord run(ToolRequest request) throws Exception {
        return submit(request).completion().get(60, TimeUnit.SECONDS);
    }

    static JsonNode result(CommandRecord record) {
        byte[] result = record.result();
        return JSON.readTree(result == null ? new byte[] {'{', '}'} : result);
    }

    List<CommandEvent> events(CommandRecord record) throws Exception {
        return manager.events(record.id(), 0, 10_000).get(30, TimeUnit.SECONDS);
    }

    /** What the run wrote, as it is kept in its folder. */
    String output(CommandRecord record, String channel) throws IOException {
        return handler.output(record.id(), 0, Integer.MAX_VALUE).pieces().stream()
                .filter(piece -> piece.channel().equals(channel))
                .map(piece -> new String(piece.data(), StandardCharsets.UTF_8))
                .collect(Collectors.joining());
    }

    @Override
    public void close() {
        handler.close();
        manager.close();
    }
}
