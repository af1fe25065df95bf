package io.github.commandway.boot;

import io.github.commandway.dispatch.Registry;
import java.util.Set;

/**
 * A part of an {@link Application}. Its methods are called one at a time, each at most once, each after those of all the components it depends on, and may block.
 */
public interface Component {

    /** The name that others depend on; unique within the application. */
    String name();

    /** The names of the components that must be loaded and started before this one, and stopped after it. */
    default Set<String> dependsOn() {
        return Set.of();
    }

    /**
     * Gets ready, and registers its handlers. Nothing runs yet.
     *
     * @param registry takes handlers until all components are loaded
     * @throws Exception it cannot be loaded; the application does not start, and stops what had begun, this component included
     */
    default void load(Registry registry) throws Exception {}

    /**
     * Begins to work. Everything is loaded, and the registry is frozen.
     *
     * @throws Exception it cannot be started; the application stops again, this component included
     */
    default void start() throws Exception {}

    /**
     * Ends its work and gives back what it holds. Called for each component whose loading had begun, whatever became of that. Is interrupted when the application's time to stop is over.
     *
     * @throws Exception something went wrong; the others are stopped all the same
     */
    default void stop() throws Exception {}
}
