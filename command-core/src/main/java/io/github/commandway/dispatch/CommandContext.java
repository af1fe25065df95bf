package io.github.commandway.dispatch;

import java.time.Instant;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** What a command is executed under: how long, for whom, and whether it is still wanted. Safe for use by many threads. */
public interface CommandContext {

    /**
     * The moment at which the command ends as timed out if nothing else has ended it. Before the hand-over it is the end of the
     * waiting time, from then on the end of the execution time.
     */
    Instant deadline();

    /** Whether the command is not wanted any more: cancelled, or past its deadline. */
    boolean isCancelled();

    /**
     * Registers what ends the work when it is not wanted any more. There is one such action; a second call replaces the first.
     * If the command is already cancelled the action runs at once in the calling thread, otherwise in the thread that cancels. It
     * must not block. It may complete the command's tag with a truer outcome than the default one.
     */
    void onCancel(Consumer<CancelCause> action);

    /** On whose behalf the command is executed, or null if nobody was authenticated. */
    @Nullable String principal();

    /** The W3C {@code traceparent} that the command came in with, or null. */
    @Nullable String traceParent();
}
