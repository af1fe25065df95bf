package io.github.commandway.quic;

import com.google.protobuf.CodedInputStream;
import java.io.IOException;
import java.util.Arrays;

/** Bytes that come in chunks. The room they take grows with what has come, not with what was announced. */
final class Reassembly {
    private final int announced;
    private byte[] bytes = new byte[0];
    private int length;

    /**
     * Begins one.
     *
     * @throws ProtocolException if more is announced than is allowed
     */
    Reassembly(long announced, long allowed) throws ProtocolException {
        if (announced < 0 || announced > Math.min(allowed, Integer.MAX_VALUE - 8)) {
            throw new ProtocolException(
                    Long.toUnsignedString(announced) + " bytes are announced; " + allowed + " are allowed");
        }
        this.announced = (int) announced;
    }

    int announced() {
        return announced;
    }

    /** Reads one chunk's bytes; whether all have come. */
    boolean add(CodedInputStream in) throws IOException {
        int chunk = in.readRawVarint32();
        if (chunk < 0 || chunk > in.getBytesUntilLimit() || chunk > announced - length) {
            throw new ProtocolException("a chunk of " + Integer.toUnsignedString(chunk) + " bytes, with "
                    + (announced - length) + " of the announced bytes to come");
        }
        if (length + chunk > bytes.length) {
            bytes = Arrays.copyOf(bytes, (int) Math.min(announced, Math.max(2L * bytes.length, length + (long) chunk)));
        }
        System.arraycopy(in.readRawBytes(chunk), 0, bytes, length, chunk);
        length += chunk;
        return length == announced;
    }

    /** All bytes. */
    byte[] bytes() {
        return bytes.length == length ? bytes : Arrays.copyOf(bytes, length);
    }
}
