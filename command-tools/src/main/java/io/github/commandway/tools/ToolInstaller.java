package io.github.commandway.tools;

import io.github.commandway.tools.Archives.UnpackedFile;
import io.github.commandway.tools.RepositoryException.Code;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Installs, updates and checks the tools of a catalogue from a {@link SignedRepository}. A version appears in the catalogue whole or not at all, and is never changed while it is there.
 * Thread-safe; several installers, also in other processes, may work on one catalogue: one after the other.
 */
public final class ToolInstaller {
    private static final Logger LOG = LoggerFactory.getLogger(ToolInstaller.class);
    private static final String LOCK = ".lock";
    private static final String STAGING = ".staging-";

    private final ToolCatalog catalog;
    private final SignedRepository repository;
    private final int keep;
    private final @Nullable Predicate<Tool> inUse;
    private final long maxUnpacked;
    private final Duration lockLimit;
    private final Clock clock;

    private ToolInstaller(Builder builder) {
        catalog = builder.catalog;
        repository = builder.repository;
        keep = builder.keep;
        inUse = builder.inUse;
        maxUnpacked = builder.maxUnpacked;
        lockLimit = builder.lockLimit;
        clock = builder.clock;
    }

    /**
     * Begins an installer.
     *
     * @param catalog gets the tools, in its folder, and is refreshed when something has changed
     * @param repository where they come from
     */
    public static Builder builder(ToolCatalog catalog, SignedRepository repository) {
        return new Builder(catalog, repository);
    }

    private InstalledVersions versions(String name) {
        if (!Names.isName(name)) {
            throw new IllegalArgumentException("'" + name + "' cannot be the name of a tool");
        }
        return new InstalledVersions(catalog.toolsFolder().resolve(name));
    }

    private <T> T locked(FileLocks.Work<T> work) throws IOException, InterruptedException {
        return FileLocks.holding(catalog.toolsFolder().resolve(LOCK), lockLimit, work);
    }

    /**
     * Installs a version of a tool, if it is not there.
     *
     * @param version a version, a range such as {@code ^1.2}, or empty for the newest that is no pre-release
     * @return the tool, as it is in the catalogue
     * @throws RepositoryException if it cannot be had, is not to be trusted, or is no tool that this machine can use; nothing was changed
     */
    public Tool install(String name, String version) throws IOException, InterruptedException {
        InstalledVersions versions = versions(name);
        String installed = locked(() -> {
            Artifact artifact = repository.find(tools(name), name, version);
            if (versions.isWithdrawn(artifact.version())) {
                throw new RepositoryException(
                        Code.REFUSED, artifact + " was withdrawn here; restore it if it should be used again");
            }
            install(versions, artifact);
            return artifact.version();
        });
        catalog.refresh();
        return catalog.find(name, installed);
    }

    /** What the repository has of it that can be a tool. */
    private List<Artifact> tools(String name) throws IOException, InterruptedException {
        return repository.artifacts().stream()
                .filter(artifact -> artifact.name().equals(name) && Archives.isArchive(artifact.file()))
                .toList();
    }

    private void install(InstalledVersions versions, Artifact artifact) throws IOException, InterruptedException {
        Path target = versions.folder(artifact.version());
        if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
            requireSame(versions, artifact);
            return;
        }
        Path parent = catalog.toolsFolder().resolve(artifact.name());
        Files.createDirectories(parent);
        removeStaging(parent);
        Path staging = Files.createDirectory(parent.resolve(STAGING + UUID.randomUUID()));
        try {
            Path archive = staging.resolve("archive");
            repository.download(artifact, archive);
            Path unpacked = Files.createDirectory(staging.resolve("unpacked"));
            Map<String, UnpackedFile> files = unpack(artifact, archive, unpacked);
            checkTool(artifact, unpacked);
            versions.write(artifact.version(), artifact, clock.instant(), files);
            Files.move(unpacked, target, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            WorkTree.delete(staging);
        }
        LOG.info("tool {} was installed from {}", artifact, repository.location());
    }

