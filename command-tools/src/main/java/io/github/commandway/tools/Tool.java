package io.github.commandway.tools;

import java.nio.charset.Charset;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * One version of a tool, as its folder in the catalogue says. {@code docs/tools.md} has the file's fields with their defaults.
 *
 * @param name of the tool
 * @param version the name of the version's folder
 * @param commit the hash of the commit that it was made from, or null
 * @param description for people; may be empty
 * @param folder where its files are
 * @param command the program and its arguments, with references to parameters
 * @param parameters what callers may or must say
 * @param arguments what callers may add to the arguments, or null for nothing
 * @param environment what stands in its environment
 * @param locks names of which this tool needs all for itself while it runs
 * @param pool names of which it needs any one for itself while it runs
 * @param concurrency how many runs of this tool, in all its versions, there may be at a time
 * @param timeout the longest run
 * @param stopGrace how long it may take to stop when it is asked to, before it is killed
 * @param encoding of its output
 * @param exits what its exit codes mean
 * @param retry whether a failed run is repeated
 * @param methods which HTTP methods may run it
 * @param isolation how far it is kept away from the machine
 * @param limits what it may use
 * @param access what a sandbox lets it see
 * @param keep what stays of the folder of a run
 */
public record Tool(
        String name,
        String version,
        @Nullable String commit,
        String description,
        Path folder,
        List<String> command,
        List<Parameter> parameters,
        @Nullable Arguments arguments,
        Environment environment,
        List<String> locks,
        List<String> pool,
        int concurrency,
        Duration timeout,
        Duration stopGrace,
        Charset encoding,
        Exits exits,
        Retry retry,
        Set<String> methods,
        Isolation isolation,
        Limits limits,
        Access access,
        Keep keep)
        implements Versions.Version {

    /**
     * What callers may add to the arguments.
     *
     * @param max how many at most
     * @param pattern what each must match as a whole, or null for any text without control characters
     */
    public record Arguments(int max, @Nullable Pattern pattern) {}

    /**
     * What stands in the environment.
     *
     * @param fixed names and values, with references to parameters
     * @param fromServer names of variables that are taken over from the server's own environment, where they are set
     * @param fromCaller names of variables that callers may set; null for all that cannot change which code is run
     */
    public record Environment(
            Map<String, String> fixed,
            Set<String> fromServer,
            @Nullable Set<String> fromCaller) {}

    /**
     * What exit codes mean.
     *
     * @param success which ones are no failure
     * @param meanings in words, for people
     */
    public record Exits(Set<Integer> success, Map<Integer, String> meanings) {}

    /**
     * Whether a failed run is repeated.
     *
     * @param attempts how many runs at most
     * @param delay before the second one, and twice as long before each further one
     * @param maxDelay the longest wait
     * @param on after which exit codes; empty for all that are failures
     */
    public record Retry(int attempts, Duration delay, Duration maxDelay, Set<Integer> on) {
        static final Retry NONE = new Retry(1, Duration.ZERO, Duration.ZERO, Set.of());
    }

    /**
     * What a run may use; null where the system's own limits are enough.
     *
     * @param memory bytes of address space of each process
     * @param cpu seconds of processor time of each process
     * @param processes how many processes and threads; only in a sandbox
     * @param openFiles how many open files each process
     * @param folder bytes in the folder of the run, which is also the longest file
     * @param output bytes of output that are kept; what comes after is read and counted
     */
    public record Limits(
            @Nullable Long memory,
            @Nullable Integer cpu,
            @Nullable Integer processes,
            @Nullable Integer openFiles,
            long folder,
            long output) {}

    /**
     * What a sandbox lets a tool see beside the system's programs.
     *
     * @param read files and folders that it may read
     * @param write files and folders that it may change
     * @param network whether it may use the network
     */
    public record Access(List<Path> read, List<Path> write, boolean network) {}

    /** What stays of the folder of a run when it has ended. The kept output stays in any case. */
    public enum Keep {
        /** Nothing. */
        NEVER,
        /** All of it if the run failed. */
        FAILED,
        /** All of it. */
        ALWAYS
    }

    /** {@code name version}. */
    @Override
    public String toString() {
        return name + " " + version;
    }
}
