package io.github.commandway.tool.api;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.Charset;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;

/** Turns the output of one channel into text, piece by piece: a character that is cut by the end of a piece comes with the next one. Not safe for use by many threads. */
public final class OutputDecoder {
    private static final int LONGEST_CHARACTER = 8;

    private final CharsetDecoder decoder;
    private byte[] rest;

    /** @param charset in which the tool writes */
    public OutputDecoder(Charset charset) {
        this(charset, new byte[0]);
    }

    /**
     * Goes on where another one was.
     *
     * @param charset in which the tool writes
     * @param rest what the other one had as its {@link #rest}
     */
    public OutputDecoder(Charset charset, byte[] rest) {
        this.rest = rest.clone();
        decoder = charset.newDecoder()
                .onMalformedInput(CodingErrorAction.REPLACE)
                .onUnmappableCharacter(CodingErrorAction.REPLACE);
    }

    /** The text of one piece. What is no text becomes U+FFFD. */
    public String decode(byte[] piece) {
        return decode(piece, false);
    }

    /** What is left at the end; normally nothing. */
    public String finish() {
        return decode(new byte[0], true);
    }

    /** The beginning of a character whose end has not come yet; normally empty. */
    public byte[] rest() {
        return rest.clone();
    }

    private String decode(byte[] piece, boolean end) {
        ByteBuffer in = ByteBuffer.allocate(rest.length + piece.length)
                .put(rest)
                .put(piece)
                .flip();
        CharBuffer out =
                CharBuffer.allocate((int) (in.remaining() * (double) decoder.maxCharsPerByte()) + LONGEST_CHARACTER);
        decoder.decode(in, out, end);
        if (end) {
            decoder.flush(out);
            decoder.reset();
        }
        rest = new byte[in.remaining()];
        in.get(rest);
        return out.flip().toString();
    }
}
