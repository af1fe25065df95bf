package io.github.commandway.quic;

import com.google.protobuf.CodedOutputStream;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.util.concurrent.FastThreadLocal;
import java.io.IOException;

/** Puts envelopes, each preceded by its length, one after the other. There is one for each thread, which is emptied before it is used for another connection. */
final class Encoder {
    private static final int BATCH_BYTES = 64 * 1024;
    private static final int LENGTH_BYTES = 3;

    private static final FastThreadLocal<Encoder> OF_THREAD = new FastThreadLocal<>() {
        @Override
        protected Encoder initialValue() {
            return new Encoder();
        }
    };

    private final byte[] bytes = new byte[BATCH_BYTES + FrameDecoder.MAX_FRAME + LENGTH_BYTES];
    private CodedOutputStream out = CodedOutputStream.newInstance(bytes);

    private Encoder() {}

    static Encoder ofThread() {
        return OF_THREAD.get();
    }

    /** Appends one envelope; whether there was anything to append. Only for an encoder that {@link #isFull} denies. */
    boolean append(Outgoing message) {
        int size = message.size();
        if (size == Outgoing.NOTHING) {
            return false;
        }
        if (size > FrameDecoder.MAX_FRAME) {
            throw new IllegalStateException("an envelope of " + size + " bytes cannot be sent");
        }
        try {
            out.writeUInt32NoTag(size);
            message.writeTo(out);
        } catch (IOException e) {
            throw new IllegalStateException("a message is longer than it said", e);
        }
        return true;
    }

    boolean isEmpty() {
        return out.getTotalBytesWritten() == 0;
    }

    boolean isFull() {
        return out.getTotalBytesWritten() > BATCH_BYTES;
    }

    /** What was appended; after this the encoder is empty. */
    ByteBuf take(ByteBufAllocator allocator) {
        int length = out.getTotalBytesWritten();
        out = CodedOutputStream.newInstance(bytes);
        return allocator.directBuffer(length).writeBytes(bytes, 0, length);
    }
}
