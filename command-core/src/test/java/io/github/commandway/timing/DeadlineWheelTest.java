package io.github.commandway.timing;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DeadlineWheelTest {
    private static final long TICK = DeadlineWheel.TICK_NANOS;
    private static final long TURN = TICK * 2_048;

    @Test
    void firesNeverEarlyAndAtMostATickLate() {
        DeadlineWheel<Entry> wheel = new DeadlineWheel<>(0);
        Entry entry = new Entry();
        wheel.schedule(entry, 10 * TICK + 1);
        assertThat(expired(wheel, 10 * TICK)).isEmpty();
        assertThat(expired(wheel, 11 * TICK)).containsExactly(entry);
        assertThat(expired(wheel, 12 * TICK)).isEmpty();
    }

    @Test
    void firesWhatHasPassedAlreadyAtTheNextLook() {
        DeadlineWheel<Entry> wheel = new DeadlineWheel<>(0);
        expired(wheel, 100 * TICK + 3);
        Entry entry = new Entry();
        wheel.schedule(entry, 5);
        assertThat(expired(wheel, 100 * TICK + 3)).containsExactly(entry);
    }

    @Test
    void doesNotMistakeOneTurnForAnother() {
        DeadlineWheel<Entry> wheel = new DeadlineWheel<>(0);
        Entry soon = new Entry();
        Entry later = new Entry();
        wheel.schedule(soon, 3 * TICK);
        wheel.schedule(later, 3 * TICK + TURN);
        assertThat(expired(wheel, 3 * TICK)).containsExactly(soon);
        assertThat(expired(wheel, TURN)).isEmpty();
        assertThat(expired(wheel, 3 * TICK + TURN)).containsExactly(later);
    }

    @Test
    void missesNothingWhenNobodyLookedForManyTurns() {
        DeadlineWheel<Entry> wheel = new DeadlineWheel<>(0);
        List<Entry> all = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            Entry entry = new Entry();
            wheel.schedule(entry, i * TURN / 10 + i);
            all.add(entry);
        }
        assertThat(expired(wheel, 20 * TURN)).containsExactlyInAnyOrderElementsOf(all);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -5_000_000_000L, Long.MAX_VALUE - 1_000_000_000_000L, Long.MIN_VALUE})
    void agreesWithAListThatIsLookedThroughEveryTime(long start) {
        long seed = Long.getLong("commandway.seed", System.nanoTime());
        Random random = new Random(seed);
        DeadlineWheel<Entry> wheel = new DeadlineWheel<>(start);
        Map<Entry, Long> model = new HashMap<>();
        List<Entry> scheduled = new ArrayList<>();
        // both counted from the start, so that the model needs no arithmetic that overflows
        long now = 0;
        for (int step = 0; step < 20_000; step++) {
            switch (random.nextInt(5)) {
                case 0, 1 -> {
                    Entry entry = new Entry();
                    long deadline = now + randomDelay(random);
                    wheel.schedule(entry, start + deadline);
                    model.put(entry, deadline);
                    scheduled.add(entry);
                }
                case 2 -> {
                    if (!scheduled.isEmpty()) {
                        Entry entry = scheduled.get(random.nextInt(scheduled.size()));
                        wheel.cancel(entry);
                        model.remove(entry);
                    }
                }
                default -> {
                    now += random.nextInt(20) == 0 ? Math.abs(randomDelay(random)) : random.nextLong(2 * TICK);
                    List<Entry> fired = expired(wheel, start + now);
                    String at = "seed " + seed + ", step " + step;
                    for (Entry entry : fired) {
                        Long deadline = model.remove(entry);
                        assertThat(deadline)
                                .as("fired twice or after cancel, %s", at)
                                .isNotNull();
                        assertThat(deadline).as("fired early, %s", at).isLessThanOrEqualTo(now);
                    }
                    long latest = now - TICK;
                    assertThat(model.values())
                            .as("more than a tick late, %s", at)
                            .allMatch(deadline -> deadline > latest);
                }
            }
        }
    }

    private static long randomDelay(Random random) {
        return switch (random.nextInt(4)) {
                    case 0 -> random.nextLong(TICK);
                    case 1 -> random.nextLong(100 * TICK);
                    case 2 -> TURN * random.nextInt(3) + random.nextLong(3 * TICK);
                    default -> -random.nextLong(TURN);
                }
                + (random.nextInt(10) == 0 ? 0 : TICK);
    }

    private static List<Entry> expired(DeadlineWheel<Entry> wheel, long now) {
        List<Entry> due = new ArrayList<>();
        wheel.expire(now, due);
        return due;
    }

    private static final class Entry extends Timed<Entry> {}
}
