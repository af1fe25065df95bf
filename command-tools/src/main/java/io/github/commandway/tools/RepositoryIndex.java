package io.github.commandway.tools;

import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * What is in a repository: the content of {@code index.json}.
 *
 * @param repository which one this is, wherever it is found
 * @param sequence higher in each index that is published
 * @param published when
 * @param expires from when on it is no longer valid
 * @param artifacts no two of which have the same name, version and platforms
 */
record RepositoryIndex(UUID repository, long sequence, Instant published, Instant expires, List<Artifact> artifacts) {
    static final String FILE = "index.json";
    static final String SIGNATURE = FILE + ".sig";
    static final int MAX_BYTES = 4 << 20;
    static final int MAX_ARTIFACTS = 10_000;

    static final JsonMapper JSON = JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(SerializationFeature.INDENT_OUTPUT)
            .build();

    private static final int FORMAT = 1;
    private static final Pattern SHA256 = Pattern.compile("[0-9a-f]{64}");
    private static final Pattern FILE_NAME = Pattern.compile("[A-Za-z0-9._+-]+(/[A-Za-z0-9._+-]+)*");
    private static final Set<String> SYSTEMS = Set.of("linux", "windows", "mac");

    RepositoryIndex {
        artifacts = List.copyOf(artifacts);
    }

    /** @throws IllegalArgumentException if it is none; the message says what is wrong */
    static RepositoryIndex parse(byte[] json) {
        try {
            JsonNode root = JSON.readTree(json);
            int format = root.path("format").asInt(0);
            if (format != FORMAT) {
                throw new IllegalArgumentException(
                        "it has format " + format + ", and " + FORMAT + " is what can be read here");
            }
            JsonNode list = field(root, "artifacts");
            if (list.size() > MAX_ARTIFACTS) {
                throw new IllegalArgumentException(
                        "it has " + list.size() + " artifacts; the most is " + MAX_ARTIFACTS);
            }
            List<Artifact> artifacts = new ArrayList<>();
            Set<Object> keys = new HashSet<>();
            for (JsonNode node : list) {
                Artifact artifact = artifact(node);
                if (!keys.add(key(artifact))) {
                    throw new IllegalArgumentException("it has " + artifact + " twice");
                }
                artifacts.add(artifact);
            }
            return new RepositoryIndex(
                    uuid(root, "repository"),
                    number(root, "sequence"),
                    instant(root, "published"),
                    instant(root, "expires"),
                    artifacts);
        } catch (JacksonException e) {
            throw new IllegalArgumentException("it is not valid JSON: " + e.getOriginalMessage(), e);
        }
    }

    static Object key(Artifact artifact) {
        return List.of(artifact.name(), artifact.version(), artifact.os(), artifact.arch());
    }

    /** @throws IllegalArgumentException if the artifact cannot be in an index */
    static Artifact check(Artifact artifact) {
        require(Names.isName(artifact.name()), "'" + artifact.name() + "' cannot be a name");
        require(Names.isVersion(artifact.version()), "'" + artifact.version() + "' cannot be a version");
        require(
                FILE_NAME.matcher(artifact.file()).matches() && Names.whyOutside(artifact.file()) == null,
                "'" + artifact.file() + "' cannot be the path of a file");
        require(artifact.size() >= 0, "the size of " + artifact + " is negative");
        require(SHA256.matcher(artifact.sha256()).matches(), "the sha256 of " + artifact + " is none");
        require(
                SYSTEMS.containsAll(artifact.os()),
                "the systems of " + artifact + " should be some of linux, windows, mac");
        require(
                artifact.arch().stream().allMatch(Names::isName),
                "the processors of " + artifact + " should be names such as x86_64");
        return artifact;
    }

    private static void require(boolean condition, String message) {
        if (!condition) {
            throw new IllegalArgumentException(message);
        }
    }

    private static Artifact artifact(JsonNode node) {
        return check(new Artifact(
                text(node, "name"),
                text(node, "version"),
                text(node, "file"),
                number(node, "size"),
                text(node, "sha256"),
                texts(node, "os"),
                texts(node, "arch"),
                instant(node, "published")));
    }

    private static JsonNode field(JsonNode node, String name) {
        JsonNode value = node.path(name);
        require(!value.isMissingNode(), "'" + name + "' is missing");
        return value;
    }

    private static String text(JsonNode node, String name) {
        JsonNode value = field(node, name);
        require(value.isString(), "'" + name + "' should be a text");
        return value.asString();
    }

    private static List<String> texts(JsonNode node, String name) {
        List<String> texts = new ArrayList<>();
        node.path(name).forEach(value -> texts.add(value.asString("")));
        return texts;
    }

    private static long number(JsonNode node, String name) {
        JsonNode value = field(node, name);
        require(value.isIntegralNumber() && value.canConvertToLong(), "'" + name + "' should be a whole number");
        return value.asLong();
    }

    private static UUID uuid(JsonNode node, String name) {
        String text = text(node, name);
        try {
            return UUID.fromString(text);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("'" + name + "' should be a UUID", e);
        }
    }

    private static Instant instant(JsonNode node, String name) {
        String text = text(node, name);
        try {
            return Instant.parse(text);
        } catch (DateTimeException e) {
            throw new IllegalArgumentException("'" + name + "' should be a time such as 2026-01-31T12:00:00Z", e);
        }
    }

    byte[] toJson() {
        Map<String, Object> root = new LinkedHashMap<>();
        root.put("format", FORMAT);
        root.put("repository", repository.toString());
        root.put("sequence", sequence);
        root.put("published", published.toString());
        root.put("expires", expires.toString());
        List<Object> list = new ArrayList<>();
        for (Artifact artifact : artifacts) {
            Map<String, Object> fields = new LinkedHashMap<>();
            fields.put("name", artifact.name());
            fields.put("version", artifact.version());
            fields.put("file", artifact.file());
            fields.put("size", artifact.size());
            fields.put("sha256", artifact.sha256());
            if (!artifact.os().isEmpty()) {
                fields.put("os", artifact.os());
            }
            if (!artifact.arch().isEmpty()) {
                fields.put("arch", artifact.arch());
            }
            fields.put("published", artifact.published().toString());
            list.add(fields);
        }
        root.put("artifacts", list);
        return JSON.writeValueAsBytes(root);
    }
}
