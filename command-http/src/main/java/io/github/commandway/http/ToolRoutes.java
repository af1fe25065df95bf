package io.github.commandway.http;

import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandQuery;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandScope;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.Target;
import io.github.commandway.tool.api.ToolRequestException;
import io.github.commandway.tool.api.ToolService;
import io.github.commandway.tool.api.ToolService.BodyFormat;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;

/** The routes that run tools, and say which there are and what was run. */
final class ToolRoutes {
    /** How an argument may begin in a URL that stands for one with a slash; for callers that cannot percent-encode it. */
    private static final String SLASH = "__slash__";

    private static final int DEFAULT_LIMIT = 100;
    private static final Field TIMEOUT = Field.optional(
            "timeout", Field.Kind.TIMEOUT, "The longest run in seconds, if that is less than the tool allows.");

    private final Records records;
    private final ToolService tools;
    private final ToolHttpOptions options;
    private final Slots waiting;
    private final RunAnswers answers;

    ToolRoutes(Records records, ToolService tools, ToolHttpOptions options, Slots waiting, RunAnswers answers) {
        this.records = records;
        this.tools = tools;
        this.options = options;
        this.waiting = waiting;
        this.answers = answers;
    }

    List<Route> routes() {
        return List.of(
                running(
                                Route.get(
                                                "/cmd/{tool}/{args...}",
                                                "Runs a tool that allows GET; each further segment of the path is an argument.")
                                        .withEffect(),
                                Field.optional("version", Field.Kind.TEXT, "Which version; the newest if not given."))
                        .refuses(404, 405, 422, 503)
                        .handledBy(call -> run(call, fromPath(call))),
                running(
                                Route.post("/cmd", "Runs a tool or toolchain.").withToolRequest(),
                                Field.optional(
                                                "body",
                                                Field.Kind.TEXT,
                                                "What the body is written in; yaml, unless its type is JSON.")
                                        .oneOf("json", "yaml"),
                                Field.optional(
                                        "toolchain",
                                        Field.Kind.TEXT,
                                        "Runs this toolchain; then the body may be empty."),
                                Field.optional(
                                        "on",
                                        Field.Kind.TEXT,
                                        "Where it runs: agent:<id>, group:<selector> or queue:<name>; here if not given."))
                        .refuses(404, 422, 501, 503)
                        .handledBy(call -> run(call, fromBody(call))),
                Route.get("/tools", "The tools that can be run here.")
                        .needs(Right.RUN)
                        .answers(200, "Tools")
                        .handledBy(call -> Mono.just(tools(call.caller()))),
                Route.get("/toolchains", "The toolchains that can be run here.")
                        .needs(Right.RUN)
                        .answers(200, "Toolchains")
                        .handledBy(call -> Mono.just(toolchains(call.caller()))),
                Route.get("/schedules", "What runs tools by itself, and when it does so next.")
                        .needs(Right.VIEW)
                        .answers(200, "Schedules")
                        .handledBy(call -> Mono.just(schedules(call.caller()))),
                Route.get("/history", "Runs, newest first.")
                        .query(
                                Field.optional("user", Field.Kind.TEXT, "Only those of this caller."),
                                Field.optional("tool", Field.Kind.TEXT, "Only those of this tool."),
                                Field.optional("toolchain", Field.Kind.TEXT, "Only those of this toolchain."),
                                Field.optional("result", Field.Kind.TEXT, "Only those in this status.")
                                        .oneOf(Arrays.stream(CommandStatus.values())
                                                .map(CommandStatus::code)
                                                .toArray(String[]::new)),
                                Field.optional("from", Field.Kind.TIME, "Only those accepted then or later."),
                                Field.optional("until", Field.Kind.TIME, "Only those accepted before."),
                                Field.optional("limit", Field.Kind.LIMIT, "How many at most; 100 if not given."),
                                Field.optional(
                                        "cursor", Field.Kind.TEXT, "Where to go on: next_cursor of the page before."))
                        .needs(Right.VIEW)
                        .hidesResults()
                        .answers(200, "History")
                        .handledBy(this::history));
    }

