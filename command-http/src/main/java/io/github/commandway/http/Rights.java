package io.github.commandway.http;

import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandScope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What a caller of the HTTP API may do, and of which commands. {@code view} is to see commands and their states, {@code run} to have them executed, {@code output} to see their results and events,
 * {@code cancel} to cancel them, {@code manage} to steer queues, send messages to agents and deal with what could not be delivered. Immutable.
 *
 * <p>A command that a caller may not view is answered as one that is not there.
 */
public final class Rights {
    private static final Rights ALL =
            new Rights(Arrays.stream(Right.values()).collect(Collectors.toMap(right -> right, right -> false)));
    private static final Rights NONE = new Rights(new EnumMap<>(Right.class));
    private static final String OWN = "own";
    private static final String EVERYTHING = "all";
    private static final String LISTED = "view, run, output, cancel, manage, or all";

    /** The rights that there are, and whether each is for the caller's own commands only. */
    private final Map<Right, Boolean> ownOnly;

    private final List<String> types;
    private final List<String> targets;

    private Rights(Map<Right, Boolean> ownOnly) {
        this(ownOnly, List.of(), List.of());
    }

    private Rights(Map<Right, Boolean> ownOnly, List<String> types, List<String> targets) {
        this.ownOnly = new EnumMap<>(ownOnly);
        this.types = List.copyOf(types);
        this.targets = List.copyOf(targets);
    }

    /** All rights, of all commands. */
    public static Rights all() {
        return ALL;
    }

    /** No right to anything. */
    static Rights none() {
        return NONE;
    }

    /**
     * Reads rights such as {@code run,view:own,output:own,cancel:own;tools=thumb*,report}.
     *
     * @param text names of rights, or {@code all}; {@code :own} limits {@code view}, {@code output} and {@code cancel} to the commands that the caller sent. Behind a semicolon each, what all of them are
     *     limited to: {@code tools}, {@code toolchains}, {@code types} (of commands) and {@code targets} (such as {@code agent:printer}), with names, or beginnings of names that end in {@code *}. Commas or
     *     spaces stand between the parts of a list
     * @throws IllegalArgumentException if it is none of that; the message says what would be right
     */
    public static Rights parse(String text) {
        String[] parts = text.split(";", -1);
        Map<Right, Boolean> ownOnly = new EnumMap<>(Right.class);
        for (String name : words(parts[0])) {
            read(name, ownOnly);
        }
        if (ownOnly.isEmpty()) {
            throw new IllegalArgumentException("'" + text + "' names no right: write " + LISTED);
        }
        List<String> types = new ArrayList<>();
        List<String> targets = new ArrayList<>();
        for (String part : List.of(parts).subList(1, parts.length)) {
            String[] pair = part.split("=", 2);
            List<String> patterns = pair.length < 2 ? List.of() : words(pair[1]);
            switch (pair[0].strip()) {
                case "tools" -> patterns.forEach(pattern -> types.add("tool:" + pattern));
                case "toolchains" -> patterns.forEach(pattern -> types.add("toolchain:" + pattern));
                case "types" -> types.addAll(patterns);
                case "targets" -> targets.addAll(patterns);
                default ->
                    throw new IllegalArgumentException(
                            "'" + part.strip() + "' limits nothing: write tools=, toolchains=, types= or targets=");
            }
            if (patterns.isEmpty()) {
                throw new IllegalArgumentException("'" + part.strip() + "' names nothing");
            }
            requirePatterns(patterns);
        }
        return new Rights(ownOnly, types, targets);
    }

    private static List<String> words(String list) {
        return Arrays.stream(list.split("[,\\s]+"))
                .filter(word -> !word.isEmpty())
                .toList();
    }

    private static void read(String given, Map<Right, Boolean> ownOnly) {
        String[] pair = given.split(":", 2);
        boolean own = pair.length == 2;
        List<Right> named = Arrays.stream(Right.values())
                .filter(right -> pair[0].equals(EVERYTHING) || pair[0].equals(right.code()))
                .toList();
        if (named.isEmpty() || (own && !pair[1].equals(OWN))) {
            throw new IllegalArgumentException(
                    "'" + given + "' is no right: write " + LISTED + "; view:own for the caller's own commands only");
        }
        for (Right right : named) {
            if (own && !right.isOfRecords()) {
                throw new IllegalArgumentException(
                        "'" + given + "': only view, output and cancel can be for the caller's own commands only");
            }
            if (ownOnly.put(right, own) != null) {
                throw new IllegalArgumentException("the right '" + right.code() + "' is given twice");
            }
        }
    }

    private static void requirePatterns(List<String> patterns) {
        for (String pattern : patterns) {
            int star = pattern.indexOf('*');
            if (star >= 0 && star < pattern.length() - 1) {
                throw new IllegalArgumentException("'" + pattern + "': a * can only stand at the end");
            }
        }
    }

    /** Whether there is the right for so many commands. */
    boolean includes(Right right, Route.Extent extent) {
        Boolean own = ownOnly.get(right);
        boolean isOfAnyKind = types.isEmpty() && targets.isEmpty();
        return own != null
                && switch (extent) {
                    case SOME -> true;
                    case OWN -> isOfAnyKind;
                    case ALL -> isOfAnyKind && !own;
                };
    }

    /**
     * Whether there is the right for a command.
     *
     * @param caller whose rights these are; null if nobody has to be anyone
     */
    boolean covers(Right right, @Nullable String caller, CommandRequest request) {
        return scope(right, caller).filter(scope -> scope.includes(request)).isPresent();
    }

    /**
     * Of which commands there is the right; empty for none.
     *
     * @param caller whose rights these are; null if nobody has to be anyone
     */
    Optional<CommandScope> scope(Right right, @Nullable String caller) {
        Boolean own = ownOnly.get(right);
        return own == null || (own && caller == null)
                ? Optional.empty()
                : Optional.of(new CommandScope(own ? caller : null, types, targets));
    }
}
