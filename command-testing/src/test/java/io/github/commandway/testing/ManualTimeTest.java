package io.github.commandway.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ManualTimeTest {
    private final ManualTime time = new ManualTime();
    private final ScheduledExecutorService scheduler = time.scheduler();
    private final List<String> ran = new ArrayList<>();

    private Runnable note(String name) {
        return () -> ran.add(name + "@" + TimeUnit.NANOSECONDS.toMillis(time.nanos()));
    }

    @Test
    void movesTheWallClockAndTheNanosecondsTogether() {
        time.advance(Duration.ofMillis(1_500));
        assertThat(time.nanos()).isEqualTo(1_500_000_000L);
        assertThat(time.clock().instant()).isEqualTo(ManualTime.START.plusMillis(1_500));
        time.stepWallClock(Duration.ofSeconds(-10));
        assertThat(time.clock().instant()).isEqualTo(ManualTime.START.minusMillis(8_500));
        assertThat(time.nanos()).isEqualTo(1_500_000_000L);
        assertThatThrownBy(() -> time.advance(Duration.ofNanos(-1))).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void runsTasksInTheOrderOfTheirTimesEachAtItsOwn() {
        scheduler.schedule(note("c"), 30, TimeUnit.MILLISECONDS);
        scheduler.schedule(note("a"), 10, TimeUnit.MILLISECONDS);
        scheduler.schedule(note("b"), 10, TimeUnit.MILLISECONDS);
        scheduler.schedule(
                () -> scheduler.schedule(note("nested"), 5, TimeUnit.MILLISECONDS), 20, TimeUnit.MILLISECONDS);
        scheduler.execute(note("now"));
        assertThat(ran).isEmpty();
        time.advance(Duration.ofMillis(29));
        assertThat(ran).containsExactly("now@0", "a@10", "b@10", "nested@25");
        time.advance(Duration.ofMillis(1));
        assertThat(ran).endsWith("c@30");
    }

    @Test
    void repeatsPeriodicTasksUntilTheyAreCancelledOrThrow() {
        ScheduledFuture<?> rate = scheduler.scheduleAtFixedRate(note("r"), 1, 10, TimeUnit.MILLISECONDS);
        ScheduledFuture<?> throwing = scheduler.scheduleWithFixedDelay(
                () -> {
                    throw new IllegalStateException("thrown by the test");
                },
                1,
                10,
                TimeUnit.MILLISECONDS);
        time.advance(Duration.ofMillis(25));
        rate.cancel(false);
        time.advance(Duration.ofMillis(25));
        assertThat(ran).containsExactly("r@1", "r@11", "r@21");
        assertThat(throwing.isDone()).isTrue();
        assertThatThrownBy(throwing::get).hasCauseInstanceOf(IllegalStateException.class);
    }

    @Test
    void takesNothingAfterShutdownButRunsWhatItHas() throws InterruptedException {
        scheduler.schedule(note("once"), 10, TimeUnit.MILLISECONDS);
        scheduler.scheduleAtFixedRate(note("periodic"), 10, 10, TimeUnit.MILLISECONDS);
        scheduler.shutdown();
        assertThatThrownBy(() -> scheduler.execute(note("late"))).isInstanceOf(RejectedExecutionException.class);
        assertThat(scheduler.isTerminated()).isFalse();
        time.advance(Duration.ofMillis(10));
        assertThat(ran).containsExactly("once@10");
        assertThat(scheduler.awaitTermination(0, TimeUnit.SECONDS)).isTrue();
    }
}
