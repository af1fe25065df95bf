package io.github.commandway.tools;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The tools and toolchains in a folder: {@code tools/<name>/<version>/}, each with a {@code tool.yaml} or just a program of the tool's name, and {@code toolchains/<name>.yaml}, and {@code schedules/<name>.yaml}. What is
 * wrong with one of them is a {@link CatalogProblem} and does not concern the others. Safe for use by many threads: each look-up sees the catalogue as it was last read.
 */
public final class ToolCatalog {
    private static final Logger LOG = LoggerFactory.getLogger(ToolCatalog.class);
    private static final int MAX_ENTRIES = 10_000;
    private static final String YAML = ".yaml";

    private final Path tools;
    private final Path toolchains;
    private final Path schedules;

    /** What was read from where, to read only what has changed; guarded by this. */
    private Map<Path, Entry> entries = Map.of();

    private volatile Content content = new Content(Map.of(), Map.of(), List.of(), List.of());

    private record Content(
            Map<String, Map<String, Tool>> tools,
            Map<String, Toolchain> toolchains,
            List<ToolSchedule> schedules,
            List<CatalogProblem> problems) {}

    /** One version, toolchain or schedule: either what it is, or what is wrong with it. */
    private record Entry(
            String fingerprint,
            @Nullable Tool tool,
            @Nullable Toolchain toolchain,
            @Nullable ToolSchedule schedule,
            @Nullable CatalogProblem problem) {}

    private ToolCatalog(Path folder) {
        tools = folder.resolve("tools");
        toolchains = folder.resolve("toolchains");
        schedules = folder.resolve("schedules");
    }

    /**
     * Reads a catalogue.
     *
     * @param folder in which {@code tools}, {@code toolchains} and {@code schedules} are; each may be missing
     * @throws IOException if it cannot be read
     */
    public static ToolCatalog open(Path folder) throws IOException {
        ToolCatalog catalog = new ToolCatalog(folder.toAbsolutePath());
        catalog.refresh();
        return catalog;
    }

    /**
     * Has changes noticed from now on.
     *
     * @param timer looks for them; stays the caller's
     * @param every how often
     * @return cancels it
     */
    public ScheduledFuture<?> watch(ScheduledExecutorService timer, Duration every) {
        return timer.scheduleWithFixedDelay(
                () -> {
                    try {
                        refresh();
                    } catch (IOException | RuntimeException e) {
                        LOG.warn(
                                "the catalogue of tools stays as it was, since it could not be read: {}", e.toString());
                    }
                },
                every.toNanos(),
                every.toNanos(),
                TimeUnit.NANOSECONDS);
    }

    /**
     * Reads what has changed. Runs that are under way go on with what they began with.
     *
     * @throws IOException if the folder cannot be read; the catalogue stays as it was
     */
    public synchronized void refresh() throws IOException {
        Map<Path, Entry> read = new HashMap<>();
        Map<String, Map<String, Tool>> found = new TreeMap<>();
        List<CatalogProblem> problems = new ArrayList<>();
        for (Path folder : children(tools)) {
            if (Files.isDirectory(folder) && isNamed(folder, Names.isName(name(folder)), "tool", problems)) {
                readVersions(folder, read, found, problems);
            }
        }
        Map<String, Toolchain> chains = new TreeMap<>();
        for (Path file : children(toolchains)) {
            if (isYaml(file, problems) && isNamed(file, Names.isName(baseName(file)), "toolchain", problems)) {
                Entry entry = reuseOrRead(
                        file,
                        file,
                        () -> new ToolchainFile(baseName(file), found).read(text(file, toolchains, "toolchains")));
                read.put(file, entry);
                if (entry.toolchain != null) {
                    chains.put(entry.toolchain.name(), entry.toolchain);
                }
                addProblem(entry, problems);
            }
        }
        List<ToolSchedule> plans = new ArrayList<>();
        for (Path file : children(schedules)) {
            if (isYaml(file, problems) && isNamed(file, Names.isName(baseName(file)), "schedule", problems)) {
                Entry entry = reuseOrRead(
                        file,
                        file,
                        () -> new ScheduleFile(baseName(file), found, chains).read(text(file, schedules, "schedules")));
                read.put(file, entry);
                if (entry.schedule != null) {
                    plans.add(entry.schedule);
                }
                addProblem(entry, problems);
            }
        }
        entries = read;
        if (!problems.equals(content.problems)) {
            problems.forEach(problem -> LOG.warn("{}", problem));
        }
        content = new Content(found, chains, List.copyOf(plans), List.copyOf(problems));
    }

    private void readVersions(
            Path folder, Map<Path, Entry> read, Map<String, Map<String, Tool>> found, List<CatalogProblem> problems)
            throws IOException {
        InstalledVersions installed = new InstalledVersions(folder);
        for (Path version : children(folder)) {
            if (!Files.isDirectory(version) || !isNamed(version, Names.isVersion(name(version)), "version", problems)) {
                continue;
            }
            if (installed.isWithdrawn(name(version))) {
                continue;
            }
            Entry entry = reuseOrRead(version, version.resolve(ToolFile.FILE), () -> readTool(folder, version));
            read.put(version, entry);
            if (entry.tool != null) {
                found.computeIfAbsent(name(folder), name -> new TreeMap<>()).put(entry.tool.version(), entry.tool);
            }
            addProblem(entry, problems);
        }
    }

    private static void addProblem(Entry entry, List<CatalogProblem> problems) {
        if (entry.problem != null) {
            problems.add(entry.problem);
        }
    }

    /** Other files may lie there too; but who writes {@code .yml} means it to be read. */
    private boolean isYaml(Path file, List<CatalogProblem> problems) {
        if (name(file).endsWith(".yml")) {
            problems.add(new CatalogProblem(shown(file), 0, 0, "it is not read: its name should end in " + YAML));
        }
        return name(file).endsWith(YAML);
    }

