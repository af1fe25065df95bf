package io.github.commandway.system;

import io.github.commandway.system.StreamService.Split;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Cuts bytes that come in portions into pieces of text. Not safe for use by many threads. */
final class Tokens {
    static final int LONGEST = 64 * 1024;

    private final Split split;
    private byte[] buffer = new byte[0];
    private int from;
    private boolean ended;

    Tokens(Split split) {
        this.split = split;
    }

    /** Takes the next portion; null for the end. */
    void add(byte @Nullable [] bytes) {
        if (bytes == null) {
            ended = true;
            return;
        }
        byte[] joined = Arrays.copyOfRange(buffer, from, buffer.length + bytes.length);
        System.arraycopy(bytes, 0, joined, buffer.length - from, bytes.length);
        buffer = joined;
        from = 0;
    }

    /** Whether the last portion has come; what {@link #next} does not give then is not there. */
    boolean ended() {
        return ended;
    }

    /** The next whole piece, or null if more bytes are needed. */
    @Nullable String next() {
        if (split == Split.WORDS) {
            while (from < buffer.length && isSpace(buffer[from])) {
                from++;
            }
        }
        if (from == buffer.length) {
            return null;
        }
        int end = endOfPiece();
        if ((end < 0 && buffer.length - from > LONGEST) || end - from > LONGEST) {
            throw new IllegalStateException("a piece is longer than " + LONGEST + " bytes");
        }
        if (end < 0) {
            if (!ended) {
                return null;
            }
            end = buffer.length;
        }
        return take(end);
    }

    private String take(int end) {
        int start = from;
        if (split == Split.BYTES) {
            from = end;
            return new String(buffer, start, 1, StandardCharsets.ISO_8859_1);
        }
        from = end;
        int last = end;
        if (split == Split.LINES) {
            if (end < buffer.length) {
                from = end + 1;
            }
            if (last > start && buffer[last - 1] == '\r') {
                last--;
            }
        }
        return new String(buffer, start, last - start, StandardCharsets.UTF_8);
    }

    /** Behind the last byte of the piece, its separator not counted; -1 if it cannot be seen yet. */
    private int endOfPiece() {
        switch (split) {
            case BYTES -> {
                return from + 1;
            }
            case RUNES -> {
                return endOfRune();
            }
            default -> {
                for (int i = from; i < buffer.length; i++) {
                    if (split == Split.LINES ? buffer[i] == '\n' : isSpace(buffer[i])) {
                        return i;
                    }
                }
                return -1;
            }
        }
    }

    private int endOfRune() {
        int lead = buffer[from] & 0xFF;
        int length = lead < 0xC2 || lead > 0xF4 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
        for (int i = 1; i < length; i++) {
            if (from + i == buffer.length) {
                return -1;
            }
            if ((buffer[from + i] & 0xC0) != 0x80) {
                return from + 1;
            }
        }
        return from + length;
    }

    private static boolean isSpace(byte value) {
        return value == ' ' || (value >= '\t' && value <= '\r');
    }
}
