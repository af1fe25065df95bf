package io.github.commandway.system;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.process.Message;
import io.github.commandway.system.ClockService.Channel;
import io.github.commandway.system.ClockService.Sleep;
import io.github.commandway.system.ClockService.Tick;
import io.github.commandway.system.ClockService.TickerStart;
import io.github.commandway.system.ClockService.TickerStop;
import io.github.commandway.system.ClockService.TickerStopByChannel;
import io.github.commandway.system.ClockService.TimerReset;
import io.github.commandway.system.ClockService.TimerStart;
import io.github.commandway.system.ClockService.TimerStop;
import io.github.commandway.system.ClockService.TimerStopByChannel;
import io.github.commandway.system.ClockService.TimerWait;
import io.github.commandway.testing.HandlerDriver;
import io.github.commandway.testing.HandlerDriver.Call;
import io.github.commandway.testing.HandlerDriver.Caller;
import io.github.commandway.testing.ManualTime;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.CancellationException;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ClockServiceTest {
    private static final int LIMIT = 4;
    private static final Duration SECOND = Duration.ofSeconds(1);
    private static final Channel CHANNEL = new Channel(1, 7);

    private final ManualTime time = new ManualTime();
    private final ClockService clock = new ClockService(time.scheduler(), time.clock(), LIMIT);
    private final HandlerDriver driver = new HandlerDriver(clock);
    private final Caller process = driver.process(1);

    @AfterEach
    void everyCommandCompletedOnceAndNothingIsLeft() {
        clock.close();
        driver.verify();
        assertThat(clock.active()).isZero();
    }

    @Test
    void aSleepEndsWhenItsTimeHasPassed() {
        Call sleep = driver.call(Sleep.of(SECOND));
        time.advance(SECOND.minusNanos(1));
        assertThat(sleep.isDone()).isFalse();
        time.advance(Duration.ofNanos(1));
        assertThat(sleep.result()).isNull();
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -1, Long.MIN_VALUE})
    void aSleepOfNothingEndsAtOnce(long nanos) {
        assertThat(driver.result(Sleep.ofNanos(nanos))).isNull();
    }

    @Test
    void aSleepIsTooLongForNobody() {
        Call sleep = driver.call(Sleep.of(Duration.ofSeconds(Long.MAX_VALUE)));
        time.advance(Duration.ofDays(1));
        assertThat(sleep.isDone()).isFalse();
    }

    @Test
    void aSleepThatIsCancelledEndsAndLeavesNothing() {
        Call sleep = driver.call(Sleep.of(SECOND));
        sleep.cancel(CancelCause.DEADLINE);
        assertThat(sleep.reason()).isEqualTo(Reason.EXECUTION_TIMEOUT);
        assertThat(clock.active()).isZero();
        time.advance(SECOND);
    }

    @Test
    void aSleepEndsWithTheService() {
        Call sleep = driver.call(Sleep.of(SECOND));
        clock.close();
        assertThat(sleep.reason()).isEqualTo(Reason.SHUTDOWN);
        assertThat(driver.call(Sleep.of(SECOND)).reason()).isEqualTo(Reason.SHUTDOWN);
    }

    @Test
    void noMoreSleepThanMay() {
        for (int i = 0; i < LIMIT; i++) {
            driver.call(Sleep.of(SECOND));
        }
        assertThat(driver.call(Sleep.of(SECOND)).error()).isInstanceOf(RejectedExecutionException.class);
        time.advance(SECOND);
        assertThat(driver.call(Sleep.of(SECOND)).isDone()).isFalse();
    }

    @Test
    void aReleasedSleepIsUsedAgain() {
        Sleep first = Sleep.of(SECOND);
        first.release();
        Sleep second = Sleep.ofNanos(0);
        assertThat(second).isSameAs(first);
        assertThat(driver.result(second)).isNull();
    }

    @Test
    void aTickerTellsItsProcessAgainAndAgainUntilItIsStopped() {
        long ticker = id(driver.call(new TickerStart("tick", SECOND, null)));
        time.advance(SECOND.multipliedBy(3));
        assertThat(ticks()).extracting(Tick::count).containsExactly(1L, 2L, 3L);
        assertThat(driver.result(new TickerStop(ticker))).isEqualTo(true);
        assertThat(driver.result(new TickerStop(ticker))).isEqualTo(false);
        time.advance(SECOND.multipliedBy(3));
        assertThat(process.messages()).isEmpty();
    }

    @Test
    void ticksThatTheMailboxHasNoRoomForAreLeftOutAndSeenToBeMissing() {
        driver.call(new TickerStart("tick", SECOND, null));
        driver.limitMailboxes(1);
        time.advance(SECOND.multipliedBy(3));
        assertThat(ticks()).extracting(Tick::count).containsExactly(1L);
        time.advance(SECOND);
        assertThat(ticks()).extracting(Tick::count).containsExactly(4L);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -5, 999_999, Long.MIN_VALUE})
    void aTickerThatIsTooFastIsRefused(long nanos) {
        assertThat(driver.call(new TickerStart("tick", Duration.ofNanos(nanos), null))
                        .error())
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void whatAProcessStartedEndsWithIt() {
        driver.call(new TickerStart("tick", SECOND, CHANNEL));
        driver.call(new TimerStart("fire", SECOND, CHANNEL));
        driver.process(2).call(new TickerStart("tick", SECOND, CHANNEL));
        assertThat(clock.active()).isEqualTo(3);
        process.end();
        clock.ended(process.pid());
        assertThat(clock.active()).isEqualTo(1);
        time.advance(SECOND);
        assertThat(driver.process(2).messages()).hasSize(1);
    }

    @Test
    void aTimerStartedForAProcessThatIsGoneIsNotKept() {
        Call late = driver.call(new TimerStart("fire", Duration.ZERO, null));
        time.advance(Duration.ZERO);
        assertThat(late.result()).isNotNull();
        Call cancelled = driver.call(new TickerStart("tick", SECOND, null));
        cancelled.cancel(CancelCause.SHUTDOWN);
        assertThat(clock.active()).isZero();
    }

    @ParameterizedTest
    @ValueSource(longs = {1_000_000_000, 0, -1})
    void aTimerFiresOnceAlsoWhenItsTimeIsOverAlready(long nanos) {
        long timer = id(driver.call(new TimerStart("fire", Duration.ofNanos(nanos), null)));
        time.advance(SECOND.multipliedBy(2));
        assertThat(ticks()).singleElement().satisfies(tick -> {
            assertThat(tick.source()).isEqualTo(timer);
            assertThat(tick.last()).isTrue();
            assertThat(tick.at()).isEqualTo(ManualTime.START.plusNanos(Math.max(0, nanos)));
        });
        assertThat(driver.result(new TimerStop(timer))).isEqualTo(false);
        assertThat(driver.call(new TimerReset(timer, SECOND)).error()).isInstanceOf(NoSuchElementException.class);
    }

    @Test
    void aTimerWithoutATopicIsWaitedForBeforeOrAfterItFires() {
        long timer = id(driver.call(new TimerStart(null, SECOND, null)));
        Call before = driver.call(new TimerWait(timer));
        assertThat(driver.call(new TimerWait(timer)).error()).isInstanceOf(IllegalStateException.class);
        time.advance(SECOND);
        Instant due = ManualTime.START.plus(SECOND);
        assertThat(before.result()).isEqualTo(due);
        assertThat(driver.call(new TimerWait(timer)).error()).isInstanceOf(NoSuchElementException.class);

        long other = id(driver.call(new TimerStart(null, SECOND, null)));
        time.advance(SECOND.multipliedBy(5));
        assertThat(driver.result(new TimerWait(other))).isEqualTo(due.plus(SECOND));
        assertThat(clock.active()).isZero();
    }

    @Test
    void whoeverWaitsForATimerIsToldThatItWasStopped() {
        long timer = id(driver.call(new TimerStart(null, SECOND, null)));
        Call waiting = driver.call(new TimerWait(timer));
        assertThat(driver.result(new TimerStop(timer))).isEqualTo(true);
        assertThat(waiting.error()).isInstanceOf(CancellationException.class);
    }

    @Test
    void aWaitThatIsCancelledLeavesTheTimerToOthers() {
        long timer = id(driver.call(new TimerStart(null, SECOND, null)));
        Call cancelled = driver.call(new TimerWait(timer));
        cancelled.cancel(CancelCause.REQUESTED);
        assertThat(cancelled.reason()).isEqualTo(Reason.CANCELLED_WHILE_RUNNING);
        time.advance(SECOND);
        assertThat(driver.call(new TimerWait(timer)).result()).isNotNull();
    }

    @Test
    void waitingEndsWithTheService() {
        long timer = id(driver.call(new TimerStart(null, SECOND, null)));
        Call waiting = driver.call(new TimerWait(timer));
        clock.close();
        assertThat(waiting.reason()).isEqualTo(Reason.SHUTDOWN);
        assertThat(driver.call(new TimerStart(null, SECOND, null)).error())
                .isInstanceOf(RejectedExecutionException.class);
    }

    @ParameterizedTest
    @ValueSource(longs = {2_000_000_000, 0, -1})
    void aTimerThatIsResetFiresAtItsNewTime(long nanos) {
        long timer = id(driver.call(new TimerStart("fire", SECOND, null)));
        assertThat(driver.result(new TimerReset(timer, Duration.ofNanos(nanos))))
                .isEqualTo(true);
        time.advance(SECOND.multipliedBy(4));
        assertThat(ticks())
                .singleElement()
                .extracting(Tick::at)
                .isEqualTo(ManualTime.START.plusNanos(Math.max(0, nanos)));
    }

    @Test
    void aStopByNameReachesATimerThatWasNotStartedYet() {
        assertThat(driver.result(new TimerStopByChannel(CHANNEL))).isEqualTo(false);
        assertThat(driver.call(new TimerStart("fire", SECOND, CHANNEL)).error())
                .hasMessageContaining("stopped before it was started");
        assertThat(clock.active()).isZero();
        assertThat(driver.call(new TimerStart("fire", SECOND, CHANNEL)).result())
                .isNotNull();
        assertThat(driver.result(new TimerStopByChannel(CHANNEL))).isEqualTo(true);
    }

    @Test
    void aStopByNameIsForgottenAfterFiveMinutes() {
        driver.result(new TickerStopByChannel(CHANNEL));
        time.advance(Duration.ofMinutes(5));
        assertThat(driver.call(new TickerStart("tick", SECOND, CHANNEL)).result())
                .isNotNull();
        assertThat(driver.result(new TickerStopByChannel(CHANNEL))).isEqualTo(true);
    }

    @Test
    void namesBelongToOneProcess() {
        driver.call(new TickerStart("tick", SECOND, CHANNEL));
        assertThat(driver.process(2).call(new TickerStopByChannel(CHANNEL)).result())
                .isEqualTo(false);
        assertThat(driver.call(new TickerStart("tick", SECOND, CHANNEL)).error())
                .isInstanceOf(IllegalStateException.class);
    }

    private List<Tick> ticks() {
        return process.takeMessages().stream()
                .map(Message::payload)
                .map(Tick.class::cast)
                .toList();
    }

    private static long id(Call call) {
        return (Long) call.result();
    }
}
