package io.github.commandway.http;

import io.github.commandway.manager.CommandRejectedException;

/** What the manager's refusals are in HTTP. */
final class Refusals {
    private static final int AWAY_RETRY_SECONDS = 5;

    private Refusals() {}

    static ProblemType typeOf(CommandRejectedException refusal) {
        return switch (refusal.code()) {
            case CAPACITY -> ProblemType.CAPACITY;
            // 503 and not 429, since not this caller has sent too much
            case TARGET_BUSY -> ProblemType.TARGET_BUSY;
            case TARGET_AWAY -> ProblemType.TARGET_AWAY;
            case SHUTTING_DOWN -> ProblemType.SHUTTING_DOWN;
            case STORE_FAILED -> ProblemType.STORE_FAILED;
            case TARGET_UNKNOWN -> ProblemType.TARGET_UNKNOWN;
            case UNKNOWN_COMMAND -> ProblemType.UNKNOWN_COMMAND;
            case PAYLOAD_TOO_LARGE -> ProblemType.PAYLOAD_TOO_LARGE;
            case IDEMPOTENCY_CONFLICT -> ProblemType.IDEMPOTENCY_CONFLICT;
            case EXCLUSIVE_KEY_TAKEN -> ProblemType.EXCLUSIVE_KEY_TAKEN;
        };
    }

    static Problem problemOf(CommandRejectedException refusal) {
        Problem problem = new Problem(typeOf(refusal), String.valueOf(refusal.getMessage()));
        if (!refusal.code().isRetryable()) {
            return problem;
        }
        return problem.retryAfter(refusal.code() == CommandRejectedException.Code.TARGET_AWAY ? AWAY_RETRY_SECONDS : 1);
    }
}
