package io.github.commandway.process;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A state machine. It is stepped when something has happened to it, by one thread at a time, and each step sees what the earlier ones did. A step does
 * not block: what takes time it yields as a command, of which the end comes back as an event.
 *
 * <p>What a method throws ends the process as failed, and nothing else.
 */
@SuppressWarnings("JavaLangClash")
public interface Process {

    /**
     * Called once, before the first step, in the thread that starts the process; after an upgrade in a worker's. Throwing means that the process cannot start.
     *
     * @param self the context of the process itself: {@link ProcessContext#onCancel} fires when it has ended
     * @param input what it was started with
     */
    default void init(ProcessContext self, @Nullable Object input) throws Exception {}

    /**
     * Does what is to be done now.
     *
     * @param events what has happened since the last step, in order of arrival; none at the first step and after {@link StepOutput#again}. Valid until this returns.
     * @param out takes the commands that the process yields, and what it does next. Valid until this returns.
     */
    void step(List<Event> events, StepOutput out) throws Exception;

    /** Called once, as the last, however the process ended, also if it could not be started. */
    default void close() throws Exception {}
}
