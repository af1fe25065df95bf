package io.github.commandway.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.commandway.dispatch.CommandIds;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandPage;
import io.github.commandway.manager.CommandQuery;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRejectedException;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandScope;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.CommandStore;
import io.github.commandway.manager.IdGenerator;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.manager.RetryPolicy;
import io.github.commandway.manager.Target;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What every {@link CommandStore} must do, tried through a {@link CommandManager}, from which its records come. Extend it and
 * make your store in {@link #createStore}.
 */
public abstract class CommandStoreContract {
    private static final int COMMAND = 300;
    private static final int OTHER_COMMAND = 301;
    private static final String QUEUE = "q";
    private static final int THREADS = 4;

    private final ManualTime time = new ManualTime();
    private final Map<RecordId, CompletableFuture<Long>> tags = new ConcurrentHashMap<>();
    private @Nullable CommandManager manager;

    /** For those who extend it. */
    protected CommandStoreContract() {}

    /**
     * Makes an empty store that keeps ended records for at least a minute of {@code clock}; the contract closes it.
     *
     * @throws Exception if that is not possible; the test then fails
     */
    protected abstract CommandStore createStore(Clock clock) throws Exception;

    /**
     * Called after each test when its stores are closed.
     *
     * @throws Exception if something is left that should not be; the test then fails
     */
    protected void afterStoreIsClosed() throws Exception {}

    @BeforeEach
    void startManager() throws Exception {
        manager = newManager(IdGenerator.uuidV7(time.clock(), new AtomicLong()::incrementAndGet));
    }

    @AfterEach
    void closeManager() throws Exception {
        manager().close();
        afterStoreIsClosed();
    }

    private CommandManager newManager(IdGenerator ids) throws Exception {
        Registry registry = new Registry();
        for (int id : new int[] {COMMAND, OTHER_COMMAND}) {
            registry.register(
                    "contract",
                    id,
                    (context, command, tag, receiver) ->
                            handedOver(((RecordedCommand) command).id()).complete(tag));
        }
        registry.register("contract", CommandIds.QUEUE_EXECUTE, new LeftWaiting());
        return CommandManager.builder(registry)
                .store(createStore(time.clock()))
                .ids(ids)
                .time(time.clock(), time::nanos)
                .timer(time.scheduler())
                .build();
    }

    private CommandManager manager() {
        if (manager == null) {
            throw new IllegalStateException("not started");
        }
        return manager;
    }

    @Test
    void keepsEverythingThatTheRequestSays() throws Exception {
        CommandRequest request = CommandRequest.to(new Target.Local(COMMAND), "restart")
                .payload(bytes("{\"delay_seconds\":5}"))
                .timeout(Duration.ofSeconds(7))
                .ttl(Duration.ofSeconds(3))
                .idempotencyKey("key")
                .principal("alice")
                .traceParent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
                .reference("SCAN-7")
                .build();
        CommandRecord found = find(submit(request).id());

        assertThat(found.request().isSameAs(request)).isTrue();
        assertThat(found.request().traceParent()).isEqualTo(request.traceParent());
        assertThat(found.createdAt()).isEqualTo(ManualTime.START);
        assertThat(found.attempt()).isEqualTo(1);
        assertThat(found.cancelRequested()).isFalse();
    }

    @Test
    void keepsEverythingThatARequestToAQueueSays() throws Exception {
        CommandRequest request = CommandRequest.toQueue(QUEUE, "scan")
                .priority(-7)
                .notBefore(ManualTime.START.plusSeconds(9))
                .orderKey("order")
                .exclusiveKey("exclusive")
                .reference("CMD_1")
                .retry(new RetryPolicy(3, Duration.ofMillis(5), Duration.ofSeconds(7), 0.25))
                .build();
        CommandRecord found = find(submit(request).id());

        assertThat(found.request().isSameAs(request)).isTrue();
        assertThat(found.request().notBefore()).isEqualTo(request.notBefore());
        assertThat(found.request().retry()).isEqualTo(request.retry());
        assertThat(found.request().reference()).isEqualTo("CMD_1");
        assertThat(found.status()).isEqualTo(CommandStatus.PENDING);
        assertThat(found.notBefore()).isEqualTo(request.notBefore());
        assertThat(found.sentAt()).isNull();
    }

    @Test
    void findsWhatHasBecomeOfACommandAtEveryMoment() throws Exception {
        RecordId id = submit(request("a")).id();
        CommandRecord executing = find(id);
        assertThat(executing.status()).isEqualTo(CommandStatus.EXECUTING);
        assertThat(executing.sentAt()).isEqualTo(ManualTime.START);
        assertThat(executing.startedAt()).isEqualTo(ManualTime.START);
        assertThat(executing.reason()).isNull();
        assertThat(executing.endedAt()).isNull();

        time.advance(Duration.ofMillis(5));
        complete(id, bytes("done"));
        CommandRecord completed = find(id);
        assertThat(completed.status()).isEqualTo(CommandStatus.COMPLETED);
        assertThat(completed.reason()).isEqualTo(Reason.OK);
        assertThat(completed.result()).isEqualTo(bytes("done"));
        assertThat(completed.endedAt()).isEqualTo(ManualTime.START.plusMillis(5));
        assertThat(completed.lastSequence()).isEqualTo(4);
    }

    @Test
    void keepsTheReasonAndTheMessageOfAFailure() throws Exception {
        RecordId id = submit(request("a")).id();
        manager().completeYield(tag(id), null, new IllegalStateException("no such service"));
        await(manager().find(id));
        CommandRecord failed = find(id);
        assertThat(failed.status()).isEqualTo(CommandStatus.FAILED);
        assertThat(failed.reason()).isEqualTo(Reason.EXECUTOR_ERROR);
        assertThat(failed.message()).isEqualTo("no such service");
        assertThat(failed.result()).isNull();
    }

    @Test
    void keepsTheResultThatComesWithAFailure() throws Exception {
        RecordId id = submit(request("a")).id();
        manager().completeYield(tag(id), bytes("half of it"), new IllegalStateException("the rest is missing"));
        CommandRecord failed = find(id);
        assertThat(failed.status()).isEqualTo(CommandStatus.FAILED);
        assertThat(failed.message()).isEqualTo("the rest is missing");
        assertThat(failed.result()).isEqualTo(bytes("half of it"));
    }

    @Test
    void knowsNothingOfAnIdThatWasNeverRecorded() throws Exception {
        RecordId unknown = RecordId.ofUuid(1, 2);
        assertThat(await(manager().find(unknown))).isEmpty();
        assertThat(await(manager().events(unknown, 0, 10))).isEmpty();
    }

    @Test
    void refusesASecondRecordWithTheSameId() throws Exception {
        manager().close();
        manager = newManager(() -> RecordId.ofUuid(1, 2));
        submit(request("first"));
        assertThatThrownBy(() -> await(manager().submit(request("second"))))
                .extracting(Throwable::getCause)
                .isInstanceOfSatisfying(
                        CommandRejectedException.class,
                        refusal -> assertThat(refusal.code()).isEqualTo(CommandRejectedException.Code.STORE_FAILED));
        assertThat(find(RecordId.ofUuid(1, 2)).request().type()).isEqualTo("first");
        assertThat(manager().stats().open()).isEqualTo(1);
    }

    @Test
    void countsItsRecords() throws Exception {
        RecordId ended = submit(request("a")).id();
        submit(request("b"));
        complete(ended, null);
        assertThat(manager().stats().records()).isEqualTo(2);
    }

    @Test
    void tellsTheEventsOfARecordInOrderFromAnyPosition() throws Exception {
        RecordId id = submit(request("a")).id();
        manager().progress(tag(id), 0.5, "half");
        manager().output(tag(id), "stdout", bytes("line"));
        complete(id, bytes("done"));

        List<CommandEvent> all = await(manager().events(id, 0, 100));
        assertThat(all)
                .extracting(CommandEvent::type)
                .containsExactly(
                        CommandEvent.Type.PENDING,
                        CommandEvent.Type.SENT,
                        CommandEvent.Type.EXECUTING,
                        CommandEvent.Type.PROGRESS,
                        CommandEvent.Type.OUTPUT,
                        CommandEvent.Type.COMPLETED);
        assertThat(all).extracting(CommandEvent::sequence).containsExactly(1L, 2L, 3L, 4L, 5L, 6L);
        assertThat(all.get(3).fraction()).isEqualTo(0.5);
        assertThat(all.get(3).message()).isEqualTo("half");
        assertThat(all.get(4).channel()).isEqualTo("stdout");
        assertThat(all.get(4).data()).isEqualTo(bytes("line"));
        assertThat(all.get(5).data()).isEqualTo(bytes("done"));

        for (int after = 0; after <= 6; after++) {
            for (int limit = 1; limit <= 7; limit++) {
                assertThat(await(manager().events(id, after, limit)))
                        .extracting(CommandEvent::sequence)
                        .containsExactlyElementsOf(LongStream.rangeClosed(after + 1, Math.min(6, after + limit))
                                .boxed()
                                .toList());
            }
        }
    }

    @Test
    void losesNoEventWhenManyThreadsReport() throws Exception {
        RecordId id = submit(request("a")).id();
        int each = 200;
        inThreads(thread -> {
            for (int i = 0; i < each; i++) {
                manager().output(tag(id), "stdout", new byte[] {(byte) thread});
            }
            return each;
        });
        complete(id, null);

        List<CommandEvent> all = await(manager().events(id, 0, 10 * THREADS * each));
        assertThat(all)
                .extracting(CommandEvent::sequence)
                .containsExactlyElementsOf(LongStream.rangeClosed(1, 3 + THREADS * each + 1)
                        .boxed()
                        .toList());
        assertThat(all.get(all.size() - 1).type()).isEqualTo(CommandEvent.Type.COMPLETED);
    }

    @Test
    void listsTheNewestFirstPageByPage() throws Exception {
        List<RecordId> newestFirst = new ArrayList<>();
        for (int i = 0; i < 25; i++) {
            newestFirst.add(submit(request("n" + i)).id());
            // so that some share a millisecond and some do not
            time.advance(Duration.ofMillis(i % 2));
        }
        Collections.reverse(newestFirst);
        for (int limit : new int[] {1, 4, 5, 24, 25, 26}) {
            assertThat(ids(null, null, limit)).isEqualTo(newestFirst);
        }
    }

    @Test
    void listsOnWhatIsOlderWhileNewRecordsComeIn() throws Exception {
        RecordId first = submit(request("a")).id();
        RecordId second = submit(request("b")).id();
        CommandPage page = await(manager().list(new CommandQuery(null, null, 1, null)));
        submit(request("c"));
        assertThat(page.records()).extracting(CommandRecord::id).containsExactly(second);
        CommandPage next = await(manager().list(new CommandQuery(null, null, 1, page.nextCursor())));
        assertThat(next.records()).extracting(CommandRecord::id).containsExactly(first);
        assertThat(next.nextCursor()).isNull();
    }

    @Test
    void listsByTargetAndByStatus() throws Exception {
        RecordId open = submit(request("a")).id();
        RecordId ended = submit(request("b")).id();
        RecordId other = submit(
                        CommandRequest.to(new Target.Local(OTHER_COMMAND), "c").build())
                .id();
        complete(ended, null);

        assertThat(ids(new Target.Local(COMMAND), null, 10)).containsExactly(ended, open);
        assertThat(ids(null, CommandStatus.EXECUTING, 10)).containsExactly(other, open);
        assertThat(ids(new Target.Local(COMMAND), CommandStatus.COMPLETED, 10)).containsExactly(ended);
        assertThat(ids(new Target.Local(OTHER_COMMAND), CommandStatus.FAILED, 10))
                .isEmpty();
    }

    @Test
    void listsWholePagesOfWhatIsInAScope() throws Exception {
        List<RecordId> own = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            submit(ofCaller("bob", "tool:report"));
            own.add(
                    0,
                    submit(ofCaller("alice", i % 2 == 0 ? "tool:report" : "tool:repair"))
                            .id());
            submit(ofCaller(null, "tool:report"));
            submit(ofCaller("alice", "TOOL:rep"));
            submit(ofCaller("alice", "a_b%"));
        }
        List<String> begins = List.of("tool:rep*", "none");

        assertThat(ids(new CommandScope("alice", begins, List.of()), 4)).isEqualTo(own);
        assertThat(ids(new CommandScope("alice", List.of("tool:report"), List.of()), 1))
                .containsExactly(own.get(1), own.get(3), own.get(5));
        assertThat(ids(new CommandScope(null, begins, List.of("agent:*", "local:" + COMMAND)), 5))
                .hasSize(18);
        assertThat(ids(new CommandScope("alice", begins, List.of("agent:*")), 4))
                .isEmpty();
        assertThat(ids(new CommandScope("alice", List.of("a%*", "a__b*", "_*"), List.of()), 4))
                .isEmpty();
        assertThat(ids(new CommandScope("alice", List.of("a_b%*"), List.of()), 4))
                .hasSize(6);
        assertThat(ids(new CommandScope("carol", List.of(), List.of()), 4)).isEmpty();
    }

    @Test
    void listsRunsOfToolsOfACaller() throws Exception {
        RecordId tool = submit(ofCaller("alice", "tool:report")).id();
        RecordId chain = submit(ofCaller("bob", "toolchain:all")).id();
        submit(ofCaller("alice", "toolbox"));
        submit(ofCaller("alice", "TOOL:x"));

        assertThat(runs(null, null)).containsExactly(chain, tool);
        assertThat(runs(null, "alice")).containsExactly(tool);
        assertThat(runs("toolchain:all", null)).containsExactly(chain);
        assertThat(runs("toolchain:all", "alice")).isEmpty();
        assertThat(runs("toolbox", null)).isEmpty();
    }

    private List<RecordId> runs(@Nullable String type, @Nullable String principal) throws Exception {
        CommandQuery query = CommandQuery.runsOfTools(type, principal, null, null, null, 10, null);
        return await(manager().list(query)).records().stream()
                .map(CommandRecord::id)
                .toList();
    }

    private static CommandRequest ofCaller(@Nullable String principal, String type) {
        return CommandRequest.to(new Target.Local(COMMAND), type)
                .principal(principal)
                .build();
    }

    private List<RecordId> ids(CommandScope scope, int limit) throws Exception {
        List<RecordId> ids = new ArrayList<>();
        String cursor = null;
        do {
            CommandPage page = await(manager().list(new CommandQuery(null, null, limit, cursor).within(scope)));
            assertThat(page.records())
                    .as("a page is full unless it is the last")
                    .hasSize(page.nextCursor() == null ? page.records().size() : limit);
            page.records().forEach(record -> ids.add(record.id()));
            cursor = page.nextCursor();
        } while (cursor != null);
        return ids;
    }

    @Test
    void refusesACursorThatIsNone() {
        for (String cursor :
                new String[] {"", "x", ".", "1.", "1.x", "99999999999999999999." + RecordId.ofUuid(1, 2)}) {
            CompletableFuture<CommandPage> answer = manager().list(new CommandQuery(null, null, 10, cursor));
            assertThatThrownBy(() -> await(answer))
                    .as("cursor '%s'", cursor)
                    .hasCauseInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void keepsOneRecordForOneKeyOfOnePrincipal() throws Exception {
        CommandHandle first = submit(keyed("alice", "a"));
        CommandHandle again = submit(keyed("alice", "a"));
        CommandHandle somebodyElse = submit(keyed("bob", "a"));
        CommandHandle nobody = submit(keyed(null, "a"));

        assertThat(again.id()).isEqualTo(first.id());
        assertThat(first.isRepeated()).isFalse();
        assertThat(again.isRepeated()).isTrue();
        assertThat(List.of(first.id(), somebodyElse.id(), nobody.id())).doesNotHaveDuplicates();
        assertThat(manager().stats().records()).isEqualTo(3);
    }

    @Test
    void returnsTheEndedRecordForItsKey() throws Exception {
        CommandHandle first = submit(keyed("alice", "a"));
        complete(first.id(), bytes("done"));
        CommandHandle again = submit(keyed("alice", "a"));
        assertThat(await(again.completion()).result()).isEqualTo(bytes("done"));
    }

    @Test
    void refusesAnotherRequestWithTheSameKey() throws Exception {
        submit(keyed("alice", "a"));
        assertThatThrownBy(() -> await(manager().submit(keyed("alice", "b"))))
                .extracting(Throwable::getCause)
                .isInstanceOfSatisfying(
                        CommandRejectedException.class,
                        refusal -> assertThat(refusal.code())
                                .isEqualTo(CommandRejectedException.Code.IDEMPOTENCY_CONFLICT));
        assertThat(manager().stats().records()).isEqualTo(1);
        assertThat(manager().stats().open()).isEqualTo(1);
    }

    @Test
    void keepsOneRecordWhenManySubmitTheSameKeyAtOnce() throws Exception {
        for (int round = 0; round < 50; round++) {
            CommandRequest request = keyed("alice", "round" + round);
            List<RecordId> ids =
                    inThreads(thread -> await(manager().submit(request)).id());
            assertThat(ids).as("round %d", round).hasSize(THREADS).containsOnly(ids.get(0));
            tag(ids.get(0));
        }
        assertThat(manager().stats().records()).isEqualTo(50);
        assertThat(manager().stats().open()).isEqualTo(50);
        assertThat(tags).hasSize(50);
    }

    @Test
    void doesNotForgetWhatHasNotEnded() throws Exception {
        CommandRequest longLived = CommandRequest.to(new Target.Local(COMMAND), "a")
                .timeout(Duration.ofHours(2))
                .build();
        RecordId id = submit(longLived).id();
        time.advance(Duration.ofHours(1));
        assertThat(find(id).status()).isEqualTo(CommandStatus.EXECUTING);
    }

    private CommandRequest request(String type) {
        return CommandRequest.to(new Target.Local(COMMAND), type).build();
    }

    private CommandRequest keyed(@Nullable String principal, String payload) {
        return CommandRequest.to(new Target.Local(COMMAND), "keyed")
                .payload(bytes(payload))
                .idempotencyKey(payload.startsWith("round") ? payload : "key")
                .principal(principal)
                .build();
    }

    private CommandHandle submit(CommandRequest request) throws Exception {
        return await(manager().submit(request));
    }

    private CommandRecord find(RecordId id) throws Exception {
        return await(manager().find(id)).orElseThrow();
    }

    private CompletableFuture<Long> handedOver(RecordId id) {
        return tags.computeIfAbsent(id, none -> new CompletableFuture<>());
    }

    private long tag(RecordId id) throws Exception {
        return await(handedOver(id));
    }

    private void complete(RecordId id, byte @Nullable [] result) throws Exception {
        CountDownLatch ended = new CountDownLatch(1);
        CommandManager.Watch watch =
                await(manager().watch(id, ended::countDown)).orElseThrow();
        manager().completeYield(tag(id), result, null);
        assertThat(ended.await(10, TimeUnit.SECONDS)).isTrue();
        watch.close();
    }

    private List<RecordId> ids(@Nullable Target target, @Nullable CommandStatus status, int limit) throws Exception {
        List<RecordId> ids = new ArrayList<>();
        String cursor = null;
        do {
            CommandPage page = await(manager().list(new CommandQuery(target, status, limit, cursor)));
            assertThat(page.records()).hasSizeLessThanOrEqualTo(limit);
            page.records().forEach(record -> ids.add(record.id()));
            cursor = page.nextCursor();
        } while (cursor != null);
        return ids;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static <T> T await(CompletableFuture<T> future)
            throws InterruptedException, ExecutionException, TimeoutException {
        return future.get(10, TimeUnit.SECONDS);
    }

    private static <T> List<T> inThreads(Work<T> work) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(THREADS);
        try {
            CountDownLatch ready = new CountDownLatch(THREADS);
            List<Future<T>> running = new ArrayList<>();
            for (int i = 0; i < THREADS; i++) {
                int thread = i;
                running.add(threads.submit(() -> {
                    ready.countDown();
                    ready.await();
                    return work.run(thread);
                }));
            }
            List<T> results = new ArrayList<>();
            for (Future<T> one : running) {
                results.add(one.get(30, TimeUnit.SECONDS));
            }
            return results;
        } finally {
            threads.shutdownNow();
        }
    }

    @FunctionalInterface
    private interface Work<T> {
        T run(int thread) throws Exception;
    }
}
