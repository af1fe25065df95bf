package io.github.commandway.manager;

import java.util.Optional;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The id of one recorded command, in one of the forms that {@link Form} lists. Its text names nothing but this record.
 */
public final class RecordId implements Comparable<RecordId> {
    /** How an id looks. */
    public enum Form {
        /** A UUID. */
        UUID(0),
        /** A timestamp with a sequence number, such as {@code 20250208123359-1}. */
        TIMESTAMP(1),
        /** A timestamp with six hexadecimal digits, such as {@code task_20231215_143022_abc123}. */
        TASK(2),
        /** A number of at least six digits, such as {@code TASK_000001}. */
        TASK_NUMBER(3);

        private final int number;

        Form(int number) {
            this.number = number;
        }

        /** What stands for it on the wire and on disk; 0 for a UUID. */
        public int number() {
            return number;
        }

        /**
         * Finds a form by its {@link #number}.
         *
         * @throws IllegalArgumentException if there is none
         */
        public static Form ofNumber(int number) {
            return switch (number) {
                case 0 -> UUID;
                case 1 -> TIMESTAMP;
                case 2 -> TASK;
                case 3 -> TASK_NUMBER;
                default -> throw new IllegalArgumentException("a record id has the unknown form " + number);
            };
        }
    }

    private static final Pattern TIMESTAMP = Pattern.compile("([1-9]\\d{13})-([1-9]\\d{0,17})");
    private static final Pattern TASK = Pattern.compile("task_(\\d{8})_(\\d{6})_([0-9a-f]{6})");
    private static final Pattern TASK_NUMBER = Pattern.compile("TASK_(\\d{6}|[1-9]\\d{6,17})");
    private static final int UUID_LENGTH = 36;

    private final long high;
    private final long low;
    private final Form form;

    private RecordId(long high, long low, Form form) {
        this.high = high;
        this.low = low;
        this.form = form;
    }

    /** An id that is a UUID. */
    public static RecordId ofUuid(long mostSignificantBits, long leastSignificantBits) {
        return new RecordId(mostSignificantBits, leastSignificantBits, Form.UUID);
    }

    /**
     * An id that is a timestamp with a sequence number.
     *
     * @param timestamp the digits of {@code yyyyMMddHHmmss} as a number
     * @param sequence from 1
     */
    public static RecordId ofTimestamp(long timestamp, long sequence) {
        return new RecordId(timestamp, sequence, Form.TIMESTAMP);
    }

    /** An id of any form from what {@link #high}, {@link #low} and {@link #form} of it say. */
    public static RecordId of(Form form, long high, long low) {
        return new RecordId(high, low, form);
    }

    /** Reads the text form; empty if the text is not an id. */
    public static Optional<RecordId> parse(String text) {
        return text.length() == UUID_LENGTH ? parseUuid(text) : parseOther(text);
    }

    private static Optional<RecordId> parseUuid(String text) {
        try {
            UUID parsed = UUID.fromString(text);
            // UUID.fromString also takes groups of the wrong length
            return parsed.toString().equalsIgnoreCase(text)
                    ? Optional.of(ofUuid(parsed.getMostSignificantBits(), parsed.getLeastSignificantBits()))
                    : Optional.empty();
        } catch (IllegalArgumentException notAnId) {
            return Optional.empty();
        }
    }

    private static Optional<RecordId> parseOther(String text) {
        Matcher timestamp = TIMESTAMP.matcher(text);
        if (timestamp.matches()) {
            return Optional.of(ofTimestamp(Long.parseLong(timestamp.group(1)), Long.parseLong(timestamp.group(2))));
        }
        Matcher task = TASK.matcher(text);
        if (task.matches()) {
            return Optional.of(
                    of(Form.TASK, Long.parseLong(task.group(1) + task.group(2)), Long.parseLong(task.group(3), 16)));
        }
        Matcher number = TASK_NUMBER.matcher(text);
        return number.matches()
                ? Optional.of(of(Form.TASK_NUMBER, 0, Long.parseLong(number.group(1))))
                : Optional.empty();
    }

    /** The upper half: of the UUID, or the timestamp as the number {@code yyyyMMddHHmmss}, or 0. */
    public long high() {
        return high;
    }

    /** The lower half: of the UUID, or the number behind the timestamp. */
    public long low() {
        return low;
    }

    /** How it looks. */
    public Form form() {
        return form;
    }

    @Override
    public int compareTo(RecordId other) {
        int byHigh = Long.compareUnsigned(high, other.high);
        return byHigh != 0 ? byHigh : Long.compareUnsigned(low, other.low);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof RecordId that && high == that.high && low == that.low && form == that.form;
    }

    @Override
    public int hashCode() {
        long mixed = (high ^ Long.rotateLeft(low, 32)) * 0x9E3779B97F4A7C15L;
        return (int) (mixed >>> 32);
    }

    @Override
    public String toString() {
        return switch (form) {
            case UUID -> new UUID(high, low).toString();
            case TIMESTAMP -> high + "-" + low;
            case TASK -> "task_%08d_%06d_%06x".formatted(high / 1_000_000, high % 1_000_000, low);
            case TASK_NUMBER -> "TASK_%06d".formatted(low);
        };
    }
}
