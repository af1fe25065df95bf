package io.github.commandway.tools;

import io.github.commandway.tool.api.ToolService;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * What a caller wants run: a tool or a toolchain, and what it is given. Immutable. As JSON it is the payload of a command to {@code tool:<name>}.
 *
 * @param name of the tool or toolchain
 * @param toolchain whether it is a toolchain
 * @param version of the tool: a name, {@code latest} or empty, a commit's hash, or a range
 * @param args what is added to the tool's arguments
 * @param params the values of parameters, by their names
 * @param env what is added to the environment
 * @param stdin what the tool reads, or null for nothing; must not be modified
 * @param inputs files that are put into the run's folder before it begins, by their paths there; must not be modified
 * @param dryRun whether a toolchain is only checked and its plan returned
 */
@SuppressWarnings(
        "ArrayRecordComponent") // copying each input would cost more than the warning is worth; documented above
public record ToolRequest(
        String name,
        boolean toolchain,
        String version,
        List<String> args,
        Map<String, String> params,
        Map<String, String> env,
        byte @Nullable [] stdin,
        Map<String, byte[]> inputs,
        boolean dryRun) {
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            // a version of 1.10 is not 1.1
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .build();
    private static final Set<String> FIELDS = Set.of(
            "cmd", "toolchain", "version", "args", "params", "env", "stdin", "stdin_base64", "inputs", "dry_run");
    private static final int MAX_ENTRIES = 1_000;
    private static final Pattern NEXT_VARIABLE = Pattern.compile(" (?=-[A-Za-z_][A-Za-z0-9_]*[:=])");
    private static final Pattern SEPARATOR = Pattern.compile("[:=]");

    /** Copies the lists and maps. */
    public ToolRequest {
        args = List.copyOf(args);
        params = Map.copyOf(params);
        env = Map.copyOf(env);
        inputs = Map.copyOf(inputs);
    }

    /** A run of a tool, with its newest version and nothing else. */
    public static ToolRequest tool(String name, String... args) {
        return new ToolRequest(name, false, "", List.of(args), Map.of(), Map.of(), null, Map.of(), false);
    }

    /** A run of a toolchain. */
    public static ToolRequest toolchain(String name) {
        return new ToolRequest(name, true, "", List.of(), Map.of(), Map.of(), null, Map.of(), false);
    }

    /** The same with another version. */
    public ToolRequest version(String version) {
        return new ToolRequest(name, toolchain, version, args, params, env, stdin, inputs, dryRun);
    }

    /** The same with one more parameter. */
    public ToolRequest param(String name, String value) {
        return new ToolRequest(
                this.name, toolchain, version, args, with(params, name, value), env, stdin, inputs, dryRun);
    }

    /** The same with one more environment variable. */
    public ToolRequest env(String name, String value) {
        return new ToolRequest(
                this.name, toolchain, version, args, params, with(env, name, value), stdin, inputs, dryRun);
    }

    /** The same with something to read; the array belongs to the request from now on. */
    public ToolRequest stdin(byte[] stdin) {
        return new ToolRequest(name, toolchain, version, args, params, env, stdin, inputs, dryRun);
    }

    /** The same with one more file; the array belongs to the request from now on. */
    public ToolRequest input(String path, byte[] content) {
        return new ToolRequest(name, toolchain, version, args, params, env, stdin, with(inputs, path, content), dryRun);
    }

    /** The same, but only to be checked. */
    public ToolRequest asDryRun() {
        return new ToolRequest(name, toolchain, version, args, params, env, stdin, inputs, true);
    }

    private static <V> Map<String, V> with(Map<String, V> map, String name, V value) {
        Map<String, V> more = new LinkedHashMap<>(map);
        more.put(name, value);
        return more;
    }

    /**
     * Reads a body in JSON.
     *
     * @throws IllegalArgumentException if it is none; the message says where
     */
    public static ToolRequest ofJson(String json) {
        return ofJson(json, null);
    }

    /** @param named the toolchain if the body does not say it, or null */
    static ToolRequest ofJson(String json, @Nullable String named) {
        try {
            return of(named != null && json.isBlank() ? Map.of() : JSON.readValue(json, Object.class), named);
        } catch (JacksonException e) {
            TokenStreamLocation place = e.getLocation();
            throw new IllegalArgumentException(
                    "not valid JSON: "
                            + (place == null
                                    ? ""
                                    : "line " + place.getLineNr() + ", column " + place.getColumnNr() + ": ")
                            + e.getOriginalMessage(),
                    e);
        }
    }

    /**
     * Reads a body in YAML.
     *
     * @throws IllegalArgumentException if it is none; the message says where
     */
    public static ToolRequest ofYaml(String yaml) {
        return ofYaml(yaml, null);
    }

    /** @param named the toolchain if the body does not say it, or null */
    static ToolRequest ofYaml(String yaml, @Nullable String named) {
        try {
            return of(
                    named != null && yaml.isBlank()
                            ? Map.of()
                            : YamlNode.parse(yaml).plain(),
                    named);
        } catch (ToolFileException e) {
            throw new IllegalArgumentException(
                    "line " + e.line() + ", column " + e.column() + ": " + e.getMessage(), e);
        }
    }

    private static ToolRequest of(@Nullable Object body, @Nullable String named) {
        if (!(body instanceof Map)) {
            throw new IllegalArgumentException("the request must be a map such as {cmd: hello, args: [world]}");
        }
        Map<?, ?> fields = map("the request", body);
        for (Object key : fields.keySet()) {
            if (!FIELDS.contains(String.valueOf(key))) {
                throw new IllegalArgumentException("'" + key + "' is not known; there are "
                        + String.join(", ", FIELDS.stream().sorted().toList()));
            }
        }
        Object toolchain = named == null ? fields.get("toolchain") : named;
        if (named != null && fields.containsKey("toolchain") && !named.equals(fields.get("toolchain"))) {
            throw new IllegalArgumentException("the body names another toolchain than '" + named + "'");
        }
        Object name = toolchain == null ? fields.get("cmd") : toolchain;
        if (name == null || (toolchain != null && fields.get("cmd") != null)) {
            throw new IllegalArgumentException("there must be one of 'cmd' and 'toolchain'");
        }
        Object text = fields.get("stdin");
        Object base64 = fields.get("stdin_base64");
        byte[] stdin = base64 != null
                ? bytes("stdin_base64", base64)
                : text == null ? null : scalar("stdin", text).getBytes(StandardCharsets.UTF_8);
        Map<String, byte[]> inputs = new LinkedHashMap<>();
        if (fields.get("inputs") != null) {
            map("inputs", fields.get("inputs"))
                    .forEach((path, content) -> inputs.put(String.valueOf(path), bytes("inputs", content)));
        }
        Object version = fields.get("version");
        Object dryRun = fields.get("dry_run");
        return new ToolRequest(
                scalar("cmd", name),
                toolchain != null,
                version == null ? "" : scalar("version", version),
                texts("args", fields.get("args")),
                variables("params", fields.get("params")),
                variables("env", fields.get("env")),
                stdin,
                inputs,
                dryRun != null && scalar("dry_run", dryRun).equals("true"));
    }

    private static Map<?, ?> map(String what, @Nullable Object value) {
        if (value instanceof Map<?, ?> map && map.size() <= MAX_ENTRIES) {
            return map;
        }
        throw new IllegalArgumentException(what + " must be a map with at most " + MAX_ENTRIES + " entries");
    }

    private static String scalar(String what, @Nullable Object value) {
        if (value instanceof String || value instanceof Number || value instanceof Boolean) {
            return value.toString();
        }
        throw new IllegalArgumentException("'" + what + "' must be a text");
    }

    private static byte[] bytes(String what, @Nullable Object value) {
        try {
            return Base64.getDecoder().decode(scalar(what, value));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("'" + what + "' must be base64: " + e.getMessage(), e);
        }
    }

    private static List<String> texts(String what, @Nullable Object value) {
        List<String> texts = new ArrayList<>();
        if (value != null) {
            if (!(value instanceof List<?> list) || list.size() > MAX_ENTRIES) {
                throw new IllegalArgumentException(
                        "'" + what + "' must be a list of at most " + MAX_ENTRIES + " texts");
            }
            list.forEach(element -> texts.add(scalar(what, element)));
        }
        return texts;
    }

    /** A map, a list of maps, or texts like {@code name:value} or {@code name=value}: all of these are written. */
    static Map<String, String> variables(String what, @Nullable Object value) {
        Map<String, String> variables = new LinkedHashMap<>();
        if (value == null) {
            return variables;
        }
        if (value instanceof Map<?, ?> map) {
            map(what, map).forEach((name, text) -> variables.put(String.valueOf(name), scalar(what, text)));
        } else if (value instanceof List<?> list && list.size() <= MAX_ENTRIES) {
            list.forEach(element -> variables.putAll(variables(what, element)));
        } else {
            String text = scalar(what, value);
            // in YAML lines like "-foo:bar", without a space, are one text
            boolean dashed = text.startsWith("-");
            for (String line : dashed ? NEXT_VARIABLE.split(text) : new String[] {text}) {
                String pair = dashed ? line.substring(1).strip() : line;
                Matcher split = SEPARATOR.matcher(pair);
                if (!split.find() || split.start() == 0) {
                    throw new IllegalArgumentException("'" + what
                            + "' must be a map, or a list of maps or of texts like name=value; not '" + text + "'");
                }
                variables.put(
                        pair.substring(0, split.start()).strip(),
                        pair.substring(split.end()).strip());
            }
        }
        return variables;
    }

    /** The type of the command that runs this. */
    public String commandType() {
        return (toolchain ? ToolService.TOOLCHAIN_TYPE : ToolService.TOOL_TYPE) + name;
    }

    /** The payload of the command, in JSON. */
    public byte[] toPayload() {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put(toolchain ? "toolchain" : "cmd", name);
        if (!version.isEmpty()) {
            fields.put("version", version);
        }
        if (!args.isEmpty()) {
            fields.put("args", args);
        }
        if (!params.isEmpty()) {
            fields.put("params", new java.util.TreeMap<>(params));
        }
        if (!env.isEmpty()) {
            fields.put("env", new java.util.TreeMap<>(env));
        }
        if (stdin != null) {
            fields.put("stdin_base64", stdin);
        }
        if (!inputs.isEmpty()) {
            fields.put("inputs", new java.util.TreeMap<>(inputs));
        }
        if (dryRun) {
            fields.put("dry_run", true);
        }
        return JSON.writeValueAsBytes(fields);
    }

    static byte[] json(Object value) {
        return JSON.writeValueAsBytes(value);
    }

    /** The same for people, in lines. */
    static byte[] printedJson(Object value) {
        return (JSON.writerWithDefaultPrettyPrinter().writeValueAsString(value) + "\n")
                .getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public String toString() {
        return (toolchain ? "toolchain " : "tool ") + name + (version.isEmpty() ? "" : " " + version);
    }
}
