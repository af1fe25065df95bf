package io.github.commandway.conversation;

/**
 * What becomes of a command while another one of its session is pending. Under all but {@link #QUEUE_BEHIND} one of the same type and payload that comes
 * without an idempotency key is taken for a repetition of the pending one.
 */
public enum PendingCommandPolicy {
    /** It is not accepted; the answer is the pending one, marked as such. */
    RETURN_EXISTING,
    /** It is refused as a conflict. */
    REJECT,
    /** It is accepted, and executed when those before it have ended. */
    QUEUE_BEHIND,
    /**
     * The pending one is cancelled if it waits, and then this one is enqueued; if it is executed already, this one is refused as a conflict. Should this one not be recorded
     * after that, the other one stays cancelled.
     */
    REPLACE
}
