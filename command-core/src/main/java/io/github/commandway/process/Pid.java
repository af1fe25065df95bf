package io.github.commandway.process;

/**
 * The identity of a process. Never used again, also not after the process has ended.
 *
 * @param value above 0; unique within one {@code Processes}
 */
public record Pid(long value) implements Comparable<Pid> {
    private static final String PREFIX = "pid-";

    /** Reads the form that {@link #toString} writes. */
    public static Pid parse(String text) {
        if (!text.startsWith(PREFIX)) {
            throw new IllegalArgumentException("not a pid: '" + text + "'; one looks like " + PREFIX + "17");
        }
        return new Pid(Long.parseLong(text.substring(PREFIX.length())));
    }

    @Override
    public int compareTo(Pid other) {
        return Long.compare(value, other.value);
    }

    @Override
    public String toString() {
        return PREFIX + value;
    }
}
