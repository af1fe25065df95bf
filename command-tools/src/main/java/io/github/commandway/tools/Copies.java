package io.github.commandway.tools;

import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandListener;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.manager.Target;
import io.github.commandway.tool.api.ToolService;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.ZoneOffset;
import java.util.Set;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes what runs on agents say into folders here, as if they ran here: in the order in which it came, each piece with the time at which it did. The file is open only while a piece is written: more runs
 * may be open than files.
 */
final class Copies implements CommandListener {
    private static final Logger LOG = LoggerFactory.getLogger(Copies.class);

    /** That a folder has it says that the run is not of this process. */
    private static final String MARK = "copy";

    private final Set<String> open;
    private final Path runs;
    private final long maxBytes;
    private final Function<CommandRecord, Charset> encoding;

    /** @param open where the ids of those are put that have written something and not ended */
    Copies(Set<String> open, Path runs, long maxBytes, Function<CommandRecord, Charset> encoding) {
        this.open = open;
        this.runs = runs;
        this.maxBytes = maxBytes;
        this.encoding = encoding;
    }

    @Override
    public void onEvent(RecordedCommand command, CommandEvent event) {
        String id = command.id().toString();
        if (event.type().isTerminal()) {
            open.remove(id);
        } else if (event.type() == CommandEvent.Type.OUTPUT && isElsewhere(command)) {
            try {
                append(command, id, event);
            } catch (IOException e) {
                LOG.warn("a part of the output of run {} was not kept here: {}", id, e.toString());
            }
        }
    }

    private static boolean isElsewhere(RecordedCommand command) {
        String type = command.request().type();
        return (type.startsWith(ToolService.TOOL_TYPE) || type.startsWith(ToolService.TOOLCHAIN_TYPE))
                && !(command.request().target() instanceof Target.Tool);
    }

    private void append(RecordedCommand command, String id, CommandEvent event) throws IOException {
        byte[] data = event.data();
        String channel = event.channel();
        if (data == null || channel == null || !mayWrite(id)) {
            return;
        }
        Path file = RunFolder.of(runs, id).output();
        long kept = Files.exists(file) ? Files.size(file) : 0;
        try (OutputFile output = new OutputFile(file, Clock.fixed(event.at(), ZoneOffset.UTC))) {
            output.begin(Math.max(0, maxBytes - kept), encoding.apply(command.record()));
            output.append(channel, data, data.length);
        }
    }

    /** Whether the folder is a copy's: what came through a queue may run here. */
    private boolean mayWrite(String id) throws IOException {
        if (open.contains(id)) {
            return true;
        }
        Path mark = runs.resolve(id).resolve(MARK);
        if (!Files.exists(mark)) {
            try {
                RunFolder.create(runs, id);
            } catch (FileAlreadyExistsException runsHere) {
                return false;
            }
            Files.createFile(mark);
        }
        open.add(id);
        return true;
    }
}
