package io.github.commandway.cli;

import io.github.commandway.dispatch.CommandIds;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.http.HttpFacade;
import io.github.commandway.http.ToolHttpOptions;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.IdGenerator;
import io.github.commandway.tool.api.ScheduleInfo;
import io.github.commandway.tools.CatalogProblem;
import io.github.commandway.tools.ToolCatalog;
import io.github.commandway.tools.ToolHandler;
import io.github.commandway.tools.ToolInstaller;
import io.github.commandway.tools.ToolSchedules;
import io.github.commandway.tools.ToolUpdater;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/** The tools of a server: what there is, and what runs them. Close it before the manager. */
final class ServerTools implements AutoCloseable {
    private static final String FOLDER = "tools";
    private static final String RUNS = "runs";
    private static final String SCHEDULES = "schedules.json";
    private static final int NEXT_TIMES = 3;
    private static final Duration MADE_UP_WITHIN = Duration.ofHours(24);

    private final Path folder;
    private final Path runs;
    private final ToolCatalog catalog;
    private final ToolHandler handler;
    private final ScheduledExecutorService timer;
    private @Nullable ToolUpdater updater;
    private @Nullable ExecutorService updating;
    private volatile @Nullable ToolSchedules schedules;
    private @Nullable ScheduledExecutorService scheduling;

    private ServerTools(
            Path folder, Path runs, ToolCatalog catalog, ToolHandler handler, ScheduledExecutorService timer) {
        this.folder = folder;
        this.runs = runs;
        this.catalog = catalog;
        this.handler = handler;
        this.timer = timer;
    }

    /**
     * Reads the catalogue and has it watched.
     *
     * @param started the folder in which the program was started
     * @throws UsageException if the folder that is set is none
     * @throws IOException if the catalogue cannot be read
     */
    static ServerTools open(Settings settings, Path started) throws IOException {
        Path folder = folder(settings, started);
        if (settings.given(Setting.TOOLS_FOLDER).isPresent()) {
            requireFolder(folder);
        }
        ToolCatalog catalog = ToolCatalog.open(folder);
        Optional<Duration> updates = settings.given(Setting.TOOLS_UPDATE_EVERY).map(Kind::duration);
        Optional<ToolInstaller.Builder> installer =
                updates.map(every -> Repositories.installer(settings, started, catalog));
        ScheduledExecutorService timer =
                Executors.newSingleThreadScheduledExecutor(DaemonThreads.named("commandway-tools"));
        catalog.watch(timer, settings.duration(Setting.TOOLS_RELOAD_EVERY));
        Path runs = started.resolve(settings.data()).resolve(RUNS);
        ToolHandler handler = ToolHandler.builder(catalog, runs)
                .maxRuns(settings.number(Setting.TOOLS_MAX_RUNS), settings.number(Setting.TOOLS_MAX_WAITING))
                .keep(settings.number(Setting.TOOLS_KEEP_RUNS), settings.duration(Setting.TOOLS_KEEP_FOR))
                .timer(timer)
                .build();
        ServerTools tools = new ServerTools(folder, runs, catalog, handler, timer);
        installer.ifPresent(from -> tools.update(
                from.removeOld(settings.number(Setting.TOOLS_KEEP_VERSIONS), handler::uses)
                        .build(),
                settings.map(Setting.TOOLS_UPDATE),
                updates.orElseThrow()));
        return tools;
    }

