package io.github.commandway.tools;

import java.io.File;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.charset.Charset;
import java.nio.charset.IllegalCharsetNameException;
import java.nio.charset.StandardCharsets;
import java.nio.charset.UnsupportedCharsetException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Reads the folder of one version of a tool. */
final class ToolFile {
    static final String FILE = "tool.yaml";
    static final Duration MAX_TIMEOUT = Duration.ofDays(30);

    /** Its whole argument stands for the arguments that the caller adds. */
    static final String ARGUMENTS = "args";

    /** What a command can refer to beside the parameters. */
    static final Set<String> BUILT_IN = Set.of("tool_folder", "run_folder", "run_id", "resource");

    private static final String[] FIELDS = {
        "description",
        "commit",
        "command",
        "wasm",
        "parameters",
        "arguments",
        "env",
        "env_from_server",
        "env_from_caller",
        "locks",
        "pool",
        "concurrency",
        "timeout",
        "stop_grace",
        "encoding",
        "exit_codes",
        "success",
        "retry",
        "methods",
        "isolation",
        "limits",
        "sandbox",
        "keep"
    };

    private static final Duration DEFAULT_TIMEOUT = Duration.ofMinutes(10);
    private static final long DEFAULT_FOLDER = 1L << 30;
    private static final long DEFAULT_OUTPUT = 16L << 20;
    private static final long MAX_BYTES = 1L << 40;
    private static final int DEFAULT_ARGUMENTS = 100;
    private static final int MAX_LIST = 1_000;
    private static final int DEFAULT_MAX_LENGTH = 1_000;
    private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{7,64}");
    private static final List<String> EXTENSIONS = List.of("", ".sh", ".py", ".exe", ".bat", ".cmd");
    private static final Set<String> METHODS = Set.of("GET", "POST");

    private final String name;
    private final String version;
    private final Path folder;

    /** @param folder of the version, without links */
    ToolFile(String name, String version, Path folder) {
        this.name = name;
        this.version = version;
        this.folder = folder;
    }

    Tool read() throws IOException, ToolFileException {
        Path file = folder.resolve(FILE);
        if (!Files.exists(file)) {
            return bare();
        }
        if (!Names.isReallyInside(folder, file)) {
            throw new ToolFileException(0, 0, "it leads out of the tool's folder; it should be a file in it");
        }
        if (Files.size(file) > YamlNode.MAX_LENGTH) {
            throw new ToolFileException(
                    0, 0, "it has " + Files.size(file) + " bytes; the most is " + YamlNode.MAX_LENGTH);
        }
        return parse(Files.readString(file));
    }

    /** A folder with just a program of the tool's name. */
    private Tool bare() throws IOException, ToolFileException {
        for (String extension : EXTENSIONS) {
            Path program = folder.resolve(name + extension);
            if (Files.isRegularFile(program) && Files.isExecutable(program)) {
                if (!Names.isReallyInside(folder, program)) {
                    throw new ToolFileException(0, 0, "'" + program.getFileName() + "' leads out of the tool's folder");
                }
                return new Tool(
                        name,
                        version,
                        commit(null),
                        "",
                        folder,
                        List.of(program.toString(), "${" + ARGUMENTS + "}"),
                        List.of(),
                        new Tool.Arguments(DEFAULT_ARGUMENTS, null),
                        new Tool.Environment(Map.of(), Set.of(), null),
                        List.of(),
                        List.of(),
                        Integer.MAX_VALUE,
                        DEFAULT_TIMEOUT,
                        Duration.ofSeconds(2),
                        StandardCharsets.UTF_8,
                        new Tool.Exits(Set.of(0), Map.of()),
                        Tool.Retry.NONE,
                        Set.of("POST"),
                        Isolation.FOLDER,
                        new Tool.Limits(null, null, null, null, DEFAULT_FOLDER, DEFAULT_OUTPUT),
                        new Tool.Access(List.of(), List.of(), false),
                        Tool.Keep.FAILED);
            }
        }
        throw new ToolFileException(
                0, 0, "there should be a tool.yaml, or a program called '" + name + "' that may be executed");
    }

