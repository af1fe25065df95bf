package io.github.commandway.http;

import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.RecordId;
import io.github.commandway.tool.api.RunOutput;
import io.github.commandway.tool.api.ToolService;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import reactor.core.Disposable;
import reactor.core.Disposables;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;

/**
 * What is answered about one run: its output as text, as JSON or as events.
 *
 * <p>The status of an answer in text is that of the run. So it is not begun before the run has ended, unless there is more output than is gathered, or some and the reader has waited for a while; then it
 * is begun as a success, and broken off if the run turns out to be none.
 */
final class RunAnswers {
    /** After this time output is passed on as it comes, and not gathered any more. */
    static final Duration GATHERING = Duration.ofSeconds(2);

    private static final Duration SOON = Duration.ofMillis(20);
    private static final int GATHERED = 64 << 10;
    private static final int JSON_BYTES = 1 << 20;
    private static final String TEXT = "text/plain;charset=utf-8";
    private static final String EXIT_CODE = "X-Exit-Code";
    private static final String RUN_STATUS = "X-Run-Status";
    private static final String END = "end";

    private final CommandManager manager;
    private final ToolService tools;
    private final Ends ends;
    private final Scheduler files;
    private final RunFeeds feeds;

    RunAnswers(CommandManager manager, ToolService tools, Ends ends, Scheduler files) {
        this.manager = manager;
        this.tools = tools;
        this.ends = ends;
        this.files = files;
        feeds = new RunFeeds(manager, ends);
    }

    private RunReader reader(RunReader.@Nullable Position from) {
        return new RunReader(tools, manager, files, from);
    }

