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

    private static final String TYPE_PREFIX = "urn:commandway:problem:";

    private final int status;
    private final String code;
    private final String detail;
    private final @Nullable String field;
    private final transient Map<String, String> headers;
    private final transient Map<String, Object> members;

    /**
     * @param code names the kind of problem for programs, such as {@code target_unknown}
     * @param detail for people: what is wrong, and what would be right
     */
    Problem(int status, String code, String detail) {
        this(status, code, detail, null, Map.of(), Map.of());
    }

    private Problem(
            int status,
            String code,
            String detail,
            @Nullable String field,
            Map<String, String> headers,
            Map<String, Object> members) {
        super(detail, null, false, false);
        this.status = status;
        this.code = code;
        this.detail = detail;
        this.field = field;
        this.headers = headers;
        this.members = members;
    }

    static Problem badRequest(String code, String detail) {
        return new Problem(400, code, detail);
    }

    static Problem commandUnknown(String id) {
        return new Problem(
                404, "command_unknown", "there is no command '" + id + "'; ended commands are kept for a limited time");
    }

    static Problem busy(String detail) {
        return new Problem(503, "capacity", detail).retryAfter(1);
    }

    /** The same problem, found at this JSON pointer, query parameter or header. */
    Problem at(String where) {
        return new Problem(status, code, detail, where, headers, members);
    }

    Problem header(String name, String value) {
        Map<String, String> more = new TreeMap<>(headers);
        more.put(name, value);
        return new Problem(status, code, detail, field, more, members);
    }

    /** The same problem with one more member in its document, or another value for one that it has; null for no change. */
    Problem with(String name, @Nullable Object value) {
        if (value == null) {
            return this;
        }
        Map<String, Object> more = new LinkedHashMap<>(members);
        more.put(name, value);
        return new Problem(status, code, detail, field, headers, more);
    }

    Problem retryAfter(int seconds) {
        return header("Retry-After", Integer.toString(seconds));
    }

    int status() {
        return status;
    }

    String code() {
        return code;
    }

    Map<String, String> headers() {
        return headers;
    }

    Map<String, Object> document() {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("type", TYPE_PREFIX + code);
        document.put(
                "title",
                Character.toUpperCase(code.charAt(0)) + code.substring(1).replace('_', ' '));
        document.put("status", status);
        document.put("detail", detail);
        document.put("code", code);
        if (field != null) {
            document.put("field", field);
        }
        document.put("success", false);
        document.put("message", detail);
        document.putAll(members);
        return document;
    }
}
