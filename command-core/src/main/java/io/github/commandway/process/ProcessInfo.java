package io.github.commandway.process;

import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What can be said of a process that goes on while one looks.
 *
 * @param pid its identity
 * @param parent the process on whose behalf it was started, or null
 * @param type the class of its code
 * @param names under which it can be found
 * @param state what it is doing
 * @param startedAt when it was started
 * @param steps how many it has made
 * @param openYields how many of its yields have not ended
 * @param waitingMessages how many messages are in its mailbox
 */
public record ProcessInfo(
        Pid pid,
        @Nullable Pid parent,
        String type,
        List<String> names,
        State state,
        Instant startedAt,
        long steps,
        int openYields,
        int waitingMessages) {

    /** What a process is doing. */
    public enum State {
        /** It would run if a worker were free. */
        READY,
        /** A worker steps it. */
        RUNNING,
        /** It sleeps until a yield ends. */
        WAITING,
        /** It sleeps until anything happens. */
        IDLE,
        /** It has ended. */
        COMPLETE
    }
}
