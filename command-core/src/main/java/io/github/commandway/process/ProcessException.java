package io.github.commandway.process;

import java.io.Serial;
import org.jspecify.annotations.Nullable;

/** Something could not be done to a process, or it did not end by itself. The code says which. */
public final class ProcessException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final Code code;

    ProcessException(Code code, String message) {
        this(code, message, null);
    }

    ProcessException(Code code, String message, @Nullable Throwable cause) {
        super(message, cause, false, false);
        this.code = code;
    }

    /** What the matter is. */
    public Code code() {
        return code;
    }

    /** The cases. */
    public enum Code {
        /** There are as many processes, or threads for them, as there may be. Nothing was started; try again when some have ended. */
        TOO_MANY,
        /** There is no such process, or not any more. */
        NOT_FOUND,
        /** Another process has the name. */
        NAME_TAKEN,
        /** Its mailbox is full. Try again when it has taken some. */
        MAILBOX_FULL,
        /** No process is started any more. */
        STOPPING,
        /** It could not be started, or its new code could not; the cause says why. */
        START_FAILED,
        /** It was terminated. */
        TERMINATED,
        /** A process that it was linked to has failed; the cause says why. */
        LINK_DOWN,
        /** It waits for yields and has none: it would never run again. */
        STUCK
    }
}
