package io.github.commandway.process;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jetbrains.lincheck.datastructures.BooleanGen;
import org.jetbrains.lincheck.datastructures.IntGen;
import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Param;
import org.jetbrains.lincheck.datastructures.StressOptions;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * The one word that is state and inbox of a process. Lincheck compares what threads see of it with what they could see if each operation happened at one moment, in all orders of their steps. So it would
 * find an event that is lost or taken twice, a sleep over an event, and two threads that both think that they have to wake.
 *
 * <p>{@code -Dcommandway.lincheck} is the number of random cases, for a longer run.
 */
class InboxTest {
    private static final int ITERATIONS = Integer.getInteger("commandway.lincheck", 5);

    @Test
    void nothingIsLostNorWokenTwiceInAnyOrderOfSteps() {
        new ModelCheckingOptions()
                .iterations(ITERATIONS)
                .invocationsPerIteration(60)
                .threads(2)
                .actorsPerThread(3)
                .sequentialSpecification(Model.class)
                .check(Operations.class);
    }

    @Test
    void nothingIsLostNorWokenTwiceUnderStress() {
        new StressOptions()
                .iterations(ITERATIONS)
                .invocationsPerIteration(200)
                .threads(2)
                .actorsPerThread(3)
                .sequentialSpecification(Model.class)
                .check(Operations.class);
    }

    @Test
    void aMessageDoesNotWakeWhatWaitsForItsYieldsButWhatComesAfterItDoes() {
        Inbox inbox = new Inbox();
        assertThat(inbox.sleep(true)).isTrue();
        assertThat(inbox.push(message(1))).isEqualTo(Inbox.Pushed.ADDED);
        assertThat(inbox.push(message(2))).isEqualTo(Inbox.Pushed.ADDED);
        assertThat(inbox.state()).isEqualTo(ProcessInfo.State.WAITING);
        assertThat(inbox.push(Control.wakeUp())).isEqualTo(Inbox.Pushed.WAKES);
        assertThat(inbox.push(message(3))).isEqualTo(Inbox.Pushed.ADDED);
        assertThat(inbox.push(Control.wakeUp())).isEqualTo(Inbox.Pushed.ADDED);
        assertThat(Operations.contents(inbox.take())).containsExactly(1, 2, 0, 3, 0);
    }

    @Test
    void moreMessagesThanAllowedAreNotCounted() {
        Inbox inbox = new Inbox();
        assertThat(inbox.reserveMessage(2)).isTrue();
        assertThat(inbox.reserveMessage(2)).isTrue();
        assertThat(inbox.reserveMessage(2)).isFalse();
        inbox.delivered(1);
        assertThat(inbox.messages()).isEqualTo(1);
        assertThat(inbox.reserveMessage(2)).isTrue();
    }

    @Test
    void whatIsClosedTakesNothingAndReturnsWhatWasLeft() {
        Inbox inbox = new Inbox();
        inbox.push(message(1));
        assertThat(Operations.contents(inbox.close())).containsExactly(1);
        assertThat(inbox.push(message(2))).isEqualTo(Inbox.Pushed.REFUSED);
        assertThat(inbox.state()).isEqualTo(ProcessInfo.State.COMPLETE);
    }

    private static Event message(int number) {
        return Signal.message(new Message(null, "m", number));
    }

    /** What threads do to an inbox. The owner's operations are one after the other, as in a scheduler. */
    public static class Operations {
        private final Inbox inbox = new Inbox();

        /** A sender. */
        @Operation
        public String send(@Param(gen = IntGen.class, conf = "1:3") int number) {
            return inbox.push(message(number)).name();
        }

        /** A completion, a termination, an exit. */
        @Operation
        public String wake() {
            return inbox.push(Control.wakeUp()).name();
        }

        /** A turn of a worker, if the process is awake. */
        @Operation(nonParallelGroup = "owner")
        public String turn(@Param(gen = BooleanGen.class) boolean deaf) {
            ProcessInfo.State state = inbox.state();
            if (state != ProcessInfo.State.READY) {
                return state.name();
            }
            for (; ; ) {
                Event newest = inbox.take();
                if (newest != null) {
                    List<Integer> taken = contents(newest);
                    inbox.delivered(
                            (int) taken.stream().filter(number -> number != 0).count());
                    return taken.toString();
                }
                if (inbox.sleep(deaf)) {
                    return "sleeps";
                }
            }
        }

        static List<Integer> contents(@Nullable Event newest) {
            List<Integer> numbers = new ArrayList<>();
            for (Event event = newest; event != null; event = event.below) {
                numbers.add(event instanceof Signal signal && signal.data() instanceof Integer number ? number : 0);
            }
            Collections.reverse(numbers);
            return numbers;
        }
    }

    /** What an inbox is, for one thread at a time. */
    public static class Model {
        private final List<Integer> events = new ArrayList<>();
        private ProcessInfo.State state = ProcessInfo.State.READY;

        /** A message wakes only what is idle. */
        public String send(int number) {
            return push(number, state == ProcessInfo.State.IDLE);
        }

        /** Anything else wakes whatever sleeps. */
        public String wake() {
            return push(0, state != ProcessInfo.State.READY);
        }

        private String push(int number, boolean wakes) {
            events.add(number);
            if (wakes) {
                state = ProcessInfo.State.READY;
            }
            return wakes ? "WAKES" : "ADDED";
        }

        /** Takes what is there, or sleeps if there is nothing. */
        public String turn(boolean deaf) {
            if (state != ProcessInfo.State.READY) {
                return state.name();
            }
            if (events.isEmpty()) {
                state = deaf ? ProcessInfo.State.WAITING : ProcessInfo.State.IDLE;
                return "sleeps";
            }
            String taken = events.toString();
            events.clear();
            return taken;
        }
    }
}