    /** @throws UsageException if it is none */
    static void requireFolder(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new UsageException(Setting.TOOLS_FOLDER.key() + ": " + folder
                    + " is no folder; it should have the folders tools and toolchains");
        }
        if (!Files.isReadable(folder) || !Files.isExecutable(folder)) {
            throw new UsageException(
                    Setting.TOOLS_FOLDER.key() + ": " + folder + " must not be read by the user who runs this");
        }
    }

    private void update(ToolInstaller installer, Map<String, String> wanted, Duration every) {
        updating = Executors.newSingleThreadExecutor(DaemonThreads.named("commandway-tool-updates"));
        updater = ToolUpdater.start(installer, wanted, timer, updating, every, update -> {
            // the updater has told the log of it
        });
    }

    /** Where the catalogue is. */
    static Path folder(Settings settings, Path started) {
        return settings.given(Setting.TOOLS_FOLDER)
                .map(started::resolve)
                .orElseGet(() -> started.resolve(settings.data()).resolve(FOLDER));
    }

    void register(Registry registry) {
        registry.register("tools", CommandIds.TOOL_EXECUTE, handler);
    }

    /** Has them run over HTTP. */
    void addTo(HttpFacade.Builder facade, Settings settings) {
        ToolHttpOptions options = ToolHttpOptions.ofDefaults()
                .withCommandLineHelp(Commandway::helpOfTools)
                .withSchedules(this::listSchedules);
        String ids = settings.text(Setting.TOOLS_IDS);
        facade.tools(
                handler,
                ids.equals("time")
                        ? options.withIds(IdGenerator.timestampSequence(Clock.system(ZoneId.systemDefault())))
                        : ids.equals("uuid4")
                                ? options.withIds(IdGenerator.uuidV4(
                                        () -> ThreadLocalRandom.current().nextLong()))
                                : options);
    }

    /**
     * Begins to submit what schedules ask for. What was missed is made up for within a day, and not when records are gone that would show that it was not missed.
     *
     * @throws IOException if the file that says up to when they are settled cannot be read
     */
    void startSchedules(CommandManager manager, Settings settings) throws IOException {
        Duration within = settings.given(Setting.RETENTION)
                .map(Kind::duration)
                .filter(kept -> kept.compareTo(MADE_UP_WITHIN) < 0)
                .orElse(MADE_UP_WITHIN);
        // not the other timer, which may be busy for minutes with the folders of old runs
        scheduling = Executors.newSingleThreadScheduledExecutor(DaemonThreads.named("commandway-schedules"));
        schedules = ToolSchedules.builder(catalog, handler, manager, runs.resolveSibling(SCHEDULES))
                .madeUpWithin(within)
                .start(scheduling);
    }

    /** What runs them. */
    ToolHandler handler() {
        return handler;
    }

    /** Whether there is a tool or a toolchain of this name. */
    boolean has(String name) {
        return catalog.tools().stream().anyMatch(tool -> tool.name().equals(name))
                || catalog.toolchains().stream().anyMatch(chain -> chain.name().equals(name));
    }

    /** What there is, how it is kept in, and what is wrong with it, for people. */
    List<String> described() {
        long names =
                catalog.tools().stream().map(tool -> tool.name()).distinct().count();
        List<String> lines = new ArrayList<>();
        lines.add(counted(names, "tool") + " in "
                + counted(catalog.tools().size(), "version") + ", "
                + counted(catalog.toolchains().size(), "toolchain") + ", in "
                + folder.toAbsolutePath().normalize());
        lines.add("processes are ended by " + handler.processesEndedBy().code() + "; "
                + (handler.hasSandbox()
                        ? "there is a sandbox"
                        : "there is no sandbox, so tools that need one are refused"));
        listSchedules().forEach(schedule -> lines.add(described(schedule)));
        catalog.problems().forEach(problem -> lines.add("not usable: " + described(problem)));
        return lines;
    }

    private List<ScheduleInfo> listSchedules() {
        ToolSchedules running = schedules;
        return running == null ? List.of() : running.list(NEXT_TIMES);
    }

    private static String described(ScheduleInfo schedule) {
        return "schedule " + schedule.name()
                + (schedule.enabled() ? ": next at " + nextTime(schedule) : " is not enabled");
    }

    private static String nextTime(ScheduleInfo schedule) {
        return schedule.next().isEmpty()
                ? "no time"
                : schedule.next().get(0).atZone(schedule.zone()).toString();
    }

    /** What is wrong, behind the place in the form that editors follow. */
    static String described(CatalogProblem problem) {
        String place =
                problem.line() == 0 ? "" : ":" + problem.line() + (problem.column() == 0 ? "" : ":" + problem.column());
        return problem.path() + place + ": " + Table.printable(problem.message());
    }

    private static String counted(long count, String what) {
        return count + " " + what + (count == 1 ? "" : "s");
    }

    /** Ends what runs, with all its processes, and returns when it has ended. */
    @Override
    public void close() {
        if (schedules != null) {
            schedules.close();
        }
        if (scheduling != null) {
            scheduling.shutdownNow();
        }
        if (updater != null) {
            updater.close();
        }
        if (updating != null) {
            updating.shutdownNow();
        }
        timer.shutdownNow();
        handler.close();
    }
}
