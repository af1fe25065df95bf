package io.github.commandway.tools;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.exec.Containment;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRejectedException;
import io.github.commandway.manager.CommandRejectedException.Code;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.QueueingHandler;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.manager.Target;
import io.github.commandway.tool.api.RunFile;
import io.github.commandway.tool.api.RunOutput;
import io.github.commandway.tool.api.ToolInfo;
import io.github.commandway.tool.api.ToolRequestException;
import io.github.commandway.tool.api.ToolService;
import io.github.commandway.tool.api.ToolchainInfo;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.MDC;

/**
 * Runs the tools and toolchains of a catalogue: the handler of commands to {@code tool:<name>}, whose payload is a {@link ToolRequest} in JSON. Safe for use by many threads.
 *
 * <p>A run waits until there is a thread, room among the runs of its tool, and what it locks. Then it gets a folder of its own, and its program is started without a shell and
 * with an environment that holds only what is declared. If it is cancelled, or its time is over, all processes that came from it are ended; the result says by what means. What it writes goes
 * to the record as it comes, up to the tool's limit, and is kept in the folder, from which {@link #output} reads.
 *
 * <p>The folder of a run is also the mark that it has begun: what had begun when the server was stopped is not run again, except for toolchains, which go on behind the last step that
 * had finished.
 */
