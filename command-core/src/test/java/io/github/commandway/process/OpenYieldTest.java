package io.github.commandway.process;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.Registry;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.atomic.AtomicInteger;
import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.StressOptions;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

/**
 * Whatever ends a yield - its handler, once or more often, by a result or by throwing, its deadline, the end of its process - in whatever order of steps: it ends once, and its command is released
 * once, when the handler is through with it.
 *
 * <p>{@code -Dcommandway.lincheck} is the number of random cases, for a longer run.
 */
class OpenYieldTest {
    private static final int ITERATIONS = Integer.getInteger("commandway.lincheck", 3);
    private static final long TAG = 5;
    private static final ScheduledExecutorService TIMER = Executors.newSingleThreadScheduledExecutor();

    @AfterAll
    static void stop() {
        TIMER.shutdownNow();
    }

    @Test
    void endsOnceAndReleasesOnceInAnyOrderOfSteps() {
        new ModelCheckingOptions()
                .iterations(ITERATIONS)
                .invocationsPerIteration(300)
                .threads(2)
                .actorsPerThread(2)
                .actorsBefore(0)
                .actorsAfter(2)
                .check(Ends.class);
    }

    @Test
    void endsOnceAndReleasesOnceUnderStress() {
        new StressOptions()
                .iterations(ITERATIONS)
                .invocationsPerIteration(150)
                .threads(2)
                .actorsPerThread(2)
                .actorsBefore(0)
                .actorsAfter(2)
                .check(Ends.class);
    }

    /** All that can end a yield. Only a turn tells something, by what it throws: one thread alone never sees it throw. */
    public static class Ends {
        private final AtomicInteger released = new AtomicInteger();
        private final LiveProcess process = new LiveProcess(
                Processes.builder(new Registry()).workers(1).timer(TIMER).build(),
                1,
                (events, out) -> {},
                SpawnOptions.defaults(),
                0);
        private final OpenYield yield = new OpenYield(process);
        private volatile boolean handlerHasBegun;
        private int seen;

        /** A yield that is open. */
        public Ends() {
            yield.open(new Counted(released), TAG, 1);
        }

        /** The handler. */
        @Operation
        public void complete() {
            handlerHasBegun = true;
            yield.completeYield(TAG, "result", null);
        }

        /** The handler, in another way. */
        @Operation
        public void fail() {
            handlerHasBegun = true;
            yield.failed(new CommandException(Reason.EXECUTOR_ERROR, "thrown"));
        }

        /** The timer. */
        @Operation
        public void expire() {
            yield.expire();
        }

        /** The process, when it ends. */
        @Operation(nonParallelGroup = "owner")
        public void abandon() {
            yield.abandon(CancelCause.REQUESTED);
        }

        /** The process, when it goes on. */
        @Operation(nonParallelGroup = "owner")
        public void turn() {
            Event ended = process.take();
            while (ended != null) {
                seen++;
                if (seen > 1) {
                    throw new IllegalStateException("it has ended more than once");
                }
                yield.settle();
                ended = ended.below;
            }
            if (released.get() > 1 || (released.get() == 1 && !handlerHasBegun)) {
                throw new IllegalStateException("its command was released " + released.get() + " times");
            }
        }
    }

    private record Counted(AtomicInteger released) implements Command {
        @Override
        public int commandId() {
            return 1;
        }

        @Override
        public void release() {
            released.incrementAndGet();
        }
    }
}
