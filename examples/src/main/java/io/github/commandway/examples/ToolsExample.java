package io.github.commandway.examples;

import io.github.commandway.dispatch.CommandIds;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.tool.api.RunOutput;
import io.github.commandway.tools.ToolCatalog;
import io.github.commandway.tools.ToolHandler;
import io.github.commandway.tools.ToolRequest;
import java.nio.file.Files;
import java.nio.file.Path;

/** Command-line tools in a host application: a catalogue in a folder, one run, its record and what it wrote. */
public final class ToolsExample {
    private ToolsExample() {}

    /**
     * Runs the tool {@code words}.
     *
     * @param catalogue the folder of tools
     * @param runs for the folders of runs
     * @return how it ended, and what it wrote
     */
    static String run(Path catalogue, Path runs, String... words) throws Exception {
        Registry registry = new Registry();
        ToolHandler tools =
                ToolHandler.builder(ToolCatalog.open(catalogue), runs).build();
        registry.register("tools", CommandIds.TOOL_EXECUTE, tools);
        // closed in the opposite order: what runs first, then what records it
        try (CommandManager manager = CommandManager.ofDefaults(registry);
                tools) {
            ToolRequest request = ToolRequest.tool("words", words).version("^1");
            CommandRecord record = manager.submit(tools.commandFor(request).build())
                    .get() // recorded from here on
                    .completion()
                    .get();

            StringBuilder text = new StringBuilder(record.status().code()).append(": ");
            RunOutput output = tools.output(record.id(), 0, 64 << 10);
            for (RunOutput.Piece piece : output.pieces()) {
                text.append(new String(piece.data(), piece.charset()));
            }
            return text.toString();
        }
    }

    /** Runs the tool with the arguments; the current folder is the project's. */
    public static void main(String[] args) throws Exception {
        System.out.print(run(Path.of("examples"), Files.createTempDirectory("commandway"), args));
    }
}