    /** What the routes that run something have in common. */
    private static Route.Builder running(Route.Builder route, Field... more) {
        Field[] common = {
            Field.optional("onlyid", Field.Kind.FLAG, "Answers with the id at once, and with nothing else."),
            Field.optional(Route.SSE, Field.Kind.FLAG, "Answers with server-sent events."),
            TIMEOUT
        };
        Field[] all = Arrays.copyOf(common, common.length + more.length);
        System.arraycopy(more, 0, all, common.length, more.length);
        return route.needs(Right.RUN)
                .query(all)
                .answers(200, Schemas.OUTPUT, 202, "Run")
                .answersAlso(500, Schemas.OUTPUT)
                .answersAlso(504, Schemas.OUTPUT)
                .answersAlso(410, Schemas.OUTPUT);
    }

    private CommandRequest fromPath(Call call) {
        List<String> args = call.segments("args").stream()
                .map(arg -> arg.startsWith(SLASH) ? "/" + arg.substring(SLASH.length()) : arg)
                .toList();
        String tool = call.path("tool");
        // the target has the same form
        String type = ToolService.TOOL_TYPE + tool;
        call.caller().requireRun(type, type);
        try {
            return request(call, tools.commandForGet(tool, args, call.query().text("version", "")));
        } catch (ToolRequestException e) {
            throw problemOf(e);
        }
    }

    private CommandRequest fromBody(Call call) {
        String given = call.query().text("body");
        String type = call.header("Content-Type");
        boolean json = given == null
                ? type != null && type.toLowerCase(Locale.ROOT).startsWith(Reply.JSON)
                : given.equals("json");
        try {
            return request(
                    call,
                    tools.commandFor(
                            text(call.body().json(Route.WHOLE_BODY)),
                            json ? BodyFormat.JSON : BodyFormat.YAML,
                            call.query().text("toolchain"),
                            on(call),
                            (target, wanted) -> call.caller().requireRun(wanted, target.toString())));
        } catch (ToolRequestException e) {
            throw problemOf(e);
        }
    }

    private static String text(byte[] body) {
        String text = Json.utf8(body);
        if (text == null) {
            throw new Problem(ProblemType.INVALID_FIELD, "the body is not valid UTF-8");
        }
        return text;
    }

    private static @Nullable Target on(Call call) {
        String text = call.query().text("on");
        if (text == null) {
            return null;
        }
        Target target;
        try {
            target = Target.parse(text);
        } catch (IllegalArgumentException e) {
            throw badTarget(String.valueOf(e.getMessage()));
        }
        if (target instanceof Target.Tool || target instanceof Target.Local) {
            throw badTarget("'on' must be agent:<id>, group:<selector> or queue:<name>, not '" + text + "'");
        }
        return target;
    }

    private static Problem badTarget(String detail) {
        return new Problem(ProblemType.INVALID_PARAMETER, detail).at("on");
    }

    private static Problem problemOf(ToolRequestException refusal) {
        String detail = String.valueOf(refusal.getMessage());
        return switch (refusal.kind()) {
            case UNKNOWN -> new Problem(ProblemType.TARGET_UNKNOWN, detail);
            // no method will do at this path
            case METHOD -> new Problem(ProblemType.METHOD_NOT_ALLOWED, detail).header("Allow", "");
            case INVALID -> new Problem(ProblemType.INVALID_FIELD, detail);
        };
    }

    private static CommandRequest request(Call call, CommandRequest.Builder builder) {
        CommandRequest request = builder.principal(call.principal())
                .traceParent(CommandRoutes.traceParent(call))
                .build();
        Duration timeout = call.query().duration("timeout");
        CommandRequest.Builder whole = request.toBuilder();
        if (timeout != null && timeout.compareTo(request.timeout()) < 0) {
            whole.timeout(timeout);
            if (request.target() instanceof Target.Agent) {
                // as for every command to an agent: what may not take longer is not waited for longer either
                whole.ttl(timeout);
            }
        }
        try {
            return whole.idempotencyKey(call.header("Idempotency-Key")).build();
        } catch (IllegalArgumentException e) {
            throw new Problem(ProblemType.INVALID_HEADER, String.valueOf(e.getMessage())).at("Idempotency-Key");
        }
    }

