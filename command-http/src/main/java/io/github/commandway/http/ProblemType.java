package io.github.commandway.http;

import java.util.Locale;

/** The kinds of problems that requests end in: each with the status that it usually has, and its number in the task API. */
enum ProblemType {
    MALFORMED_JSON(400, 1001),
    JSON_LIMIT(400, 1001),
    MISSING_FIELD(400, 1002),
    INVALID_FIELD(400, 1003),
    UNKNOWN_FIELD(400, 1003),
    INVALID_PARAMETER(400, 1003),
    UNKNOWN_PARAMETER(400, 1003),
    INVALID_HEADER(400, 1003),
    MALFORMED_URL(400, 1003),
    INVALID_POSITION(400),
    INVALID(400),
    UNAUTHENTICATED(401),
    FOREIGN_HOST(403),
    FOREIGN_ORIGIN(403),
    ACCESS_DENIED(403),
    RIGHT_MISSING(403),
    PATH_UNKNOWN(404),
    COMMAND_UNKNOWN(404),
    TARGET_UNKNOWN(404),
    QUEUE_UNKNOWN(404),
    NOT_FOUND(404),
    TASK_UNKNOWN(404, 3001),
    METHOD_NOT_ALLOWED(405),
    REQUEST_TIMEOUT(408, 1008),
    TASK_TIMEOUT(408, 3004),
    ALREADY_ENDED(409, 3008),
    EXCLUSIVE_KEY_TAKEN(409),
    CONFLICT(409),
    TASK_CANCELLED(410, 3005),
    VERSION_MISMATCH(412),
    BODY_TOO_LARGE(413, 1005),
    PAYLOAD_TOO_LARGE(413, 1005),
    UNSUPPORTED_MEDIA_TYPE(415, 1006),
    IDEMPOTENCY_CONFLICT(422, 1007),
    INTERNAL_ERROR(500, 4004),
    TASK_FAILED(500, 3006),
    EXECUTOR_ERROR(500, 4003),
    UNKNOWN_COMMAND(501, 1004),
    CAPACITY(503, 4007),
    BUSY(503),
    TARGET_AWAY(503),
    TARGET_BUSY(503, 4007),
    SHUTTING_DOWN(503, 4007),
    STORE_FAILED(503, 4007),
    QUEUE_MODE_OFF(503, 3003);

    private final int status;
    private final int number;

    ProblemType(int status) {
        this(status, status);
    }

    ProblemType(int status, int number) {
        this.status = status;
        this.number = number;
    }

    /** The status of HTTP, unless the problem says otherwise. */
    int status() {
        return status;
    }

    /** The number in the task API; the status for one that has none of its own there. */
    int number() {
        return number;
    }

    /** The name for programs, such as {@code target_unknown}. */
    String code() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The URI of the type (RFC 9457). */
    String uri() {
        return "urn:commandway:problem:" + code();
    }

    /** The name for people. */
    String title() {
        return name().charAt(0) + code().substring(1).replace('_', ' ');
    }
}
