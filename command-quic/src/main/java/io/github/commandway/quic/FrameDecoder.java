package io.github.commandway.quic;

import com.google.protobuf.CodedInputStream;
import io.netty.buffer.ByteBuf;
import io.netty.util.concurrent.FastThreadLocal;
import java.io.IOException;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Takes frames, each preceded by its length as a varint, out of the bytes of one stream. Keeps bytes only while a frame is
 * incomplete, and never more than one frame and what came with its end. Not safe for use by many threads.
 */
final class FrameDecoder {
    /** The most bytes of one frame, without its length. */
    static final int MAX_FRAME = 256 * 1024;

    private static final int MAX_LENGTH_BYTES = 3;
    private static final int INCOMPLETE = -1;
    private static final int SCRATCH_BYTES = 64 * 1024;

    private static final FastThreadLocal<byte[]> SCRATCH = new FastThreadLocal<>() {
        @Override
        protected byte[] initialValue() {
            return new byte[SCRATCH_BYTES];
        }
    };

    private byte @Nullable [] kept;
    private int keptLength;

    /** Takes one frame: {@code in} ends where the frame does. */
    @FunctionalInterface
    interface Sink {
        void onFrame(CodedInputStream in) throws IOException;
    }

    /**
     * Reads all of {@code buffer}, which stays the caller's.
     *
     * @throws IOException if this is not the protocol; the stream is of no use any more
     */
    void decode(ByteBuf buffer, Sink sink) throws IOException {
        int readable = buffer.readableBytes();
        byte[] before = kept;
        int length = keptLength + readable;
        byte[] bytes;
        if (length <= SCRATCH_BYTES) {
            bytes = SCRATCH.get();
            if (before != null) {
                System.arraycopy(before, 0, bytes, 0, keptLength);
            }
        } else if (before == null) {
            bytes = new byte[length];
        } else {
            // in proportion to what came, never to what was announced
            bytes = length <= before.length
                    ? before
                    : Arrays.copyOf(
                            before, Math.max(length, Math.min(2 * before.length, MAX_LENGTH_BYTES + MAX_FRAME)));
        }
        buffer.readBytes(bytes, keptLength, readable);
        kept = null;
        keptLength = 0;
        if (bytes.length > SCRATCH_BYTES && frameLength(bytes, 0, length) == INCOMPLETE) {
            // a long frame grows in place
            kept = bytes;
            keptLength = length;
            return;
        }
        int end = readFrames(bytes, length, sink);
        if (end < length) {
            kept = Arrays.copyOfRange(bytes, end, length);
            keptLength = length - end;
        }
    }

    /** Whether the stream may end here. */
    boolean isAtFrameEnd() {
        return kept == null;
    }

    private static int readFrames(byte[] bytes, int length, Sink sink) throws IOException {
        CodedInputStream in = CodedInputStream.newInstance(bytes, 0, length);
        int position = 0;
        while (position < length) {
            int frame = frameLength(bytes, position, length);
            if (frame == INCOMPLETE) {
                break;
            }
            int size = in.readRawVarint32();
            int outer = in.pushLimit(size);
            sink.onFrame(in);
            in.skipRawBytes(in.getBytesUntilLimit());
            in.popLimit(outer);
            position += frame;
        }
        return position;
    }

    /** The length of the frame at {@code position} with its length field, or {@link #INCOMPLETE}. */
    private static int frameLength(byte[] bytes, int position, int end) throws ProtocolException {
        int size = 0;
        for (int i = 0; i < MAX_LENGTH_BYTES; i++) {
            if (position + i >= end) {
                return INCOMPLETE;
            }
            byte next = bytes[position + i];
            size |= (next & 0x7F) << (7 * i);
            if (next >= 0) {
                if (size > MAX_FRAME) {
                    throw tooLong();
                }
                int frame = i + 1 + size;
                return end - position < frame ? INCOMPLETE : frame;
            }
        }
        throw tooLong();
    }

    private static ProtocolException tooLong() {
        return new ProtocolException("an envelope has at most " + MAX_FRAME + " bytes");
    }
}
