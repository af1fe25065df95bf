package io.github.commandway.manager;

/** Is told by a store that several servers share what the others have done. The calls come in a thread of the store, and must not block. */
public interface StoreListener {
    /** Commands may be waiting in a queue that were put there elsewhere. */
    void onQueueWork(String queue);

    /** A record that was created here has changed elsewhere. */
    void onChanged(RecordId id);

    /** Somebody elsewhere wants a command cancelled that is executed here. */
    void onCancelRequested(RecordId id);
}