    private boolean isNamed(Path path, boolean isName, String what, List<CatalogProblem> problems) {
        if (!isName) {
            problems.add(new CatalogProblem(
                    shown(path),
                    0,
                    0,
                    "this cannot be the name of a " + what
                            + ": it should have letters, digits, '.', '_' and '-', and be no name of a device"));
        }
        return isName;
    }

    private interface Reading<T> {
        T read() throws IOException, ToolFileException;
    }

    /** What is wrong is always read again, since what it needs may have come from elsewhere; so are toolchains and schedules, since tools may have changed. */
    private Entry reuseOrRead(Path path, Path file, Reading<Object> reading) throws IOException {
        String fingerprint = fingerprint(path) + fingerprint(file);
        Entry before = entries.get(path);
        if (before != null && before.tool != null && before.fingerprint.equals(fingerprint)) {
            return before;
        }
        try {
            Object value = reading.read();
            return new Entry(
                    fingerprint,
                    value instanceof Tool tool ? tool : null,
                    value instanceof Toolchain chain ? chain : null,
                    value instanceof ToolSchedule schedule ? schedule : null,
                    null);
        } catch (ToolFileException e) {
            String shown = shown(path.equals(file) || !Files.exists(file) ? path : file);
            return new Entry(
                    fingerprint,
                    null,
                    null,
                    null,
                    new CatalogProblem(shown, e.line(), e.column(), String.valueOf(e.getMessage())));
        } catch (IOException | RuntimeException | StackOverflowError e) {
            return new Entry(
                    fingerprint, null, null, null, new CatalogProblem(shown(path), 0, 0, "it cannot be read: " + e));
        }
    }

    private Tool readTool(Path folder, Path version) throws IOException, ToolFileException {
        Path real = version.toRealPath();
        if (!real.startsWith(tools.toRealPath())) {
            throw new ToolFileException(0, 0, "it leads out of the folder of tools; it should be a folder there");
        }
        return new ToolFile(name(folder), name(version), real).read();
    }

    private static String text(Path file, Path folder, String what) throws IOException, ToolFileException {
        if (!file.toRealPath().startsWith(folder.toRealPath())) {
            throw new ToolFileException(0, 0, "it leads out of the folder of " + what + "; it should be a file there");
        }
        if (Files.size(file) > YamlNode.MAX_LENGTH) {
            throw new ToolFileException(
                    0, 0, "it has " + Files.size(file) + " bytes; the most is " + YamlNode.MAX_LENGTH);
        }
        return Files.readString(file);
    }

    private String shown(Path path) {
        Path root = Objects.requireNonNull(tools.getParent());
        return root.relativize(path).toString().replace('\\', '/');
    }

    private static String fingerprint(Path path) throws IOException {
        if (!Files.exists(path)) {
            return "-";
        }
        Map<String, Object> attributes = Files.readAttributes(path, "lastModifiedTime,size,fileKey");
        return attributes.get("lastModifiedTime") + "/" + attributes.get("size") + "/" + attributes.get("fileKey")
                + ";";
    }

    private static List<Path> children(Path folder) throws IOException {
        List<Path> children = new ArrayList<>();
        if (!Files.exists(folder)) {
            return children;
        }
        try (DirectoryStream<Path> stream = Files.newDirectoryStream(folder)) {
            for (Path child : stream) {
                if (!name(child).startsWith(".")) {
                    children.add(child);
                }
                if (children.size() > MAX_ENTRIES) {
                    throw new IOException(folder + " has more than " + MAX_ENTRIES + " entries");
                }
            }
        } catch (NotDirectoryException e) {
            throw new IOException(folder + " is not a folder", e);
        }
        children.sort(null);
        return children;
    }

    /** Where the tools are; may be missing. */
    Path toolsFolder() {
        return tools;
    }

    private static String name(Path path) {
        return String.valueOf(path.getFileName());
    }

    private static String baseName(Path file) {
        return name(file).substring(0, name(file).length() - YAML.length());
    }

    /** All versions of all tools, by name. */
    public List<Tool> tools() {
        return content.tools.values().stream()
                .map(Map::values)
                .flatMap(Collection::stream)
                .toList();
    }

    /** All toolchains, by name. */
    public List<Toolchain> toolchains() {
        return List.copyOf(content.toolchains.values());
    }

    /** All schedules, by name. */
    public List<ToolSchedule> schedules() {
        return content.schedules;
    }

    /** What cannot be used, and why. */
    public List<CatalogProblem> problems() {
        return content.problems;
    }

    /**
     * Finds the best version of a tool.
     *
     * @param version the name of a version, with or without a {@code v} before it; {@code latest} or empty for the highest that is no pre-release; the
     *     beginning of a commit's hash, from 7 characters; or a range such as {@code ^1.2} or {@code >=1 <3}
     * @throws IllegalArgumentException if there is none; the message says what there is
     */
    public Tool find(String name, String version) {
        return find(content.tools, name, version);
    }

    static Tool find(Map<String, Map<String, Tool>> tools, String name, String version) {
        Map<String, Tool> versions = tools.get(name);
        if (versions == null) {
            throw new IllegalArgumentException("there is no tool '" + name + "'");
        }
        return Versions.find(versions.values(), name, version);
    }

    /**
     * Finds a toolchain.
     *
     * @throws IllegalArgumentException if there is none of this name
     */
    public Toolchain toolchain(String name) {
        Toolchain chain = content.toolchains.get(name);
        if (chain == null) {
            throw new IllegalArgumentException("there is no toolchain '" + name + "'");
        }
        return chain;
    }
}
