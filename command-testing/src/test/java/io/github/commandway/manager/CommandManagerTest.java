package io.github.commandway.manager;

import static io.github.commandway.manager.ManagerFixture.bytes;
import static io.github.commandway.manager.ManagerFixture.codeOf;
import static io.github.commandway.manager.ManagerFixture.toDirect;
import static io.github.commandway.manager.ManagerFixture.toQueue;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.manager.CommandRejectedException.Code;
import io.github.commandway.manager.ManagerFixture.Call;
import io.github.commandway.testing.FaultyCommandStore;
import io.github.commandway.testing.FaultyCommandStore.Operation;
import io.github.commandway.testing.FaultyCommandStore.Write;
import io.github.commandway.testing.ManualTime;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The manager as a whole: what it lets in, what it tells, what it keeps, and how it stops. */
class CommandManagerTest {

    @Nested
    class Admission {
        @Test
        void worksWithDefaults() {
            Registry registry = new Registry();
            registry.register(
                    "test", 300, (context, command, tag, receiver) -> receiver.completeYield(tag, "hi", null));
            try (CommandManager manager = CommandManager.ofDefaults(registry)) {
                assertThat(registry.isFrozen()).isTrue();
                CommandHandle handle = manager.submit(
                                CommandRequest.to(new Target.Local(300), "x").build())
                        .join();
                assertThat(handle.completion().join().result()).isEqualTo(bytes("hi"));
                assertThat(handle.id().form()).isEqualTo(RecordId.Form.UUID);
            }
        }

        @Test
        void refusesMoreThanFiftyThousandOpenCommandsAndTakesMoreAgainWhenOneHasEnded() {
            try (ManagerFixture fixture = new ManagerFixture()) {
                for (int i = 0; i < 50_000; i++) {
                    fixture.submit(toDirect());
                }
                assertThat(fixture.refusalOf(toDirect())).isEqualTo(Code.CAPACITY);
                assertThat(fixture.manager.stats().records()).isEqualTo(50_000);
                assertThat(fixture.manager.stats().rejected()).isEqualTo(1);
                assertThat(fixture.direct.calls).hasSize(50_000);

                fixture.direct.last().succeed(null);
                fixture.submit(toDirect());
                assertThat(fixture.refusalOf(toDirect())).isEqualTo(Code.CAPACITY);
                assertThat(fixture.manager.stats().open()).isEqualTo(50_000);
            }
        }

        @Test
        void hasRoomAgainForWhoIsToldOfAnEnd() {
            try (ManagerFixture fixture = new ManagerFixture(builder -> builder.maxOpen(1))) {
                List<CompletableFuture<CommandHandle>> next = new ArrayList<>();
                fixture.submit(toDirect())
                        .whenEnded(ended ->
                                next.add(fixture.manager.submit(toDirect().build())));
                fixture.direct.last().succeed(null);
                assertThat(next)
                        .singleElement()
                        .satisfies(answer -> assertThat(answer).isCompleted());
            }
        }

        @Test
        void refusesMoreBytesThanMayBeOpen() {
            try (ManagerFixture fixture =
                    new ManagerFixture(builder -> builder.maxOpenBytes(10).maxPayloadBytes(6))) {
                fixture.submit(toDirect().payload(new byte[6]));
                assertThat(fixture.refusalOf(toDirect().payload(new byte[5]))).isEqualTo(Code.CAPACITY);
                fixture.submit(toDirect().payload(new byte[4]));
                assertThat(fixture.refusalOf(toDirect().payload(new byte[1]))).isEqualTo(Code.CAPACITY);
                fixture.submit(toDirect());
                assertThat(fixture.refusalOf(toDirect().payload(new byte[7]))).isEqualTo(Code.PAYLOAD_TOO_LARGE);

                fixture.direct.calls.get(0).succeed(null);
                fixture.submit(toDirect().payload(new byte[6]));
                assertThat(fixture.manager.stats().open()).isEqualTo(3);
            }
        }

        @Test
        void refusesWhatNobodyHandles() {
            try (ManagerFixture fixture = new ManagerFixture()) {
                assertThat(fixture.refusalOf(CommandRequest.toAgent("a", "restart")))
                        .isEqualTo(Code.UNKNOWN_COMMAND);
                assertThat(fixture.manager.stats().records()).isZero();
            }
        }