public final class ToolHandler implements QueueingHandler, ToolService, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ToolHandler.class);

    /** How long a run may take whose tool is not known here, unless its caller says less. */
    private static final Duration ELSEWHERE = Duration.ofHours(1);

    /** How much of a run elsewhere is kept here: more than tools may write unless they say so. */
    private static final long MAX_COPIED = 64L << 20;

    private static final Duration PURGE_EVERY = Duration.ofMinutes(10);
    private static final Duration STOP_LIMIT = Duration.ofSeconds(30);

    /** How much later than the manager's a run's own timeout can be, which counts from when it begins. */
    private static final Duration OWN_TIMEOUT = Duration.ofSeconds(1);

    /** How long it takes at most to end what is left when the time for stopping is over, and to record that. */
    private static final Duration ENDING = Duration.ofSeconds(5);

    private final ToolCatalog catalog;
    private final Path runs;
    private final KeptRuns kept;
    private final Clock clock;
    private final LongSupplier nanoTicker;
    private final Launcher launcher;
    private final ToolExecution execution;
    private final Slots slots;
    private final ExecutorService threads;
    private final Set<Run> active = ConcurrentHashMap.newKeySet();

    private final RunCopies copies;

    private ToolHandler(Builder builder, Launcher launcher) {
        catalog = builder.catalog;
        runs = builder.runs.toAbsolutePath();
        clock = builder.clock;
        copies = new RunCopies(runs, MAX_COPIED, this::encoding);
        kept = new KeptRuns(runs, builder.keepRuns, builder.keepFor, builder.clock);
        nanoTicker = builder.nanoTicker;
        this.launcher = launcher;
        execution = new ToolExecution(launcher, nanoTicker);
        slots = new Slots(builder.maxRuns, builder.maxWaiting);
        AtomicInteger number = new AtomicInteger();
        // not virtual ones: a wrapper ends with the thread of the system that has started it
        threads = Executors.newCachedThreadPool(work -> {
            Thread thread = new Thread(work, "commandway-tool-" + number.incrementAndGet());
            thread.setDaemon(true);
            return thread;
        });
        if (builder.timer != null) {
            builder.timer.scheduleWithFixedDelay(
                    () -> kept.purge(Stream.concat(
                                    copies.open().stream().map(RecordId::toString),
                                    active.stream().map(run -> run.id))
                            .collect(Collectors.toSet())),
                    PURGE_EVERY.toNanos(),
                    PURGE_EVERY.toNanos(),
                    TimeUnit.NANOSECONDS);
        }
    }

    /**
     * Starts to build a handler.
     *
     * @param catalog what can be run
     * @param runs the folder in which each run gets its own; of this handler only
     */
    public static Builder builder(ToolCatalog catalog, Path runs) {
        return new Builder(catalog, runs);
    }

    @Override
    public Containment.Means processesEndedBy() {
        return launcher.means();
    }

    @Override
    public boolean hasSandbox() {
        return launcher.hasSandbox();
    }

    @Override
    public int running() {
        return slots.running();
    }

    /**
     * Whether a run of this version is under way or waits. Of a toolchain under way, each version of its tools counts. Once the catalogue does not have the version any more, the answer does
     * not become true again.
     */
    public boolean uses(Tool tool) {
        synchronized (active) {
            return active.stream().anyMatch(run -> run.uses(tool));
        }
    }

    @Override
    public int waiting() {
        return slots.waiting();
    }

    @Override
    public List<ToolInfo> listTools() {
        return catalog.tools().stream().map(this::info).toList();
    }

    private ToolInfo info(Tool tool) {
        return new ToolInfo(
                tool.name(),
                tool.version(),
                tool.commit(),
                tool.description(),
                tool.parameters().stream().map(Parameter::info).toList(),
                tool.arguments() == null ? 0 : tool.arguments().max(),
                tool.methods(),
                tool.isolation().code(),
                isNewest(tool));
    }

    private boolean isNewest(Tool tool) {
        try {
            return catalog.find(tool.name(), "").equals(tool);
        } catch (IllegalArgumentException e) {
            // there are only pre-releases
            return false;
        }
    }

    @Override
    public List<ToolchainInfo> listToolchains() {
        return catalog.toolchains().stream().map(Toolchain::info).toList();
    }

    @Override
    public List<String> listProblems() {
        return catalog.problems().stream().map(CatalogProblem::toString).toList();
    }

    @Override
    public CommandRequest.Builder commandFor(
            String body, BodyFormat format, @Nullable String toolchain, @Nullable Target on, Admission admission) {
        try {
            ToolRequest request = format == BodyFormat.JSON
                    ? ToolRequest.ofJson(body, toolchain)
                    : ToolRequest.ofYaml(body, toolchain);
            admission.check(on == null ? new Target.Tool(request.name()) : on, request.commandType());
            if (on == null) {
                return commandHere(request);
            }
            return commandElsewhere(request, on);
        } catch (ToolRequestException e) {
            throw e;
        } catch (IllegalArgumentException e) {
            throw new ToolRequestException(ToolRequestException.Kind.INVALID, String.valueOf(e.getMessage()));
        }
    }

    @Override
    public CommandRequest.Builder commandForGet(String tool, List<String> args, String version) {
        ToolRequest request =
                ToolRequest.tool(tool, args.toArray(String[]::new)).version(version);
        try {
            requireKnown(request);
            if (!catalog.find(tool, version).methods().contains("GET")) {
                throw new ToolRequestException(
                        ToolRequestException.Kind.METHOD,
                        "tool '" + tool + "' is not run by GET; send POST /cmd with a body such as {cmd: " + tool
                                + "}");
            }
            return commandFor(request);
        } catch (ToolRequestException e) {
            throw e;
        } catch (IllegalArgumentException e) {
            throw new ToolRequestException(ToolRequestException.Kind.INVALID, String.valueOf(e.getMessage()));
        }
    }

    /** The command that runs something elsewhere, where it is checked. */
    static CommandRequest.Builder commandElsewhere(ToolRequest request, Target on) {
        if (!Names.isName(request.name())) {
            throw new IllegalArgumentException("'" + request.name() + "' is no name of a tool");
        }
        return CommandRequest.to(on, request.commandType())
                .payload(request.toPayload())
                .timeout(ELSEWHERE);
    }

    private CommandRequest.Builder commandHere(ToolRequest request) {
        requireKnown(request);
        return commandFor(request);
    }

    private void requireKnown(ToolRequest request) {
        boolean known = request.toolchain()
                ? catalog.toolchains().stream().anyMatch(chain -> chain.name().equals(request.name()))
                : catalog.tools().stream().anyMatch(tool -> tool.name().equals(request.name()));
        if (!known) {
            throw new ToolRequestException(
                    ToolRequestException.Kind.UNKNOWN,
                    "there is no " + request + "; GET " + (request.toolchain() ? "/toolchains" : "/tools")
                            + " lists what there is");
        }
    }

    /**
     * The command that runs something, with the timeout that the tool or toolchain declares; a caller may shorten it.
     *
     * @throws IllegalArgumentException if there is no such tool, or it does not take what it is given; the message says what it takes
     */
    public CommandRequest.Builder commandFor(ToolRequest request) {
        return CommandRequest.to(new Target.Tool(request.name()), request.commandType())
                .payload(request.toPayload())
                .timeout(check(request));
    }

    /** Checks a request and returns how long it may take. */
    private Duration check(ToolRequest request) {
        if (request.toolchain()) {
            Toolchain chain = catalog.toolchain(request.name());
            if (!request.args().isEmpty()
                    || !request.env().isEmpty()
                    || request.stdin() != null
                    || !request.inputs().isEmpty()
                    || !request.version().isEmpty()) {
                throw new IllegalArgumentException("a toolchain takes params only");
            }
            Invocation.check(chain, request.params(), catalog::find);
            return chain.timeout();
        }
        if (request.dryRun()) {
            throw new IllegalArgumentException("dry_run is for toolchains");
        }
        Tool tool = catalog.find(request.name(), request.version());
        String problem = launcher.whyNot(tool);
        if (problem != null) {
            throw new IllegalArgumentException(problem);
        }
        Invocation.of(tool, request);
        return tool.timeout();
    }

    @Override
    public CommandRequest admit(CommandRequest command) throws CommandRejectedException {
        Duration longest;
        try {
            longest = check(parse(command));
        } catch (IllegalArgumentException e) {
            throw new CommandRejectedException(Code.UNKNOWN_COMMAND, String.valueOf(e.getMessage()));
        }
        if (slots.isFull()) {
            throw new CommandRejectedException(
                    Code.TARGET_BUSY, "as many runs of tools wait as may; try again when some have ended");
        }
        return command.timeout().compareTo(longest) <= 0
                ? command
                : command.toBuilder().timeout(longest).build();
    }

    private static ToolRequest parse(CommandRequest command) {
        boolean isHere = command.target() instanceof Target.Tool;
        String name = command.target() instanceof Target.Tool target
                ? target.name()
                : command.type().substring(command.type().indexOf(':') + 1);
        ToolRequest request = command.payload().length == 0
                ? ToolRequest.tool(name)
                : ToolRequest.ofJson(new String(command.payload(), StandardCharsets.UTF_8));
        if (!request.name().equals(name) || !(isHere || request.commandType().equals(command.type()))) {
            throw new IllegalArgumentException("the payload names '" + request.name() + "', and the "
                    + (isHere ? "target" : "type") + " '" + (isHere ? name : command.type())
                    + "'; they must be the same");
        }
        return request;
    }

    @Override
    public void handle(CommandContext context, Command command, long tag, ResultReceiver receiver) {
        begin(context, command, tag, receiver, Reason.UNKNOWN_COMMAND, "");
    }

    @Override
    public void resume(CommandContext context, RecordedCommand command, long tag, ResultReceiver receiver) {
        // without its folder nobody knows how far it was
        if (outlivesServer(command)
                && RunFolder.of(runs, command.id().toString()).exists()) {
            begin(context, command, tag, receiver, Reason.LOST, "it had begun, and cannot go on: ");
        } else {
            receiver.completeYield(tag, null, new CommandException(Reason.LOST, LOST));
        }
    }

    @Override
    public boolean outlivesServer(RecordedCommand command) {
        try {
            // what an agent was given is the agent's to look after
            return command.request().target() instanceof Target.Tool
                    && parse(command.request()).toolchain();
        } catch (IllegalArgumentException e) {
            // it will be said when it is taken up again
            return false;
        }
    }

    @Override
    public Duration stopGrace(RecordedCommand command) {
        return active.stream()
                .filter(run -> run.command.id().equals(command.id()))
                .findFirst()
                .map(Run::stopGrace)
                .orElse(Duration.ZERO);
    }

    /**
     * Has it run in its turn.
     *
     * @param refused what it ends as if what it asks for is not there
     * @param before stands before the message then
     */
    private void begin(
            CommandContext context, Command command, long tag, ResultReceiver receiver, Reason refused, String before) {
        if (!(command instanceof RecordedCommand recorded)) {
            throw new IllegalArgumentException("tools are run for recorded commands only");
        }
        Run run;
        try {
            ToolRequest request = parse(recorded.request());
            synchronized (active) {
                run = new Run(context, recorded, tag, receiver, request);
                requireRoom(recorded.request());
                active.add(run);
            }
        } catch (IllegalArgumentException e) {
            receiver.completeYield(tag, null, new CommandException(refused, before + e.getMessage()));
            return;
        } catch (CommandException e) {
            receiver.completeYield(tag, null, e);
            return;
        }
        context.onCancel(run);
        slots.submit(run.claim);
    }

    /** On an agent nobody was asked before. */
    private void requireRoom(CommandRequest command) throws CommandException {
        if (!(command.target() instanceof Target.Tool) && slots.isFull()) {
            throw new CommandException(Reason.REJECTED_BY_AGENT, "as many runs of tools wait as may");
        }
    }

    /** Keeps what runs elsewhere write, beside the folders of runs that are here and for as long. */
    public RunCopies copies() {
        return copies;
    }

    /**
     * What can be run here, as command types: {@code tool:<name>} of each tool, with {@code @<version>} and {@code @<commit>} behind it for each of its versions, and
     * {@code toolchain:<name>}. An agent says so of itself, and {@link ToolEligibility} reads it.
     */
    public SortedSet<String> capabilities() {
        SortedSet<String> types = new TreeSet<>();
        for (Tool tool : catalog.tools()) {
            if (launcher.whyNot(tool) == null) {
                types.add(TOOL_TYPE + tool.name());
                types.add(TOOL_TYPE + tool.name() + "@" + tool.version());
                if (tool.commit() != null) {
                    types.add(TOOL_TYPE + tool.name() + "@" + tool.commit());
                }
            }
        }
        catalog.toolchains().forEach(chain -> types.add(TOOLCHAIN_TYPE + chain.name()));
        return types;
    }

    @Override
    public RunOutput output(RecordId id, long position, int maxBytes) throws IOException {
        return kept.output(id, position, maxBytes);
    }

    @Override
    public boolean isBeingCopied(RecordId id) {
        return copies.open().contains(id);
    }

    @Override
    public Charset encoding(CommandRecord run) {
        try {
            ToolRequest request = ToolRequest.ofJson(new String(run.request().payload(), StandardCharsets.UTF_8));
            return request.toolchain()
                    ? StandardCharsets.UTF_8
                    : catalog.find(request.name(), request.version()).encoding();
        } catch (IllegalArgumentException e) {
            // a tool of another server
            return StandardCharsets.UTF_8;
        }
    }

    @Override
    public List<RunFile> files(RecordId id, boolean toolchain) throws IOException {
        return kept.files(id, toolchain);
    }

    @Override
    public Path file(RecordId id, boolean toolchain, String path) throws IOException {
        return kept.file(id, toolchain, path);
    }

    /** Ends all runs with their processes, and returns when they have ended. What waits is left to whoever stops the manager. */
    @Override
    public void close() {
        threads.shutdown();
        active.forEach(run -> run.accept(CancelCause.SHUTDOWN));
        try {
            if (!threads.awaitTermination(STOP_LIMIT.toSeconds(), TimeUnit.SECONDS)) {
                LOG.error("some tools could not be ended");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** One run. The lock guards the fields that are not final. */
    private final class Run implements Runnable, Consumer<CancelCause>, ToolExecution.Reporter {
        private final RecordedCommand command;
        private final CommandContext context;
        private final long tag;
        private final ResultReceiver receiver;
        private final ToolRequest request;
        private final String id;
        private final @Nullable Tool tool;
        private final Duration timeout;
        private final Slots.Claim claim;
        private @Nullable Thread thread;
        private @Nullable CancelCause cause;
        private long begunNanos;
        private boolean isTimeOver;

        Run(CommandContext context, RecordedCommand command, long tag, ResultReceiver receiver, ToolRequest request) {
            this.context = context;
            this.command = command;
            this.tag = tag;
            this.receiver = receiver;
            this.request = request;
            this.id = command.id().toString();
            Duration longest = check(request);
            Duration asked = command.request().timeout();
            this.timeout = asked.compareTo(longest) < 0 ? asked : longest;
            this.tool = request.toolchain() ? null : catalog.find(request.name(), request.version());
            this.claim = tool == null
                    ? new Slots.Claim("", Integer.MAX_VALUE, List.of(), List.of(), true, this::granted)
                    : new Slots.Claim(tool.name(), tool.concurrency(), tool.locks(), tool.pool(), true, this::granted);
        }

        boolean uses(Tool other) {
            if (tool != null) {
                return tool.name().equals(other.name()) && tool.version().equals(other.version());
            }
            // what is gone from the catalogue may have had any
            return catalog.toolchains().stream()
                    .filter(chain -> chain.name().equals(request.name()))
                    .findFirst()
                    .map(chain ->
                            chain.steps().stream().anyMatch(step -> step.tool().equals(other.name())))
                    .orElse(true);
        }

        Duration stopGrace() {
            Stream<Tool> tools =
                    tool != null ? Stream.of(tool) : catalog.tools().stream().filter(this::uses);
            return tools.map(Tool::stopGrace)
                    .max(Comparator.naturalOrder())
                    .orElse(Duration.ZERO)
                    .plus(ENDING);
        }

        private void granted() {
            boolean begins = false;
            try {
                // once it is being closed, who waits is left to whoever stops the manager
                if (!threads.isShutdown() && receiver.handOver(tag)) {
                    receiver.started(tag);
                    threads.execute(this);
                    begins = true;
                }
            } catch (RejectedExecutionException e) {
                receiver.completeYield(
                        tag, null, new CommandException(Reason.SHUTDOWN, "the server stopped before it was started"));
            } catch (RuntimeException | OutOfMemoryError e) {
                // there may be no more threads to be had
                LOG.error("run {} could not be begun", id, e);
                receiver.completeYield(
                        tag, null, new CommandException(Reason.EXECUTOR_ERROR, "it could not be begun: " + e));
            } finally {
                if (!begins) {
                    leave();
                }
            }
        }

        private void leave() {
            active.remove(this);
            slots.release(claim);
        }

        /** An interrupt while processes are being ended would take their time to stop from them. The lock is held. */
        private boolean endsItselfSoon() {
            return nanoTicker.getAsLong() - begunNanos + OWN_TIMEOUT.toNanos() >= timeout.toNanos();
        }

        /** Ends the work. What waits is ended by the manager. */
        @Override
        public void accept(CancelCause why) {
            synchronized (this) {
                boolean isEnding = cause != null;
                if (cause == null) {
                    cause = why;
                }
                if (thread != null) {
                    boolean isFirst = why == CancelCause.DEADLINE && !isTimeOver;
                    isTimeOver |= isFirst;
                    if (!isFirst || !(isEnding || endsItselfSoon())) {
                        thread.interrupt();
                    }
                    return;
                }
            }
            if (slots.withdraw(claim)) {
                active.remove(this);
            }
        }

        @Override
        @SuppressWarnings("IllegalCatch")
        public void run() {
            ToolExecution.Result result = null;
            Throwable error = null;
            boolean begins;
            synchronized (this) {
                thread = Thread.currentThread();
                begunNanos = nanoTicker.getAsLong();
                begins = cause == null;
            }
            try {
                result = begins
                        ? execute()
                        : new ToolExecution.Result(
                                Reason.CANCELLED_WHILE_RUNNING, "it was not started", -1, Map.of(), new byte[0], true);
            } catch (Throwable e) {
                error = e;
            }
            CancelCause why;
            synchronized (this) {
                thread = null;
                why = cause;
            }
            // an interrupt that came too late must not meet the next run
            boolean unused = Thread.interrupted();
            try {
                leave();
            } finally {
                complete(result, error, why);
            }
        }

        /** Whatever a run that was stopped has failed with, it failed because it was stopped. */
        private void complete(
                ToolExecution.@Nullable Result result, @Nullable Throwable error, @Nullable CancelCause why) {
            byte[] data = result == null ? null : ToolRequest.json(result.fields());
            if (result != null && result.isSuccess()) {
                receiver.completeYield(tag, data, null);
            } else if (why == null) {
                receiver.completeYield(
                        tag, data, result == null ? error : new CommandException(result.reason(), result.message()));
            } else if (why != CancelCause.SHUTDOWN || !outlivesServer(command)) {
                // otherwise the next run of the server takes it up again
                String message = result == null ? "stopped: " + error : result.message();
                // who is first to see that the time is over, this or the manager, is a matter of moments
                boolean isSaid = why != CancelCause.DEADLINE || message.startsWith(ToolExecution.NOT_IN_TIME);
                receiver.completeYield(
                        tag,
                        data,
                        new CommandException(why.reason(), isSaid ? message : ToolExecution.NOT_IN_TIME + message));
            }
        }

        private ToolExecution.Result execute() throws IOException, CommandException {
            Tool single = tool;
            if (single == null && request.dryRun()) {
                Map<String, Object> plan = ToolchainRun.plan(catalog.toolchain(request.name()), catalog);
                output("stdout", ToolRequest.printedJson(plan));
                return new ToolExecution.Result(Reason.OK, "", 0, plan, new byte[0], true);
            }
            RunFolder folder = folder();
            // so that a log can tell which run its lines are about
            MDC.put("run", id);
            try (OutputFile output = new OutputFile(folder.output(), clock)) {
                return single == null ? runToolchain(folder, output) : runTool(single, folder, output);
            } finally {
                MDC.remove("run");
            }
        }

        private RunFolder folder() throws IOException, CommandException {
            try {
                return RunFolder.create(runs, id);
            } catch (FileAlreadyExistsException e) {
                RunFolder before = RunFolder.of(runs, id);
                if (before.beginAttempt(command.attempt()) || request.toolchain()) {
                    OutputFile.cutOff(before.output());
                    return before;
                }
                throw new CommandException(Reason.LOST, LOST);
            }
        }

        private ToolExecution.Result runTool(Tool single, RunFolder folder, OutputFile output) throws IOException {
            progress("tool " + single + ", isolation " + single.isolation().code());
            ToolExecution.Result result = execution.run(new ToolExecution.Job(
                    id,
                    KeptRuns.MAIN_STEP,
                    Invocation.of(single, request),
                    folder,
                    output,
                    context.traceParent(),
                    slots.resource(claim),
                    timeout,
                    single.retry(),
                    this));
            boolean keep =
                    single.keep() == Tool.Keep.ALWAYS || (single.keep() == Tool.Keep.FAILED && !result.isSuccess());
            if (!keep) {
                deleteWork(folder);
            }
            result.fields().put("folder_kept", keep);
            return result;
        }

        /** That this fails is no failure of the run. */
        private void deleteWork(RunFolder folder) {
            try {
                folder.deleteWork();
            } catch (IOException e) {
                LOG.warn("what run {} worked on could not be deleted and stays for now: {}", id, e.toString());
            }
        }

        private ToolExecution.Result runToolchain(RunFolder folder, OutputFile output)
                throws IOException, CommandException {
            Toolchain chain = catalog.toolchain(request.name());
            ToolchainRun run = new ToolchainRun(
                    chain,
                    request.params(),
                    catalog,
                    slots,
                    execution,
                    nanoTicker,
                    new ToolchainRun.Setting(id, folder, output, context.traceParent(), timeout, this));
            String problem = run.resume();
            if (problem != null) {
                throw new CommandException(Reason.LOST, problem);
            }
            ToolExecution.Result result = run.run();
            if (result.reason() != Reason.CANCELLED_WHILE_RUNNING && !run.keepsWork(result.isSuccess())) {
                deleteWork(folder);
            }
            return result;
        }

        @Override
        public void progress(String message) {
            receiver.progress(tag, -1, message);
        }

        @Override
        public void output(String channel, byte[] data) {
            receiver.output(tag, channel, data);
        }
    }

    /**
     * Builds a {@link ToolHandler}.
     *
     * <p>Defaults: 16 runs at a time, 1,000 waiting; the folders of the last 1,000 runs are kept, for 24 h, if there is a timer, and otherwise all; the system's clocks.
     */
    public static final class Builder {
        private final ToolCatalog catalog;
        private final Path runs;
        private int maxRuns = 16;
        private int maxWaiting = 1_000;
        private int keepRuns = 1_000;
        private Duration keepFor = Duration.ofHours(24);
        private Clock clock = Clock.systemUTC();
        private LongSupplier nanoTicker = System::nanoTime;
        private @Nullable ScheduledExecutorService timer;

        private Builder(ToolCatalog catalog, Path runs) {
            this.catalog = catalog;
            this.runs = runs;
        }

        /** Sets how many runs there may be at a time, from 1, and how many may wait, from 0. */
        public Builder maxRuns(int running, int waiting) {
            if (running < 1 || waiting < 0) {
                throw new IllegalArgumentException(
                        "there must be room for at least 1 run, and none to wait: " + running + ", " + waiting);
            }
            this.maxRuns = running;
            this.maxWaiting = waiting;
            return this;
        }

        /** Sets how many folders of runs that have ended are kept, and for how long. */
        public Builder keep(int runs, Duration time) {
            this.keepRuns = runs;
            this.keepFor = time;
            return this;
        }

        /** Sets the wall clock and the source of nanoseconds. */
        public Builder clock(Clock clock, LongSupplier nanoTicker) {
            this.clock = clock;
            this.nanoTicker = nanoTicker;
            return this;
        }

        /** Sets what deletes the folders of old runs; stays the caller's. */
        public Builder timer(ScheduledExecutorService timer) {
            this.timer = timer;
            return this;
        }

        /** Makes the handler, for which it tries what this machine can do. */
        public ToolHandler build() {
            return build(Launcher.detect());
        }

        ToolHandler build(Launcher launcher) {
            return new ToolHandler(this, launcher);
        }
    }
}
