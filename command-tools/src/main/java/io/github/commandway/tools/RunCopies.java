package io.github.commandway.tools;

import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandListener;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.manager.Target;
import io.github.commandway.tool.api.ToolService;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps what runs elsewhere write, in folders as if they ran here: of runs on agents of this server, and of those that were put into a queue here and are run by another server. In the order in which
 * it came, each piece with the time at which it did. Add it to the manager's listeners, and {@link #start} it with the manager. Safe for use by many threads.
 *
 * <p>What another server's run writes is read from its events. Of these only the newest mebibyte is kept, so a part can be missing if it writes faster than that is read here.
 */
public final class RunCopies implements CommandListener {
    private static final Logger LOG = LoggerFactory.getLogger(RunCopies.class);
    private static final int READ_AT_ONCE = 500;

    /** That a folder has it says that the run is not of this process. */
    private static final String MARK = "copy";

    private final Path runs;
    private final long maxBytes;
    private final Function<CommandRecord, Charset> encoding;
    private final Map<RecordId, Copy> open = new ConcurrentHashMap<>();
    private volatile @Nullable CommandManager manager;

    /** @param maxBytes about how much of each run is kept */
    RunCopies(Path runs, long maxBytes, Function<CommandRecord, Charset> encoding) {
        this.runs = runs;
        this.maxBytes = maxBytes;
        this.encoding = encoding;
    }

    /** Sets the manager, whose events tell what other servers' runs write. */
    public void start(CommandManager manager) {
        this.manager = manager;
    }

    /** Those that have not ended. */
    Set<RecordId> open() {
        return open.keySet();
    }

    @Override
    public void onEvent(RecordedCommand command, CommandEvent event) {
        if (!isElsewhere(command)) {
            return;
        }
        switch (event.type()) {
            case PENDING -> {
                if (command.request().target() instanceof Target.Queue) {
                    copyOf(command).follow();
                }
            }
            case SENT -> copyOf(command).isHere = true;
            case RETRYING -> copyOf(command).isHere = false;
            case OUTPUT -> copyOf(command).write(event);
            case COMPLETED, FAILED, TIMEOUT, CANCELLED -> open.remove(command.id());
            default -> {
                // nothing is written
            }
        }
    }

    private static boolean isElsewhere(RecordedCommand command) {
        String type = command.request().type();
        return (type.startsWith(ToolService.TOOL_TYPE) || type.startsWith(ToolService.TOOLCHAIN_TYPE))
                && !(command.request().target() instanceof Target.Tool);
    }

    private Copy copyOf(RecordedCommand command) {
        return open.computeIfAbsent(command.id(), id -> new Copy(command));
    }

    /** One run. The lock guards the fields that are not final. The file is open only while a piece is written: more runs may be open than files. */
    private final class Copy {
        private final RecordedCommand command;
        private final RunFolder folder;

        /** Whether this server has it executed, so that its events come by themselves. */
        volatile boolean isHere;

        private long written;
        private boolean isReading;
        private boolean again;
        private @Nullable Boolean mayWrite;
        private Charset charset = StandardCharsets.UTF_8;

        Copy(RecordedCommand command) {
            this.command = command;
            this.folder = RunFolder.of(runs, command.id().toString());
        }

        /** Looks at each change, in case that another server has it executed. */
        void follow() {
            CommandManager present = manager;
            if (present != null) {
                present.watch(command.id(), this::read).whenComplete((watch, error) -> {
                    if (error != null || watch.isEmpty()) {
                        read();
                    }
                });
            }
        }

        private void read() {
            CommandManager present = manager;
            long from;
            synchronized (this) {
                if (isHere || present == null) {
                    return;
                }
                again = isReading;
                if (isReading) {
                    return;
                }
                isReading = true;
                from = written;
            }
            present.events(command.id(), from, READ_AT_ONCE).whenComplete(this::onRead);
        }

        private void onRead(@Nullable List<CommandEvent> events, @Nullable Throwable error) {
            boolean more;
            if (events == null) {
                LOG.warn("what run {} writes could not be read: {}", command.id(), String.valueOf(error));
            } else {
                events.forEach(this::write);
            }
            synchronized (this) {
                isReading = false;
                more = again || (events != null && events.size() == READ_AT_ONCE);
            }
            if (events != null && events.stream().anyMatch(event -> event.type().isTerminal())) {
                open.remove(command.id());
            } else if (more) {
                read();
            }
        }

        synchronized void write(CommandEvent event) {
            if (event.sequence() <= written) {
                return;
            }
            written = event.sequence();
            byte[] data = event.data();
            String channel = event.channel();
            if (event.type() == CommandEvent.Type.GAP) {
                LOG.warn("a part of what run {} wrote came too late to be kept here", command.id());
            } else if (event.type() == CommandEvent.Type.OUTPUT && data != null && channel != null) {
                try {
                    append(channel, data, Clock.fixed(event.at(), ZoneOffset.UTC));
                } catch (IOException e) {
                    LOG.warn("a part of what run {} wrote was not kept here: {}", command.id(), e.toString());
                }
            }
        }

        private void append(String channel, byte[] data, Clock at) throws IOException {
            if (mayWrite == null) {
                mayWrite = begin();
            }
            if (!mayWrite) {
                return;
            }
            Path file = folder.output();
            long kept = Files.exists(file) ? Files.size(file) : 0;
            try (OutputFile output = new OutputFile(file, at)) {
                output.begin(Math.max(0, maxBytes - kept), charset);
                output.append(channel, data, data.length);
            }
        }

        /** Makes the folder. Whether it is a copy's: what came through a queue may run here. */
        private boolean begin() throws IOException {
            Path mark = folder.output().resolveSibling(MARK);
            if (!Files.exists(mark)) {
                try {
                    RunFolder.create(runs, command.id().toString());
                } catch (FileAlreadyExistsException runsHere) {
                    return false;
                }
                Files.createFile(mark);
            }
            OutputFile.cutOff(folder.output());
            charset = encoding.apply(command.record());
            return true;
        }
    }
}
