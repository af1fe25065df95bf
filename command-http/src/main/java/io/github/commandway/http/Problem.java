package io.github.commandway.http;

import java.io.Serial;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Why a request is refused: becomes a problem document (RFC 9457). Has no stack trace: it tells of the request, not of our code. */
final class Problem extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final int status;
    private final ProblemType type;
    private final String detail;
    private final @Nullable String field;
    private final transient Map<String, String> headers;
    private final transient Map<String, Object> members;

    /**
     * @param detail for people: what is wrong, and what would be right
     */
    Problem(ProblemType type, String detail) {
        this(type.status(), type, detail);
    }

    /**
     * One with another status than its type usually has.
     *
     * @param detail for people: what is wrong, and what would be right
     */
    Problem(int status, ProblemType type, String detail) {
        this(status, type, detail, null, Map.of(), Map.of());
    }

    private Problem(
            int status,
            ProblemType type,
            String detail,
            @Nullable String field,
            Map<String, String> headers,
            Map<String, Object> members) {
        super(detail, null, false, false);
        this.status = status;
        this.type = type;
        this.detail = detail;
        this.field = field;
        this.headers = headers;
        this.members = members;
    }

    static Problem commandUnknown(String id) {
        return new Problem(
                ProblemType.COMMAND_UNKNOWN,
                "there is no command '" + id + "'; ended commands are kept for a limited time");
    }

    static Problem badUrl(IllegalArgumentException e) {
        return new Problem(
                ProblemType.MALFORMED_URL, "the URL is not percent-encoded as it must be: " + e.getMessage());
    }

    static Problem busy(String detail) {
        return new Problem(ProblemType.CAPACITY, detail).retryAfter(1);
    }

    /** The same problem, found at this JSON pointer, query parameter or header. */
    Problem at(String where) {
        return new Problem(status, type, detail, where, headers, members);
    }

    Problem header(String name, String value) {
        Map<String, String> more = new TreeMap<>(headers);
        more.put(name, value);
        return new Problem(status, type, detail, field, more, members);
    }

    /** The same problem with one more member in its document, or another value for one that it has; null for no change. */
    Problem with(String name, @Nullable Object value) {
        if (value == null) {
            return this;
        }
        Map<String, Object> more = new LinkedHashMap<>(members);
        more.put(name, value);
        return new Problem(status, type, detail, field, headers, more);
    }

    Problem retryAfter(int seconds) {
        return header("Retry-After", Integer.toString(seconds));
    }

    int status() {
        return status;
    }

    ProblemType type() {
        return type;
    }

    Map<String, String> headers() {
        return headers;
    }

    Map<String, Object> document() {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("type", type.uri());
        document.put("title", type.title());
        document.put("status", status);
        document.put("detail", detail);
        document.put("code", type.code());
        if (field != null) {
            document.put("field", field);
        }
        document.put("success", false);
        document.put("message", detail);
        document.putAll(members);
        return document;
    }
}