        @ParameterizedTest
        @EnumSource(names = {"TARGET_BUSY", "TARGET_UNKNOWN", "TARGET_AWAY"})
        void recordsNothingThatTheHandlerRefuses(Code code) {
            try (ManagerFixture fixture = new ManagerFixture()) {
                fixture.waiting.refusal = code;
                assertThat(fixture.refusalOf(toQueue())).isEqualTo(code);
                assertThat(fixture.manager.stats().records()).isZero();
                assertThat(fixture.manager.stats().open()).isZero();
                assertThat(fixture.waiting.calls).isEmpty();
            }
        }

        @Test
        void leavesNoTraceOfASubmitThatBroke() {
            AtomicInteger made = new AtomicInteger();
            try (ManagerFixture fixture =
                    new ManagerFixture(builder -> builder.maxOpen(1).ids(() -> {
                        if (made.getAndIncrement() == 0) {
                            throw new IllegalStateException("no entropy");
                        }
                        return RecordId.ofUuid(0, made.get());
                    }))) {
                assertThatThrownBy(() -> fixture.manager.submit(toDirect().build()))
                        .hasMessage("no entropy");
                fixture.submit(toDirect());
            }
        }

        @Test
        void tellsWhichRefusalsAreWorthATryLater() {
            assertThat(Code.values())
                    .filteredOn(Code::isRetryable)
                    .containsExactly(
                            Code.CAPACITY, Code.TARGET_BUSY, Code.TARGET_AWAY, Code.SHUTTING_DOWN, Code.STORE_FAILED);
        }

        @Test
        void refusesBoundsBelowOne() {
            CommandManager.Builder builder = CommandManager.builder(new Registry());
            assertThatThrownBy(() -> builder.maxOpen(0).build()).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> builder.maxOpen(1).maxPayloadBytes(0).build())
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> builder.maxPayloadBytes(1).maxOpenBytes(0).build())
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Nested
    class News {
        @Test
        void tellsListenersEveryEventInOrder() {
            try (ManagerFixture fixture = new ManagerFixture()) {
                CommandHandle handle = fixture.submit(toQueue());
                Call call = fixture.waiting.last();
                call.handOver();
                call.receiver().progress(call.tag(), 7, "much");
                call.receiver().progress(call.tag(), Double.NaN, "unknown");
                call.receiver().output(call.tag(), "stderr", bytes("oops"));
                fixture.manager.cancel(handle.id());
                call.fail(new IllegalStateException("broken"));

                List<CommandEvent> kept =
                        fixture.manager.events(handle.id(), 0, 100).join();
                assertThat(fixture.heard).isEqualTo(kept);
                assertThat(kept)
                        .extracting(CommandEvent::sequence)
                        .containsExactlyElementsOf(
                                LongStream.rangeClosed(1, 8).boxed().toList());
                assertThat(kept.get(3).fraction()).isEqualTo(1);
                assertThat(kept.get(4).fraction()).isEqualTo(-1);
                assertThat(kept.get(7).message()).isEqualTo("executor_error: broken");
            }
        }

        @Test
        void tellsOneListenerAfterTheOtherAlsoWhenOneThrowsOrActs() {
            List<String> told = new ArrayList<>();
            CommandManager[] manager = new CommandManager[1];
            try (ManagerFixture fixture = new ManagerFixture(builder -> builder.listener((command, event) -> {
                        told.add("first " + event.type());
                        if (event.type() == CommandEvent.Type.EXECUTING) {
                            manager[0].cancel(command.id());
                        }
                        throw new AssertionError("thrown by the test");
                    })
                    .listener((command, event) -> told.add("second " + event.type())))) {
                manager[0] = fixture.manager;
                fixture.submit(toDirect());
                assertThat(told)
                        .containsExactly(
                                "first PENDING",
                                "second PENDING",
                                "first SENT",
                                "second SENT",
                                "first EXECUTING",
                                "second EXECUTING",
                                "first CANCEL_REQUESTED",
                                "second CANCEL_REQUESTED");
            }
        }

