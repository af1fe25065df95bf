package io.github.commandway.dispatch;

/** A group of handlers that belong together, such as all commands of one service. */
public interface Dispatcher {

    /** The name under which this group claims its command ids, such as {@code clock}. */
    String name();

    /** Registers every handler of the group. Called once, before the registry is frozen. */
    void registerAll(Registrar registrar);

    /** Takes the registrations of one owner. */
    @FunctionalInterface
    interface Registrar {
        /**
         * Claims {@code commandId} for the owner and sets its handler.
         *
         * @throws IllegalStateException if the id is taken or the registry is frozen
         */
        void register(int commandId, Handler handler);
    }
}
