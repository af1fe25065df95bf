package io.github.commandway.http;

import io.github.commandway.manager.CommandRejectedException;
import java.util.Locale;

/** What the manager's refusals are in HTTP. */
final class Refusals {
    private static final int AWAY_RETRY_SECONDS = 5;

    private Refusals() {}

    /** The name in JSON and metrics, such as {@code target_unknown}. */
    static String codeOf(CommandRejectedException refusal) {
        return refusal.code().name().toLowerCase(Locale.ROOT);
    }

    static Problem problemOf(CommandRejectedException refusal) {
        // a busy target is 503 and not 429, since not this caller has sent too much
        int status = switch (refusal.code()) {
            case CAPACITY, TARGET_BUSY, TARGET_AWAY, SHUTTING_DOWN, STORE_FAILED -> 503;
            case TARGET_UNKNOWN -> 404;
            case UNKNOWN_COMMAND -> 501;
            case PAYLOAD_TOO_LARGE -> 413;
            case IDEMPOTENCY_CONFLICT -> 422;
            case EXCLUSIVE_KEY_TAKEN -> 409;
        };
        Problem problem = new Problem(status, codeOf(refusal), String.valueOf(refusal.getMessage()));
        if (!refusal.code().isRetryable()) {
            return problem;
        }
        return problem.retryAfter(refusal.code() == CommandRejectedException.Code.TARGET_AWAY ? AWAY_RETRY_SECONDS : 1);
    }
}
