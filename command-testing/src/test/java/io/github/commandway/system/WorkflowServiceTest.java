package io.github.commandway.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.system.WorkflowHistory.DivergedException;
import io.github.commandway.system.WorkflowHistory.StepFailedException;
import io.github.commandway.system.WorkflowService.Exec;
import io.github.commandway.system.WorkflowService.SideEffect;
import io.github.commandway.system.WorkflowService.UpsertAttributes;
import io.github.commandway.system.WorkflowService.Version;
import io.github.commandway.testing.HandlerDriver;
import io.github.commandway.testing.HandlerDriver.Call;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class WorkflowServiceTest {
    private final AtomicInteger calls = new AtomicInteger();
    private final CountDownLatch begun = new CountDownLatch(1);
    private final WorkflowService workflows = new WorkflowService(
            Map.of(
                    "count",
                    (arguments, job) -> calls.incrementAndGet(),
                    "fail",
                    (arguments, job) -> {
                        calls.incrementAndGet();
                        throw new IllegalStateException("broken");
                    },
                    "block",
                    (arguments, job) -> {
                        begun.countDown();
                        new CountDownLatch(1).await();
                        return null;
                    }),
            new Workers("workflow", 2, 2));
    private final HandlerDriver driver = new HandlerDriver(workflows);

    @AfterEach
    void everyCommandCompletedOnce() {
        workflows.close();
        driver.verify();
    }

    @Test
    void aWorkflowThatRunsAgainDoesNothingTwiceAndGetsTheSame() {
        WorkflowHistory first = new WorkflowHistory();
        List<@Nullable Object> results = run(first);
        assertThat(first.isReplaying()).isFalse();
        int done = calls.get();

        WorkflowHistory again = WorkflowHistory.replay(first.toBytes());
        assertThat(again.isReplaying()).isTrue();
        assertThat(run(again)).usingRecursiveComparison().isEqualTo(results);
        assertThat(again.isReplaying()).isFalse();
        assertThat(calls).hasValue(done);
        assertThat(again.searchAttributes()).isEqualTo(Map.of("customer", "x", "amount", 5L));
        assertThat(again.memo()).isEqualTo(Map.of("note", "hello"));

        get(new Exec(again, "count", List.of()));
        assertThat(calls).hasValue(done + 1);
        assertThat(again.size()).isEqualTo(first.size() + 1);
    }

    private List<@Nullable Object> run(WorkflowHistory history) {
        Object random = get(new SideEffect(
                history,
                "random",
                () -> Map.of(
                        "number",
                        calls.incrementAndGet(),
                        "bytes",
                        new byte[] {1, 2},
                        "list",
                        Arrays.asList(1.5, null, true))));
        Object counted = get(new Exec(history, "count", List.of("a")));
        Object version = get(new Version(history, "change", 1, 3));
        get(new UpsertAttributes(history, Map.of("customer", "x", "amount", 5L), Map.of("note", "hello")));
        Call failed = driver.call(new Exec(history, "fail", List.of()));
        await().until(failed::isDone);
        assertThat(failed.error()).isInstanceOf(StepFailedException.class).hasMessageContaining("broken");
        return Arrays.asList(random, counted, version);
    }

    @Test
    void aWorkflowThatGoesAnotherWayHasDiverged() {
        WorkflowHistory first = new WorkflowHistory();
        get(new Exec(first, "count", List.of()));
        get(new UpsertAttributes(first, Map.of("a", 1), Map.of()));

        WorkflowHistory other = WorkflowHistory.replay(first.toBytes());
        assertThat(driver.call(new SideEffect(other, "count", () -> 1)).error())
                .isInstanceOf(DivergedException.class)
                .hasMessageContaining("EXEC 'count'");
        assertThat(driver.call(new Exec(other, "fail", List.of())).error()).isInstanceOf(DivergedException.class);
        assertThat(get(new Exec(other, "count", List.of()))).isEqualTo(1);
        assertThat(driver.call(new UpsertAttributes(other, Map.of("a", 2), Map.of()))
                        .error())
                .isInstanceOf(DivergedException.class);
    }

    @Test
    void aChangeThatWasNotThereYetIsNotMadeWhenTheWorkflowRunsAgain() {
        WorkflowHistory first = new WorkflowHistory();
        get(new Exec(first, "count", List.of()));

        WorkflowHistory again = WorkflowHistory.replay(first.toBytes());
        assertThat(get(new Version(again, "change", 0, 1))).isEqualTo(0);
        assertThat(get(new Exec(again, "count", List.of()))).isEqualTo(1);
        assertThat(get(new Version(again, "change", 0, 1))).isEqualTo(0);
        assertThat(get(new Version(again, "later change", 0, 1))).isEqualTo(1);
        assertThat(driver.call(new Version(again, "change", 1, 2)).error()).isInstanceOf(DivergedException.class);
        assertThatThrownBy(() -> new Version(again, "change", 2, 1)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aStepThatWasCancelledIsDoneAgain() throws Exception {
        WorkflowHistory history = new WorkflowHistory();
        Call blocked = driver.call(new Exec(history, "block", List.of()));
        begun.await();
        blocked.cancel(CancelCause.SHUTDOWN);
        await().until(blocked::isDone);
        assertThat(blocked.reason()).isEqualTo(Reason.SHUTDOWN);

        WorkflowHistory again = WorkflowHistory.replay(history.toBytes());
        Call repeated = driver.call(new Exec(again, "block", List.of()));
        assertThat(repeated.isDone()).isFalse();
        repeated.cancel(CancelCause.REQUESTED);
        await().until(repeated::isDone);
    }

    @Test
    void whatCannotBeRecordedFails() {
        WorkflowHistory history = new WorkflowHistory();
        Call call = driver.call(new SideEffect(history, "thread", Thread::currentThread));
        await().until(call::isDone);
        assertThat(call.error()).isInstanceOf(StepFailedException.class).hasMessageContaining("cannot be recorded");
        assertThat(driver.call(new UpsertAttributes(history, Map.of("a", new Object()), Map.of()))
                        .error())
                .isInstanceOf(IllegalArgumentException.class);
        assertThat(driver.call(new Exec(history, "nothing", List.of())).error())
                .isInstanceOf(NoSuchElementException.class);
        assertThat(history.size()).isEqualTo(1);
    }

    @Test
    void whatIsNoHistoryIsRefused() {
        WorkflowHistory history = new WorkflowHistory();
        get(new Exec(history, "count", List.of()));
        byte[] whole = history.toBytes();
        for (int length = 0; length < whole.length; length++) {
            byte[] part = Arrays.copyOf(whole, length);
            assertThatThrownBy(() -> WorkflowHistory.replay(part)).isInstanceOf(IllegalArgumentException.class);
        }
        assertThatThrownBy(() -> WorkflowHistory.replay(new byte[] {9, 0, 0, 0, 0}))
                .isInstanceOf(IllegalArgumentException.class);
    }

    private @Nullable Object get(Command command) {
        return driver.call(command).outcome().orTimeout(10, TimeUnit.SECONDS).join();
    }
}