        @Test
        void wakesAWatchAfterEveryChangeUntilItIsClosed() {
            try (ManagerFixture fixture = new ManagerFixture()) {
                CommandHandle handle = fixture.submit(toDirect());
                Call call = fixture.direct.last();
                AtomicInteger woken = new AtomicInteger();
                AtomicInteger other = new AtomicInteger();
                CommandManager.Watch watch = fixture.manager
                        .watch(handle.id(), woken::incrementAndGet)
                        .join()
                        .orElseThrow();
                fixture.manager.watch(handle.id(), () -> {
                    other.incrementAndGet();
                    throw new AssertionError("thrown by the test");
                });
                call.receiver().progress(call.tag(), 0.1, "");
                assertThat(woken).hasValue(1);
                watch.close();
                watch.close();
                call.receiver().progress(call.tag(), 0.2, "");
                call.succeed(null);
                assertThat(woken).hasValue(1);
                assertThat(other).hasValue(3);
            }
        }

        @Test
        void hasNothingToWatchAfterTheEnd() {
            try (ManagerFixture fixture = new ManagerFixture()) {
                CommandHandle handle = fixture.submit(toDirect());
                fixture.direct.last().succeed(null);
                assertThat(fixture.manager.watch(handle.id(), () -> {}).join()).isEmpty();
                assertThat(fixture.manager
                                .watch(RecordId.ofUuid(1, 2), () -> {})
                                .join())
                        .isEmpty();
            }
        }

        @Test
        void saysWhichEventsAreNotKeptAnyMore() {
            try (ManagerFixture fixture = new ManagerFixture()) {
                CommandHandle handle = fixture.submit(toDirect());
                Call call = fixture.direct.last();
                for (int i = 0; i < EventLog.MAX_EVENTS; i++) {
                    call.receiver().progress(call.tag(), 0, "");
                }
                List<CommandEvent> page =
                        fixture.manager.events(handle.id(), 0, 2).join();
                assertThat(page)
                        .extracting(CommandEvent::type)
                        .containsExactly(CommandEvent.Type.GAP, CommandEvent.Type.PROGRESS);
                assertThat(page).extracting(CommandEvent::sequence).containsExactly(3L, 4L);
                assertThat(fixture.manager.events(handle.id(), 3, 1).join())
                        .extracting(CommandEvent::sequence)
                        .containsExactly(4L);
            }
        }

        @Test
        void limitsTheBytesOfOutputThatAreKept() {
            try (ManagerFixture fixture = new ManagerFixture()) {
                CommandHandle handle = fixture.submit(toDirect());
                Call call = fixture.direct.last();
                for (int i = 0; i < 40; i++) {
                    call.receiver().output(call.tag(), "stdout", new byte[100_000]);
                }
                List<CommandEvent> kept =
                        fixture.manager.events(handle.id(), 0, 100).join();
                assertThat(kept.get(0).type()).isEqualTo(CommandEvent.Type.GAP);
                assertThat(kept.stream()
                                .filter(event -> event.data() != null)
                                .mapToLong(event -> event.data().length)
                                .sum())
                        .isBetween(EventLog.MAX_BYTES - 100_200, EventLog.MAX_BYTES);

                call.receiver().output(call.tag(), "stdout", new byte[3_000_000]);
                assertThat(fixture.manager.events(handle.id(), 0, 100).join())
                        .extracting(CommandEvent::sequence)
                        .containsExactly(43L, 44L);
            }
        }
    }

    @Nested
    class Retention {
        private final ManualTime time = new ManualTime();

        private ManagerFixture keeping(int maxEnded, long maxEndedBytes) {
            return new ManagerFixture(builder -> builder.time(time.clock(), time::nanos)
                    .timer(time.scheduler())
                    .store(new InMemoryCommandStore(time.clock(), Duration.ofMinutes(30), maxEnded, maxEndedBytes)));
        }

        private CommandHandle ended(ManagerFixture fixture, CommandRequest.Builder request, Object result) {
            CommandHandle handle = fixture.submit(request);
            fixture.direct.last().succeed(result);
            return handle;
        }

        private boolean isKept(ManagerFixture fixture, CommandHandle handle) {
            return fixture.manager.find(handle.id()).join().isPresent();
        }

        @Test
        void boundsTheOutputOfAllOpenCommandsTogether() {
            try (ManagerFixture fixture = keeping(10, 100_000)) {
                List<CommandHandle> handles = new ArrayList<>();
                for (int i = 0; i < 5; i++) {
                    handles.add(fixture.submit(toDirect()));
                }
                for (int i = 0; i < 200; i++) {
                    for (Call call : fixture.direct.calls) {
                        call.receiver().output(call.tag(), "stdout", new byte[1_000]);
                    }
                }
                assertThat(handles.stream()
                                .mapToLong(handle -> outputKept(fixture, handle))
                                .sum())
                        .isBetween(10_000L, 101_000L);

                fixture.direct.calls.forEach(call -> call.succeed(null));
                CommandHandle next = fixture.submit(toDirect());
                Call call = fixture.direct.last();
                for (int i = 0; i < 50; i++) {
                    call.receiver().output(call.tag(), "stdout", new byte[1_000]);
                }
                assertThat(outputKept(fixture, next)).as("there is room again").isEqualTo(50_000);
            }
        }