    private Tool parse(String text) throws ToolFileException {
        YamlNode root = YamlNode.parse(text);
        Map<String, YamlNode> fields = root.fields(FIELDS);
        YamlNode command = fields.get("command");
        YamlNode wasm = fields.get("wasm");
        if ((command == null) == (wasm == null)) {
            throw root.wrong("there should be a 'command', the program and its arguments as a list, or 'wasm' instead,"
                    + " with a WebAssembly program");
        }
        List<Parameter> parameters = parameters(fields.get("parameters"));
        Set<String> known = new HashSet<>(BUILT_IN);
        parameters.forEach(parameter -> known.add(parameter.name()));
        Tool.Arguments arguments = arguments(fields.get("arguments"));
        Isolation isolation = wasm != null ? Isolation.WASM : isolation(fields.get("isolation"));
        if (wasm != null) {
            requireNone(fields, "isolation", "sandbox", "stop_grace");
        }
        Tool.Limits limits = limits(fields.get("limits"), isolation);
        return new Tool(
                name,
                version,
                commit(fields.get("commit")),
                fields.containsKey("description") ? fields.get("description").text() : "",
                folder,
                command == null
                        ? parts(
                                Objects.requireNonNull(wasm),
                                element -> module(element, limits),
                                known,
                                arguments != null)
                        : command(command, known, arguments != null),
                parameters,
                arguments,
                environment(fields, known),
                names(fields.get("locks")),
                names(fields.get("pool")),
                fields.containsKey("concurrency") ? fields.get("concurrency").integer(1, 10_000) : Integer.MAX_VALUE,
                duration(fields.get("timeout"), DEFAULT_TIMEOUT, Duration.ofMillis(1), MAX_TIMEOUT),
                duration(fields.get("stop_grace"), Duration.ofSeconds(2), Duration.ZERO, Duration.ofMinutes(5)),
                encoding(fields.get("encoding")),
                exits(fields.get("success"), fields.get("exit_codes")),
                retry(fields.get("retry")),
                methods(fields.get("methods")),
                isolation,
                limits,
                access(fields.get("sandbox"), isolation),
                fields.containsKey("keep") ? fields.get("keep").choice(Tool.Keep.class) : Tool.Keep.FAILED);
    }

    private static Isolation isolation(@Nullable YamlNode node) throws ToolFileException {
        Isolation isolation = node == null ? Isolation.FOLDER : node.choice(Isolation.class);
        if (node != null && isolation == Isolation.WASM) {
            throw node.wrong("'isolation: wasm' is what tools have that have 'wasm' instead of 'command'");
        }
        return isolation;
    }

    private static void requireNone(Map<String, YamlNode> fields, String... names) throws ToolFileException {
        for (String field : names) {
            YamlNode node = fields.get(field);
            if (node != null) {
                throw node.wrong("'" + field + "' does not go with 'wasm': it runs in the server, kept apart from it");
            }
        }
    }

    private @Nullable String commit(@Nullable YamlNode node) throws ToolFileException {
        if (node == null) {
            return COMMIT.matcher(version).matches() ? version : null;
        }
        String hash = node.text().toLowerCase(Locale.ROOT);
        if (!COMMIT.matcher(hash).matches()) {
            throw node.wrong("'" + hash + "' should be the hash of a commit: 7 to 64 of 0-9 and a-f");
        }
        return hash;
    }

    private List<String> command(YamlNode node, Set<String> known, boolean takesArguments) throws ToolFileException {
        YamlNode list = node;
        if (node.isMap()) {
            Map<String, YamlNode> systems = node.fields("linux", "windows", "mac");
            YamlNode own = systems.get(Launcher.system());
            if (own == null) {
                throw node.wrong("there is no command for " + Launcher.system() + ", only for "
                        + String.join(", ", systems.keySet()));
            }
            list = own;
        }
        return parts(list, this::program, known, takesArguments);
    }

    private interface Program {
        String find(YamlNode node) throws ToolFileException;
    }

    private static List<String> parts(YamlNode list, Program program, Set<String> known, boolean takesArguments)
            throws ToolFileException {
        if (!list.isList()) {
            throw list.wrong("a command should be a list, such as [git, log]: it is never given to a shell");
        }
        List<YamlNode> elements = list.list();
        if (elements.isEmpty() || elements.size() > MAX_LIST) {
            throw list.wrong("a command should have 1 to " + MAX_LIST + " parts");
        }
        List<String> command = new ArrayList<>();
        boolean hasArguments = false;
        for (YamlNode element : elements) {
            if (command.isEmpty()) {
                command.add(program.find(element));
                continue;
            }
            String part = element.text();
            Template template = template(element, part);
            if (ARGUMENTS.equals(template.onlyReference())) {
                hasArguments = true;
            } else {
                checkReferences(element, template, known);
            }
            command.add(part);
        }
        if (hasArguments && !takesArguments) {
            throw list.wrong("it refers to ${args}, so there should be 'arguments' that say which are allowed");
        }
        if (takesArguments && !hasArguments) {
            command.add("${" + ARGUMENTS + "}");
        }
        return List.copyOf(command);
    }

