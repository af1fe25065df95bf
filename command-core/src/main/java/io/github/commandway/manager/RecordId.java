package io.github.commandway.manager;

import java.util.Optional;
import java.util.UUID;

/** The id of one recorded command: a UUID, or a timestamp with a sequence number such as {@code 20250208123359-1}. */
public final class RecordId implements Comparable<RecordId> {
    private static final int TIMESTAMP_DIGITS = 14;

    private final long high;
    private final long low;
    private final boolean uuid;

    private RecordId(long high, long low, boolean uuid) {
        this.high = high;
        this.low = low;
        this.uuid = uuid;
    }

    /** An id that is a UUID. */
    public static RecordId ofUuid(long mostSignificantBits, long leastSignificantBits) {
        return new RecordId(mostSignificantBits, leastSignificantBits, true);
    }

    /**
     * An id that is a timestamp with a sequence number.
     *
     * @param timestamp the digits of {@code yyyyMMddHHmmss} as a number
     * @param sequence from 1
     */
    public static RecordId ofTimestamp(long timestamp, long sequence) {
        return new RecordId(timestamp, sequence, false);
    }

    /** Reads the text form; empty if the text is not an id. */
    public static Optional<RecordId> parse(String text) {
        return text.length() == 36 ? parseUuid(text) : parseTimestamp(text);
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

    private static Optional<RecordId> parseTimestamp(String text) {
        if (text.length() < TIMESTAMP_DIGITS + 2
                || text.length() > TIMESTAMP_DIGITS + 19
                || text.charAt(TIMESTAMP_DIGITS) != '-') {
            return Optional.empty();
        }
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (i != TIMESTAMP_DIGITS && (c < '0' || c > '9')) {
                return Optional.empty();
            }
        }
        RecordId parsed = ofTimestamp(
                Long.parseLong(text, 0, TIMESTAMP_DIGITS, 10),
                Long.parseLong(text, TIMESTAMP_DIGITS + 1, text.length(), 10));
        // one id has one text form: no zeros in front
        return parsed.toString().equals(text) ? Optional.of(parsed) : Optional.empty();
    }

    /** The upper half: of the UUID, or the timestamp. */
    public long high() {
        return high;
    }

    /** The lower half: of the UUID, or the sequence number. */
    public long low() {
        return low;
    }

    /** Whether this is a UUID and not a timestamp with a sequence number. */
    public boolean isUuid() {
        return uuid;
    }

    @Override
    public int compareTo(RecordId other) {
        int byHigh = Long.compareUnsigned(high, other.high);
        return byHigh != 0 ? byHigh : Long.compareUnsigned(low, other.low);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof RecordId that && high == that.high && low == that.low && uuid == that.uuid;
    }

    @Override
    public int hashCode() {
        long mixed = (high ^ Long.rotateLeft(low, 32)) * 0x9E3779B97F4A7C15L;
        return (int) (mixed >>> 32);
    }

    @Override
    public String toString() {
        return uuid ? new UUID(high, low).toString() : high + "-" + low;
    }
}