        private static long outputKept(ManagerFixture fixture, CommandHandle handle) {
            return fixture.manager.events(handle.id(), 0, 1_000).join().stream()
                    .filter(event -> event.data() != null)
                    .mapToLong(event -> event.data().length)
                    .sum();
        }

        @Test
        void keepsAnEndedRecordForHalfAnHour() {
            try (ManagerFixture fixture = new ManagerFixture()) {
                CommandHandle handle = ended(fixture, toDirect(), null);
                fixture.advance(Duration.ofMinutes(30).minusSeconds(1));
                assertThat(isKept(fixture, handle)).isTrue();
                fixture.advance(Duration.ofSeconds(2));
                assertThat(isKept(fixture, handle)).isFalse();
                assertThat(fixture.manager.stats().records()).isZero();
            }
        }

        @Test
        void keepsAnIdempotencyKeyForADay() {
            try (ManagerFixture fixture = keeping(10, 1_000)) {
                CommandHandle handle = ended(fixture, toDirect().idempotencyKey("k"), null);
                time.advance(Duration.ofHours(24).minusSeconds(1));
                assertThat(fixture.submit(toDirect().idempotencyKey("k")).id()).isEqualTo(handle.id());
                time.advance(Duration.ofSeconds(2));
                assertThat(isKept(fixture, handle)).isFalse();
                assertThat(fixture.submit(toDirect().idempotencyKey("k")).isRepeated())
                        .isFalse();
            }
        }

        @Test
        void letsTheOldestGoWhenThereAreTooMany() {
            try (ManagerFixture fixture = keeping(3, 1_000)) {
                CommandHandle open = fixture.submit(toDirect());
                List<CommandHandle> ended = new ArrayList<>();
                for (int i = 0; i < 5; i++) {
                    ended.add(ended(fixture, toDirect(), null));
                }
                assertThat(ended)
                        .extracting(handle -> isKept(fixture, handle))
                        .containsExactly(false, false, true, true, true);
                assertThat(isKept(fixture, open)).isTrue();
            }
        }

        @Test
        void letsTheOldestGoWhenTheyTakeTooManyBytes() {
            try (ManagerFixture fixture = keeping(100, 100)) {
                CommandHandle first = ended(fixture, toDirect().payload(new byte[30]), new byte[30]);
                CommandHandle second = ended(fixture, toDirect(), new byte[40]);
                assertThat(isKept(fixture, first)).isTrue();
                CommandHandle third = ended(fixture, toDirect(), new byte[1]);
                assertThat(isKept(fixture, first)).isFalse();
                assertThat(isKept(fixture, second)).isTrue();
                assertThat(isKept(fixture, third)).isTrue();
            }
        }

        @Test
        void refusesNewKeysRatherThanForgetOnes() {
            try (ManagerFixture fixture = keeping(2, 1_000)) {
                CommandHandle first = ended(fixture, toDirect().idempotencyKey("1"), null);
                ended(fixture, toDirect().idempotencyKey("2"), null);
                assertThat(fixture.refusalOf(toDirect().idempotencyKey("3"))).isEqualTo(Code.STORE_FAILED);
                assertThat(fixture.submit(toDirect().idempotencyKey("1")).id()).isEqualTo(first.id());
                CommandHandle withoutKey = ended(fixture, toDirect(), null);
                assertThat(isKept(fixture, withoutKey)).isTrue();
            }
        }

        @Test
        void refusesNewKeysWhileTheRecordsOfTheOldOnesTakeTooManyBytes() {
            try (ManagerFixture fixture = keeping(100, 100)) {
                ended(fixture, toDirect().idempotencyKey("1"), new byte[100]);
                assertThat(fixture.refusalOf(toDirect().idempotencyKey("2"))).isEqualTo(Code.STORE_FAILED);
                CommandHandle withoutKey = ended(fixture, toDirect(), new byte[100]);
                assertThat(isKept(fixture, withoutKey)).isTrue();
            }
        }
    }

