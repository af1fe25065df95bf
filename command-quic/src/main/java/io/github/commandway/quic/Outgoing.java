package io.github.commandway.quic;

import com.google.protobuf.CodedOutputStream;
import io.github.commandway.manager.RecordId;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Something to be sent on one connection: a node of the list in which it waits. Used once. */
abstract class Outgoing {
    /** A {@link #size} that says that there is nothing to be sent any more. */
    static final int NOTHING = -1;

    @Nullable Outgoing next;

    /** The size of its (next) envelope in bytes, or {@link #NOTHING}. Called in the event loop, as all but the constructor. */
    abstract int size();

    /** Writes the envelope that {@link #size} has measured. */
    abstract void writeTo(CodedOutputStream out) throws IOException;

    /** Whether another envelope follows the one that was written. */
    boolean hasMore() {
        return false;
    }

    /** The record whose other messages it must not overtake, or null. */
    @Nullable RecordId order() {
        return null;
    }

    /** Whether it goes on a stream of its own, together with all later messages of its {@link #order}. */
    boolean opensLane() {
        return false;
    }

    /** Whether it is the last message of its {@link #order}. */
    boolean endsLane() {
        return false;
    }

    /** How many bytes it announces that follow in chunks. */
    int bulkBytes() {
        return 0;
    }

    /** Called once when it was passed to the network, or will never be. */
    void done(boolean sent) {}
}
