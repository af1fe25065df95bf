package io.github.commandway.http;

import static io.github.commandway.http.Ends.monoOf;

import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.tool.api.RunOutput;
import io.github.commandway.tool.api.ToolService;
import java.nio.charset.Charset;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;

/**
 * Reads the output of one run from a position on: what is kept of it here, whole and byte for byte, or where nothing is, what the record's events have of it. Reads only when it is asked to, so that
 * a slow reader holds nothing but itself. Used by one reader, one call after another.
 */
final class RunReader {
    private static final int PART = 32 << 10;
    private static final int EVENTS = 16;

    private final ToolService tools;
    private final CommandManager manager;
    private final Scheduler files;
    private volatile Position position;
    private volatile boolean decided;
    private final boolean fromBeginning;
    private final AtomicLong bytes = new AtomicLong();

    /**
     * @param from where to begin; null for the beginning
     * @param files where files are read
     */
    RunReader(ToolService tools, CommandManager manager, Scheduler files, @Nullable Position from) {
        this.tools = tools;
        this.manager = manager;
        this.files = files;
        this.decided = from != null;
        this.fromBeginning = from == null;
        this.position = from == null ? new Position(Source.FILE, 0) : from;
    }

    /** Where output is read from. */
    enum Source {
        /** What is kept here. */
        FILE,
        /** The events of the record. */
        EVENTS
    }

    /** Behind which output was read, or is to be. */
    record Position(Source source, long number) {}

    /**
     * What was read.
     *
     * @param pieces as they were written
     * @param source where they are from
     * @param gap why something is missing before them, or why they begin again at the oldest; null if they follow what came before
     * @param last whether nothing will follow
     */
    record Part(
            List<RunOutput.Piece> pieces,
            Source source,
            @Nullable String gap,
            boolean last) {}

    Position position() {
        return position;
    }

    /**
     * Reads what is there now.
     *
     * @param run the run as it was at some moment before: if it had ended then, and there is no output any more, that is all
     */
    Mono<Part> read(CommandRecord run) {
        Mono<Part> part = position.source == Source.EVENTS && decided
                ? readEvents(run)
                : readFile(run).onErrorResume(NoSuchFileException.class, missing -> withoutFile(run));
        return part.doOnNext(read -> read.pieces().forEach(piece -> bytes.addAndGet(piece.data().length)));
    }

    /**
     * Whether what was read is as much as the run, which has ended, says that it wrote: what an agent wrote while there was no connection may never have come here. Where reading began in the
     * middle, it is not known how much came before, and taken for enough.
     */
    boolean hasAll(CommandRecord run) {
        return !ToolJson.hasDropped(run) && (!fromBeginning || bytes.get() >= ToolJson.outputBytes(run));
    }

    private Mono<Part> readFile(CommandRecord run) {
        return Mono.fromCallable(
                        () -> tools.output(run.id(), position.source == Source.FILE ? position.number : 0, PART))
                .subscribeOn(files)
                .map(output -> {
                    decided = true;
                    position = new Position(Source.FILE, output.next());
                    boolean last =
                            output.pieces().isEmpty() && run.status().isTerminal() && !tools.isBeingCopied(run.id());
                    return new Part(output.pieces(), Source.FILE, null, last);
                })
                .onErrorResume(IllegalArgumentException.class, wrong -> {
                    position = new Position(Source.FILE, 0);
                    return Mono.just(new Part(List.of(), Source.FILE, "no output begins there", false));
                });
    }

    private Mono<Part> withoutFile(CommandRecord run) {
        if (decided) {
            decided = false;
            position = new Position(Source.FILE, 0);
            return Mono.just(
                    new Part(List.of(), Source.EVENTS, "what was read before is not kept here any more", false));
        }
        return readEvents(run).flatMap(part -> {
            if (part.pieces().isEmpty() && part.gap() == null) {
                return Mono.just(part);
            }
            // output is kept before it is recorded, so if it is not now, it is not kept here
            return readFile(run).onErrorResume(NoSuchFileException.class, still -> {
                decided = true;
                return Mono.just(part);
            });
        });
    }

    private Mono<Part> readEvents(CommandRecord run) {
        long after = position.source == Source.EVENTS ? position.number : 0;
        if (after > run.lastSequence()) {
            position = new Position(Source.EVENTS, 0);
            return Mono.just(new Part(List.of(), Source.EVENTS, "there is no event like that", false));
        }
        return monoOf(manager.events(run.id(), after, EVENTS)).map(events -> part(run, after, events));
    }

    private Part part(CommandRecord run, long after, List<CommandEvent> events) {
        Charset charset = tools.encoding(run);
        List<RunOutput.Piece> pieces = new ArrayList<>();
        String gap = null;
        long last = after;
        for (CommandEvent event : events) {
            byte[] data = event.data();
            String channel = event.channel();
            if (event.type() == CommandEvent.Type.GAP) {
                gap = event.message();
            } else if (event.type() == CommandEvent.Type.OUTPUT && data != null && channel != null) {
                pieces.add(new RunOutput.Piece(last, event.sequence(), event.at(), channel, data, charset));
            }
            last = event.sequence();
        }
        position = new Position(Source.EVENTS, last);
        return new Part(
                pieces, Source.EVENTS, gap, events.isEmpty() && run.status().isTerminal());
    }
}
