package io.github.commandway.queue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.commandway.dispatch.BlockingHandler;
import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Handler;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.manager.CancelResult;
import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRejectedException;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.QueueState;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.manager.RetryPolicy;
import io.github.commandway.manager.Target;
import io.github.commandway.testing.ManualTime;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class CommandQueuesTest {
    private static final int LOCAL = 300;

    private final ManualTime time = new ManualTime();
    private final Registry registry = new Registry();
    private final Calls calls = new Calls();
    private final AtomicBoolean agentIsThere = new AtomicBoolean(true);
    private final CommandQueues.Builder builder =
            CommandQueues.builder(registry).clock(time.clock()).timer(time.scheduler());
    private CommandQueues queues = builder.build();
    private CommandManager manager = CommandManager.ofDefaults(new Registry());

    /** Queue {@code q} with the given options, and {@code forwarded}, whose commands go on to a local handler. */
    private void start(UnaryOperator<QueueOptions> options) {
        manager.close();
        queues = builder.queue(options.apply(QueueOptions.serial("q")), calls)
                .queue(
                        QueueOptions.serial("forwarded"),
                        new Target.Local(LOCAL),
                        () -> agentIsThere.get() ? Room.ANY : Room.NONE)
                .build();
        registry.register(queues);
        registry.register("test", LOCAL, calls);
        manager = CommandManager.builder(registry)
                .time(time.clock(), time::nanos)
                .timer(time.scheduler())
                // the middle: no jitter to either side
                .random(() -> 1L << 63)
                .build();
        queues.start(manager);
    }

    @AfterEach
    void stop() {
        queues.close();
        manager.close();
    }

    @Test
    void executesOneAtATimeInTheOrderOfAcceptance() {
        start(options -> options);
        List<CommandHandle> handles =
                IntStream.range(0, 5).mapToObj(i -> submit(request("n" + i))).toList();
        for (int i = 0; i < 5; i++) {
            assertThat(calls.types()).hasSize(i + 1).last().isEqualTo("n" + i);
            assertThat(handles.get(i).record().status()).isEqualTo(CommandStatus.EXECUTING);
            calls.last().succeed();
            assertThat(handles.get(i).record().status()).isEqualTo(CommandStatus.COMPLETED);
        }
    }

    @Test
    void executesAsManyAtATimeAsItMay() {
        start(options -> options.withConcurrency(3));
        IntStream.range(0, 5).forEach(i -> submit(request("n" + i)));
        assertThat(calls.types()).containsExactly("n0", "n1", "n2");
        calls.get(1).succeed();
        assertThat(calls.types()).containsExactly("n0", "n1", "n2", "n3");
    }

    @Test
    void takesTheHigherPriorityFirst() {
        start(options -> options);
        submit(request("first"));
        submit(request("low").priority(-1));
        submit(request("normal"));
        submit(request("high").priority(7));
        assertThat(drain()).containsExactly("first", "high", "normal", "low");
    }

    @Test
    void keepsTheOrderWithinAKeyAndLetsOtherKeysPass() {
        start(options -> options.withConcurrency(2));
        submit(request("a1").orderKey("a"));
        submit(request("a2").orderKey("a"));
        submit(request("b1").orderKey("b"));
        submit(request("none"));
        assertThat(calls.types()).containsExactly("a1", "b1");
        calls.get(1).succeed();
        assertThat(calls.types()).containsExactly("a1", "b1", "none");
        calls.get(0).succeed();
        assertThat(calls.types()).containsExactly("a1", "b1", "none", "a2");
    }

    @Test
    void doesNotBeginOneBeforeItsTime() {
        start(options -> options);
        CommandHandle later =
                submit(request("later").notBefore(time.clock().instant().plusSeconds(60)));
        CommandHandle now = submit(request("now"));
        assertThat(calls.types()).containsExactly("now");
        calls.last().succeed();
        time.advance(Duration.ofSeconds(59));
        assertThat(later.record().status()).isEqualTo(CommandStatus.PENDING);
        time.advance(Duration.ofSeconds(2));
        assertThat(calls.types()).containsExactly("now", "later");
        assertThat(now.record().status()).isEqualTo(CommandStatus.COMPLETED);
    }

    @Test
    void triesAgainWithGrowingDelaysUntilItSucceeds() {
        start(options -> options.withRetry(new RetryPolicy(4, Duration.ofSeconds(1), Duration.ofSeconds(3), 0.5)));
        CommandHandle handle = submit(request("r"));
        for (int delay : new int[] {1, 2, 3}) {
            int tries = calls.types().size();
            calls.last().fail(new IllegalStateException("not yet"));
            CommandRecord waiting = handle.record();
            assertThat(waiting.status()).isEqualTo(CommandStatus.PENDING);
            assertThat(waiting.attempt()).isEqualTo(tries + 1);
            assertThat(waiting.message()).isEqualTo("executor_error: not yet");
            assertThat(waiting.notBefore()).isEqualTo(time.clock().instant().plusSeconds(delay));
            time.advance(Duration.ofMillis(delay * 1_000L - 1));
            assertThat(calls.types()).hasSize(tries);
            time.advance(Duration.ofMillis(20));
            assertThat(calls.types()).hasSize(tries + 1);
        }
        calls.last().succeed();
        assertThat(handle.record().status()).isEqualTo(CommandStatus.COMPLETED);
        assertThat(handle.record().attempt()).isEqualTo(4);
        assertThat(manager.stats().retried()).isEqualTo(3);
        assertThat(eventsOf(handle))
                .startsWith(
                        CommandEvent.Type.PENDING,
                        CommandEvent.Type.SENT,
                        CommandEvent.Type.EXECUTING,
                        CommandEvent.Type.RETRYING,
                        CommandEvent.Type.SENT)
                .endsWith(CommandEvent.Type.EXECUTING, CommandEvent.Type.COMPLETED)
                .hasSize(1 + 4 * 2 + 3 + 1);
    }

    @Test
    void endsWithTheFailureOfTheLastTry() {
        start(options -> options);
        CommandHandle handle = submit(request("r").retry(new RetryPolicy(2, Duration.ZERO, Duration.ZERO, 0)));
        calls.last().fail(new IllegalStateException("first"));
        time.advance(Duration.ofMillis(20));
        calls.last().fail(new IllegalStateException("second"));
        assertThat(handle.record().status()).isEqualTo(CommandStatus.FAILED);
        assertThat(handle.record().message()).isEqualTo("second");
        assertThat(calls.types()).hasSize(2);
    }

    @Test
    void aResultThatSaysThatItIsNoSuccessIsAFailureThatIsTriedAgainAndKept() {
        start(options -> options);
        CommandHandle handle =
                submit(request("r").retry(new RetryPolicy(2, Duration.ofSeconds(1), Duration.ofSeconds(1), 0)));
        calls.last().returnResult("{\"success\":false,\"n\":1}");
        assertThat(handle.record().status()).isEqualTo(CommandStatus.PENDING);
        assertThat(handle.record().result()).isNull();
        time.advance(Duration.ofMillis(1_020));

        calls.last().returnResult("{\"success\":false,\"n\":2}");

        CommandRecord record = handle.record();
        assertThat(record.status()).isEqualTo(CommandStatus.FAILED);
        assertThat(record.reason()).isEqualTo(Reason.EXECUTOR_ERROR);
        assertThat(record.message()).isNotBlank();
        assertThat(new String(record.result(), StandardCharsets.UTF_8)).isEqualTo("{\"success\":false,\"n\":2}");
        assertThat(state().failed()).isEqualTo(1);
        assertThat(state().completed()).isZero();
        assertThat(manager.stats().failed()).isEqualTo(1);
        assertThat(manager.events(handle.id(), 0, 100).join())
                .last()
                .satisfies(event -> assertThat(event.type()).isEqualTo(CommandEvent.Type.FAILED));
    }

    @Test
    void aResultThatCannotBeKeptDoesNotHideWhyItFailed() {
        start(options -> options);
        for (Object result : new Object[] {new byte[(64 << 20) + 1], 7}) {
            CommandHandle handle = submit(request("r"));
            Call call = calls.last();
            call.receiver.completeYield(call.tag, result, new CommandException(Reason.LOST, "gone"));
            assertThat(handle.record().reason()).isEqualTo(Reason.LOST);
            assertThat(handle.record().message()).isEqualTo("gone");
            assertThat(handle.record().result() == null).isTrue();
        }
    }

    @Test
    void doesNotTryAgainWhatNoOtherTryWouldDoBetter() {
        start(options -> options.withRetry(RetryPolicy.exponential(5)));
        for (Reason reason : new Reason[] {Reason.UNKNOWN_COMMAND, Reason.PAYLOAD_TOO_LARGE}) {
            CommandHandle handle = submit(request("r"));
            calls.last().fail(new CommandException(reason, "no"));
            assertThat(handle.record().reason()).isEqualTo(reason);
        }
    }

    @Test
    void aTryThatTookTooLongIsCancelledAndCannotEndTheNextOne() {
        start(options -> options.withConcurrency(2).withRetry(new RetryPolicy(2, Duration.ZERO, Duration.ZERO, 0)));
        CommandHandle handle = submit(request("r").timeout(Duration.ofSeconds(5)));
        Call first = calls.last();
        time.advance(Duration.ofSeconds(6));
        assertThat(calls.types()).hasSize(2);
        assertThat(first.causes).containsExactly(CancelCause.DEADLINE);
        assertThat(first.context.isCancelled()).isTrue();
        assertThat(calls.last().context.isCancelled()).isFalse();

        first.succeed();
        assertThat(handle.record().status()).isEqualTo(CommandStatus.EXECUTING);
        assertThat(manager.stats().dropped()).isEqualTo(1);
        calls.last().succeed();
        assertThat(handle.record().attempt()).isEqualTo(2);
        assertThat(handle.record().status()).isEqualTo(CommandStatus.COMPLETED);
    }

    @Test
    void keepsItsPlaceInTheKeyWhileItWaitsForTheNextTry() {
        start(options -> options.withConcurrency(2)
                .withRetry(new RetryPolicy(2, Duration.ofSeconds(9), Duration.ofSeconds(9), 0)));
        submit(request("a1").orderKey("a"));
        submit(request("a2").orderKey("a"));
        calls.last().fail(new IllegalStateException("not yet"));
        assertThat(calls.types()).containsExactly("a1");
        time.advance(Duration.ofSeconds(10));
        assertThat(calls.types()).containsExactly("a1", "a1");
        calls.last().succeed();
        assertThat(calls.types()).containsExactly("a1", "a1", "a2");
    }

    @Test
    void aStuckTryGivesItsPlaceBackInTheEnd() {
        start(options -> options);
        CommandHandle stuck = submit(request("stuck").timeout(Duration.ofSeconds(5)));
        submit(request("next"));
        time.advance(Duration.ofSeconds(6));
        assertThat(stuck.record().status()).isEqualTo(CommandStatus.TIMEOUT);
        assertThat(calls.types()).containsExactly("stuck");
        time.advance(Duration.ofSeconds(10));
        assertThat(calls.types()).containsExactly("stuck", "next");
        calls.get(0).succeed();
        assertThat(state().running()).isEqualTo(1);
    }

    @Test
    void cancelsWhatWaitsWithoutRunningIt() {
        start(options -> options);
        submit(request("running"));
        CommandHandle waiting = submit(request("waiting"));
        CancelResult result = manager.cancel(waiting.id()).join().orElseThrow();
        assertThat(result.outcome()).isEqualTo(CancelResult.Outcome.CANCELLED_BEFORE_START);
        assertThat(waiting.record().reason()).isEqualTo(Reason.CANCELLED_BEFORE_START);
        assertThat(drain()).containsExactly("running");
    }

    @Test
    void cancelsWhatRuns() {
        start(options -> options.withRetry(RetryPolicy.exponential(5)));
        CommandHandle running = submit(request("running"));
        CompletableFuture<?> cancelled = manager.cancel(running.id());
        assertThat(calls.last().causes).containsExactly(CancelCause.REQUESTED);
        assertThat(cancelled).isNotDone();
        calls.last().fail(new CommandException(Reason.CANCELLED_WHILE_RUNNING, "stopped"));
        assertThat(cancelled).isCompleted();
        assertThat(running.record().reason()).isEqualTo(Reason.CANCELLED_WHILE_RUNNING);
    }

    @Test
    void cancelsWhatWaitsForItsNextTry() {
        start(options -> options.withRetry(RetryPolicy.exponential(5)));
        CommandHandle handle = submit(request("r"));
        calls.last().fail(new IllegalStateException("not yet"));
        manager.cancel(handle.id()).join();
        time.advance(Duration.ofMinutes(5));
        assertThat(handle.record().status()).isEqualTo(CommandStatus.CANCELLED);
        assertThat(calls.types()).hasSize(1);
    }

    @Test
    void endsWhatWaitedLongerThanItMay() {
        start(options -> options);
        submit(request("running").timeout(Duration.ofHours(1)));
        CommandHandle waiting = submit(request("waiting").ttl(Duration.ofSeconds(5)));
        time.advance(Duration.ofSeconds(6));
        assertThat(waiting.record().reason()).isEqualTo(Reason.QUEUE_TIMEOUT);
        assertThat(drain()).containsExactly("running");
    }

    @Test
    void keepsBackWhatWaitsWhilePaused() {
        start(options -> options);
        submit(request("running"));
        queues.pause("q").join();
        submit(request("waiting"));
        calls.last().succeed();
        assertThat(calls.types()).containsExactly("running");
        assertThat(state().paused()).isTrue();
        assertThat(state().waiting()).isEqualTo(1);
        queues.resume("q").join();
        assertThat(calls.types()).containsExactly("running", "waiting");
    }

    @Test
    void purgesWhatWaitsAndLeavesWhatRuns() {
        start(options -> options);
        CommandHandle running = submit(request("running"));
        IntStream.range(0, 1_200).forEach(i -> submit(request("n" + i)));
        assertThat(queues.purge("q").join()).isEqualTo(1_200);
        assertThat(state().waiting()).isZero();
        assertThat(running.record().status()).isEqualTo(CommandStatus.EXECUTING);
        assertThat(drain()).containsExactly("running");
    }

    @Test
    void refusesMoreThanMayWait() {
        start(options -> options.withMaxWaiting(2));
        IntStream.range(0, 3).forEach(i -> submit(request("n" + i)));
        assertThat(refusalOf(request("too many"))).isEqualTo(CommandRejectedException.Code.TARGET_BUSY);
        calls.last().succeed();
        submit(request("fits again"));
    }

    @Test
    void refusesAQueueThatIsNotThere() {
        start(options -> options);
        assertThat(refusalOf(CommandRequest.toQueue("other", "x")))
                .isEqualTo(CommandRejectedException.Code.TARGET_UNKNOWN);
        assertThatThrownBy(() -> queues.pause("other"))
                .hasMessageContaining("'other'")
                .hasMessageContaining("[q, forwarded]");
    }

    @Test
    void saysWhatIsInTheQueue() {
        start(options -> options);
        CommandHandle running = submit(request("running"));
        CommandHandle next = submit(request("next"));
        CommandHandle first = submit(request("first").priority(1));
        QueueState state = state();
        assertThat(state.runningIds()).containsExactly(running.id());
        assertThat(state.waiting()).isEqualTo(2);
        assertThat(manager.queues().position(first.id()).join()).hasValue(1);
        assertThat(manager.queues().position(next.id()).join()).hasValue(2);
        assertThat(manager.queues().position(running.id()).join()).isEmpty();
        calls.last().succeed();
        calls.last().fail(new IllegalStateException("no"));
        calls.last().succeed();
        state = state();
        assertThat(List.of(state.accepted(), state.completed(), state.failed(), state.running()))
                .containsExactly(3L, 2L, 1L, 0L);
    }

    @Test
    void givesOnlyOneOpenCommandAnExclusiveKey() {
        start(options -> options);
        CommandHandle holder = submit(request("holder").exclusiveKey("session"));
        assertThatThrownBy(() -> submit(request("second").exclusiveKey("session")))
                .hasRootCauseInstanceOf(CommandRejectedException.class)
                .rootCause()
                .isInstanceOfSatisfying(CommandRejectedException.class, refusal -> {
                    assertThat(refusal.code()).isEqualTo(CommandRejectedException.Code.EXCLUSIVE_KEY_TAKEN);
                    assertThat(refusal.existing()).map(CommandRecord::id).contains(holder.id());
                });
        calls.last().succeed();
        submit(request("third").exclusiveKey("session"));
    }

    @Test
    void passesCommandsOnToTheTargetBehindIt() {
        start(options -> options);
        CommandHandle handle = submit(
                CommandRequest.toQueue("forwarded", "t").payload(new byte[] {1}).priority(3));
        Call call = calls.last();
        assertThat(call.command.request().target()).isEqualTo(new Target.Local(LOCAL));
        assertThat(call.command.request().payload()).containsExactly(1);
        assertThat(call.command.id()).isEqualTo(handle.id());
        call.succeed();
        assertThat(handle.record().status()).isEqualTo(CommandStatus.COMPLETED);
    }

    @Test
    void waitsUntilTheTargetIsReady() {
        start(options -> options);
        agentIsThere.set(false);
        CommandHandle handle = submit(CommandRequest.toQueue("forwarded", "t"));
        assertThat(handle.record().sentAt()).isNull();
        agentIsThere.set(true);
        queues.wake("forwarded");
        assertThat(handle.record().sentAt()).isNotNull();
    }

    @Test
    void drainsItsQueueOnShutdown() {
        start(options -> options);
        CommandHandle first = submit(request("first"));
        CommandHandle second = submit(request("second"));
        manager.shutdown();
        calls.last().succeed();
        calls.last().succeed();
        assertThat(List.of(first.record().status(), second.record().status())).containsOnly(CommandStatus.COMPLETED);
    }

    @Test
    void endsWhatWaitsOnShutdownNow() {
        start(options -> options);
        CommandHandle running = submit(request("running"));
        CommandHandle waiting = submit(request("waiting"));
        manager.shutdownNow();
        assertThat(running.record().reason()).isEqualTo(Reason.SHUTDOWN);
        assertThat(waiting.record().reason()).isEqualTo(Reason.SHUTDOWN);
        assertThat(waiting.record().status()).isEqualTo(CommandStatus.CANCELLED);
        assertThat(calls.types()).containsExactly("running");
    }

    @Test
    void interruptsBlockingWorkThatIsNotWantedAnyMore() throws Exception {
        ExecutorService threads = Executors.newCachedThreadPool();
        CountDownLatch begun = new CountDownLatch(1);
        AtomicInteger after = new AtomicInteger();
        queues = builder.queue(QueueOptions.serial("blocking"), new BlockingHandler(threads, task -> {
                    if (begun.getCount() > 0) {
                        begun.countDown();
                        new CountDownLatch(1).await();
                    }
                    after.incrementAndGet();
                    task.output("stdout", "x".getBytes(StandardCharsets.UTF_8));
                    return "done";
                }))
                .build();
        registry.register(queues);
        manager.close();
        manager = CommandManager.builder(registry).build();
        queues.start(manager);
        CommandHandle stopped = submit(CommandRequest.toQueue("blocking", "one"));
        CommandHandle next = submit(CommandRequest.toQueue("blocking", "two"));
        assertThat(begun.await(10, TimeUnit.SECONDS)).isTrue();
        CancelResult result =
                manager.cancel(stopped.id()).get(10, TimeUnit.SECONDS).orElseThrow();
        assertThat(result.outcome()).isEqualTo(CancelResult.Outcome.CANCELLED_WHILE_RUNNING);
        CommandRecord completed = next.completion().get(10, TimeUnit.SECONDS);
        assertThat(completed.result()).asString(StandardCharsets.UTF_8).isEqualTo("done");
        assertThat(after).hasValue(1);
        threads.shutdownNow();
    }

    private static CommandRequest.Builder request(String type) {
        return CommandRequest.toQueue("q", type);
    }

    private CommandHandle submit(CommandRequest.Builder request) {
        return manager.submit(request.build()).join();
    }

    private CommandRejectedException.Code refusalOf(CommandRequest.Builder request) {
        Throwable refusal =
                manager.submit(request.build()).handle((handle, error) -> error).join();
        assertThat(refusal).isInstanceOf(CommandRejectedException.class);
        return ((CommandRejectedException) refusal).code();
    }

    private QueueState state() {
        return queues.state("q").join();
    }

    private List<CommandEvent.Type> eventsOf(CommandHandle handle) {
        return manager.events(handle.id(), 0, 1_000).join().stream()
                .map(CommandEvent::type)
                .toList();
    }

    /** Lets everything that runs succeed until nothing runs, and tells what was run. */
    private List<String> drain() {
        for (int i = 0; i < calls.all.size(); i++) {
            calls.get(i).succeed();
        }
        return calls.types();
    }

    /** Remembers its calls and leaves the end to the test. */
    private static final class Calls implements Handler {
        final List<Call> all = new ArrayList<>();

        @Override
        public void handle(CommandContext context, Command command, long tag, ResultReceiver receiver) {
            Call call = new Call(context, (RecordedCommand) command, tag, receiver, new ArrayList<>());
            context.onCancel(call.causes::add);
            all.add(call);
        }

        Call get(int index) {
            return all.get(index);
        }

        Call last() {
            return all.get(all.size() - 1);
        }

        List<String> types() {
            return all.stream().map(call -> call.command.request().type()).toList();
        }
    }

    private record Call(
            CommandContext context,
            RecordedCommand command,
            long tag,
            ResultReceiver receiver,
            List<CancelCause> causes) {
        void succeed() {
            receiver.completeYield(tag, null, null);
        }

        void returnResult(String json) {
            receiver.completeYield(tag, json.getBytes(StandardCharsets.UTF_8), null);
        }

        void fail(Throwable error) {
            receiver.completeYield(tag, null, error);
        }
    }
}
