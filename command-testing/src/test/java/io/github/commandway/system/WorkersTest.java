package io.github.commandway.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.system.FunctionService.Call;
import io.github.commandway.testing.HandlerDriver;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Work that blocks, seen through the functions, which do nothing else. */
class WorkersTest {
    private final CountDownLatch begun = new CountDownLatch(1);
    private final CountDownLatch stopped = new CountDownLatch(1);
    private final CountDownLatch release = new CountDownLatch(1);
    private final Workers workers = new Workers("test", 1, 1);
    private final FunctionService functions = new FunctionService(
            Map.of(
                    "block",
                    (arguments, job) -> {
                        begun.countDown();
                        release.await();
                        return "released";
                    },
                    "deaf",
                    (arguments, job) -> {
                        job.onCancel(release::countDown);
                        begun.countDown();
                        boolean heard = false;
                        while (release.getCount() > 0) {
                            try {
                                release.await();
                            } catch (InterruptedException e) {
                                heard = true;
                            }
                        }
                        // the interrupt may come when the wait is over
                        heard |= Thread.interrupted();
                        stopped.countDown();
                        if (heard) {
                            throw new IllegalStateException("half done");
                        }
                        return "done";
                    },
                    "thread",
                    (arguments, job) -> Thread.currentThread().isInterrupted()
                            ? "interrupted"
                            : Thread.currentThread().getName()),
            workers);
    private final HandlerDriver driver = new HandlerDriver(functions);

    @AfterEach
    void everyCommandCompletedOnceAndNothingIsLeft() {
        functions.close();
        await().until(() -> workers.active() == 0);
        driver.verify();
    }

    @Test
    void whatDoesNotFitIsRefusedAndTheCallerNeitherWaitsNorRunsIt() throws Exception {
        HandlerDriver.Call running = call("block");
        begun.await();
        HandlerDriver.Call waiting = call("thread");
        HandlerDriver.Call refused = call("thread");
        assertThat(refused.error())
                .isInstanceOf(RejectedExecutionException.class)
                .hasMessageContaining("busy");
        release.countDown();
        assertThat(running.outcome().get()).isEqualTo("released");
        assertThat((String) waiting.outcome().get()).startsWith("commandway-test-");
    }

    @Test
    void whoIsToldOfAnEndFindsAPlaceAtOnce() throws Exception {
        Workers one = new Workers("one", 1, 0);
        FunctionService chain = new FunctionService(Map.of("step", (arguments, job) -> arguments.get(0)), one);
        HandlerDriver chained = new HandlerDriver(chain);
        for (int i = 0; i < 1_000; i++) {
            assertThat(chained.call(new Call("step", List.of(i))).outcome().get())
                    .isEqualTo(i);
        }
        chain.close();
        chained.verify();
    }

    @Test
    void workThatIsCancelledIsInterruptedAndEndsWithTheCause() throws Exception {
        HandlerDriver.Call running = call("block");
        begun.await();
        running.cancel(CancelCause.DEADLINE);
        assertThatThrownBy(running.outcome()::get).isInstanceOf(ExecutionException.class);
        assertThat(running.reason()).isEqualTo(Reason.EXECUTION_TIMEOUT);
        assertThat(call("thread").outcome().get()).isNotEqualTo("interrupted");
    }

    @Test
    void whatStopsTheWorkOtherThanAnInterruptIsCalled() throws Exception {
        HandlerDriver.Call running = call("deaf");
        begun.await();
        running.cancel(CancelCause.REQUESTED);
        stopped.await();
        assertThatThrownBy(running.outcome()::get).isInstanceOf(ExecutionException.class);
        assertThat(running.reason()).isEqualTo(Reason.CANCELLED_WHILE_RUNNING);
    }

    @Test
    void workThatIsCancelledBeforeItBeginsNeverBegins() throws Exception {
        HandlerDriver.Call running = call("block");
        begun.await();
        HandlerDriver.Call waiting = call("deaf");
        waiting.cancel(CancelCause.REQUESTED);
        assertThat(waiting.reason()).isEqualTo(Reason.CANCELLED_BEFORE_START);
        HandlerDriver.Call next = call("thread");
        release.countDown();
        assertThat(next.outcome().get()).isNotNull();
        assertThat(running.outcome().get()).isEqualTo("released");
        assertThat(stopped.getCount()).isEqualTo(1);
    }

    @Test
    void closingEndsWhatRunsAndWhatWaits() throws Exception {
        HandlerDriver.Call running = call("block");
        begun.await();
        HandlerDriver.Call waiting = call("thread");
        functions.close();
        assertThat(waiting.reason()).isEqualTo(Reason.SHUTDOWN);
        assertThatThrownBy(running.outcome()::get).isInstanceOf(ExecutionException.class);
        assertThat(running.reason()).isEqualTo(Reason.SHUTDOWN);
        assertThat(call("thread").reason()).isEqualTo(Reason.SHUTDOWN);
    }

    private HandlerDriver.Call call(String function) {
        return driver.call(new Call(function, List.of()));
    }
}
