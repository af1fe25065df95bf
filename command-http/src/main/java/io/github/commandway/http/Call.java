package io.github.commandway.http;

import io.netty.handler.codec.http.HttpHeaders;
import java.time.Duration;
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
