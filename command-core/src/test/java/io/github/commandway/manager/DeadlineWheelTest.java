package io.github.commandway.manager;

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

    private long lastTag;

    @Test
    void firesNeverEarlyAndAtMostATickLate() {
        DeadlineWheel wheel = new DeadlineWheel(0);
        LiveCommand command = command();
        wheel.schedule(command, 10 * TICK + 1);
        assertThat(expired(wheel, 10 * TICK)).isEmpty();
        assertThat(expired(wheel, 11 * TICK)).containsExactly(command);
        assertThat(expired(wheel, 12 * TICK)).isEmpty();
    }

    @Test
    void firesWhatHasPassedAlreadyAtTheNextLook() {
        DeadlineWheel wheel = new DeadlineWheel(0);
        expired(wheel, 100 * TICK + 3);
        LiveCommand command = command();
        wheel.schedule(command, 5);
        assertThat(expired(wheel, 100 * TICK + 3)).containsExactly(command);
    }

    @Test
    void doesNotMistakeOneTurnForAnother() {
        DeadlineWheel wheel = new DeadlineWheel(0);
        LiveCommand soon = command();
        LiveCommand later = command();
        wheel.schedule(soon, 3 * TICK);
        wheel.schedule(later, 3 * TICK + TURN);
        assertThat(expired(wheel, 3 * TICK)).containsExactly(soon);
        assertThat(expired(wheel, TURN)).isEmpty();
        assertThat(expired(wheel, 3 * TICK + TURN)).containsExactly(later);
    }

    @Test
    void missesNothingWhenNobodyLookedForManyTurns() {
        DeadlineWheel wheel = new DeadlineWheel(0);
        List<LiveCommand> all = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            LiveCommand command = command();
            wheel.schedule(command, i * TURN / 10 + i);
            all.add(command);
        }
        assertThat(expired(wheel, 20 * TURN)).containsExactlyInAnyOrderElementsOf(all);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -5_000_000_000L, Long.MAX_VALUE - 1_000_000_000_000L, Long.MIN_VALUE})
    void agreesWithAListThatIsLookedThroughEveryTime(long start) {
        long seed = Long.getLong("commandway.seed", System.nanoTime());
        Random random = new Random(seed);
        DeadlineWheel wheel = new DeadlineWheel(start);
        Map<LiveCommand, Long> model = new HashMap<>();
        List<LiveCommand> scheduled = new ArrayList<>();
        // both counted from the start, so that the model needs no arithmetic that overflows
        long now = 0;
        for (int step = 0; step < 20_000; step++) {
            switch (random.nextInt(5)) {
                case 0, 1 -> {
                    LiveCommand command = command();
                    long deadline = now + randomDelay(random);
                    wheel.schedule(command, start + deadline);
                    model.put(command, deadline);
                    scheduled.add(command);
                }
                case 2 -> {
                    if (!scheduled.isEmpty()) {
                        LiveCommand command = scheduled.get(random.nextInt(scheduled.size()));
                        wheel.cancel(command);
                        model.remove(command);
                    }
                }
                default -> {
                    now += random.nextInt(20) == 0 ? Math.abs(randomDelay(random)) : random.nextLong(2 * TICK);
                    List<LiveCommand> fired = expired(wheel, start + now);
                    String at = "seed " + seed + ", step " + step;
                    for (LiveCommand command : fired) {
                        Long deadline = model.remove(command);
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

    private static List<LiveCommand> expired(DeadlineWheel wheel, long now) {
        List<LiveCommand> due = new ArrayList<>();
        wheel.expire(now, due);
        return due;
    }

    private LiveCommand command() {
        CommandRequest request = CommandRequest.toAgent("a", "type").build();
        return new LiveCommand(RecordId.ofUuid(0, ++lastTag), request, lastTag, 0);
    }
}
