package io.github.commandway.http;

import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.RecordId;
import io.github.commandway.tool.api.RunFile;
import io.github.commandway.tool.api.ToolService;
import java.io.IOException;
import java.io.InputStream;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;

/** The routes of single runs of tools: what they wrote, the files that they made, and how to end them. */
final class RunRoutes {
    private static final int FILE_PART = 64 << 10;

    private final Records records;
    private final ToolService tools;
    private final RunAnswers answers;
    private final Cancellations cancellations;
    private final Slots waiting;
    private final Scheduler files;
    private final HelpPage help;

    RunRoutes(
            Records records,
            ToolService tools,
            RunAnswers answers,
            Cancellations cancellations,
            Slots waiting,
            Scheduler files,
            HelpPage help) {
        this.records = records;
        this.tools = tools;
        this.answers = answers;
        this.cancellations = cancellations;
        this.waiting = waiting;
        this.files = files;
        this.help = help;
    }

    List<Route> routes() {
        return List.of(
                Route.get("/result/help", "How all this is used: a page to browsers, otherwise text.")
                        .needsNothing()
                        .answers(200, Schemas.HTML)
                        .handledBy(call -> Mono.just(help.answer(call.header("Accept")))),
                Route.get(
                                "/result/{id}",
                                "The output of a run that has ended, with a status that says how; 202 while it runs. With sse=true as events as it comes, resumed behind Last-Event-ID.")
                        .query(
                                Field.optional(Route.SSE, Field.Kind.FLAG, "Answers with server-sent events."),
                                Field.optional("format", Field.Kind.TEXT, "json for pages of JSON; text if not given.")
                                        .oneOf("text", "json"),
                                Field.optional("after", Field.Kind.TEXT, "With format=json: next of the page before."))
                        .needs(Right.VIEW, Right.OUTPUT)
                        .answers(200, Schemas.OUTPUT, 202, "RunOutput")
                        .answersAlso(204, Schemas.NOTHING)
                        .answersAlso(500, Schemas.OUTPUT)
                        .answersAlso(504, Schemas.OUTPUT)
                        .answersAlso(410, Schemas.OUTPUT)
                        .refuses(404, 503)
                        .handledBy(this::result),
                Route.get("/result/{id}/files", "The files that a run has left.")
                        .needs(Right.VIEW, Right.OUTPUT)
                        .answers(200, "RunFiles", 202, "Run")
                        .refuses(404)
                        .handledBy(this::list),
                Route.get("/result/{id}/files/{path...}", "One file that a run has left.")
                        .needs(Right.VIEW, Right.OUTPUT)
                        .answers(200, Schemas.FILE, 202, "Run")
                        .refuses(404)
                        .handledBy(this::download),
                cancellation(Route.get("/cancel/{id}", "The same as POST /cancel/{id}.")
                        .withEffect()),
                cancellation(
                        Route.post(
                                "/cancel/{id}",
                                "Cancels a run, and waits up to 5 s for it to stop; 202 if it has not by then. One that has ended stays as it is.")));
    }

    private Route cancellation(Route.Builder route) {
        return route.needs(Right.VIEW, Right.CANCEL)
                .hidesResults()
                .answers(200, "RunCancelled", 202, "RunCancelled")
                .refuses(404, 503)
                .handledBy(this::cancel);
    }

    private Mono<CommandRecord> run(Call call, Right needed) {
        RecordId id = CommandRoutes.recordId(call);
        return records.find(call.caller(), id, needed)
                .filter(ToolJson::isRun)
                .switchIfEmpty(Mono.error(() -> Problem.commandUnknown(id.toString())));
    }

    private Mono<Reply> result(Call call) {
        String format = call.query().text("format");
        String after = call.query().text("after");
        boolean json = format == null ? ToolRoutes.wantsJson(call) : format.equals("json");
        if (after != null && !json) {
            throw new Problem(ProblemType.INVALID_PARAMETER, "'after' goes with format=json only").at("after");
        }
        if (Boolean.TRUE.equals(call.query().flag(Route.SSE))) {
            return run(call, Right.OUTPUT).map(run -> answers.events(call.caller(), run, call.header("Last-Event-ID")));
        }
        Duration wait = call.preferredWait();
        return run(call, Right.OUTPUT).flatMap(run -> {
            if (run.status().isTerminal()) {
                return json
                        ? answers.page(call.caller(), run, after)
                        : answers.output(call.caller(), run.id(), null, false);
            }
            if (wait == null) {
                return json
                        ? answers.page(call.caller(), run, after)
                        : Mono.just(RunAnswers.accepted(call.caller(), run));
            }
            return waiting.hold(() -> answers.output(call.caller(), run.id(), wait, json));
        });
    }