    /** A WebAssembly program in the tool's folder. */
    private String module(YamlNode node, Tool.Limits limits) throws ToolFileException {
        String outside = Names.whyOutside(node.text());
        if (outside != null) {
            throw node.wrong("'" + node.text() + "' " + outside);
        }
        Path file = folder.resolve(node.text()).normalize();
        try {
            if (!Files.isRegularFile(file) || !Names.isReallyInside(folder, file)) {
                throw node.wrong("'" + node.text() + "' should be a file in the tool's folder");
            }
            WasmProgram unused = WasmProgram.read(file, limits);
        } catch (IOException | IllegalArgumentException e) {
            throw node.wrong("'" + node.text() + "' cannot be run: " + e.getMessage());
        }
        return file.toString();
    }

    /** A file in the tool's folder, a program of the system by its name, or an absolute path. */
    private String program(YamlNode node) throws ToolFileException {
        String program = node.text();
        if (program.isBlank()) {
            throw node.wrong("a command should begin with a program");
        }
        Path path;
        try {
            path = Path.of(program);
        } catch (InvalidPathException e) {
            throw node.wrong("'" + program + "' should be a program: " + e.getReason());
        }
        if (path.isAbsolute()) {
            if (!Files.isExecutable(path)) {
                throw node.wrong("'" + program + "' should be a program that is there and may be executed");
            }
            return path.toString();
        }
        String outside = Names.whyOutside(program);
        if (outside != null) {
            throw node.wrong("'" + program + "' " + outside);
        }
        Path own = folder.resolve(path).normalize();
        try {
            if (Files.isRegularFile(own) && !Names.isReallyInside(folder, own)) {
                throw node.wrong("'" + program + "' leads out of the tool's folder");
            }
        } catch (IOException e) {
            throw node.wrong("'" + program + "' cannot be looked at: " + e.getMessage());
        }
        if (Files.isRegularFile(own)) {
            if (!Files.isExecutable(own)) {
                throw node.wrong("'" + program + "' is in the tool's folder, but may not be executed: chmod +x");
            }
            return own.toString();
        }
        if (path.getNameCount() == 1) {
            for (String directory : Launcher.SEARCH_PATH.split(File.pathSeparator)) {
                Path found = Path.of(directory, program);
                if (Files.isRegularFile(found) && Files.isExecutable(found)) {
                    return found.toString();
                }
            }
        }
        throw node.wrong(
                "'" + program + "' should be a program in the tool's folder or in one of " + Launcher.SEARCH_PATH);
    }

    private static Template template(YamlNode node, String text) throws ToolFileException {
        try {
            return Template.parse(text);
        } catch (IllegalArgumentException e) {
            throw node.wrong(String.valueOf(e.getMessage()));
        }
    }

    static void checkReferences(YamlNode node, Template template, Set<String> known) throws ToolFileException {
        for (String reference : template.references()) {
            if (!known.contains(reference)) {
                throw node.wrong("${" + reference + "} is not known here; it should be one of "
                        + String.join(", ", known.stream().sorted().toList()) + "; write $${ for the characters ${");
            }
        }
    }

    static List<Parameter> parameters(@Nullable YamlNode node) throws ToolFileException {
        if (node == null) {
            return List.of();
        }
        List<Parameter> parameters = new ArrayList<>();
        Set<String> names = new HashSet<>();
        for (YamlNode element : node.list()) {
            Parameter parameter = parameter(element);
            if (!names.add(parameter.name())) {
                throw element.wrong("there are two parameters called '" + parameter.name() + "'");
            }
            parameters.add(parameter);
        }
        return List.copyOf(parameters);
    }

