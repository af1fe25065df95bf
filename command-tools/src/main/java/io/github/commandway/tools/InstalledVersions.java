package io.github.commandway.tools;

import io.github.commandway.tools.Archives.UnpackedFile;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/**
 * What is noted beside the versions of a tool, in files of the tool's folder that the catalogue does not take for versions: what was installed, withdrawn and pinned. The folders of
 * versions themselves have nothing in them but what their authors packed.
 */
final class InstalledVersions {
    private static final String INSTALLED = ".installed";
    private static final String WITHDRAWN = ".withdrawn";
    private static final String PINNED = ".pinned";
    private static final String JSON = ".json";

    private final Path tool;

    /** @param tool the folder with the versions of a tool */
    InstalledVersions(Path tool) {
        this.tool = tool;
    }

    /**
     * What was installed.
     *
     * @param archive the hash of the archive
     * @param files by their paths
     */
    record Manifest(String archive, Map<String, UnpackedFile> files) {}

    Path folder(String version) {
        return tool.resolve(version);
    }

    boolean isThere(String version) {
        return Files.isDirectory(folder(version));
    }

    boolean isWithdrawn(String version) {
        return Files.exists(tool.resolve(WITHDRAWN).resolve(version));
    }

    void setWithdrawn(String version, boolean withdrawn) throws IOException {
        mark(WITHDRAWN, version, withdrawn);
    }

    boolean isPinned(String version) {
        return Files.exists(tool.resolve(PINNED).resolve(version));
    }

    void setPinned(String version, boolean pinned) throws IOException {
        mark(PINNED, version, pinned);
    }

    private void mark(String kind, String version, boolean set) throws IOException {
        Path mark = tool.resolve(kind).resolve(version);
        if (!set) {
            Files.deleteIfExists(mark);
        } else if (!Files.exists(mark)) {
            Files.createDirectories(tool.resolve(kind));
            Files.createFile(mark);
        }
    }

    private Path manifest(String version) {
        return tool.resolve(INSTALLED).resolve(version + JSON);
    }

    boolean wasInstalled(String version) {
        return Files.exists(manifest(version));
    }

    /** The versions that were installed from a repository and are there. */
    List<String> installed() throws IOException {
        List<String> versions = new ArrayList<>();
        if (Files.isDirectory(tool.resolve(INSTALLED))) {
            try (DirectoryStream<Path> files = Files.newDirectoryStream(tool.resolve(INSTALLED), "*" + JSON)) {
                for (Path file : files) {
                    String name = String.valueOf(file.getFileName());
                    String version = name.substring(0, name.length() - JSON.length());
                    if (isThere(version)) {
                        versions.add(version);
                    }
                }
            }
        }
        versions.sort(null);
        return versions;
    }

    void write(String version, Artifact artifact, Instant now, Map<String, UnpackedFile> files) throws IOException {
        Map<String, Object> list = new TreeMap<>();
        files.forEach((path, file) -> {
            Map<String, Object> fields = new LinkedHashMap<>();
            fields.put("sha256", file.sha256());
            fields.put("size", file.size());
            fields.put("executable", file.executable());
            list.put(path, fields);
        });
        Map<String, Object> root = new LinkedHashMap<>();
        root.put("archive_sha256", artifact.sha256());
        root.put("installed", now.toString());
        root.put("files", list);
        Files.createDirectories(tool.resolve(INSTALLED));
        AtomicFiles.write(manifest(version), RepositoryIndex.JSON.writeValueAsBytes(root));
    }

    Manifest read(String version) throws IOException {
        try {
            JsonNode root = RepositoryIndex.JSON.readTree(Files.readAllBytes(manifest(version)));
            Map<String, UnpackedFile> files = new TreeMap<>();
            root.path("files")
                    .properties()
                    .forEach(entry -> files.put(
                            entry.getKey(),
                            new UnpackedFile(
                                    entry.getValue().path("sha256").asString(""),
                                    entry.getValue().path("size").asLong(0),
                                    entry.getValue().path("executable").asBoolean(false))));
            return new Manifest(root.path("archive_sha256").asString(""), files);
        } catch (JacksonException e) {
            throw new IOException(manifest(version) + " cannot be read: " + e.getOriginalMessage(), e);
        }
    }

    void forget(String version) throws IOException {
        Files.deleteIfExists(manifest(version));
    }
}