    private static void requireSame(InstalledVersions versions, Artifact artifact) throws IOException {
        if (!versions.wasInstalled(artifact.version())) {
            throw new RepositoryException(
                    Code.REFUSED, artifact + " is there, and did not come from a repository; it is left as it is");
        }
        if (!versions.read(artifact.version()).archive().equals(artifact.sha256())) {
            throw new RepositoryException(
                    Code.UNTRUSTED,
                    artifact + " is there, and the repository now has something else under the same version;"
                            + " it should have a new version");
        }
        List<ToolChange> changes = new ArrayList<>();
        compare(artifact.name(), artifact.version(), versions, changes);
        if (!changes.isEmpty()) {
            ToolChange first = changes.get(0);
            throw new RepositoryException(
                    Code.REFUSED,
                    artifact + " is there, but is not what was installed any more: " + first.path() + " is "
                            + first.what().name().toLowerCase(Locale.ROOT) + "; remove the folder "
                            + versions.folder(artifact.version()) + " and install it again");
        }
    }

    /** What an installer left that was killed. Nobody else works here, as this one has the lock. */
    private static void removeStaging(Path parent) throws IOException {
        try (DirectoryStream<Path> left = Files.newDirectoryStream(parent, STAGING + "*")) {
            for (Path folder : left) {
                WorkTree.delete(folder);
            }
        }
    }

    private Map<String, UnpackedFile> unpack(Artifact artifact, Path archive, Path target) throws IOException {
        try {
            return Archives.unpack(archive, artifact.file(), target, maxUnpacked);
        } catch (RepositoryException e) {
            throw new RepositoryException(e.code(), artifact + " cannot be unpacked: " + e.getMessage(), e);
        } catch (FileSystemException e) {
            throw e;
        } catch (IOException e) {
            throw new RepositoryException(Code.REFUSED, artifact + " cannot be unpacked: " + e.getMessage(), e);
        }
    }

    private static void checkTool(Artifact artifact, Path folder) throws IOException {
        try {
            Tool unused = new ToolFile(artifact.name(), artifact.version(), folder.toRealPath()).read();
        } catch (ToolFileException e) {
            String place = e.line() == 0 ? "" : ToolFile.FILE + ", line " + e.line() + ", column " + e.column() + ": ";
            throw new RepositoryException(
                    Code.REFUSED, artifact + " is no tool that can be used here: " + place + e.getMessage(), e);
        }
    }

    /**
     * Installs the newest version of a tool that fits, unless it is there or was withdrawn, and removes old versions if it may, see {@link Builder#removeOld}.
     *
     * @param range which versions are allowed, such as {@code ^1.2}; empty for all that are no pre-releases
     * @throws RepositoryException if it cannot be had, is not to be trusted, or is no tool that this machine can use; nothing was changed
     */
    public ToolUpdate update(String name, String range) throws IOException, InterruptedException {
        InstalledVersions versions = versions(name);
        return locked(() -> {
            catalog.refresh();
            String before = newest(name, range);
            List<Artifact> candidates = tools(name).stream()
                    .filter(artifact -> !versions.isWithdrawn(artifact.version()))
                    .toList();
            Artifact artifact = repository.find(candidates, name, range);
            if (before == null || isNewer(artifact.version(), before)) {
                install(versions, artifact);
                catalog.refresh();
            }
            return new ToolUpdate(name, before, newest(name, range), removeOld(name, versions), null);
        });
    }

    private @Nullable String newest(String name, String range) {
        try {
            return catalog.find(name, range).version();
        } catch (IllegalArgumentException e) {
            // none that fits
            return null;
        }
    }

    private static boolean isNewer(String version, String than) {
        return !version.equals(than)
                && Versions.newestFirst(List.of(version, than)).get(0).equals(version);
    }

