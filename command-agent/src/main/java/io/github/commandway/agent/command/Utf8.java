package io.github.commandway.agent.command;

/** Where UTF-8 text can be cut. */
final class Utf8 {
    private Utf8() {}

    /** How many bytes remain when a character that the cut at the end has split is left out (RFC 3629, section 3). */
    static int wholeCharacters(byte[] bytes) {
        int start = bytes.length;
        int continuation = 0;
        while (start > 0 && continuation < 3 && (bytes[start - 1] & 0xC0) == 0x80) {
            start--;
            continuation++;
        }
        if (start == 0) {
            return bytes.length;
        }
        int lead = bytes[start - 1] & 0xFF;
        int expected = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
        return continuation < expected ? start - 1 : bytes.length;
    }
}
