package io.github.commandway.http;

import java.util.Map;

/** The numbers that problems have in the task API. */
final class ErrorNumbers {
    private static final Map<String, Integer> BY_CODE = Map.ofEntries(
            Map.entry("malformed_json", 1001),
            Map.entry("json_limit", 1001),
            Map.entry("missing_field", 1002),
            Map.entry("invalid_field", 1003),
            Map.entry("unknown_field", 1003),
            Map.entry("invalid_parameter", 1003),
            Map.entry("unknown_parameter", 1003),
            Map.entry("invalid_header", 1003),
            Map.entry("malformed_url", 1003),
            Map.entry("unknown_command", 1004),
            Map.entry("body_too_large", 1005),
            Map.entry("payload_too_large", 1005),
            Map.entry("unsupported_media_type", 1006),
            Map.entry("idempotency_conflict", 1007),
            Map.entry("request_timeout", 1008),
            Map.entry("task_unknown", 3001),
            Map.entry("queue_mode_off", 3003),
            Map.entry("task_timeout", 3004),
            Map.entry("task_cancelled", 3005),
            Map.entry("task_failed", 3006),
            Map.entry("already_ended", 3008),
            Map.entry("executor_error", 4003),
            Map.entry("internal_error", 4004),
            Map.entry("capacity", 4007),
            Map.entry("target_busy", 4007),
            Map.entry("shutting_down", 4007),
            Map.entry("store_failed", 4007));

    private ErrorNumbers() {}

    /** The number; the HTTP status if the problem has none of its own, such as 401. */
    static int of(Problem problem) {
        return BY_CODE.getOrDefault(problem.code(), problem.status());
    }
}
