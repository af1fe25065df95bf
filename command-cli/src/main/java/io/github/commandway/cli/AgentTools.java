package io.github.commandway.cli;

import io.github.commandway.agent.AgentRuntime;
import io.github.commandway.tool.api.ToolService;
import io.github.commandway.tools.ToolCatalog;
import io.github.commandway.tools.ToolHandler;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The tools of an agent: runs them, and tells the server what there is whenever that changes. Close it behind the agent. */
final class AgentTools implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(AgentTools.class);
    private static final String RUNS = "runs";

    private final ToolCatalog catalog;
    private final ToolHandler handler;
    private final Set<String> otherTypes;
    private final ScheduledExecutorService timer;

    /** What the server was told. Only used by the timer. */
    private Set<String> told;

    private AgentTools(
            ToolCatalog catalog, ToolHandler handler, Collection<String> otherTypes, ScheduledExecutorService timer) {
        this.catalog = catalog;
        this.handler = handler;
        this.otherTypes = Set.copyOf(otherTypes);
        this.timer = timer;
        told = types();
    }

    /**
     * Reads the catalogue.
     *
     * @param folder of the catalogue
     * @param agentFolder where the folders of runs go
     * @param otherTypes the commands that the agent has besides
     * @throws UsageException if the folder is none
     * @throws IOException if it cannot be read
     */
    static AgentTools open(Settings settings, Path folder, Path agentFolder, Collection<String> otherTypes)
            throws IOException {
        if (!Files.isDirectory(folder)) {
            throw new UsageException(Setting.AGENT_TOOLS.key() + ": " + folder
                    + " is no folder; it should have the folders tools and toolchains");
        }
        ToolCatalog catalog = ToolCatalog.open(folder);
        ScheduledExecutorService timer =
                Executors.newSingleThreadScheduledExecutor(DaemonThreads.named("commandway-tools"));
        ToolHandler handler = ToolHandler.builder(catalog, agentFolder.resolve(RUNS))
                .maxRuns(settings.number(Setting.AGENT_CONCURRENCY), settings.number(Setting.TOOLS_MAX_WAITING))
                .keep(settings.number(Setting.TOOLS_KEEP_RUNS), settings.duration(Setting.TOOLS_KEEP_FOR))
                .timer(timer)
                .build();
        return new AgentTools(catalog, handler, otherTypes, timer);
    }

    void addTo(AgentRuntime.Builder agent) {
        agent.handler(ToolService.TOOL_TYPE, handler)
                .handler(ToolService.TOOLCHAIN_TYPE, handler)
                .capabilities(told);
    }

    /** From now on looks for changes of the catalogue. */
    void watch(Settings settings, AgentRuntime agent) {
        long every = settings.duration(Setting.TOOLS_RELOAD_EVERY).toNanos();
        timer.scheduleWithFixedDelay(() -> look(agent), every, every, TimeUnit.NANOSECONDS);
    }

    private void look(AgentRuntime agent) {
        try {
            catalog.refresh();
            Set<String> types = types();
            if (!types.equals(told)) {
                agent.capabilities(types);
                told = types;
                LOG.info("the catalogue of tools has changed");
            }
        } catch (IOException | RuntimeException e) {
            LOG.warn("the server was not told what has changed in the catalogue of tools: {}", e.toString());
        }
    }

    private Set<String> types() {
        Set<String> types = new TreeSet<>(otherTypes);
        types.addAll(handler.capabilities());
        return types;
    }

    @Override
    public void close() {
        timer.shutdownNow();
        handler.close();
    }
}
