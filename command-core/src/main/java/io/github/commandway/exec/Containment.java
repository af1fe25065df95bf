package io.github.commandway.exec;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/**
 * What holds a program and all that it starts together, so that all of it can be ended.
 *
 * @param means how that is done
 * @param wrapper what stands before the program and its arguments: a program that starts it, with its own arguments; may be empty
 */
public record Containment(Means means, List<String> wrapper) {
    private static final Path SETSID = Path.of("/usr/bin/setsid");

    /** Copies the list. */
    public Containment {
        wrapper = List.copyOf(wrapper);
    }

    /** How a program and all that it starts are held together, the strongest first. */
    public enum Means {
        /** A namespace of processes that the wrapper makes: nothing leaves it, and the end of the wrapper ends all. */
        PID_NAMESPACE,
        /** A process group, together with an environment variable by which those that left the group are found, where the system shows it. */
        PROCESS_GROUP,
        /** Parents and children: what has cut the tie to its parent is not found. */
        DESCENDANTS;

        private final String code = name().toLowerCase(Locale.ROOT);

        /** The name in JSON, such as {@code pid_namespace}. */
        public String code() {
            return code;
        }
    }

    /** The strongest that needs no more than what every system has: a process group where there is {@code setsid}. */
    public static Containment basic() {
        return Files.isExecutable(SETSID)
                ? new Containment(Means.PROCESS_GROUP, List.of(SETSID.toString()))
                : new Containment(Means.DESCENDANTS, List.of());
    }
}
