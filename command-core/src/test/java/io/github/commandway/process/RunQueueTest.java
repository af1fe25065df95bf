package io.github.commandway.process;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.jetbrains.lincheck.datastructures.IntGen;
import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Param;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** A worker's queue, into which everybody puts and out of which everybody takes. */
class RunQueueTest {
    private static final int ITERATIONS = Integer.getInteger("commandway.lincheck", 5);

    @Test
    void eachIsTakenOnceInAnyOrderOfSteps() {
        new ModelCheckingOptions()
                .iterations(ITERATIONS)
                .invocationsPerIteration(60)
                .threads(2)
                .actorsPerThread(3)
                .check(Operations.class);
    }

    @Test
    void aPartOfAllIsTakenInOrder() {
        RunQueue<Integer> queue = new RunQueue<>();
        queue.addAll(List.of(1, 2, 3, 4, 5));
        List<Integer> taken = new ArrayList<>();
        assertThat(queue.pollSome(2, 32, taken)).isEqualTo(1);
        assertThat(taken).containsExactly(2);
        taken.clear();
        assertThat(queue.pollSome(1, 2, taken)).isEqualTo(3);
        assertThat(taken).containsExactly(4);
        assertThat(queue.size()).isEqualTo(1);
        assertThat(queue.pollSome(2, 32, taken)).isEqualTo(5);
        assertThat(queue.poll()).isNull();
    }

    /** What threads do to a queue. */
    public static class Operations {
        private final RunQueue<Integer> queue = new RunQueue<>();

        /** Whoever wakes a process. */
        @Operation
        public void add(@Param(gen = IntGen.class, conf = "1:3") int number) {
            queue.add(number);
        }

        /** The worker. */
        @Operation
        public @Nullable Integer poll() {
            return queue.poll();
        }

        /** Another worker. */
        @Operation
        public String steal() {
            List<Integer> taken = new ArrayList<>();
            return queue.pollSome(2, 32, taken) + " " + taken;
        }
    }
}
