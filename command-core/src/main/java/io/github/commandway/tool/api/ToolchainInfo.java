package io.github.commandway.tool.api;

import java.util.List;

/**
 * A toolchain, as its callers see it.
 *
 * @param name by which it is run
 * @param description for people; may be empty
 * @param parameters what callers may or must say
 * @param steps in their order
 */
public record ToolchainInfo(String name, String description, List<ParameterInfo> parameters, List<Step> steps) {
    /** Copies the lists. */
    public ToolchainInfo {
        parameters = List.copyOf(parameters);
        steps = List.copyOf(steps);
    }

    /**
     * One run of a tool in it.
     *
     * @param name of the step
     * @param tool which one
     * @param version which versions will do; empty for the newest
     */
    public record Step(String name, String tool, String version) {}
}
