package io.github.commandway.tools;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.semver4j.Semver;

/** Finds the version of a tool that a caller means. */
final class Versions {
    static final String LATEST = "latest";

    private static final int SHOWN = 10;
    private static final Pattern SPEC = Pattern.compile("[A-Za-z0-9.+^~<>=|*, -]{0,200}");

    private Versions() {}

    /** What can be looked for. */
    interface Version {
        /** Its name. */
        String version();

        /** The hash of the commit that it was made from, or null. */
        @Nullable String commit();
    }

    /** A version of which only a name is known, which may be a commit's hash. */
    record Named(String version) implements Version {
        @Override
        public String commit() {
            return version;
        }
    }

    /**
     * Finds the best of the versions.
     *
     * @param name the tool's, for people
     * @param wanted the name of a version, with or without a {@code v} before it; {@code latest} or empty; the beginning of a commit's hash, from 7 characters; or a range
     * @throws IllegalArgumentException if there is none; the message names some that there are
     */
    static <T extends Version> T find(Collection<T> tools, String name, String wanted) {
        String spec = wanted.strip();
        if (!SPEC.matcher(spec).matches()) {
            throw new IllegalArgumentException(
                    "a version has at most 200 letters, digits and . + ^ ~ < > = | * , - and spaces");
        }
        List<T> newestFirst = tools.stream().sorted(NEWEST_FIRST).toList();
        Optional<T> found = spec.isEmpty() || spec.equals(LATEST)
                ? latest(newestFirst)
                : exact(newestFirst, spec)
                        .or(() -> commit(newestFirst, spec.toLowerCase(Locale.ROOT)))
                        .or(() -> range(newestFirst, spec));
        return found.orElseThrow(() -> new IllegalArgumentException("no version '" + (spec.isEmpty() ? LATEST : spec)
                + "' of " + name + "; there is " + shown(newestFirst)));
    }

    /** The highest number first, and what is no number last. */
    static List<String> newestFirst(Collection<String> versions) {
        return versions.stream()
                .map(Named::new)
                .sorted(NEWEST_FIRST)
                .map(Named::version)
                .toList();
    }

    private static String shown(List<? extends Version> tools) {
        Stream<String> names = tools.stream().limit(SHOWN).map(Version::version);
        return String.join(", ", names.toList()) + (tools.size() > SHOWN ? " and more" : "");
    }

    /** The highest that is no pre-release; otherwise what is called so; otherwise the only one. */
    private static <T extends Version> Optional<T> latest(List<T> newestFirst) {
        return newestFirst.stream()
                .filter(tool -> {
                    Semver number = number(tool);
                    return number != null && number.getPreRelease().isEmpty();
                })
                .findFirst()
                .or(() -> newestFirst.stream()
                        .filter(tool -> tool.version().equals(LATEST))
                        .findFirst())
                .or(() -> newestFirst.size() == 1 && number(newestFirst.get(0)) == null
                        ? Optional.of(newestFirst.get(0))
                        : Optional.empty());
    }

    private static <T extends Version> Optional<T> exact(List<T> tools, String spec) {
        return named(tools, spec).or(() -> named(tools, spec.startsWith("v") ? spec.substring(1) : "v" + spec));
    }

    private static <T extends Version> Optional<T> named(List<T> tools, String version) {
        return tools.stream().filter(tool -> tool.version().equals(version)).findFirst();
    }

    private static <T extends Version> Optional<T> commit(List<T> tools, String spec) {
        if (!spec.matches("[0-9a-f]{7,64}")) {
            return Optional.empty();
        }
        List<T> matching = new ArrayList<>();
        for (T tool : tools) {
            String commit = tool.commit();
            if (commit != null && commit.startsWith(spec)) {
                matching.add(tool);
            }
        }
        if (matching.size() > 1) {
            throw new IllegalArgumentException(
                    "the hash '" + spec + "' fits more than one version: " + shown(matching) + "; give more of it");
        }
        return matching.stream().findFirst();
    }

    private static <T extends Version> Optional<T> range(List<T> newestFirst, String spec) {
        return newestFirst.stream()
                .filter(tool -> {
                    Semver number = number(tool);
                    return number != null && number.satisfies(spec);
                })
                .findFirst();
    }

    /** Its number, with what is missing taken as 0; null if the version is not a number. */
    static @Nullable Semver number(Version tool) {
        String text = tool.version().startsWith("v") ? tool.version().substring(1) : tool.version();
        Semver exact = Semver.parse(text);
        if (exact != null) {
            return exact;
        }
        return text.matches("[0-9]{1,9}(\\.[0-9]{1,9})?") ? Semver.coerce(text) : null;
    }

    /** What is no number comes last. */
    private static final Comparator<Version> NEWEST_FIRST = Comparator.comparing(
                    Versions::number, Comparator.nullsFirst(Comparator.<Semver>naturalOrder()))
            .thenComparing(Version::version)
            .reversed();
}
