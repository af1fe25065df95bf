package io.github.commandway.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.commandway.dispatch.CommandIds;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.manager.CancelResult;
import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandQuery;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRejectedException;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.CommandStore;
import io.github.commandway.manager.IdGenerator;
import io.github.commandway.manager.QueueClaim;
import io.github.commandway.manager.QueueState;
import io.github.commandway.manager.QueueStore;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.RetryPolicy;
import io.github.commandway.manager.Target;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What every {@link QueueStore} must do, tried through a {@link CommandManager}. Extend it and make your store in {@link #createStore}.
 */
public abstract class QueueStoreContract {
    private static final String QUEUE = "q";

    private final ManualTime time = new ManualTime();
    private @Nullable CommandManager manager;

    /** For those who extend it. */
    protected QueueStoreContract() {}

    /**
     * Makes an empty store; the contract closes it.
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
        Registry registry = new Registry();
        registry.register("contract", CommandIds.QUEUE_EXECUTE, new LeftWaiting());
        manager = CommandManager.builder(registry)
                .store(createStore(time.clock()))
                .ids(IdGenerator.uuidV7(time.clock(), new AtomicLong()::incrementAndGet))
                .time(time.clock(), time::nanos)
                .timer(time.scheduler())
                .random(() -> 1L << 63)
                .build();
    }

    @AfterEach
    void closeManager() throws Exception {
        manager().close();
        afterStoreIsClosed();
    }

    @Test
    void givesOutInTheOrderOfAcceptance() throws Exception {
        List<RecordId> ids = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            ids.add(submit(request -> request));
        }
        assertThat(idsOf(claim(3, 100))).isEqualTo(ids.subList(0, 3));
        assertThat(idsOf(claim(100, 100))).isEqualTo(ids.subList(3, 10));
        assertThat(idsOf(claim(100, 100))).isEmpty();
    }

    @Test
    void givesOutTheHigherPriorityFirst() throws Exception {
        RecordId low = submit(request -> request.priority(-1));
        RecordId normal = submit(request -> request);
        RecordId high = submit(request -> request.priority(100));
        RecordId alsoHigh = submit(request -> request.priority(100));
        assertThat(idsOf(claim(10, 10))).containsExactly(high, alsoHigh, normal, low);
    }

    @Test
    void handsOverNoMoreAtATimeThanTheConcurrencyAllows() throws Exception {
        for (int i = 0; i < 5; i++) {
            submit(request -> request);
        }
        List<QueueClaim.Claimed> first = claim(10, 2);
        assertThat(first).hasSize(2);
        assertThat(claim(10, 2)).isEmpty();
        complete(first.get(0));
        assertThat(claim(10, 2)).hasSize(1);
    }

    @Test
    void recordsTheHandOverWithTheClaim() throws Exception {
        RecordId begun = submit(request -> request);
        RecordId waiting = submit(request -> request);
        assertThat(idsOf(claim(1, 10))).containsExactly(begun);
        await(manager().claim(QUEUE, 1, 10, false, null));

        assertThat(find(begun).status()).isEqualTo(CommandStatus.EXECUTING);
        assertThat(find(begun).startedAt()).isEqualTo(ManualTime.START);
        assertThat(find(begun).lastSequence()).isEqualTo(3);
        assertThat(find(waiting).status()).isEqualTo(CommandStatus.PENDING);
        assertThat(find(waiting).sentAt()).isEqualTo(ManualTime.START);
        assertThat(find(waiting).startedAt()).isNull();
        assertThat(types(waiting)).containsExactly(CommandEvent.Type.PENDING, CommandEvent.Type.SENT);
        assertThat(types(begun))
                .containsExactly(CommandEvent.Type.PENDING, CommandEvent.Type.SENT, CommandEvent.Type.EXECUTING);
    }

    @Test
    void givesOutOneOfAnOrderKeyAtATimeInOrder() throws Exception {
        RecordId a1 = submit(request -> request.orderKey("a"));
        RecordId a2 = submit(request -> request.orderKey("a").priority(50));
        RecordId b1 = submit(request -> request.orderKey("b"));
        RecordId free = submit(request -> request);

        List<QueueClaim.Claimed> first = claim(10, 10);
        assertThat(idsOf(first)).containsExactly(a1, b1, free);
        assertThat(claim(10, 10)).isEmpty();
        complete(first.get(0));
        assertThat(idsOf(claim(10, 10))).containsExactly(a2);
    }

    @Test
    void passesOverWhatMayNotBeginYetAndSaysWhenItMay() throws Exception {
        RecordId later = submit(request -> request.notBefore(ManualTime.START.plusSeconds(60)));
        RecordId now = submit(request -> request);
        QueueClaim claim = await(manager().claim(QUEUE, 10, 10, true, null));
        assertThat(idsOf(claim.commands())).containsExactly(now);
        assertThat(claim.nextDue()).isEqualTo(ManualTime.START.plusSeconds(60));

        time.advance(Duration.ofSeconds(20));
        RecordId behind = submit(request -> request);
        time.advance(Duration.ofSeconds(40));
        assertThat(idsOf(claim(10, 10))).containsExactly(later, behind);
    }

    @Test
    void whatMayNotBeginYetHoldsUpThoseBehindItWithTheSameOrderKey() throws Exception {
        RecordId later = submit(request -> request.orderKey("a").notBefore(ManualTime.START.plusSeconds(60)));
        RecordId behind = submit(request -> request.orderKey("a"));
        assertThat(claim(10, 10)).isEmpty();
        time.advance(Duration.ofSeconds(60));
        List<QueueClaim.Claimed> first = claim(10, 10);
        assertThat(idsOf(first)).containsExactly(later);
        complete(first.get(0));
        assertThat(idsOf(claim(10, 10))).containsExactly(behind);
    }

    @Test
    void aRetryGoesBackToItsPlaceWithTheEventsOfTheFirstTry() throws Exception {
        RetryPolicy twice = new RetryPolicy(2, Duration.ofSeconds(10), Duration.ofSeconds(10), 0);
        RecordId first = submit(request -> request.retry(twice).orderKey("a"));
        RecordId second = submit(request -> request.orderKey("a"));
        QueueClaim.Claimed claimed = claim(1, 10).get(0);
        manager().progress(claimed.tag(), 0.5, "half");
        fail(claimed, "no paper");

        CommandRecord again = find(first);
        assertThat(again.status()).isEqualTo(CommandStatus.PENDING);
        assertThat(again.attempt()).isEqualTo(2);
        assertThat(again.sentAt()).isNull();
        assertThat(again.startedAt()).isNull();
        assertThat(again.notBefore()).isEqualTo(ManualTime.START.plusSeconds(10));
        assertThat(again.message()).isEqualTo("executor_error: no paper");
        assertThat(claim(10, 10)).isEmpty();
        assertThat(state().waiting()).isEqualTo(2);

        time.advance(Duration.ofSeconds(10));
        List<QueueClaim.Claimed> next = claim(10, 10);
        assertThat(idsOf(next)).containsExactly(first);
        fail(next.get(0), "no ink");
        assertThat(find(first).status()).isEqualTo(CommandStatus.FAILED);
        assertThat(types(first))
                .containsExactly(
                        CommandEvent.Type.PENDING,
                        CommandEvent.Type.SENT,
                        CommandEvent.Type.EXECUTING,
                        CommandEvent.Type.PROGRESS,
                        CommandEvent.Type.RETRYING,
                        CommandEvent.Type.SENT,
                        CommandEvent.Type.EXECUTING,
                        CommandEvent.Type.FAILED);
        assertThat(events(first)).extracting(CommandEvent::sequence).containsExactly(1L, 2L, 3L, 4L, 5L, 6L, 7L, 8L);
        assertThat(idsOf(claim(10, 10))).containsExactly(second);
    }

    @Test
    void keepsBackWhatWaitsInAPausedQueue() throws Exception {
        submit(request -> request);
        await(manager().queues().pause(QUEUE, true));
        assertThat(claim(10, 10)).isEmpty();
        assertThat(state().paused()).isTrue();
        await(manager().queues().pause(QUEUE, false));
        assertThat(state().paused()).isFalse();
        assertThat(claim(10, 10)).hasSize(1);
    }

    @Test
    void countsWhatIsInTheQueueAndWhatBecameOfIt() throws Exception {
        for (int i = 0; i < 5; i++) {
            submit(request -> request);
        }
        List<QueueClaim.Claimed> claimed = claim(3, 10);
        complete(claimed.get(0));
        fail(claimed.get(1), "no paper");
        assertThat(state())
                .isEqualTo(new QueueState(
                        QUEUE,
                        false,
                        2,
                        1,
                        5,
                        1,
                        1,
                        List.of(claimed.get(2).command().id())));
        assertThat(manager().queues().waiting(QUEUE)).isEqualTo(2);
        assertThat(await(manager().queues().state("other")))
                .isEqualTo(new QueueState("other", false, 0, 0, 0, 0, 0, List.of()));
        assertThat(manager().queues().waiting("other")).isZero();
    }

    @Test
    void tellsThePlaceInTheQueue() throws Exception {
        RecordId first = submit(request -> request);
        RecordId second = submit(request -> request);
        RecordId later = submit(request -> request.notBefore(ManualTime.START.plusSeconds(1)));
        RecordId urgent = submit(request -> request.priority(1));
        assertThat(await(manager().queues().position(urgent))).hasValue(1);
        assertThat(await(manager().queues().position(first))).hasValue(2);
        assertThat(await(manager().queues().position(second))).hasValue(3);
        assertThat(await(manager().queues().position(later))).hasValue(4);
        claim(1, 10);
        assertThat(await(manager().queues().position(urgent))).isEmpty();
        assertThat(await(manager().queues().position(first))).hasValue(1);
        assertThat(await(manager().queues().position(RecordId.ofUuid(1, 2)))).isEmpty();
    }

    @Test
    void takesOneThatWaitsOnce() throws Exception {
        RecordId waiting = submit(request -> request);
        RecordId claimed = submit(request -> request.priority(1));
        claim(1, 10);
        assertThat(await(manager().queues().take(claimed))).isEmpty();
        assertThat(await(manager().queues().take(waiting)))
                .hasValueSatisfying(record -> assertThat(record.id()).isEqualTo(waiting));
        assertThat(await(manager().queues().take(waiting))).isEmpty();
        assertThat(claim(10, 10)).isEmpty();
        assertThat(state().waiting()).isZero();
    }

    @Test
    void oneThatIsCancelledWhileItWaitsIsNeverGivenOut() throws Exception {
        RecordId id = submit(request -> request);
        CancelResult result = await(manager().cancel(id)).orElseThrow();
        assertThat(result.outcome()).isEqualTo(CancelResult.Outcome.CANCELLED_BEFORE_START);
        assertThat(claim(10, 10)).isEmpty();
        assertThat(find(id).reason()).isEqualTo(Reason.CANCELLED_BEFORE_START);
        assertThat(state()).isEqualTo(new QueueState(QUEUE, false, 0, 0, 1, 0, 1, List.of()));
    }

    @Test
    void oneThatHasWaitedTooLongEndsAndIsNotGivenOut() throws Exception {
        CommandHandle handle = await(manager().submit(request(request -> request.ttl(Duration.ofSeconds(5)))));
        time.advance(Duration.ofSeconds(6));
        CommandRecord ended = await(handle.completion());
        assertThat(ended.reason()).isEqualTo(Reason.QUEUE_TIMEOUT);
        assertThat(claim(10, 10)).isEmpty();
    }

    @Test
    void givesEachToOneOfThoseWhoAskAtOnce() throws Exception {
        int count = 200;
        for (int i = 0; i < count; i++) {
            submit(request -> request);
        }
        ConcurrentLinkedQueue<RecordId> claimed = new ConcurrentLinkedQueue<>();
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try {
            List<Future<?>> running = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                running.add(threads.submit(() -> {
                    List<QueueClaim.Claimed> mine = claim(7, 1_000);
                    while (!mine.isEmpty()) {
                        claimed.addAll(idsOf(mine));
                        mine = claim(7, 1_000);
                    }
                    return null;
                }));
            }
            for (Future<?> one : running) {
                one.get(30, TimeUnit.SECONDS);
            }
        } finally {
            threads.shutdownNow();
        }
        assertThat(claimed).hasSize(count).doesNotHaveDuplicates();
    }

    @Test
    void eitherTakesOrClaimsACommandWhenBothAreTriedAtOnce() throws Exception {
        for (int round = 0; round < 50; round++) {
            RecordId id = submit(request -> request);
            CompletableFuture<QueueClaim> claim = manager().claim(QUEUE, 1, 1_000, true, null);
            boolean taken = await(manager().queues().take(id)).isPresent();
            boolean claimed = !await(claim).commands().isEmpty();
            assertThat(taken).as("round %d", round).isNotEqualTo(claimed);
        }
    }

    @Test
    void claimsOnlyTheTypesThatAreAskedFor() throws Exception {
        RecordId work = submit(request -> request);
        RecordId other = await(
                        manager().submit(CommandRequest.toQueue(QUEUE, "oth").build()))
                .id();
        RecordId more = submit(request -> request);
        QueueClaim none = await(manager().claim(QUEUE, 10, 10, true, Set.of("other", "othe")));
        assertThat(none.commands()).isEmpty();
        QueueClaim some = await(manager().claim(QUEUE, 10, 10, true, Set.of("oth", "third")));
        assertThat(idsOf(some.commands())).containsExactly(other);
        assertThat(idsOf(claim(10, 10))).containsExactly(work, more);
    }

    @Test
    void remembersToWhomACommandWasGivenForAsLongAsItIsOpen() throws Exception {
        QueueClaim.Claimed claimed = await(manager().claim(queueWithOne(), 1, 10, false, null))
                .commands()
                .get(0);
        RecordId id = claimed.command().id();
        assertThat(find(id).assignedTo()).isNull();
        assertThat(await(manager().assign(claimed.tag(), "agent:a"))).isTrue();
        assertThat(await(manager().assign(claimed.tag(), "agent:b"))).isTrue();
        assertThat(find(id).assignedTo()).isEqualTo("agent:b");
        complete(claimed);
        assertThat(find(id).assignedTo()).isEqualTo("agent:b");
        assertThat(await(manager().assign(claimed.tag(), "agent:c"))).isFalse();
    }

    private String queueWithOne() throws Exception {
        submit(request -> request);
        return QUEUE;
    }

    @Test
    void acceptsOneOpenCommandOfAnExclusiveKey() throws Exception {
        RecordId first = submit(request -> request.exclusiveKey("session"));
        assertThatThrownBy(
                        () -> submit(request -> request.exclusiveKey("session").payload(bytes("other"))))
                .extracting(Throwable::getCause)
                .isInstanceOfSatisfying(CommandRejectedException.class, refusal -> {
                    assertThat(refusal.code()).isEqualTo(CommandRejectedException.Code.EXCLUSIVE_KEY_TAKEN);
                    assertThat(refusal.existing().orElseThrow().id()).isEqualTo(first);
                });
        assertThat(manager().stats().records()).isEqualTo(1);
        complete(claim(1, 1).get(0));
        assertThat(submit(request -> request.exclusiveKey("session"))).isNotEqualTo(first);
    }

    @Test
    void theIdempotencyKeyIsLookedAtBeforeTheExclusiveOne() throws Exception {
        UnaryOperator<CommandRequest.Builder> both =
                request -> request.exclusiveKey("session").idempotencyKey("key");
        RecordId first = submit(both);
        assertThat(submit(both)).isEqualTo(first);
        complete(claim(1, 1).get(0));
        submit(request -> request.exclusiveKey("session"));
        assertThat(submit(both)).isEqualTo(first);
    }

    @Test
    void listsByTypeAndByTime() throws Exception {
        RecordId early = submit(request -> request);
        time.advance(Duration.ofSeconds(1));
        RecordId other = await(
                        manager().submit(CommandRequest.toQueue(QUEUE, "other").build()))
                .id();
        time.advance(Duration.ofSeconds(1));
        RecordId late = submit(request -> request);

        assertThat(list(new CommandQuery(null, null, "work", null, null, 10, null)))
                .containsExactly(late, early);
        assertThat(list(new CommandQuery(null, null, null, ManualTime.START.plusSeconds(1), null, 10, null)))
                .containsExactly(late, other);
        assertThat(list(new CommandQuery(null, null, null, null, ManualTime.START.plusSeconds(1), 10, null)))
                .containsExactly(early);
        assertThat(list(new CommandQuery(
                        new Target.Queue(QUEUE),
                        CommandStatus.PENDING,
                        "work",
                        ManualTime.START.plusSeconds(1),
                        ManualTime.START.plusSeconds(3),
                        10,
                        null)))
                .containsExactly(late);
    }

    private List<RecordId> list(CommandQuery query) throws Exception {
        return await(manager().list(query)).records().stream()
                .map(CommandRecord::id)
                .toList();
    }

    private CommandManager manager() {
        if (manager == null) {
            throw new IllegalStateException("not started");
        }
        return manager;
    }

    private static CommandRequest request(UnaryOperator<CommandRequest.Builder> options) {
        return options.apply(CommandRequest.toQueue(QUEUE, "work")).build();
    }

    private RecordId submit(UnaryOperator<CommandRequest.Builder> options) throws Exception {
        return await(manager().submit(request(options))).id();
    }

    private List<QueueClaim.Claimed> claim(int limit, int concurrency) throws Exception {
        return await(manager().claim(QUEUE, limit, concurrency, true, null)).commands();
    }

    private static List<RecordId> idsOf(List<QueueClaim.Claimed> claimed) {
        return claimed.stream().map(one -> one.command().id()).toList();
    }

    private CommandRecord find(RecordId id) throws Exception {
        return await(manager().find(id)).orElseThrow();
    }

    private List<CommandEvent> events(RecordId id) throws Exception {
        return await(manager().events(id, 0, 100));
    }

    private List<CommandEvent.Type> types(RecordId id) throws Exception {
        return events(id).stream().map(CommandEvent::type).toList();
    }

    private QueueState state() throws Exception {
        return await(manager().queues().state(QUEUE));
    }

    private void complete(QueueClaim.Claimed claimed) throws Exception {
        manager().completeYield(claimed.tag(), "done", null);
        // a look sees what was given to the store before
        find(claimed.command().id());
    }

    private void fail(QueueClaim.Claimed claimed, String message) throws Exception {
        manager().completeYield(claimed.tag(), null, new IllegalStateException(message));
        // a look sees what was given to the store before
        find(claimed.command().id());
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static <T> T await(CompletableFuture<T> future) throws Exception {
        return future.get(10, TimeUnit.SECONDS);
    }
}