    @Nested
    class Stopping {
        @Test
        void shutdownLetsOpenCommandsGoOnAndRefusesNewOnes() throws InterruptedException {
            try (ManagerFixture fixture = new ManagerFixture()) {
                CommandHandle handle = fixture.submit(toDirect());
                fixture.manager.shutdown();
                assertThat(fixture.refusalOf(toDirect())).isEqualTo(Code.SHUTTING_DOWN);
                assertThat(fixture.manager.awaitTermination(Duration.ZERO)).isFalse();
                fixture.direct.last().succeed(null);
                assertThat(handle.record().status()).isEqualTo(CommandStatus.COMPLETED);
                assertThat(fixture.manager.awaitTermination(Duration.ZERO)).isTrue();
            }
        }

        @Test
        void shutdownOfAnIdleManagerIsOverAtOnce() throws InterruptedException {
            try (ManagerFixture fixture = new ManagerFixture()) {
                fixture.manager.shutdown();
                assertThat(fixture.manager.awaitTermination(Duration.ZERO)).isTrue();
            }
        }

        @Test
        void nothingIsAcceptedByAManagerThatShutDownMeanwhile() throws InterruptedException {
            try (ManagerFixture fixture = new ManagerFixture()) {
                fixture.waiting.onAdmit = fixture.manager::shutdown;
                assertThat(fixture.refusalOf(toQueue())).isEqualTo(Code.SHUTTING_DOWN);
                assertThat(fixture.waiting.calls).isEmpty();
                assertThat(fixture.manager.awaitTermination(Duration.ZERO)).isTrue();
            }
        }

        @Test
        void shutdownNowEndsEverythingAndTellsTheHandlers() throws InterruptedException {
            try (ManagerFixture fixture = new ManagerFixture()) {
                CommandHandle running = fixture.submit(toDirect());
                CommandHandle waiting = fixture.submit(toQueue());
                List<CancelCause> causes = fixture.direct.last().causes();
                fixture.manager.shutdownNow();
                assertThat(running.record().status()).isEqualTo(CommandStatus.FAILED);
                assertThat(running.record().reason()).isEqualTo(Reason.SHUTDOWN);
                assertThat(waiting.record().status()).isEqualTo(CommandStatus.CANCELLED);
                assertThat(waiting.record().reason()).isEqualTo(Reason.SHUTDOWN);
                assertThat(causes).containsExactly(CancelCause.SHUTDOWN);
                assertThat(fixture.manager.awaitTermination(Duration.ZERO)).isTrue();
                assertThat(fixture.manager.stats().dropped()).isZero();
            }
        }

        @Test
        void closeStopsTheClockAndLeavesATimerThatWasPassedInOpen() {
            ManagerFixture fixture = new ManagerFixture();
            CommandHandle handle = fixture.submit(toDirect());
            fixture.close();
            fixture.close();
            assertThat(handle.record().reason()).isEqualTo(Reason.SHUTDOWN);
            assertThat(fixture.time.scheduler().isShutdown()).isFalse();
            assertThat(fixture.time.scheduler().shutdownNow()).isEmpty();
        }
    }

    @Nested
    class SlowOrFailingStore {
        private final FaultyCommandStore store =
                new FaultyCommandStore(new InMemoryCommandStore(new ManualTime().clock()));
        private final ManagerFixture fixture = new ManagerFixture(builder -> builder.store(store));

        private CompletableFuture<CommandHandle> submit(CommandRequest.Builder request) {
            return fixture.manager.submit(request.build());
        }

        private Write onlyHeld() {
            assertThat(store.held()).hasSize(1);
            return store.held().get(0);
        }

        @Test
        void acceptsAndRunsNothingBeforeItIsRecorded() {
            store.hold();
            CompletableFuture<CommandHandle> answer = submit(toDirect());
            assertThat(answer).isNotDone();
            assertThat(fixture.direct.calls).isEmpty();
            assertThat(fixture.heard).isEmpty();
            assertThat(fixture.manager.stats().accepted()).isZero();
            onlyHeld().complete();
            assertThat(answer).isCompleted();
            assertThat(fixture.manager.find(answer.join().id()).join()).isPresent();
            // nor before it is recorded that it has begun, since it might then run again after a crash
            assertThat(fixture.direct.calls).isEmpty();
            store.release();
            assertThat(fixture.direct.calls).hasSize(1);
        }

