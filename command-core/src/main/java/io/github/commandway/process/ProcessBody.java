package io.github.commandway.process;

import io.github.commandway.dispatch.Command;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * A process as plain code, which blocks while its commands are executed. It has a thread of its own: a virtual one where the JVM has them. To others it is a process like any, with a pid,
 * a mailbox, links and monitors.
 */
@FunctionalInterface
public interface ProcessBody {

    /**
     * Runs once, in its own thread.
     *
     * @return the result of the process
     * @throws Exception the process has failed
     */
    @Nullable Object run(Self self) throws Exception;

    /** What such code can do. Made for its own thread; {@link #call} may be used by others that it starts, too. */
    interface Self extends ProcessContext {

        /**
         * Yields a command and waits for its end. If the thread is interrupted meanwhile the command goes on, and its end is dropped.
         *
         * @return the result
         * @throws Exception what the command failed with; {@link InterruptedException} if the process was asked to end while it waited; that or a {@link ProcessException} if it was terminated
         */
        @Nullable Object call(Command command) throws Exception;

        /** The same, with a time after which the command has failed. */
        @Nullable Object call(Command command, Duration timeout) throws Exception;

        /** Waits for a message, the exit of a monitored process, the failure of a linked one whose links are trapped, or a cancellation. They come in the order of their arrival. */
        Event receive() throws InterruptedException;

        /** The same, for some time; null if that is over. */
        @Nullable Event receive(Duration timeout) throws InterruptedException;
    }
}