    /** The tools of which a version was installed from a repository, by name. */
    public List<String> installed() throws IOException {
        Set<String> names = new TreeSet<>();
        if (Files.isDirectory(catalog.toolsFolder())) {
            try (DirectoryStream<Path> folders = Files.newDirectoryStream(catalog.toolsFolder(), Files::isDirectory)) {
                for (Path folder : folders) {
                    String name = String.valueOf(folder.getFileName());
                    if (Names.isName(name) && !versions(name).installed().isEmpty()) {
                        names.add(name);
                    }
                }
            }
        }
        return List.copyOf(names);
    }

    private List<String> removeOld(String name, InstalledVersions versions) throws IOException {
        List<String> removed = new ArrayList<>();
        if (inUse == null) {
            return removed;
        }
        List<String> newestFirst = Versions.newestFirst(versions.installed());
        Set<String> needed = neededVersions(name);
        int kept = -1;
        for (String version : newestFirst) {
            // whatever is above the newest that can be used may be its successor, or was withdrawn and may be restored
            if (kept < 0 && !version.equals(newest(name, ""))) {
                continue;
            }
            boolean old = kept >= keep;
            if (!versions.isWithdrawn(version)) {
                kept++;
            }
            if (old && !needed.contains(version) && !versions.isPinned(version) && remove(versions, name, version)) {
                removed.add(version);
            }
        }
        return removed;
    }

    /** What toolchains of the catalogue would run. */
    private Set<String> neededVersions(String name) {
        Set<String> needed = new HashSet<>();
        for (Toolchain chain : catalog.toolchains()) {
            for (Toolchain.Step step : chain.steps()) {
                String version = step.tool().equals(name) ? newest(name, step.version()) : null;
                if (version != null) {
                    needed.add(version);
                }
            }
        }
        return needed;
    }

    /** First nobody can begin a run of it any more, then it is seen whether one is under way. */
    private boolean remove(InstalledVersions versions, String name, String version) throws IOException {
        boolean withdrawn = versions.isWithdrawn(version);
        Tool tool = catalog.tools().stream()
                .filter(one -> one.name().equals(name) && one.version().equals(version))
                .findFirst()
                .orElse(null);
        versions.setWithdrawn(version, true);
        catalog.refresh();
        if (tool != null && inUse != null && inUse.test(tool)) {
            versions.setWithdrawn(version, withdrawn);
            catalog.refresh();
            return false;
        }
        Path parent = catalog.toolsFolder().resolve(name);
        Path staging = parent.resolve(STAGING + UUID.randomUUID());
        Files.move(versions.folder(version), staging, StandardCopyOption.ATOMIC_MOVE);
        versions.forget(version);
        versions.setWithdrawn(version, withdrawn);
        WorkTree.delete(staging);
        LOG.info("tool {} {} was removed, as newer ones are there", name, version);
        return true;
    }

    /**
     * Withdraws the newest version of a tool, so that the one before it is the newest. It stays on disk, no run of it can begin, and no update brings it back; runs under way go on.
     *
     * @return the version that is the newest now
     * @throws RepositoryException if there is no version before it; nothing was changed
     */
    public Tool rollBack(String name) throws IOException, InterruptedException {
        InstalledVersions versions = versions(name);
        return locked(() -> {
            catalog.refresh();
            String newest = newest(name, "");
            if (newest == null) {
                throw new RepositoryException(Code.REFUSED, "there is no version of '" + name + "' to go back from");
            }
            versions.setWithdrawn(newest, true);
            catalog.refresh();
            String before = newest(name, "");
            if (before == null) {
                versions.setWithdrawn(newest, false);
                catalog.refresh();
                throw new RepositoryException(
                        Code.REFUSED, name + " " + newest + " has none before it to which one could go back");
            }
            LOG.info("tool {} {} was withdrawn, and {} is the newest", name, newest, before);
            return catalog.find(name, before);
        });
    }

    /**
     * Takes back that a version was withdrawn.
     *
     * @throws RepositoryException if it was not
     */
    public void restore(String name, String version) throws IOException, InterruptedException {
        InstalledVersions versions = versions(name);
        requireVersion(version);
        locked(() -> {
            if (!versions.isWithdrawn(version)) {
                throw new RepositoryException(Code.REFUSED, name + " " + version + " was not withdrawn");
            }
            versions.setWithdrawn(version, false);
            catalog.refresh();
            return version;
        });
    }