    private static Parameter parameter(YamlNode node) throws ToolFileException {
        Map<String, YamlNode> fields = node.fields(
                "name", "type", "description", "required", "default", "pattern", "choices", "min", "max", "max_length");
        YamlNode nameNode = fields.get("name");
        if (nameNode == null) {
            throw node.wrong("a parameter should have a 'name'");
        }
        String name = nameNode.text();
        if (!Names.isVariable(name) || BUILT_IN.contains(name) || name.equals(ARGUMENTS)) {
            throw nameNode.wrong(
                    "'" + name + "' cannot be the name of a parameter: it should have letters, digits and _,"
                            + " and be none of args, "
                            + String.join(", ", BUILT_IN.stream().sorted().toList()));
        }
        Parameter.Type type =
                fields.containsKey("type") ? fields.get("type").choice(Parameter.Type.class) : Parameter.Type.STRING;
        YamlNode choices = fields.get("choices");
        if ((type == Parameter.Type.CHOICE) != (choices != null)) {
            throw node.wrong("'choices' and type choice should be there together");
        }
        YamlNode defaultNode = fields.get("default");
        Parameter parameter = new Parameter(
                name,
                type,
                fields.containsKey("description") ? fields.get("description").text() : "",
                fields.containsKey("required") && fields.get("required").bool(),
                defaultNode == null ? null : defaultNode.text(),
                fields.containsKey("pattern") ? fields.get("pattern").pattern() : null,
                choices == null ? List.of() : List.copyOf(choices.texts()),
                number(fields.get("min")),
                number(fields.get("max")),
                fields.containsKey("max_length") ? fields.get("max_length").integer(1, 100_000) : DEFAULT_MAX_LENGTH);
        if (defaultNode != null) {
            try {
                parameter.check(defaultNode.text(), true, new PatternBudget());
            } catch (IllegalArgumentException e) {
                throw defaultNode.wrong("the default is not allowed: " + e.getMessage());
            }
        }
        return parameter;
    }

    private static @Nullable BigDecimal number(@Nullable YamlNode node) throws ToolFileException {
        if (node == null) {
            return null;
        }
        try {
            return new BigDecimal(node.text());
        } catch (NumberFormatException e) {
            throw node.wrong("'" + node.text() + "' should be a number");
        }
    }

    private static Tool.@Nullable Arguments arguments(@Nullable YamlNode node) throws ToolFileException {
        if (node == null) {
            return null;
        }
        Map<String, YamlNode> fields = node.fields("max", "pattern");
        return new Tool.Arguments(
                fields.containsKey("max") ? fields.get("max").integer(1, MAX_LIST) : DEFAULT_ARGUMENTS,
                fields.containsKey("pattern") ? fields.get("pattern").pattern() : null);
    }

    private static Tool.Environment environment(Map<String, YamlNode> fields, Set<String> known)
            throws ToolFileException {
        Map<String, String> fixed = new LinkedHashMap<>();
        YamlNode env = fields.get("env");
        if (env != null) {
            for (Map.Entry<String, YamlNode> entry : env.entries().entrySet()) {
                requireVariable(entry.getValue(), entry.getKey());
                String value = entry.getValue().text();
                checkReferences(entry.getValue(), template(entry.getValue(), value), known);
                fixed.put(entry.getKey(), value);
            }
        }
        return new Tool.Environment(
                fixed, variables(fields.get("env_from_server")), variables(fields.get("env_from_caller")));
    }

    private static Set<String> variables(@Nullable YamlNode node) throws ToolFileException {
        Set<String> names = new LinkedHashSet<>();
        if (node != null) {
            for (YamlNode element : node.list()) {
                requireVariable(element, element.text());
                names.add(element.text());
            }
        }
        return names;
    }

    private static void requireVariable(YamlNode node, String name) throws ToolFileException {
        if (!Names.isVariable(name) || name.toUpperCase(Locale.ROOT).startsWith("COMMANDWAY_")) {
            throw node.wrong("'" + name
                    + "' should be the name of a variable: letters, digits and _, not beginning with COMMANDWAY_");
        }
    }

    private static List<String> names(@Nullable YamlNode node) throws ToolFileException {
        if (node == null) {
            return List.of();
        }
        Set<String> names = new LinkedHashSet<>();
        for (YamlNode element : node.list()) {
            if (!Names.isName(element.text())) {
                throw element.wrong("'" + element.text() + "' should be a name: letters, digits, . _ -");
            }
            names.add(element.text());
        }
        return List.copyOf(names);
    }

    static Duration duration(@Nullable YamlNode node, Duration otherwise, Duration min, Duration max)
            throws ToolFileException {
        return node == null ? otherwise : node.duration(min, max);
    }

    private static Charset encoding(@Nullable YamlNode node) throws ToolFileException {
        if (node == null) {
            return StandardCharsets.UTF_8;
        }
        try {
            return Charset.forName(node.text());
        } catch (IllegalCharsetNameException | UnsupportedCharsetException e) {
            throw node.wrong("'" + node.text() + "' should be an encoding, such as utf-8, gbk or gb18030");
        }
    }

    private static Tool.Exits exits(@Nullable YamlNode success, @Nullable YamlNode meanings) throws ToolFileException {
        Map<Integer, String> words = new LinkedHashMap<>();
        if (meanings != null) {
            for (Map.Entry<String, YamlNode> entry : meanings.entries().entrySet()) {
                words.put(
                        exitCode(entry.getValue(), entry.getKey()),
                        entry.getValue().text());
            }
        }
        return new Tool.Exits(success == null ? Set.of(0) : exitCodes(success), words);
    }

