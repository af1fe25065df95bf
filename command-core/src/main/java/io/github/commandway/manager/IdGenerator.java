package io.github.commandway.manager;

import java.time.Clock;
import java.time.LocalDateTime;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;

/** Makes the ids of records. Safe for use by many threads; no id is made twice. */
@FunctionalInterface
public interface IdGenerator {
    /** The next id. */
    RecordId next();

    /**
     * UUIDs of version 7 (RFC 9562, section 5.7): in the order of their making within this process, also when the clock goes
     * back. The 12 bits after the millisecond count, the last 62 are random.
     *
     * @param random any 64 random bits; need not be unguessable, since knowing an id gives no right to anything
     */
    static IdGenerator uuidV7(Clock clock, LongSupplier random) {
        AtomicLong last = new AtomicLong();
        return () -> {
            long bits = random.getAsLong();
            // starting each millisecond in the lower half of the counter leaves room for 2,048 more before it runs into
            // the next one
            long candidate = (clock.millis() << 12) | (bits & 0x7FF);
            long position = last.updateAndGet(previous -> Math.max(previous + 1, candidate));
            long high = ((position & ~0xFFFL) << 4) | 0x7000L | (position & 0xFFF);
            return RecordId.ofUuid(high, (bits >>> 2) | 0x8000000000000000L);
        };
    }

    /**
     * UUIDs of version 4 (RFC 9562, section 5.4).
     *
     * @param random any 64 random bits
     */
    static IdGenerator uuidV4(LongSupplier random) {
        return () -> RecordId.ofUuid(
                (random.getAsLong() & ~0xF000L) | 0x4000L, (random.getAsLong() >>> 2) | 0x8000000000000000L);
    }

    /** The time in the clock's zone and a number that counts on through the life of the process, such as {@code 20250208123359-1}. */
    static IdGenerator timestampSequence(Clock clock) {
        AtomicLong sequence = new AtomicLong();
        return () -> RecordId.ofTimestamp(timestamp(clock), sequence.incrementAndGet());
    }

    /**
     * The time in the clock's zone and six hexadecimal digits, such as {@code task_20231215_143022_abc123}. Within one process none comes again before
     * 16,777,216 others; where several make ids, a store that refuses a second record with the same id keeps them apart.
     *
     * @param random any 64 random bits, with which the digits begin
     */
    static IdGenerator task(Clock clock, LongSupplier random) {
        AtomicLong position = new AtomicLong(random.getAsLong());
        // an odd step visits every value before it comes back to the first
        return () -> RecordId.of(
                RecordId.Form.TASK, timestamp(clock), (position.getAndIncrement() * 0x9E3779B1L) & 0xFFFFFF);
    }

    /**
     * Numbers, such as {@code TASK_000001}, that count on through the life of the process.
     *
     * @param last the last number that was given out before; 0 if none was
     */
    static IdGenerator taskNumber(long last) {
        AtomicLong number = new AtomicLong(last);
        return () -> RecordId.of(RecordId.Form.TASK_NUMBER, 0, number.incrementAndGet());
    }

    private static long timestamp(Clock clock) {
        LocalDateTime now = LocalDateTime.now(clock);
        long date = now.getYear() * 10_000L + now.getMonthValue() * 100L + now.getDayOfMonth();
        long time = now.getHour() * 10_000L + now.getMinute() * 100L + now.getSecond();
        return date * 1_000_000L + time;
    }
}