        @Test
        void acceptsInTheOrderInWhichTheStoreRecords() {
            store.hold();
            CompletableFuture<CommandHandle> first = submit(toDirect());
            CompletableFuture<CommandHandle> second = submit(toDirect());
            List<Write> writes = store.held();
            writes.get(1).complete();
            assertThat(first).isNotDone();
            assertThat(second).isCompleted();
            writes.get(0).complete();
            assertThat(first).isCompleted();
        }

        @Test
        void refusesWhatCannotBeRecorded() {
            store.failNext(Operation.CREATE, new IllegalStateException("disk full"));
            assertThat(codeOf(submit(toDirect()))).isEqualTo(Code.STORE_FAILED);
            store.hold();
            CompletableFuture<CommandHandle> later = submit(toDirect());
            onlyHeld().fail(new IllegalStateException("disk full"));
            assertThat(codeOf(later)).isEqualTo(Code.STORE_FAILED);

            assertThat(fixture.direct.calls).isEmpty();
            assertThat(fixture.heard).isEmpty();
            ManagerStats stats = fixture.manager.stats();
            assertThat(stats.open()).isZero();
            assertThat(stats.records()).isZero();
            assertThat(stats.storeFailures()).isEqualTo(2);
            assertThat(stats.rejected()).isEqualTo(2);
        }

        @Test
        void showsTheEndToNobodyBeforeItIsWritten() {
            CommandHandle handle = submit(toDirect()).join();
            Call call = fixture.direct.last();
            AtomicInteger woken = new AtomicInteger();
            fixture.manager.watch(handle.id(), woken::incrementAndGet);
            CompletableFuture<CommandRecord> completion = handle.completion();
            store.hold();
            call.succeed("done");

            assertThat(completion).isNotDone();
            assertThat(fixture.heard).hasSize(3);
            assertThat(woken).hasValue(0);
            assertThat(fixture.manager.stats().open()).isEqualTo(1);
            call.succeed("again");
            assertThat(fixture.manager.stats().dropped()).isEqualTo(1);

            onlyHeld().complete();
            assertThat(completion.join().status()).isEqualTo(CommandStatus.COMPLETED);
            assertThat(fixture.heard).hasSize(4);
            assertThat(woken).hasValue(1);
            assertThat(fixture.manager.stats().open()).isZero();
        }

        /** Somebody who is telling earlier news at that moment must not pick up the end. */
        @Test
        void showsTheEndToNobodyBeforeItIsWrittenAlsoWhileOlderNewsIsBeingTold() {
            List<CommandEvent.Type> told = new ArrayList<>();
            ManagerFixture[] made = new ManagerFixture[1];
            made[0] = new ManagerFixture(builder -> builder.store(store).listener((command, event) -> {
                told.add(event.type());
                if (event.type() == CommandEvent.Type.PROGRESS) {
                    store.hold();
                    made[0].direct.last().succeed(null);
                }
            }));
            made[0].submit(toDirect());
            Call call = made[0].direct.last();
            call.receiver().progress(call.tag(), 0.5, "");
            assertThat(told).endsWith(CommandEvent.Type.PROGRESS);
            store.release();
            assertThat(told).endsWith(CommandEvent.Type.PROGRESS, CommandEvent.Type.COMPLETED);
        }

        @Test
        void tellsTheTruthAlsoWhenItCannotBeWritten() {
            CommandHandle handle = submit(toDirect()).join();
            store.failNext(Operation.APPEND, new IllegalStateException("disk full"));
            store.failNext(Operation.UPDATE, new IllegalStateException("disk full"));
            Call call = fixture.direct.last();
            call.receiver().progress(call.tag(), 0.5, "");
            call.succeed(null);
            assertThat(handle.completion().join().status()).isEqualTo(CommandStatus.COMPLETED);
            assertThat(fixture.manager.stats().storeFailures()).isEqualTo(2);
            assertThat(fixture.manager.stats().open()).isZero();
        }

