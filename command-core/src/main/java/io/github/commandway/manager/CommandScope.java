package io.github.commandway.manager;

import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Some of all commands: those of one caller, of some types, for some targets. A name that ends in {@code *} stands for all that begin with what is before it. Immutable.
 *
 * @param principal only those of this caller, or null for everybody's
 * @param types only those of one of these types; empty for any
 * @param targets only those for a target whose text form ({@link Target#toString}) is one of these; empty for any
 */
public record CommandScope(@Nullable String principal, List<String> types, List<String> targets) {
    /** All commands. */
    public static final CommandScope ALL = new CommandScope(null, List.of(), List.of());

    /** Copies the lists. */
    public CommandScope {
        types = List.copyOf(types);
        targets = List.copyOf(targets);
    }

    /** Whether a command that was asked for like this is among them. */
    public boolean includes(CommandRequest request) {
        return includes(request.principal(), request.type(), request.target().toString());
    }

    /** Whether a command of this caller and type, for a target with this text form, is among them. */
    public boolean includes(@Nullable String caller, String type, String target) {
        return (principal == null || Objects.equals(principal, caller))
                && matches(types, type)
                && matches(targets, target);
    }

    /** Whether there may be commands of this type among them. */
    public boolean includesType(String type) {
        return matches(types, type);
    }

    private static boolean matches(List<String> patterns, String name) {
        return patterns.isEmpty()
                || patterns.stream()
                        .anyMatch(pattern -> pattern.endsWith("*")
                                ? name.startsWith(pattern.substring(0, pattern.length() - 1))
                                : name.equals(pattern));
    }
}
