package io.github.commandway.tools;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
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

    /** Something in one version; {@code number} is null if that is no number. */
    private record Candidate<T>(
            T item,
            String version,
            @Nullable String commit,
            @Nullable Semver number) {}

    /** What is no number comes last. */
    private static final Comparator<Candidate<?>> NEWEST_FIRST = Comparator.<Candidate<?>, Semver>comparing(
                    Candidate::number, Comparator.nullsFirst(Comparator.<Semver>naturalOrder()))
            .thenComparing(Candidate::version)
            .reversed();

    /**
     * Finds the best of the versions of a tool.
     *
     * @param wanted the name of a version, with or without a {@code v} before it; {@code latest} or empty; the beginning of a commit's hash, from 7 characters; or a range
     * @throws IllegalArgumentException if there is none; the message names some that there are
     */
    static Tool find(Collection<Tool> tools, String wanted) {
        return find(tools, tools.iterator().next().name(), Tool::version, Tool::commit, wanted);
    }

    /**
     * Finds the best of the versions of anything.
     *
     * @param items one or more
     * @param name what they are called
     * @throws IllegalArgumentException if there is none; the message names some that there are
     */
    static <T> T find(
            Collection<T> items,
            String name,
            Function<T, String> version,
            Function<T, @Nullable String> commit,
            String wanted) {
        String spec = wanted.strip();
        if (!SPEC.matcher(spec).matches()) {
            throw new IllegalArgumentException(
                    "a version has at most 200 letters, digits and . + ^ ~ < > = | * , - and spaces");
        }
        List<Candidate<T>> newestFirst = candidates(items, version, commit);
        Optional<Candidate<T>> found = spec.isEmpty() || spec.equals(LATEST)
                ? latest(newestFirst)
                : exact(newestFirst, spec)
                        .or(() -> commit(newestFirst, spec.toLowerCase(Locale.ROOT)))
                        .or(() -> range(newestFirst, spec));
        return found.orElseThrow(() -> new IllegalArgumentException("no version '" + (spec.isEmpty() ? LATEST : spec)
                        + "' of " + name + "; there is " + shown(newestFirst)))
                .item;
    }

    /** The highest number first, and what is no number last. */
    static <T> List<T> newestFirst(Collection<T> items, Function<T, String> version) {
        return candidates(items, version, item -> null).stream()
                .map(Candidate::item)
                .toList();
    }

    private static <T> List<Candidate<T>> candidates(
            Collection<T> items, Function<T, String> version, Function<T, @Nullable String> commit) {
        return items.stream()
                .map(item ->
                        new Candidate<>(item, version.apply(item), commit.apply(item), number(version.apply(item))))
                .sorted(NEWEST_FIRST)
                .toList();
    }

    private static <T> String shown(List<Candidate<T>> candidates) {
        Stream<String> names = candidates.stream().limit(SHOWN).map(Candidate::version);
        return String.join(", ", names.toList()) + (candidates.size() > SHOWN ? " and more" : "");
    }

    /** The highest that is no pre-release; otherwise what is called so; otherwise the only one. */
    private static <T> Optional<Candidate<T>> latest(List<Candidate<T>> newestFirst) {
        return newestFirst.stream()
                .filter(candidate -> candidate.number != null && candidate.number.isStable())
                .findFirst()
                .or(() -> named(newestFirst, LATEST))
                .or(() -> newestFirst.size() == 1 && newestFirst.get(0).number == null
                        ? Optional.of(newestFirst.get(0))
                        : Optional.empty());
    }

    private static <T> Optional<Candidate<T>> exact(List<Candidate<T>> candidates, String spec) {
        return named(candidates, spec)
                .or(() -> named(candidates, spec.startsWith("v") ? spec.substring(1) : "v" + spec));
    }

    private static <T> Optional<Candidate<T>> named(List<Candidate<T>> candidates, String version) {
        return candidates.stream()
                .filter(candidate -> candidate.version.equals(version))
                .findFirst();
    }

    private static <T> Optional<Candidate<T>> commit(List<Candidate<T>> candidates, String spec) {
        if (!spec.matches("[0-9a-f]{7,64}")) {
            return Optional.empty();
        }
        List<Candidate<T>> matching = candidates.stream()
                .filter(candidate -> candidate.commit != null && candidate.commit.startsWith(spec))
                .toList();
        if (matching.size() > 1) {
            throw new IllegalArgumentException(
                    "the hash '" + spec + "' fits more than one version: " + shown(matching) + "; give more of it");
        }
        return matching.stream().findFirst();
    }

    private static <T> Optional<Candidate<T>> range(List<Candidate<T>> newestFirst, String spec) {
        return newestFirst.stream()
                .filter(candidate -> candidate.number != null && candidate.number.satisfies(spec))
                .findFirst();
    }

    /** The number that a version is, with what is missing taken as 0; null if it is none. */
    private static @Nullable Semver number(String version) {
        String text = version.startsWith("v") ? version.substring(1) : version;
        Semver exact = Semver.parse(text);
        if (exact != null) {
            return exact;
        }
        return text.matches("[0-9]{1,9}(\\.[0-9]{1,9})?") ? Semver.coerce(text) : null;
    }
}
