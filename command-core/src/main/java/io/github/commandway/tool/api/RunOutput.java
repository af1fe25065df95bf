package io.github.commandway.tool.api;

import java.nio.charset.Charset;
import java.time.Instant;
import java.util.List;

/**
 * A part of the output of a run, in the order in which it was written.
 *
 * @param pieces what was written; empty if there is no more yet
 * @param next the position from which to go on reading
 */
public record RunOutput(List<Piece> pieces, long next) {
    /**
     * Bytes that a tool wrote.
     *
     * @param position where the piece begins; reading from there finds it again
     * @param next where the piece behind it begins
     * @param at when it came, by the clock of where it is kept
     * @param channel {@code stdout} or {@code stderr}
     * @param data the bytes as they were; must not be modified
     * @param charset in which the tool writes
     */
    @SuppressWarnings("ArrayRecordComponent") // as in CommandEvent
    public record Piece(long position, long next, Instant at, String channel, byte[] data, Charset charset) {}
}
