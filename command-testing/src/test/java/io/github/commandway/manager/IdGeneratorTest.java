package io.github.commandway.manager;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.testing.ManualTime;
import java.time.Clock;
import java.time.Duration;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class IdGeneratorTest {
    private final ManualTime time = new ManualTime();

    @Test
    void versionSevenCarriesTheTimeVersionAndVariant() {
        UUID uuid = uuid(IdGenerator.uuidV7(time.clock(), () -> -1L).next());
        assertThat(uuid.version()).isEqualTo(7);
        assertThat(uuid.variant()).isEqualTo(2);
        assertThat(uuid.getMostSignificantBits() >>> 16).isEqualTo(ManualTime.START.toEpochMilli());
    }

    @Test
    void versionFourCarriesVersionAndVariant() {
        for (long bits : new long[] {0, -1, 0x5555555555555555L}) {
            UUID uuid = uuid(IdGenerator.uuidV4(() -> bits).next());
            assertThat(uuid.version()).isEqualTo(4);
            assertThat(uuid.variant()).isEqualTo(2);
        }
    }

    @Test
    void versionSevenGrowsAlsoWhenTheClockStandsStillOrGoesBack() {
        IdGenerator ids = IdGenerator.uuidV7(time.clock(), ThreadLocalRandom.current()::nextLong);
        RecordId last = ids.next();
        for (int i = 0; i < 20_000; i++) {
            if (i == 10_000) {
                time.stepWallClock(Duration.ofHours(-1));
            }
            if (i % 1_000 == 0) {
                time.advance(Duration.ofMillis(1));
            }
            RecordId next = ids.next();
            assertThat(next).isGreaterThan(last);
            last = next;
        }
    }

    static Stream<IdGenerator> generators() {
        Clock clock = Clock.fixed(ManualTime.START, ZoneId.of("UTC"));
        return Stream.of(
                IdGenerator.uuidV7(clock, () -> 0L),
                IdGenerator.uuidV4(() -> ThreadLocalRandom.current().nextLong()),
                IdGenerator.timestampSequence(clock));
    }

    @ParameterizedTest
    @MethodSource("generators")
    void manyThreadsGetNoIdTwice(IdGenerator ids) throws Exception {
        int count = 4;
        int each = 20_000;
        ExecutorService threads = Executors.newFixedThreadPool(count);
        try {
            List<Callable<List<RecordId>>> tasks = new ArrayList<>();
            for (int thread = 0; thread < count; thread++) {
                tasks.add(() -> Stream.generate(ids::next).limit(each).toList());
            }
            Set<RecordId> all = new HashSet<>();
            for (Future<List<RecordId>> made : threads.invokeAll(tasks)) {
                all.addAll(made.get());
            }
            assertThat(all).hasSize(count * each);
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void timestampsAreInTheZoneOfTheClock() {
        IdGenerator ids = IdGenerator.timestampSequence(time.clock().withZone(ZoneId.of("Asia/Shanghai")));
        assertThat(ids.next()).hasToString("20260101080000-1");
        time.advance(Duration.ofSeconds(3_661));
        assertThat(ids.next()).hasToString("20260101090101-2");
    }

    private static UUID uuid(RecordId id) {
        assertThat(id.form()).isEqualTo(RecordId.Form.UUID);
        return new UUID(id.high(), id.low());
    }
}
