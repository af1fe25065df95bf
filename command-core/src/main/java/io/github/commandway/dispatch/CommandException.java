package io.github.commandway.dispatch;

import java.io.Serial;
import java.util.concurrent.CompletionException;

/** The outcome of a command that did not succeed, with the reason. Has no stack trace: it tells of the command, not of our code. */
public final class CommandException extends Exception {
    @Serial
    private static final long serialVersionUID = 1L;

    private final Reason reason;

    /**
     * @param reason anything but {@link Reason#OK}
     * @param message for people: what happened and, where there is something to do about it, what
     */
    public CommandException(Reason reason, String message) {
        super(message, null, false, false);
        if (reason == Reason.OK) {
            throw new IllegalArgumentException("OK is not a reason to fail: " + message);
        }
        this.reason = reason;
    }

    /** What a future has failed with, without what futures wrap around it on the way. */
    public static Throwable unwrap(Throwable failure) {
        return failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
    }

    /** Why the command ended. */
    public Reason reason() {
        return reason;
    }
}
