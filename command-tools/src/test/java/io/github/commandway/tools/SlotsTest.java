package io.github.commandway.tools;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SlotsTest {
    private final List<String> begun = new ArrayList<>();
    private final Map<String, Slots.Claim> claims = new HashMap<>();

    private void submit(Slots slots, String name, String tool, int concurrency, List<String> locks, List<String> pool) {
        Slots.Claim claim = new Slots.Claim(tool, concurrency, locks, pool, true, () -> begun.add(name));
        claims.put(name, claim);
        slots.submit(claim);
    }

    @Test
    void aRunThatNeedsManyLocksIsNotPassedOverForGood() {
        Slots slots = new Slots(10, 10);
        submit(slots, "a", "t", 9, List.of("x"), List.of());
        submit(slots, "both", "t", 9, List.of("x", "y"), List.of());
        submit(slots, "y", "t", 9, List.of("y"), List.of());
        submit(slots, "free", "t", 9, List.of("z"), List.of());
        assertThat(begun).containsExactly("a", "free");

        slots.release(claims.get("a"));
        assertThat(begun).containsExactly("a", "free", "both");
        slots.release(claims.get("both"));
        assertThat(begun).containsExactly("a", "free", "both", "y");
    }

    @Test
    void aRunThatWaitsForAThreadKeepsNothingFromTheStepsOfThoseThatHaveOne() {
        Slots slots = new Slots(1, 10);
        submit(slots, "toolchain", "", 9, List.of(), List.of());
        submit(slots, "run", "t", 9, List.of("x"), List.of("p"));
        Slots.Claim step =
                new Slots.Claim("u", 9, List.of("x"), List.of("p"), false, () -> begun.add("step of the toolchain"));
        slots.submit(step);
        assertThat(begun).containsExactly("toolchain", "step of the toolchain");

        slots.release(step);
        assertThat(begun).hasSize(2);
        slots.release(claims.get("toolchain"));
        assertThat(begun).containsExactly("toolchain", "step of the toolchain", "run");
    }

    @Test
    void runsOfOneToolBeginInTheirOrder() {
        Slots slots = new Slots(10, 10);
        submit(slots, "1", "t", 1, List.of(), List.of());
        submit(slots, "2", "t", 1, List.of("x"), List.of());
        submit(slots, "3", "t", 1, List.of(), List.of());
        slots.release(claims.get("1"));
        assertThat(begun).containsExactly("1", "2");
        assertThat(slots.withdraw(claims.get("3"))).isTrue();
        assertThat(slots.withdraw(claims.get("2"))).isFalse();
        slots.release(claims.get("2"));
        slots.release(claims.get("2"));
        assertThat(slots.running()).isZero();
        assertThat(slots.waiting()).isZero();
    }

    @Test
    void whateverComesAndGoesNobodyHoldsWhatAnotherHasAndAllBegin() {
        for (long seed = 0; seed < 200; seed++) {
            Random random = new Random(seed);
            Slots slots = new Slots(3, 1_000);
            begun.clear();
            claims.clear();
            int submitted = 0;
            int ended = 0;
            while (ended < 40) {
                if (submitted < 40 && random.nextInt(3) > 0) {
                    List<String> locks = random.nextBoolean() ? List.of("l" + random.nextInt(3)) : List.of();
                    List<String> pool = random.nextBoolean() ? List.of("p0", "p1") : List.of();
                    submit(slots, "" + submitted++, "t" + random.nextInt(3), 2, locks, pool);
                } else if (begun.size() > ended) {
                    slots.release(claims.get(begun.get(ended++)));
                }
                assertThat(slots.running())
                        .as("seed %s", seed)
                        .isEqualTo(begun.size() - ended)
                        .isBetween(0, 3);
                assertThat(slots.waiting()).isEqualTo(submitted - begun.size());
                List<String> held = begun.subList(ended, begun.size()).stream()
                        .map(name -> slots.resource(claims.get(name)))
                        .filter(java.util.Objects::nonNull)
                        .toList();
                assertThat(held).as("seed %s", seed).doesNotHaveDuplicates();
            }
            assertThat(begun).hasSize(40);
        }
    }
}