    /**
     * Says whether a version is never removed.
     *
     * @throws RepositoryException if it is not there
     */
    public void pin(String name, String version, boolean pinned) throws IOException, InterruptedException {
        InstalledVersions versions = versions(name);
        requireVersion(version);
        locked(() -> {
            if (pinned && !versions.isThere(version)) {
                throw new RepositoryException(Code.NOT_FOUND, "there is no version " + version + " of " + name);
            }
            versions.setPinned(version, pinned);
            return version;
        });
    }

    private static void requireVersion(String version) {
        if (!Names.isVersion(version)) {
            throw new IllegalArgumentException("'" + version + "' cannot be the name of a version");
        }
    }

    /**
     * Reads all that was installed from a repository and compares it with what was noted when it was installed.
     *
     * @return what differs; empty if all is as it was
     */
    public List<ToolChange> verify() throws IOException, InterruptedException {
        return locked(() -> {
            List<ToolChange> changes = new ArrayList<>();
            for (String name : installed()) {
                InstalledVersions versions = versions(name);
                for (String version : versions.installed()) {
                    compare(name, version, versions, changes);
                }
            }
            return changes;
        });
    }

    private static void compare(String name, String version, InstalledVersions versions, List<ToolChange> changes)
            throws IOException {
        Map<String, UnpackedFile> wanted = versions.read(version).files();
        Map<String, UnpackedFile> found = Archives.read(versions.folder(version));
        Map<String, ToolChange.What> differences = new TreeMap<>();
        wanted.forEach((path, file) -> {
            UnpackedFile now = found.get(path);
            if (now == null) {
                differences.put(path, ToolChange.What.MISSING);
            } else if (!now.equals(file)) {
                differences.put(path, ToolChange.What.CHANGED);
            }
        });
        found.keySet().stream()
                .filter(path -> !wanted.containsKey(path))
                .forEach(path -> differences.put(path, ToolChange.What.ADDED));
        differences.forEach((path, what) -> changes.add(new ToolChange(name, version, path, what)));
    }

    /**
     * Builds a {@link ToolInstaller}.
     *
     * <p>Defaults: no old versions are removed; 1 GiB for an unpacked tool; up to 15 min of waiting for another installer; the system's clock.
     */
    public static final class Builder {
        private final ToolCatalog catalog;
        private final SignedRepository repository;
        private int keep;
        private @Nullable Predicate<Tool> inUse;
        private long maxUnpacked = 1L << 30;
        private Duration lockLimit = Duration.ofMinutes(15);
        private Clock clock = Clock.systemUTC();

        private Builder(ToolCatalog catalog, SignedRepository repository) {
            this.catalog = catalog;
            this.repository = repository;
        }

        /**
         * Has updates remove old versions that came from a repository, but none that is pinned, in use, or what a toolchain of the catalogue would run.
         *
         * @param keep how many versions stay beside the newest, from 0
         * @param inUse whether a run of this version is under way or waits, see {@link ToolHandler#uses}; so only the process that runs the tools can remove some
         */
        public Builder removeOld(int keep, Predicate<Tool> inUse) {
            if (keep < 0) {
                throw new IllegalArgumentException("at least 0 old versions stay, not " + keep);
            }
            this.keep = keep;
            this.inUse = inUse;
            return this;
        }

        /** Sets how many bytes the files of a tool may have together. */
        public Builder maxUnpacked(long bytes) {
            this.maxUnpacked = bytes;
            return this;
        }

        /** Sets how long this one waits for another installer. */
        public Builder lockLimit(Duration limit) {
            this.lockLimit = limit;
            return this;
        }

        /** Sets the clock that says when something was installed. */
        public Builder clock(Clock clock) {
            this.clock = clock;
            return this;
        }

        /** Makes it. */
        public ToolInstaller build() {
            return new ToolInstaller(this);
        }
    }
}