    private Mono<Reply> list(Call call) {
        return run(call, Right.OUTPUT)
                .flatMap(run -> run.status().isTerminal()
                        ? blocking(() -> tools.files(run.id(), ToolJson.isToolchain(run)))
                                .map(found -> listed(run, found))
                        : Mono.just(RunAnswers.accepted(call.caller(), run)));
    }

    private static Reply listed(CommandRecord run, List<RunFile> found) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("success", true);
        json.put("id", run.id().toString());
        json.put("total", found.size());
        json.put(
                "files",
                found.stream()
                        .map(file -> Map.of("path", file.path(), "size", file.size()))
                        .toList());
        return Reply.json(200, json);
    }

    /** Not while it runs: until then it may put something else where the file was checked to be. */
    private Mono<Reply> download(Call call) {
        String path = String.join("/", call.segments("path"));
        return run(call, Right.OUTPUT)
                .flatMap(run -> run.status().isTerminal()
                        ? blocking(() -> file(run, path))
                        : Mono.just(RunAnswers.accepted(call.caller(), run)));
    }

    private Reply file(CommandRecord run, String path) throws IOException {
        Path file = tools.file(run.id(), ToolJson.isToolchain(run), path);
        long size = Files.size(file);
        String name = URLEncoder.encode(String.valueOf(file.getFileName()), StandardCharsets.UTF_8)
                .replace("+", "%20");
        Map<String, String> headers = Map.of(
                "Content-Length",
                Long.toString(size),
                "Content-Disposition",
                "attachment; filename*=UTF-8''" + name,
                "Content-Security-Policy",
                "sandbox");
        return new Reply.Stream(200, Schemas.FILE, headers, out -> send(file, size, out), Map::of);
    }

    private Mono<Void> send(Path file, long size, Reply.BodyWriter out) {
        return Mono.using(
                        () -> Files.newInputStream(file),
                        in -> {
                            long[] left = {size};
                            return Mono.defer(() -> Mono.fromCallable(() -> part(in, left))
                                            .subscribeOn(files))
                                    .flatMap(part -> out.write(part).thenReturn(left[0] == 0))
                                    .repeat()
                                    .takeUntil(done -> done)
                                    .then();
                        },
                        RunRoutes::close)
                .subscribeOn(files);
    }

    private static byte[] part(InputStream in, long[] left) throws IOException {
        byte[] part = in.readNBytes((int) Math.min(FILE_PART, left[0]));
        left[0] -= part.length;
        if (part.length == 0 && left[0] > 0) {
            throw new IOException("the file has become shorter while it was sent");
        }
        return part;
    }

    private static void close(InputStream in) {
        try {
            in.close();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private <T> Mono<T> blocking(Callable<T> read) {
        return Mono.fromCallable(read)
                .subscribeOn(files)
                .onErrorMap(NoSuchFileException.class, missing -> notKept())
                .onErrorMap(
                        IllegalArgumentException.class,
                        wrong -> new Problem(ProblemType.INVALID_PARAMETER, String.valueOf(wrong.getMessage()))
                                .at("path"));
    }

    private static Problem notKept() {
        return new Problem(
                ProblemType.NOT_FOUND,
                "the run has left nothing like that here; its tool says with 'keep' whether files stay, and they do for a limited time");
    }

    private Mono<Reply> cancel(Call call) {
        return run(call, Right.CANCEL)
                .flatMap(run -> run.status().isTerminal()
                        ? Mono.just(cancelled(call, run, "already_ended"))
                        : cancellations
                                .cancel(run)
                                .map(stopped -> cancelled(call, stopped, Cancellations.outcome(stopped)))
                                .onErrorResume(
                                        Problem.class,
                                        problem -> problem.type() == ProblemType.ALREADY_ENDED
                                                ? run(call, Right.CANCEL)
                                                        .map(ended -> cancelled(call, ended, "already_ended"))
                                                : Mono.error(problem)));
    }

    private static Reply cancelled(Call call, CommandRecord run, String outcome) {
        boolean ended = run.status().isTerminal();
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("success", !ended || run.status() == CommandStatus.CANCELLED);
        json.put("id", run.id().toString());
        json.put("outcome", outcome);
        json.put("message", ended ? "Run " + run.status().code() : "Cancellation requested; the run has not ended yet");
        json.put("run", ToolJson.run(run, CommandJson.Room.unlimited(call.caller())));
        return Reply.json(ended ? 200 : 202, json);
    }

    static Map<String, Object> health(ToolService tools) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("processes_ended_by", tools.processesEndedBy().code());
        json.put("sandbox", tools.hasSandbox());
        json.put("running", tools.running());
        json.put("waiting", tools.waiting());
        json.put("problems", tools.listProblems().size());
        return json;
    }
}