    private static Set<Integer> exitCodes(YamlNode node) throws ToolFileException {
        Set<Integer> codes = new LinkedHashSet<>();
        for (YamlNode element : node.list()) {
            codes.add(exitCode(element, element.text()));
        }
        return codes;
    }

    private static int exitCode(YamlNode node, String text) throws ToolFileException {
        if (!text.matches("[0-9]{1,3}") || Integer.parseInt(text) > 255) {
            throw node.wrong("'" + text + "' should be an exit code from 0 to 255");
        }
        return Integer.parseInt(text);
    }

    static Tool.Retry retry(@Nullable YamlNode node) throws ToolFileException {
        if (node == null) {
            return Tool.Retry.NONE;
        }
        Map<String, YamlNode> fields = node.fields("attempts", "delay", "max_delay", "on");
        if (!fields.containsKey("attempts")) {
            throw node.wrong("there should be 'attempts', how often it is run at most");
        }
        Duration delay = duration(fields.get("delay"), Duration.ofSeconds(1), Duration.ZERO, Duration.ofHours(1));
        Duration longest = duration(fields.get("max_delay"), Duration.ofMinutes(1), Duration.ZERO, Duration.ofDays(1));
        return new Tool.Retry(
                fields.get("attempts").integer(1, 100),
                delay,
                longest.compareTo(delay) < 0 ? delay : longest,
                fields.containsKey("on") ? exitCodes(fields.get("on")) : Set.of());
    }

    private static Set<String> methods(@Nullable YamlNode node) throws ToolFileException {
        if (node == null) {
            return Set.of("POST");
        }
        Set<String> methods = new LinkedHashSet<>();
        for (YamlNode element : node.list()) {
            String method = element.text().toUpperCase(Locale.ROOT);
            if (!METHODS.contains(method)) {
                throw element.wrong("'" + element.text() + "' should be GET or POST");
            }
            methods.add(method);
        }
        return methods;
    }

    private static Tool.Limits limits(@Nullable YamlNode node, Isolation isolation) throws ToolFileException {
        if (node == null) {
            return new Tool.Limits(null, null, null, null, DEFAULT_FOLDER, DEFAULT_OUTPUT);
        }
        Map<String, YamlNode> fields = node.fields("memory", "cpu", "processes", "open_files", "folder", "output");
        YamlNode cpu = fields.get("cpu");
        YamlNode processes = fields.get("processes");
        if (isolation == Isolation.WASM) {
            requireNone(fields, "cpu", "processes");
        }
        if (processes != null && isolation != Isolation.SANDBOX) {
            throw processes.wrong(
                    "a limit of processes should go with 'isolation: sandbox': elsewhere all of the user's count");
        }
        return new Tool.Limits(
                fields.containsKey("memory") ? fields.get("memory").bytes(1 << 20, MAX_BYTES) : null,
                cpu == null
                        ? null
                        : Math.toIntExact(
                                cpu.duration(Duration.ofSeconds(1), MAX_TIMEOUT).toSeconds()),
                processes == null ? null : processes.integer(1, 100_000),
                fields.containsKey("open_files") ? fields.get("open_files").integer(8, 1_000_000) : null,
                fields.containsKey("folder") ? fields.get("folder").bytes(0, MAX_BYTES) : DEFAULT_FOLDER,
                fields.containsKey("output") ? fields.get("output").bytes(0, MAX_BYTES) : DEFAULT_OUTPUT);
    }

    private static Tool.Access access(@Nullable YamlNode node, Isolation isolation) throws ToolFileException {
        if (node == null) {
            return new Tool.Access(List.of(), List.of(), false);
        }
        if (isolation != Isolation.SANDBOX) {
            throw node.wrong("'sandbox' should go with 'isolation: sandbox'");
        }
        Map<String, YamlNode> fields = node.fields("read", "write", "network");
        return new Tool.Access(
                paths(fields.get("read")),
                paths(fields.get("write")),
                fields.containsKey("network") && fields.get("network").bool());
    }

    private static List<Path> paths(@Nullable YamlNode node) throws ToolFileException {
        List<Path> paths = new ArrayList<>();
        if (node != null) {
            for (YamlNode element : node.list()) {
                Path path = Path.of(element.text());
                if (!path.isAbsolute() || !Files.exists(path)) {
                    throw element.wrong("'" + path + "' should be an absolute path of something that is there");
                }
                paths.add(path);
            }
        }
        return paths;
    }
}
