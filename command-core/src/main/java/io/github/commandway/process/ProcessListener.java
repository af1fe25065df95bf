package io.github.commandway.process;

/** Is told when processes start and end. Called by the threads where that happens, for several processes at once; must not block. */
public interface ProcessListener {

    /**
     * A process is about to start: it has its pid, name and relations, and has not been initialised.
     *
     * @throws Exception the process does not start; further listeners are not asked
     */
    default void onStart(Pid pid, Process process) throws Exception {}

    /** A process has ended, or could not be started. Called once for each pid for which {@link #onStart} was called. */
    default void onExit(Exit exit) {}
}
