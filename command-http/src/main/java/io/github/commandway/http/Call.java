package io.github.commandway.http;

import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.QueryStringDecoder;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * One request whose body and query were read and checked.
 *
 * @param path the values of the parameters in the path
 */
record Call(Caller caller, Map<String, String> path, Values query, Values body, HttpHeaders headers) {
    private static final Duration MAX_WAIT = Duration.ofMinutes(5);
    private static final Pattern WAIT = Pattern.compile("(?i)(?:^|[,;\\s])wait\\s*=\\s*\"?(\\d{1,9})");
    private static final Pattern ASYNC = Pattern.compile("(?i)(?:^|[,\\s])respond-async(?:$|[,;\\s])");

    /** On whose behalf; null if nobody had to be anyone. */
    @Nullable String principal() {
        return caller.name();
    }

    String path(String name) {
        String value = path.get(name);
        if (value == null) {
            throw new IllegalStateException("the route has no parameter {" + name + "}");
        }
        return value;
    }

    /** The segments that a parameter such as <code>{args...}</code> stands for; a slash at the very end adds none. */
    List<String> segments(String name) {
        String rest = path(name + "...");
        if (rest.isEmpty()) {
            return List.of();
        }
        String whole = rest.endsWith("/") ? rest.substring(0, rest.length() - 1) : rest;
        return Arrays.stream(whole.split("/", -1)).map(Call::decode).toList();
    }

    /** A segment of a path as it was before it was percent-encoded; a plus there is only a plus. */
    static String decode(String segment) {
        try {
            return QueryStringDecoder.decodeComponent(segment.replace("+", "%2B"));
        } catch (IllegalArgumentException e) {
            throw Problem.badUrl(e);
        }
    }

    @Nullable String header(String name) {
        return headers.get(name);
    }

    /** How long to wait for the end by {@code Prefer: wait=N} (RFC 7240, section 4.3): at most 300 s; null if nothing was preferred. */
    @Nullable Duration preferredWait() {
        Matcher matcher = WAIT.matcher(preferences());
        if (!matcher.find()) {
            return null;
        }
        Duration wanted = Duration.ofSeconds(Long.parseLong(matcher.group(1)));
        return wanted.compareTo(MAX_WAIT) > 0 ? MAX_WAIT : wanted;
    }

    /** Whether {@code Prefer: respond-async} (RFC 7240, section 4.1) was given. */
    boolean prefersAsync() {
        return ASYNC.matcher(preferences()).find();
    }

    private String preferences() {
        return String.join(",", headers.getAll("Prefer"));
    }
}
