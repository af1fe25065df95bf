package io.github.commandway.tools;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Reads a toolchain, and checks it against the tools that there are. */
final class ToolchainFile {
    static final String RUN_ID = "run_id";

    private static final int MAX_STEPS = 100;
    private static final Duration DEFAULT_TIMEOUT = Duration.ofHours(1);
    private static final List<String> OUTPUTS = List.of("stdout", "exit_code", "status");

    private final String name;
    private final Map<String, Map<String, Tool>> tools;

    ToolchainFile(String name, Map<String, Map<String, Tool>> tools) {
        this.name = name;
        this.tools = tools;
    }

    Toolchain read(String text) throws ToolFileException {
        YamlNode root = YamlNode.parse(text);
        Map<String, YamlNode> fields = root.fields("description", "parameters", "timeout", "toolchain");
        YamlNode list = fields.get("toolchain");
        if (list == null) {
            throw root.wrong("there should be a 'toolchain', the list of its steps");
        }
        List<Parameter> parameters = ToolFile.parameters(fields.get("parameters"));
        Set<String> known = new LinkedHashSet<>(Set.of(RUN_ID));
        parameters.forEach(parameter -> known.add("params." + parameter.name()));
        List<Toolchain.Step> steps = new ArrayList<>();
        Set<String> names = new HashSet<>();
        for (YamlNode element : list.list()) {
            Map<String, YamlNode> step = element.entries();
            if (step.size() != 1) {
                throw element.wrong(
                        "a step should be one name with its fields below it: '- name:', then 'cmd: ...' further in");
            }
            String stepName = step.keySet().iterator().next();
            if (!Names.isName(stepName)) {
                throw element.wrong("'" + stepName + "' should be a name: letters, digits, . _ -");
            }
            if (!names.add(stepName)) {
                throw element.wrong("there are two steps called '" + stepName + "'");
            }
            steps.add(step(stepName, step.values().iterator().next(), known, steps));
            OUTPUTS.forEach(output -> known.add("steps." + stepName + "." + output));
        }
        if (steps.isEmpty() || steps.size() > MAX_STEPS) {
            throw list.wrong("a toolchain should have 1 to " + MAX_STEPS + " steps");
        }
        return new Toolchain(
                name,
                fields.containsKey("description") ? fields.get("description").text() : "",
                parameters,
                ToolFile.duration(fields.get("timeout"), DEFAULT_TIMEOUT, Duration.ofMillis(1), ToolFile.MAX_TIMEOUT),
                List.copyOf(steps));
    }

    private Toolchain.Step step(String stepName, YamlNode node, Set<String> known, List<Toolchain.Step> earlier)
            throws ToolFileException {
        Map<String, YamlNode> fields = node.fields(
                "cmd",
                "version",
                "args",
                "params",
                "env",
                "stdin",
                "inputs",
                "when",
                "on_failure",
                "retry",
                "timeout",
                "repeatable");
        YamlNode cmd = fields.get("cmd");
        if (cmd == null) {
            throw node.wrong("step '" + stepName + "' should have a 'cmd', the tool that it runs");
        }
        String version = fields.containsKey("version") ? fields.get("version").text() : "";
        Tool tool;
        try {
            tool = ToolCatalog.find(tools, cmd.text(), version);
        } catch (IllegalArgumentException e) {
            throw cmd.wrong(String.valueOf(e.getMessage()));
        }
        List<String> args = texts(fields.get("args"), known);
        Map<String, String> params = variables("params", fields.get("params"), known);
        Map<String, String> env = variables("env", fields.get("env"), known);
        try {
            checkFixed(tool, args, params, env);
        } catch (IllegalArgumentException e) {
            throw node.wrong(String.valueOf(e.getMessage()));
        }
        YamlNode retry = fields.get("retry");
        YamlNode timeout = fields.get("timeout");
        return new Toolchain.Step(
                stepName,
                tool.name(),
                version,
                args,
                params,
                env,
                fields.containsKey("stdin") ? template(fields.get("stdin"), known) : null,
                inputs(fields.get("inputs"), earlier),
                when(fields.get("when"), known),
                fields.containsKey("on_failure")
                        ? fields.get("on_failure").choice(Toolchain.OnFailure.class)
                        : Toolchain.OnFailure.STOP,
                retry == null ? null : ToolFile.retry(retry),
                timeout == null ? null : timeout.duration(Duration.ofMillis(1), tool.timeout()),
                fields.containsKey("repeatable") && fields.get("repeatable").bool());
    }

