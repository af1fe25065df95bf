package io.github.commandway.quic;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.RecordId;
import java.time.Duration;

/**
 * How a command ended on the agent.
 *
 * @param id its record
 * @param reason {@link Reason#OK} if the executor returned a result
 * @param message why it failed, for people, of which at most 16 KiB are sent; empty if it succeeded
 * @param result what the executor returned; if it failed, what there is to keep of that, and usually empty. Must not be modified
 * @param executionTime how long the executor was at work
 */
@SuppressWarnings("ArrayRecordComponent") // passed on as it came
public record Outcome(RecordId id, Reason reason, String message, byte[] result, Duration executionTime) {
    private static final byte[] NO_BYTES = {};

    /** The command's executor returned {@code result}. */
    public static Outcome completed(RecordId id, byte[] result, Duration executionTime) {
        return new Outcome(id, Reason.OK, "", result, executionTime);
    }

    /** The command ended without a result. */
    public static Outcome failed(RecordId id, Reason reason, String message, Duration executionTime) {
        return new Outcome(id, reason, message, NO_BYTES, executionTime);
    }
}
