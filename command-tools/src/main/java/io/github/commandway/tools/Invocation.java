package io.github.commandway.tools;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/**
 * A tool with all that it is given, checked. Immutable, and made anew for each run.
 *
 * @param tool which one
 * @param args what the caller adds
 * @param params the values of its parameters, with the defaults filled in
 * @param env what the caller adds to the environment
 * @param stdin what it reads, or null
 * @param inputs files that it gets
 * @param files where more files that it gets are, by their paths there
 */
@SuppressWarnings("ArrayRecordComponent") // nobody compares them
record Invocation(
        Tool tool,
        List<String> args,
        Map<String, String> params,
        Map<String, String> env,
        byte @Nullable [] stdin,
        Map<String, byte[]> inputs,
        Map<String, Path> files) {
    private static final int MAX_ARGUMENT = 100_000;

    /** @throws IllegalArgumentException if something is not allowed; the message says what is */
    static Invocation of(Tool tool, ToolRequest request) {
        check(tool, request.args().size(), request.args(), request.params(), Set.of(), request.env(), false);
        for (String path : request.inputs().keySet()) {
            String outside = Names.whyOutside(path);
            if (outside != null) {
                throw new IllegalArgumentException("the input '" + path + "' " + outside);
            }
        }
        return new Invocation(
                tool,
                request.args(),
                withDefaults(tool.parameters(), request.params()),
                request.env(),
                request.stdin(),
                request.inputs(),
                Map.of());
    }

    static Map<String, String> withDefaults(List<Parameter> parameters, Map<String, String> params) {
        Map<String, String> values = new LinkedHashMap<>();
        for (Parameter parameter : parameters) {
            String value = params.getOrDefault(parameter.name(), parameter.defaultValue());
            if (value != null) {
                values.put(parameter.name(), value);
            }
        }
        return values;
    }

    /**
     * Checks what a tool is given.
     *
     * @param argCount how many arguments are added
     * @param args those of them that are known
     * @param open names of parameters that are given, but whose values are not known yet
     * @param trusted whether the names of the environment variables are the operator's
     */
    static void check(
            Tool tool,
            int argCount,
            List<String> args,
            Map<String, String> params,
            Set<String> open,
            Map<String, String> env,
            boolean trusted) {
        PatternBudget budget = new PatternBudget();
        checkArguments(tool, argCount, args, budget);
        checkParameters(tool.toString(), tool.parameters(), params, open, tool.isolation() == Isolation.NONE, budget);
        env.forEach((name, value) -> {
            Set<String> allowed = tool.environment().fromCaller();
            boolean isAllowed = trusted
                    ? Names.isVariable(name)
                            && !name.toUpperCase(java.util.Locale.ROOT).startsWith("COMMANDWAY_")
                    : allowed == null ? Names.isHarmlessVariable(name) : allowed.contains(name);
            if (!isAllowed) {
                throw new IllegalArgumentException("the environment variable '" + name + "' is not for callers of "
                        + tool
                        + (allowed == null || allowed.isEmpty() ? "" : "; there are " + String.join(", ", allowed)));
            }
            requireText("the environment variable '" + name + "'", value);
        });
    }

    private static void checkArguments(Tool tool, int argCount, List<String> args, PatternBudget budget) {
        Tool.Arguments allowed = tool.arguments();
        if (argCount > 0 && allowed == null) {
            throw new IllegalArgumentException(tool + " takes no arguments"
                    + (tool.parameters().isEmpty()
                            ? ""
                            : "; it has the parameters " + String.join(", ", names(tool.parameters()))));
        }
        if (allowed != null && argCount > allowed.max()) {
            throw new IllegalArgumentException(
                    tool + " takes at most " + allowed.max() + " arguments, and these are " + argCount);
        }
        for (String arg : args) {
            requireText("an argument", arg);
            if (allowed != null
                    && allowed.pattern() != null
                    && !budget.matches(allowed.pattern(), arg, "an argument of " + tool)) {
                throw new IllegalArgumentException("an argument of " + tool + " must match " + allowed.pattern());
            }
        }
    }

    /**
     * Checks what a toolchain is given. A path may lead anywhere only if one of its tools may go anywhere.
     *
     * @param find finds a tool by its name and version
     */
    static void check(Toolchain chain, Map<String, String> params, BiFunction<String, String, Tool> find) {
        boolean anyPath = chain.steps().stream()
                .anyMatch(step -> find.apply(step.tool(), step.version()).isolation() == Isolation.NONE);
        checkParameters(
                "toolchain " + chain.name(), chain.parameters(), params, Set.of(), anyPath, new PatternBudget());
    }

    private static void checkParameters(
            String whose,
            List<Parameter> parameters,
            Map<String, String> params,
            Set<String> open,
            boolean anyPath,
            PatternBudget budget) {
        for (Parameter parameter : parameters) {
            String value = params.get(parameter.name());
            if (value != null) {
                parameter.check(value, anyPath, budget);
            } else if (parameter.required() && parameter.defaultValue() == null && !open.contains(parameter.name())) {
                throw new IllegalArgumentException(whose + " needs the parameter '" + parameter.name() + "'");
            }
        }
        List<String> known = names(parameters);
        for (String name : params.keySet()) {
            if (!known.contains(name)) {
                throw new IllegalArgumentException(whose + " has no parameter '" + name + "'"
                        + (known.isEmpty() ? "" : "; there are " + String.join(", ", known)));
            }
        }
    }

    private static List<String> names(List<Parameter> parameters) {
        return parameters.stream().map(Parameter::name).toList();
    }

    private static void requireText(String what, String value) {
        if (value.length() > MAX_ARGUMENT) {
            throw new IllegalArgumentException(what + " has more than " + MAX_ARGUMENT + " characters");
        }
        if (value.indexOf('\0') >= 0) {
            throw new IllegalArgumentException(what + " must not contain a NUL character");
        }
    }

    /** The program and its arguments. What the caller gives is put in as it is, each value into its own place. */
    List<String> argv(Map<String, String> builtIn) {
        List<String> argv = new ArrayList<>();
        for (String part : tool.command()) {
            Template template = Template.parse(part);
            String only = template.onlyReference();
            if (argv.isEmpty()) {
                argv.add(part);
            } else if (ToolFile.ARGUMENTS.equals(only)) {
                argv.addAll(args);
            } else if (only == null || value(only, builtIn) != null) {
                argv.add(render(template, builtIn));
            }
        }
        return argv;
    }

    String render(Template template, Map<String, String> builtIn) {
        return template.render(name -> {
            String value = value(name, builtIn);
            return value == null ? "" : value;
        });
    }

    private @Nullable String value(String name, Map<String, String> builtIn) {
        String value = builtIn.get(name);
        return value == null ? params.get(name) : value;
    }
}
