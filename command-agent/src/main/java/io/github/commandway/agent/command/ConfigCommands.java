package io.github.commandway.agent.command;

import io.github.commandway.agent.ExecutionContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * {@code config.get} and {@code config.update}: one JSON object in a file, with a version number that grows with every change. Thread-safe within one
 * process; the file belongs to it alone.
 */
final class ConfigCommands {
    private static final int MAX_SIZE = 1 << 20;

    private final JsonMapper mapper = new JsonMapper();
    private final Path file;
    private final Path folder;

    ConfigCommands(Path file) throws IOException {
        this.file = file.toAbsolutePath();
        Path parent = this.file.getParent();
        if (parent == null || Files.isDirectory(this.file)) {
            throw new IOException("not a file: " + file);
        }
        folder = Files.createDirectories(parent);
    }

    record NoParams() {}

    record Stored(long version, ObjectNode config) {}

    synchronized Stored get(ExecutionContext context, NoParams params) throws IOException, CommandException {
        return load();
    }

    /**
     * @param config a merge patch (RFC 7396): its fields replace those that are there, objects are merged, null removes
     * @param expectedVersion the update is refused if another version is there; null for any
     */
    record UpdateParams(ObjectNode config, @Nullable Long expectedVersion) {
        UpdateParams {
            if (config == null) {
                throw new IllegalArgumentException("'config' is missing");
            }
        }
    }

    record UpdateResult(boolean success, long oldVersion, long newVersion, ObjectNode config) {}

    /** An update that changes nothing writes nothing and keeps the version. After a failure the old content is there. */
    synchronized UpdateResult update(ExecutionContext context, UpdateParams params)
            throws IOException, CommandException {
        Stored old = load();
        if (params.expectedVersion != null && params.expectedVersion != old.version) {
            throw new CommandException(
                    Reason.REJECTED_BY_AGENT,
                    "the configuration has version " + old.version + ", not " + params.expectedVersion
                            + "; read it again");
        }
        ObjectNode merged = merge(old.config.deepCopy(), params.config);
        if (merged.equals(old.config)) {
            return new UpdateResult(true, old.version, old.version, merged);
        }
        long version = old.version + 1;
        store(version, merged);
        return new UpdateResult(true, old.version, version, merged);
    }

    private static ObjectNode merge(ObjectNode target, ObjectNode patch) {
        for (Map.Entry<String, JsonNode> field : patch.properties()) {
            JsonNode value = field.getValue();
            if (value.isNull()) {
                target.remove(field.getKey());
            } else if (value instanceof ObjectNode inner) {
                ObjectNode below = target.get(field.getKey()) instanceof ObjectNode there ? there : target.objectNode();
                target.set(field.getKey(), merge(below, inner));
            } else {
                target.set(field.getKey(), value);
            }
        }
        return target;
    }

    private Stored load() throws IOException, CommandException {
        byte[] bytes;
        try {
            bytes = Files.readAllBytes(file);
        } catch (NoSuchFileException e) {
            return new Stored(0, mapper.createObjectNode());
        }
        try {
            JsonNode root = mapper.readTree(bytes);
            if (root.get("config") instanceof ObjectNode config
                    && root.path("version").isIntegralNumber()) {
                return new Stored(root.path("version").longValue(), config);
            }
        } catch (JacksonException e) {
            throw new CommandException(
                    Reason.EXECUTOR_ERROR,
                    "the configuration file is damaged and was left as it is: " + e.getOriginalMessage());
        }
        throw new CommandException(
                Reason.EXECUTOR_ERROR, "the configuration file is not one of this agent and was left as it is");
    }

    private void store(long version, ObjectNode config) throws IOException, CommandException {
        ObjectNode root = mapper.createObjectNode();
        root.put("version", version);
        root.set("config", config);
        byte[] bytes = mapper.writeValueAsBytes(root);
        if (bytes.length > MAX_SIZE) {
            throw new CommandException(
                    Reason.REJECTED_BY_AGENT,
                    "the configuration would have " + bytes.length + " bytes, more than " + MAX_SIZE);
        }
        Path temporary = Files.createTempFile(folder, "config", ".tmp");
        try {
            try (FileChannel channel = FileChannel.open(temporary, StandardOpenOption.WRITE)) {
                ByteBuffer buffer = ByteBuffer.wrap(bytes);
                while (buffer.hasRemaining()) {
                    channel.write(buffer);
                }
                channel.force(true);
            }
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(temporary);
        }
        if (!ProcessRunner.WINDOWS) {
            // The new name is on the disk only when the folder is.
            try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
                channel.force(true);
            }
        }
    }
}
