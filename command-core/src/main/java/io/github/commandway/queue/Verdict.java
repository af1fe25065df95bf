package io.github.commandway.queue;

import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * What a result says of itself: a JSON object with the member {@code "success": false} tells of a failure, although its handler returned normally. Reads no more of JSON than it
 * needs to find that member, and takes what is not JSON for a result like any other.
 */
final class Verdict {
    private static final byte[] SUCCESS = "success".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] FALSE = "false".getBytes(StandardCharsets.US_ASCII);

    private final byte[] text;

    private Verdict(byte[] text) {
        this.text = text;
    }

    /** The failure that the result tells of, or null if it tells of none. */
    static @Nullable CommandException of(@Nullable Object result) {
        byte[] text;
        if (result instanceof byte[] bytes) {
            text = bytes;
        } else if (result instanceof CharSequence characters) {
            text = characters.toString().getBytes(StandardCharsets.UTF_8);
        } else {
            return null;
        }
        return new Verdict(text).isFailure()
                ? new CommandException(Reason.EXECUTOR_ERROR, "the result says that it is none: \"success\": false")
                : null;
    }

    private boolean isFailure() {
        int depth = 0;
        boolean failed = false;
        for (int i = 0; i < text.length; i++) {
            byte c = text[i];
            if (isSpace(c)) {
                continue;
            }
            if (depth == 0 && c != '{') {
                return false;
            }
            switch (c) {
                case '{', '[' -> depth++;
                case '}', ']' -> depth--;
                case '"' -> {
                    int end = endOfString(i + 1);
                    if (end < 0) {
                        return false;
                    }
                    int value = depth == 1 ? valueBehind(end) : -1;
                    // of two members of one name the last counts, as it does for who parses it
                    if (value >= 0 && end - i - 1 == SUCCESS.length && isAt(i + 1, SUCCESS)) {
                        failed = isAt(value, FALSE);
                    }
                    i = end;
                }
                default -> {
                    // a number, a literal or a separator, none of which matters
                }
            }
            if (depth == 0) {
                return failed && isBlankFrom(i + 1);
            }
        }
        return false;
    }

    /** The position of the quote that ends the string; -1 if none does. */
    private int endOfString(int from) {
        for (int i = from; i < text.length; i++) {
            if (text[i] == '\\') {
                i++;
            } else if (text[i] == '"') {
                return i;
            }
        }
        return -1;
    }

    /** Where the value begins of which the string that ends here is the name; -1 if it is no name. */
    private int valueBehind(int quote) {
        int colon = skipSpace(quote + 1);
        return colon < text.length && text[colon] == ':' ? skipSpace(colon + 1) : -1;
    }

    private int skipSpace(int from) {
        int i = from;
        while (i < text.length && isSpace(text[i])) {
            i++;
        }
        return i;
    }

    private boolean isBlankFrom(int from) {
        return skipSpace(from) == text.length;
    }

    private boolean isAt(int from, byte[] wanted) {
        return Arrays.equals(text, from, Math.min(text.length, from + wanted.length), wanted, 0, wanted.length);
    }

    private static boolean isSpace(byte c) {
        return c == ' ' || c == '\n' || c == '\r' || c == '\t';
    }
}