    /** What does not depend on anything is checked now; the rest when it is known. */
    private static void checkFixed(Tool tool, List<String> args, Map<String, String> params, Map<String, String> env) {
        Map<String, String> fixed = new LinkedHashMap<>(params);
        Set<String> open = new HashSet<>();
        params.forEach((name, value) -> {
            if (!Template.parse(value).references().isEmpty()) {
                open.add(name);
                fixed.remove(name);
            }
        });
        List<String> fixedArgs = args.stream()
                .filter(arg -> Template.parse(arg).references().isEmpty())
                .toList();
        Invocation.check(tool, args.size(), fixedArgs, fixed, open, env, true);
    }

    private static String template(YamlNode node, Set<String> known) throws ToolFileException {
        String text = node.text();
        try {
            ToolFile.checkReferences(node, Template.parse(text), known);
        } catch (IllegalArgumentException e) {
            throw node.wrong(String.valueOf(e.getMessage()));
        }
        return text;
    }

    private static List<String> texts(@Nullable YamlNode node, Set<String> known) throws ToolFileException {
        List<String> texts = new ArrayList<>();
        if (node != null) {
            for (YamlNode element : node.list()) {
                texts.add(template(element, known));
            }
        }
        return List.copyOf(texts);
    }

    private static Map<String, String> variables(String what, @Nullable YamlNode node, Set<String> known)
            throws ToolFileException {
        if (node == null) {
            return Map.of();
        }
        try {
            Map<String, String> variables = ToolRequest.variables(what, node.plain());
            for (String value : variables.values()) {
                ToolFile.checkReferences(node, Template.parse(value), known);
            }
            return variables;
        } catch (IllegalArgumentException e) {
            throw node.wrong(String.valueOf(e.getMessage()));
        }
    }

    private static List<Toolchain.Input> inputs(@Nullable YamlNode node, List<Toolchain.Step> earlier)
            throws ToolFileException {
        List<Toolchain.Input> inputs = new ArrayList<>();
        if (node != null) {
            for (YamlNode element : node.list()) {
                Map<String, YamlNode> fields = element.fields("from", "file", "as");
                YamlNode from = fields.get("from");
                YamlNode file = fields.get("file");
                if (from == null || file == null) {
                    throw element.wrong("an input should have 'from', an earlier step, and 'file', its path there");
                }
                String step = from.text();
                if (earlier.stream().noneMatch(one -> one.name().equals(step))) {
                    throw from.wrong("there is no step '" + step + "' before this one");
                }
                YamlNode as = fields.getOrDefault("as", file);
                for (YamlNode path : List.of(file, as)) {
                    String outside = Names.whyOutside(path.text());
                    if (outside != null) {
                        throw path.wrong("'" + path.text() + "' " + outside);
                    }
                }
                inputs.add(new Toolchain.Input(step, file.text(), as.text()));
            }
        }
        return List.copyOf(inputs);
    }

    private static String when(@Nullable YamlNode node, Set<String> known) throws ToolFileException {
        if (node == null) {
            return Condition.SUCCESS;
        }
        try {
            Condition condition = Condition.parse(node.text());
            ToolFile.checkReferences(node, condition.left(), known);
            ToolFile.checkReferences(node, condition.right(), known);
        } catch (IllegalArgumentException e) {
            throw node.wrong(String.valueOf(e.getMessage()));
        }
        return node.text();
    }
}
