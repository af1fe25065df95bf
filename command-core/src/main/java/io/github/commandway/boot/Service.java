package io.github.commandway.boot;

import java.util.concurrent.CompletionStage;

/** Something that runs until it is stopped, and may fail; a {@link Supervisor} starts it again then. */
public interface Service {

    /** What it is called in messages. */
    String name();

    /**
     * Starts it, in a thread that may be blocked. Called again after a failure, never while it still runs.
     *
     * @return completes when the service has ended: with any value if it is done for good, exceptionally if it has failed
     * @throws Exception it cannot be started
     */
    CompletionStage<?> start() throws Exception;

    /**
     * Ends it, and gives back what it holds, in a thread that may be blocked. Called once after each start that succeeded or failed, before the next one. If a start takes too long, it is called
     * meanwhile, and once more should the start return after all.
     *
     * @throws Exception something went wrong; the service counts as ended all the same
     */
    void stop() throws Exception;
}