    /** That it was accepted, or how far it is. */
    static Reply.Full accepted(Caller caller, CommandRecord run) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("success", true);
        json.putAll(ToolJson.run(run, CommandJson.Room.unlimited(caller)));
        Reply.Full reply = Reply.json(202, json).header("Retry-After", "1");
        return new Reply.Full(202, reply.contentType(), reply.body(), named(run, reply.headers()));
    }

    private static Map<String, String> named(CommandRecord run, Map<String, String> more) {
        Map<String, String> headers = new TreeMap<>(more);
        headers.put("X-Run-Id", run.id().toString());
        headers.put("Location", "/result/" + run.id());
        return headers;
    }

    private static Map<String, String> outcome(CommandRecord run) {
        Map<String, String> headers = new TreeMap<>();
        headers.put(RUN_STATUS, run.status().code());
        Integer exitCode = ToolJson.exitCode(run);
        if (exitCode != null) {
            headers.put(EXIT_CODE, exitCode.toString());
        }
        return headers;
    }

    private static Map<String, String> ended(CommandRecord run, boolean whole) {
        Map<String, String> headers = named(run, outcome(run));
        if (run.reason() != null) {
            headers.put("X-Run-Reason", run.reason().code());
        }
        if (!whole || ToolJson.hasDropped(run)) {
            headers.put("X-Output-Complete", "false");
        }
        return headers;
    }

    /** A failed run is no success of HTTP either; never 408, after which clients send a request again by themselves. */
    private static int status(CommandRecord run) {
        return switch (run.status()) {
            case COMPLETED -> 200;
            case TIMEOUT -> 504;
            case CANCELLED -> 410;
            case FAILED -> 500;
            case PENDING, EXECUTING -> 202;
        };
    }

    /**
     * The output as text when the run has ended, or as it comes.
     *
     * @param wait how long for the answer to begin at most, or null for as long as it takes
     * @param json whether to answer with JSON instead, and only at the end
     */
    Mono<Reply> output(Caller caller, RecordId id, @Nullable Duration wait, boolean json) {
        Gathering gathering = new Gathering(caller, wait, json);
        return Mono.usingWhen(
                feeds.open(id),
                feed -> gathering.begin(feed).then(Mono.defer(() -> gathering.answer(feed.run()))),
                feed -> Mono.fromRunnable(() -> {
                    gathering.timers.dispose();
                    feed.close();
                }));
    }

    /** The beginning of an answer in text, and then the rest of it. */
    private final class Gathering {
        private final Caller caller;
        private final @Nullable Duration wait;
        private final boolean json;
        private final RunReader reader = reader(null);
        private final RunText text = new RunText();
        private final StringBuilder gathered = new StringBuilder();
        private final Disposable.Composite timers = Disposables.composite();
        private volatile boolean patient = true;
        private volatile boolean over;
        private volatile Map<String, String> trailers = Map.of();
        private boolean whole = true;
        private boolean last;

        Gathering(Caller caller, @Nullable Duration wait, boolean json) {
            this.caller = caller;
            this.wait = wait;
            this.json = json;
        }

        Mono<Void> begin(RunFeeds.Feed feed) {
            timers.add(ends.delay(GATHERING).subscribe(nothing -> {}, failure -> {}, () -> {
                patient = false;
                feed.wakeup().signal();
            }));
            Mono<Void> end = wait == null ? ends.closing() : ends.after(wait);
            timers.add(end.subscribe(nothing -> {}, failure -> {}, () -> {
                over = true;
                feed.wakeup().signal();
            }));
            return Mono.defer(() -> step(feed)).repeat().takeUntil(done -> done).then();
        }

        private Mono<Boolean> step(RunFeeds.Feed feed) {
            feed.wakeup().clear();
            CommandRecord run = feed.run();
            if (json) {
                last = run.status().isTerminal();
                return last || over ? Mono.just(true) : news(feed, run).thenReturn(false);
            }
            return reader.read(run).flatMap(part -> {
                take(part).forEach(piece -> gathered.append(piece.text()));
                last = part.last();
                boolean begun = gathered.length() > GATHERED || (!patient && !gathered.isEmpty());
                if (last || over || begun) {
                    return Mono.just(true);
                }
                return part.pieces().isEmpty() ? news(feed, run).thenReturn(false) : Mono.just(false);
            });
        }

        private List<RunText.Text> take(RunReader.Part part) {
            if (part.gap() != null) {
                whole = false;
                text.reset();
            }
            List<RunText.Text> texts = new ArrayList<>();
            part.pieces().forEach(piece -> texts.add(text.decode(piece)));
            if (part.last()) {
                texts.addAll(text.finish());
            }
            return texts;
        }

        Mono<Reply> answer(CommandRecord run) {
            if (json && last) {
                return page(caller, run, null);
            }
            if (last) {
                return Mono.just(new Reply.Full(
                        status(run),
                        TEXT,
                        wholeText(run).getBytes(StandardCharsets.UTF_8),
                        ended(run, whole && reader.hasAll(run))));
            }
            if (gathered.isEmpty()
                    || (over && gathered.length() <= GATHERED && !run.status().isTerminal())) {
                return Mono.just(accepted(caller, run));
            }
            if (run.status().isTerminal()) {
                return Mono.just(
                        new Reply.Stream(status(run), TEXT, ended(run, whole), out -> rest(run, out), Map::of));
            }
            Map<String, String> headers = named(run, Map.of("Trailer", EXIT_CODE + ", " + RUN_STATUS));
            return Mono.just(new Reply.Stream(200, TEXT, headers, out -> rest(run, out), () -> trailers));
        }

        private String wholeText(CommandRecord run) {
            return gathered.isEmpty() && run.status() != CommandStatus.COMPLETED && run.message() != null
                    ? run.message() + "\n"
                    : gathered.toString();
        }

        private Mono<Void> rest(CommandRecord known, Reply.BodyWriter out) {
            Mono<Void> beginning = out.write(gathered.toString().getBytes(StandardCharsets.UTF_8));
            Disposable.Composite closing = Disposables.composite();
            return beginning.then(Mono.usingWhen(
                    feeds.open(known.id()),
                    feed -> {
                        closing.add(ends.closing().subscribe(nothing -> {}, failure -> {}, () -> {
                            over = true;
                            feed.wakeup().signal();
                        }));
                        return Mono.defer(() -> restStep(feed, known, out))
                                .repeat()
                                .takeUntil(done -> done)
                                .then();
                    },
                    feed -> Mono.fromRunnable(() -> {
                        closing.dispose();
                        feed.close();
                    })));
        }

        private Mono<Boolean> restStep(RunFeeds.Feed feed, CommandRecord known, Reply.BodyWriter out) {
            feed.wakeup().clear();
            CommandRecord run = feed.run();
            return reader.read(run).flatMap(part -> {
                if (part.gap() != null) {
                    return Mono.error(new IllegalStateException("run " + run.id() + ": " + part.gap()));
                }
                StringBuilder more = new StringBuilder();
                take(part).forEach(piece -> more.append(piece.text()));
                Mono<Void> written = more.isEmpty()
                        ? Mono.empty()
                        : out.write(more.toString().getBytes(StandardCharsets.UTF_8));
                if (part.last()) {
                    return written.then(Mono.defer(() -> finish(run, known)));
                }
                if (!part.pieces().isEmpty()) {
                    return written.thenReturn(false);
                }
                return over
                        ? Mono.error(new IllegalStateException("the server stops, and run " + run.id() + " goes on"))
                        : written.then(news(feed, run)).thenReturn(false);
            });
        }

        private Mono<Boolean> finish(CommandRecord run, CommandRecord known) {
            if (!known.status().isTerminal() && run.status() != CommandStatus.COMPLETED) {
                return Mono.error(
                        new IllegalStateException("run " + run.id() + " was answered as it went, and ended as "
                                + run.status().code()));
            }
            trailers = outcome(run);
            return Mono.just(true);
        }
    }

    /** Waits until there may be more. What an agent wrote is kept here a moment after it was recorded, of which nobody tells. */
    private Mono<Void> news(RunFeeds.Feed feed, CommandRecord run) {
        return run.status().isTerminal()
                ? ends.delay(SOON)
                : ends.onWorker(feed.wakeup().await());
    }

    /** A page of the output in JSON, with what has become of the run. */
    Mono<Reply> page(Caller caller, CommandRecord run, @Nullable String after) {
        RunReader.Position from = after == null ? null : new RunText().resume(after);
        if (after != null && from == null) {
            throw badPosition();
        }
        RunReader reader = reader(from);
        List<RunOutput.Piece> pieces = new ArrayList<>();
        long[] bytes = new long[1];
        return Mono.defer(() -> reader.read(run))
                .flatMap(part -> {
                    if (part.gap() != null && part.source() == RunReader.Source.FILE) {
                        return Mono.error(badPosition());
                    }
                    part.pieces().forEach(piece -> bytes[0] += piece.data().length);
                    pieces.addAll(part.pieces());
                    return Mono.just(part);
                })
                .repeat()
                .takeUntil(part -> part.last()
                        || bytes[0] >= JSON_BYTES
                        || (part.pieces().isEmpty()
                                && part.gap() == null
                                && !run.status().isTerminal()))
                .reduce(
                        new PageEnd(true, false),
                        (end, part) -> new PageEnd(end.whole && part.gap() == null, part.last()))
                .map(end -> {
                    RunReader.Position next = reader.position();
                    Map<String, Object> json = new LinkedHashMap<>();
                    json.put("success", run.status() == CommandStatus.COMPLETED);
                    json.putAll(ToolJson.run(run, CommandJson.Room.unlimited(caller)));
                    json.put("pieces", pieces.stream().map(ToolJson::piece).toList());
                    boolean whole = end.whole && (!end.last || reader.hasAll(run));
                    json.put("output_complete", whole && !ToolJson.hasDropped(run));
                    if (!end.last) {
                        json.put("next", new RunText().place(next.source(), next.number()));
                    }
                    Reply.Full reply = Reply.json(run.status().isTerminal() ? 200 : 202, json);
                    Map<String, String> headers =
                            run.status().isTerminal() ? ended(run, whole) : named(run, Map.of("Retry-After", "1"));
                    return (Reply) new Reply.Full(reply.status(), reply.contentType(), reply.body(), headers);
                });
    }

    private record PageEnd(boolean whole, boolean last) {}

    private static Problem badPosition() {
        return new Problem(
                        ProblemType.INVALID_POSITION,
                        "'after' must be what an earlier page had as its 'next'; the output may not be kept any more")
                .at("after");
    }

    /**
     * The run as events: its state, what it writes, and its result.
     *
     * @param lastId the id of the last event that the reader got, or null
     */
    Reply events(Caller caller, CommandRecord run, @Nullable String lastId) {
        if (run.status().isTerminal() && END.equals(lastId)) {
            return Reply.empty(204);
        }
        return new Reply.Events(
                out -> Mono.usingWhen(
                        feeds.open(run.id()),
                        feed -> {
                            Pump pump = new Pump(caller, feed, out, lastId);
                            return Mono.defer(pump::step)
                                    .repeat()
                                    .takeUntil(done -> done)
                                    .then();
                        },
                        feed -> Mono.fromRunnable(feed::close)),
                named(run, Map.of()));
    }

    /** Reads a part, writes it, and only when it has left goes on. */
    private final class Pump {
        private final Caller caller;
        private final RunFeeds.Feed feed;
        private final Reply.EventWriter out;
        private final RunText text = new RunText();
        private final RunReader reader;
        private @Nullable String reset;
        private @Nullable CommandStatus shown;
        private boolean whole = true;

        Pump(Caller caller, RunFeeds.Feed feed, Reply.EventWriter out, @Nullable String lastId) {
            this.caller = caller;
            this.feed = feed;
            this.out = out;
            RunReader.Position from = lastId == null ? null : text.resume(lastId);
            if (lastId != null && from == null) {
                reset = "the id is none that this run had";
            }
            reader = reader(from);
        }

        /** True if it was the last one. */
        Mono<Boolean> step() {
            feed.wakeup().clear();
            CommandRecord run = feed.run();
            return reader.read(run).flatMap(part -> {
                StringBuilder events = new StringBuilder();
                if (part.gap() != null) {
                    reset = part.gap();
                    whole = false;
                    text.reset();
                }
                if (run.status() != shown && !part.last()) {
                    shown = run.status();
                    events.append(Reply.event(null, "state", state(run)));
                }
                if (reset != null) {
                    events.append(Reply.event(null, "reset", Map.of("reason", reset)));
                    reset = null;
                }
                for (RunOutput.Piece piece : part.pieces()) {
                    append(events, text.decode(piece), text.place(part.source(), piece.next()));
                }
                if (part.last()) {
                    text.finish().forEach(rest -> append(events, rest, null));
                    Map<String, Object> result = ToolJson.run(run, CommandJson.Room.unlimited(caller));
                    result.put("success", run.status() == CommandStatus.COMPLETED);
                    result.put("output_complete", whole && reader.hasAll(run));
                    events.append(Reply.event(END, "result", result));
                }
                Mono<Void> written = events.isEmpty() ? Mono.empty() : out.write(events.toString());
                if (part.last()) {
                    return written.thenReturn(true);
                }
                if (!part.pieces().isEmpty() || part.gap() != null) {
                    return written.thenReturn(false);
                }
                return written.then(
                        run.status().isTerminal() ? ends.delay(SOON).thenReturn(false) : ends.news(feed.wakeup(), out));
            });
        }

        private static void append(StringBuilder events, RunText.Text text, @Nullable String id) {
            if (!text.text().isEmpty()) {
                events.append(Reply.event(id, text.channel(), Map.of("text", text.text())));
            }
        }

        private static Map<String, Object> state(CommandRecord run) {
            Map<String, Object> state = new LinkedHashMap<>();
            state.put("id", run.id().toString());
            state.put("status", run.status().code());
            return state;
        }
    }
}