        @Test
        void anEndThatCouldNotBeWrittenIsWrittenLater() {
            CommandHandle handle = submit(toDirect()).join();
            store.failNext(Operation.UPDATE, new IllegalStateException("disk full"));
            fixture.direct.last().succeed(null);
            assertThat(handle.completion()).isCompleted();

            store.failNext(Operation.UPDATE, new IllegalStateException("disk full"));
            fixture.advance(Duration.ofSeconds(1));
            store.hold();
            assertThat(store.held()).isEmpty();
            fixture.advance(Duration.ofSeconds(2));
            onlyHeld().complete();
            fixture.advance(Duration.ofMinutes(5));
            assertThat(store.held()).isEmpty();
        }

        @Test
        void aSecondSubmitOfAKeyThatIsBeingRecordedSharesItsFate() {
            store.hold();
            CompletableFuture<CommandHandle> first = submit(toDirect().idempotencyKey("k"));
            CompletableFuture<CommandHandle> second = submit(toDirect().idempotencyKey("k"));
            store.held().get(1).complete();
            store.held().get(0).complete();
            assertThat(first.join().id()).isEqualTo(second.join().id());
            assertThat(fixture.manager.stats().open()).isEqualTo(1);
            store.release();
            assertThat(fixture.direct.calls).hasSize(1);
            CompletableFuture<CommandRecord> completion = first.join().completion();
            assertThat(completion).isNotDone();
            fixture.direct.last().succeed(null);
            assertThat(completion.join().status()).isEqualTo(CommandStatus.COMPLETED);
        }

        /** The moment between the write and the answer to it. */
        @Test
        void whoeverFindsTheRecordOfAKeyCanWaitForItsEnd() {
            List<CompletableFuture<CommandHandle>> answers = new ArrayList<>();
            ManagerFixture[] made = new ManagerFixture[1];
            Runnable onFirstWrite = () -> {
                if (answers.isEmpty()) {
                    answers.add(new CompletableFuture<>());
                    answers.add(made[0].manager.submit(
                            toDirect().idempotencyKey("k").build()));
                }
            };
            made[0] = new ManagerFixture(builder -> builder.store(afterEveryCreate(store, onFirstWrite)));
            made[0].submit(toDirect().idempotencyKey("k"));
            CompletableFuture<CommandRecord> completion = answers.get(1).join().completion();
            assertThat(completion).isNotDone();
            made[0].direct.last().succeed(null);
            assertThat(completion.join().status()).isEqualTo(CommandStatus.COMPLETED);
        }

        private static CommandStore afterEveryCreate(CommandStore store, Runnable action) {
            return (CommandStore) Proxy.newProxyInstance(
                    CommandStore.class.getClassLoader(),
                    new Class<?>[] {CommandStore.class},
                    (proxy, method, arguments) -> {
                        Object answer = method.invoke(store, arguments);
                        if (method.getName().equals("create")) {
                            action.run();
                        }
                        return answer;
                    });
        }

        @Test
        void whatIsBeingRecordedGoesOnAfterShutdown() {
            store.hold();
            CompletableFuture<CommandHandle> answer = submit(toDirect());
            fixture.manager.shutdown();
            store.release();
            assertThat(answer.join().record().status()).isEqualTo(CommandStatus.EXECUTING);
            fixture.direct.last().succeed(null);
            assertThat(answer.join().record().status()).isEqualTo(CommandStatus.COMPLETED);
        }

        @Test
        void whatIsBeingRecordedEndsWithShutdownNowAndNeverRuns() throws InterruptedException {
            store.hold();
            CompletableFuture<CommandHandle> answer = submit(toDirect());
            fixture.manager.shutdownNow();
            assertThat(answer).isNotDone();
            assertThat(fixture.manager.awaitTermination(Duration.ZERO)).isFalse();
            store.release();
            assertThat(answer.join().completion().join().reason()).isEqualTo(Reason.SHUTDOWN);
            assertThat(fixture.direct.calls).isEmpty();
            assertThat(fixture.manager.awaitTermination(Duration.ZERO)).isTrue();
        }

        @Test
        void aSlowRecordTakesNothingFromTheTimeToLive() {
            store.hold();
            CompletableFuture<CommandHandle> answer = submit(toQueue().ttl(Duration.ofSeconds(5)));
            fixture.advance(Duration.ofSeconds(10));
            store.release();
            fixture.advance(Duration.ofSeconds(4));
            assertThat(answer.join().record().status()).isEqualTo(CommandStatus.PENDING);
            fixture.advancePast(Duration.ofSeconds(1));
            assertThat(answer.join().record().reason()).isEqualTo(Reason.QUEUE_TIMEOUT);
        }
    }
}