    private Mono<Reply> run(Call call, CommandRequest request) {
        boolean json = wantsJson(call);
        if (Boolean.TRUE.equals(call.query().flag(Route.SSE))) {
            requireToShow(call, request);
            return submit(call, request).map(handle -> answers.events(call.caller(), handle.record(), null));
        }
        if (Boolean.TRUE.equals(call.query().flag("onlyid"))) {
            return submit(call, request).map(handle -> onlyId(handle, json));
        }
        Duration wait = call.preferredWait();
        if (wait == null && call.prefersAsync()) {
            call.caller().require(Right.VIEW, request);
            return submit(call, request).map(handle -> RunAnswers.accepted(call.caller(), handle.record()));
        }
        requireToShow(call, request);
        return waiting.hold(
                () -> submit(call, request).flatMap(handle -> answers.output(call.caller(), handle.id(), wait, json)));
    }

    /** Before it is run, since the answer is what it writes. */
    private static void requireToShow(Call call, CommandRequest request) {
        call.caller().require(Right.VIEW, request);
        call.caller().require(Right.OUTPUT, request);
    }

    private Mono<CommandHandle> submit(Call call, CommandRequest request) {
        return records.submit(call.caller(), request, options.ids());
    }

    static boolean wantsJson(Call call) {
        String accept = call.header("Accept");
        return accept != null && accept.toLowerCase(Locale.ROOT).contains(Reply.JSON);
    }

    private static Reply onlyId(CommandHandle handle, boolean json) {
        String id = handle.id().toString();
        Reply.Full reply = json
                ? Reply.json(202, Map.of("success", true, "id", id))
                : new Reply.Full(202, "text/plain;charset=utf-8", id.getBytes(StandardCharsets.UTF_8), Map.of());
        return reply.header("X-Run-Id", id).header("Location", "/result/" + id);
    }

    private Reply tools(Caller caller) {
        List<Map<String, Object>> all = tools.listTools().stream()
                .filter(tool -> caller.mayForType(Right.RUN, ToolService.TOOL_TYPE + tool.name()))
                .map(ToolJson::tool)
                .toList();
        Map<String, Object> json = Json.list("tools", all);
        // which name tools, whatever the caller may run
        json.put("problems", caller.rights().includes(Right.RUN, Route.Extent.ALL) ? tools.listProblems() : List.of());
        return Reply.json(200, json);
    }

    private Reply toolchains(Caller caller) {
        List<Map<String, Object>> all = tools.listToolchains().stream()
                .filter(chain -> caller.mayForType(Right.RUN, ToolService.TOOLCHAIN_TYPE + chain.name()))
                .map(ToolJson::toolchain)
                .toList();
        return Reply.json(200, Json.list("toolchains", all));
    }

    /** Those whose runs the caller may view. */
    private Reply schedules(Caller caller) {
        CommandScope viewed = caller.rights().scope(Right.VIEW, caller.name()).orElseThrow();
        List<Map<String, Object>> all = options.schedules().get().stream()
                .filter(schedule -> viewed.includes(
                        schedule.principal(), schedule.type(), schedule.target().toString()))
                .map(ToolJson::schedule)
                .toList();
        return Reply.json(200, Json.list("schedules", all));
    }

    private Mono<Reply> history(Call call) {
        Values query = call.query();
        String tool = query.text("tool");
        String toolchain = query.text("toolchain");
        if (tool != null && toolchain != null) {
            throw new Problem(ProblemType.INVALID_PARAMETER, "'tool' and 'toolchain' exclude each other; give one")
                    .at("toolchain");
        }
        String type = tool != null
                ? ToolService.TOOL_TYPE + tool
                : toolchain == null ? null : ToolService.TOOLCHAIN_TYPE + toolchain;
        String status = query.text("result");
        CommandQuery wanted = CommandQuery.runsOfTools(
                type,
                query.text("user"),
                status == null ? null : CommandStatus.ofCode(status).orElse(null),
                query.time("from"),
                query.time("until"),
                query.number("limit", DEFAULT_LIMIT),
                query.text("cursor"));
        return records.list(call.caller(), wanted)
                .map(page -> CommandJson.page(call.caller(), page, "runs", ToolJson::run));
    }
}
