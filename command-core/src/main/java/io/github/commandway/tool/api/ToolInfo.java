package io.github.commandway.tool.api;

import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A tool in one version, as its callers see it.
 *
 * @param name of the tool
 * @param version the name of the version
 * @param commit the hash of the commit that it was made from, or null
 * @param description for people; may be empty
 * @param parameters what callers may or must say
 * @param maxArguments how many arguments callers may add
 * @param methods which HTTP methods may run it
 * @param isolation how far it is kept away from the machine: {@code none}, {@code folder} or {@code sandbox}
 * @param newest whether it is the one that is run if no version is said
 */
public record ToolInfo(
        String name,
        String version,
        @Nullable String commit,
        String description,
        List<ParameterInfo> parameters,
        int maxArguments,
        Set<String> methods,
        String isolation,
        boolean newest) {
    /** Copies the lists. */
    public ToolInfo {
        parameters = List.copyOf(parameters);
        methods = Set.copyOf(methods);
    }
}
