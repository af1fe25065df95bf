package io.github.commandway.tools;

import io.github.commandway.tool.api.ToolchainInfo;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A template of several tools that run one after another. {@code docs/tools.md} has the file's fields with their defaults.
 *
 * @param name of the file, without {@code .yaml}
 * @param description for people; may be empty
 * @param parameters what callers may or must say
 * @param timeout the longest run of all of it
 * @param steps in their order
 */
public record Toolchain(
        String name, String description, List<Parameter> parameters, Duration timeout, List<Step> steps) {

    /**
     * One run of a tool in it. Texts may refer to <code>${params.name}</code> and, of an earlier step, to
     * <code>${steps.name.stdout}</code>, <code>exit_code</code> and <code>status</code>.
     *
     * @param name by which later steps refer to it
     * @param tool which one
     * @param version which version, see {@link ToolCatalog#find}
     * @param args added to the tool's arguments
     * @param params values of the tool's parameters
     * @param env added to its environment
     * @param stdin what it reads, or null for nothing
     * @param inputs files of earlier steps that it gets
     * @param when whether it runs: {@code success}, {@code failure} or {@code always} (of what came before), or a comparison with {@code ==} or {@code !=}
     * @param onFailure what its failure means for the rest
     * @param retry how often it is tried, or null for what its tool says
     * @param timeout the longest run, or null for what its tool says
     * @param repeatable whether it may be run again if the server stopped while it ran
     */
    public record Step(
            String name,
            String tool,
            String version,
            List<String> args,
            Map<String, String> params,
            Map<String, String> env,
            @Nullable String stdin,
            List<Input> inputs,
            String when,
            OnFailure onFailure,
            Tool.@Nullable Retry retry,
            @Nullable Duration timeout,
            boolean repeatable) {}

    /**
     * A file that one step made and another one gets.
     *
     * @param from the earlier step
     * @param file its path in the folder of that step
     * @param as its path in the folder of this one
     */
    public record Input(String from, String file, String as) {}

    /** What the failure of a step means for the rest. */
    public enum OnFailure {
        /** Only steps that run after a failure still run, and the toolchain has failed. */
        STOP,
        /** The others run as if it had not failed. */
        CONTINUE
    }

    /** As callers see it. */
    ToolchainInfo info() {
        return new ToolchainInfo(
                name,
                description,
                parameters.stream().map(Parameter::info).toList(),
                steps.stream()
                        .map(step -> new ToolchainInfo.Step(step.name(), step.tool(), step.version()))
                        .toList());
    }
}
