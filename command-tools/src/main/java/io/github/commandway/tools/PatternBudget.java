package io.github.commandway.tools;

import java.util.regex.Pattern;

/**
 * How much matching what a caller gives with the patterns of a tool's author may cost: there are patterns that take for ever with the right text. For one request, in one thread; it counts
 * looks at characters, so that the same request always has the same outcome.
 */
final class PatternBudget {
    private static final int LOOKS = 5_000_000;

    private int left = LOOKS;

    /**
     * Whether the whole text matches.
     *
     * @param what is matched, for people
     * @throws IllegalArgumentException if that takes too long to find out
     */
    boolean matches(Pattern pattern, String text, String what) {
        try {
            return pattern.matcher(new CountedText(text)).matches();
        } catch (SpentException | StackOverflowError e) {
            throw new IllegalArgumentException(
                    what + " takes too long to be compared with " + pattern + "; try with less of it", e);
        }
    }

    private static final class SpentException extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    private final class CountedText implements CharSequence {
        private final String text;

        CountedText(String text) {
            this.text = text;
        }

        @Override
        public int length() {
            return text.length();
        }

        @Override
        public char charAt(int index) {
            if (--left < 0) {
                throw new SpentException();
            }
            return text.charAt(index);
        }

        @Override
        public CharSequence subSequence(int start, int end) {
            return new CountedText(text.substring(start, end));
        }

        @Override
        public String toString() {
            return text;
        }
    }
}
