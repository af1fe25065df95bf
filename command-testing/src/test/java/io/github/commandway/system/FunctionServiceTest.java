package io.github.commandway.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.process.Message;
import io.github.commandway.system.ContractService.Binding;
import io.github.commandway.system.FunctionService.AsyncCancel;
import io.github.commandway.system.FunctionService.AsyncStart;
import io.github.commandway.system.FunctionService.Call;
import io.github.commandway.testing.HandlerDriver;
import io.github.commandway.testing.HandlerDriver.Caller;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Functions and contracts, which share how they call what blocks. */
class FunctionServiceTest {
    private final CountDownLatch begun = new CountDownLatch(1);
    private final CountDownLatch interrupted = new CountDownLatch(1);
    private final AtomicInteger closed = new AtomicInteger();

    private final FunctionService functions = new FunctionService(
            Map.of(
                    "greet",
                    (arguments, job) -> "hello " + arguments.get(0),
                    "fail",
                    (arguments, job) -> {
                        throw new IOException("no");
                    },
                    "block",
                    (arguments, job) -> block()),
            new Workers("function", 1, 0));
    private final ContractService contracts =
            new ContractService(Map.of("greeter", new Greeter()), new Workers("contract", 2, 2), 2);
    private final HandlerDriver driver = new HandlerDriver(functions, contracts);
    private final Caller process = driver.process(1);

    @AfterEach
    void everyCommandCompletedOnceAndNothingIsLeft() {
        functions.close();
        contracts.close();
        await().until(() -> functions.active() == 0);
        driver.verify();
        assertThat(contracts.active()).isZero();
    }

    @Test
    void aCallCompletesWithWhatTheFunctionReturnsOrThrows() throws Exception {
        assertThat(process.call(new Call("greet", List.of("you"))).outcome().get())
                .isEqualTo("hello you");
        HandlerDriver.Call failed = process.call(new Call("fail", List.of()));
        await().until(failed::isDone);
        assertThat(failed.error()).isInstanceOf(IOException.class).hasMessage("no");
        assertThat(process.call(new Call("nothing", List.of())).error())
                .isInstanceOf(NoSuchElementException.class)
                .hasMessageContaining("greet");
    }

    @Test
    void theResultOfAnAsyncCallComesAsOneMessage() {
        assertThat(process.call(new AsyncStart("greet", List.of("you"), "result"))
                        .result())
                .isNull();
        await().until(() -> !process.messages().isEmpty());
        assertThat(process.takeMessages())
                .containsExactly(new Message(null, "result", new AsyncResult("hello you", null)));
        assertThat(process.call(new AsyncCancel("result")).result()).isEqualTo(false);
    }

    @Test
    void cancellingAnAsyncCallReallyStopsItsWork() throws Exception {
        process.call(new AsyncStart("block", List.of(), "result"));
        begun.await();
        assertThat(process.call(new AsyncStart("greet", List.of("you"), "result"))
                        .error())
                .isInstanceOf(IllegalStateException.class);
        assertThat(process.call(new AsyncCancel("result")).result()).isEqualTo(true);
        interrupted.await();
        await().until(() -> !process.messages().isEmpty());
        AsyncResult result = (AsyncResult)
                Objects.requireNonNull(process.takeMessages().get(0).payload());
        assertThat(result.error())
                .isInstanceOfSatisfying(
                        CommandException.class,
                        error -> assertThat(error.reason()).isEqualTo(Reason.CANCELLED_WHILE_RUNNING));
    }

    @Test
    void anAsyncCallEndsWithItsProcess() throws Exception {
        process.call(new AsyncStart("block", List.of(), "result"));
        begun.await();
        process.end();
        functions.ended(process.pid());
        interrupted.await();
    }

    @Test
    void anAsyncCallThatDoesNotFitIsRefusedRightAway() throws Exception {
        process.call(new AsyncStart("block", List.of(), "result"));
        begun.await();
        assertThat(process.call(new AsyncStart("greet", List.of("you"), "other"))
                        .error())
                .isInstanceOf(RejectedExecutionException.class);
        assertThat(process.messages()).isEmpty();
        assertThat(process.call(new AsyncCancel("other")).result()).isEqualTo(false);
    }

    @Test
    void theMethodsOfAContractAreCalledOnItsInstance() throws Exception {
        long instance = open();
        assertThat(process.call(new ContractService.Call(instance, "greet", List.of("you")))
                        .outcome()
                        .get())
                .isEqualTo("good morning you");
        assertThat(process.call(new ContractService.Call(instance, "other", List.of()))
                        .error())
                .isInstanceOf(NoSuchElementException.class);
        process.call(new ContractService.AsyncCall(instance, "greet", List.of("me"), "result"));
        await().until(() -> !process.messages().isEmpty());
        assertThat(process.takeMessages())
                .containsExactly(new Message(null, "result", new AsyncResult("good morning me", null)));
        assertThat(process.call(new ContractService.Close(instance)).result()).isEqualTo(true);
        assertThat(closed).hasValue(1);
        assertThat(process.call(new ContractService.Call(instance, "greet", List.of("you")))
                        .error())
                .isInstanceOf(NoSuchElementException.class);
    }

    @Test
    void cancellingAMethodReallyStopsIt() throws Exception {
        long instance = open();
        process.call(new ContractService.AsyncCall(instance, "block", List.of(), "result"));
        begun.await();
        assertThat(process.call(new ContractService.AsyncCancel("result")).result())
                .isEqualTo(true);
        interrupted.await();
        await().until(() -> !process.messages().isEmpty());
    }

    @Test
    void instancesEndWithTheirProcessAndThereAreNoMoreThanMay() throws Exception {
        open();
        open();
        HandlerDriver.Call third = process.call(new ContractService.Open("greeter", Map.of("hello", "hi")));
        await().until(third::isDone);
        assertThat(third.error()).isInstanceOf(RejectedExecutionException.class);
        assertThat(closed).hasValue(1);
        process.end();
        contracts.ended(process.pid());
        assertThat(closed).hasValue(3);
        assertThat(process.call(new ContractService.Open("other", Map.of())).error())
                .isInstanceOf(NoSuchElementException.class);
    }

    @Test
    void anInstanceThatCannotBeMadeFailsItsOpen() {
        HandlerDriver.Call open = process.call(new ContractService.Open("greeter", Map.of()));
        await().until(open::isDone);
        assertThat(open.error()).isInstanceOf(IllegalArgumentException.class);
    }

    private long open() throws Exception {
        return (Long) Objects.requireNonNull(
                process.call(new ContractService.Open("greeter", Map.of("hello", "good morning")))
                        .outcome()
                        .get());
    }

    private @Nullable Object block() throws InterruptedException {
        begun.countDown();
        try {
            new CountDownLatch(1).await();
            return null;
        } catch (InterruptedException e) {
            interrupted.countDown();
            throw e;
        }
    }

    private final class Greeter implements Binding {
        @Override
        public Set<String> methods() {
            return Set.of("greet", "block");
        }

        @Override
        public ContractService.Instance open(Map<String, Object> scope) {
            Object hello = scope.get("hello");
            if (hello == null) {
                throw new IllegalArgumentException("no hello");
            }
            return new ContractService.Instance() {
                @Override
                public @Nullable Object call(String method, List<@Nullable Object> arguments, Workers.Job job)
                        throws InterruptedException {
                    return method.equals("greet") ? hello + " " + arguments.get(0) : block();
                }

                @Override
                public void close() {
                    closed.incrementAndGet();
                }
            };
        }
    }
}
