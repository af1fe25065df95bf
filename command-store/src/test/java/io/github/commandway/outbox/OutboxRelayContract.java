package io.github.commandway.outbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.github.commandway.manager.RetryPolicy;
import io.github.commandway.outbox.api.DeadLetter;
import io.github.commandway.store.Database;
import io.github.commandway.testing.ManualTime;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What an outbox and its relay promise, on every database. */
abstract class OutboxRelayContract {
    static final String TOPIC = "orders";
    static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");
    static final RetryPolicy AT_ONCE = new RetryPolicy(3, Duration.ZERO, Duration.ZERO, 0);
    static final RetryPolicy PATIENT = new RetryPolicy(1_000, Duration.ZERO, Duration.ZERO, 0);
    private static final Duration NEVER = Duration.ofDays(1);

    final RecordingPublisher publisher = new RecordingPublisher();
    final List<AutoCloseable> toClose = new ArrayList<>();
    Database database;
    Outbox outbox;

    /** Opens the database of this test; the second call opens what the first one left. */
    abstract Database open() throws Exception;

    @BeforeEach
    void openDatabase() throws Exception {
        database = open();
        outbox = new Outbox(database);
    }

    @AfterEach
    void closeAll() throws Exception {
        for (int i = toClose.size() - 1; i >= 0; i--) {
            toClose.get(i).close();
        }
        database.close();
    }

    @Test
    void deliversWhatWasCommittedWithAllThatWasSaidOfIt() {
        OutboxEntry entry = new OutboxEntry(
                UUID.randomUUID(),
                TOPIC,
                "order",
                "order-1",
                "order.paid",
                "{\"total\" : 12.50, \"nul\":\"\\u0000\\ud800\"}",
                Map.of("correlation_id", "c-1", "name", "Zoë"),
                NOW);
        append(entry);
        start(AT_ONCE);
        await().untilAsserted(() -> assertThat(publisher.triedEntries()).containsExactly(entry));
        await().untilAsserted(() -> assertThat(left()).isZero());
    }

    @Test
    void deliversNothingOfWhatWasRolledBack() {
        start(AT_ONCE);
        CompletableFuture<Boolean> failing = database.write(connection -> {
            outbox.append(connection, entry("a", 1));
            throw new IllegalStateException("no");
        });
        assertThatThrownBy(failing::join).hasRootCauseMessage("no");
        append(entry("a", 2));
        await().untilAsserted(() -> assertThat(publisher.arrived()).containsExactly("2"));
    }

    @Test
    void refusesAPayloadThatIsNotJson() {
        assertThatThrownBy(() -> append(OutboxEntry.of(UUID.randomUUID(), TOPIC, "a", "t", "{\"half", NOW)))
                .hasRootCauseInstanceOf(SQLException.class);
        assertThat(left()).isZero();
    }

    @Test
    void isWokenByACommitWithoutPolling() {
        toClose.add(OutboxRelay.of(outbox)
                .publish(TOPIC, publisher)
                .pollInterval(NEVER)
                .start());
        for (int i = 1; i <= 20; i++) {
            int count = i;
            append(entry("a", i));
            await().untilAsserted(() -> assertThat(publisher.arrivals()).isEqualTo(count));
        }
    }

    @Test
    void keepsTheOrderOfEachKeyWhenManyAreInFlightAndSomeFail() {
        ExecutorService executor = Executors.newFixedThreadPool(8);
        toClose.add(executor::shutdownNow);
        publisher.answer(entry -> CompletableFuture.runAsync(
                () -> {
                    if (ThreadLocalRandom.current().nextInt(10) == 0) {
                        throw new IllegalStateException("now and then");
                    }
                },
                executor));
        Map<String, List<String>> expected = appendToKeys(50, 40);
        toClose.add(OutboxRelay.of(outbox)
                .publish(TOPIC, publisher, PATIENT)
                .batchSize(100)
                .start());
        await().atMost(Duration.ofMinutes(1))
                .untilAsserted(() -> assertThat(left()).isZero());
        assertThat(publisher.firstArrivalsByKey()).isEqualTo(expected);
        assertThat(publisher.arrivals()).isEqualTo(50 * 40);
        assertThat(publisher.overlaps()).isEmpty();
    }

    @Test
    void aListenerThatAnswersAtOnceIsCalledForALongRowOfOneKey() {
        append(entriesOf("a", 1, 3_000));
        start(AT_ONCE);
        await().untilAsserted(() -> assertThat(left()).isZero());
        assertThat(publisher.arrived()).isEqualTo(numbers(1, 3_000));
    }

    @Test
    void aPoisonedEntryParksItsKeyAlone() {
        publisher.answer(entry -> "1".equals(entry.payload())
                ? CompletableFuture.failedFuture(new IllegalStateException("poison"))
                : CompletableFuture.completedFuture(null));
        OutboxRelay relay = start(AT_ONCE);
        OutboxEntry poisoned = entry("bad", 1);
        append(poisoned, entry("bad", 2), entry("good", 3));
        await().untilAsserted(() -> assertThat(relay.stats().parked()).isEqualTo(1));
        append(entry("bad", 4), entry("good", 5));
        await().untilAsserted(() -> assertThat(publisher.arrived()).containsExactly("3", "5"));

        List<DeadLetter> letters = relay.deadLetters(10, 0).join();
        assertThat(letters).singleElement().satisfies(letter -> {
            assertThat(letter.id()).isEqualTo(poisoned.id());
            assertThat(letter.attempts()).isEqualTo(3);
            assertThat(letter.error()).isEqualTo("poison");
        });
        assertThat(relay.deadLetters(10, letters.get(0).sequence()).join()).isEmpty();
        assertThat(publisher.tried()).containsOnlyOnce("3", "5").doesNotContain("2", "4");
        assertThat(relay.stats().failed()).isEqualTo(3);
    }

    @Test
    void aReplayedDeadLetterIsTriedAsOftenAsANewOneAndWhatWaitsFollows() {
        publisher.answer(entry -> CompletableFuture.failedFuture(new IllegalStateException("poison")));
        OutboxRelay relay = start(AT_ONCE);
        OutboxEntry poisoned = entry("a", 1);
        append(poisoned, entry("a", 2));
        await().untilAsserted(() -> assertThat(relay.stats().parked()).isEqualTo(1));

        assertThat(relay.replay(poisoned.id()).join()).isTrue();
        await().untilAsserted(() -> assertThat(relay.stats().parked()).isEqualTo(2));
        assertThat(publisher.tried()).containsExactly("1", "1", "1", "1", "1", "1");

        publisher.acknowledgeAll();
        assertThat(relay.replayKey(TOPIC, "a").join()).isTrue();
        await().untilAsserted(() -> assertThat(publisher.arrived()).containsExactly("1", "2"));
        await().untilAsserted(() -> assertThat(left()).isZero());
        assertThat(relay.deadLetters(10, 0).join()).isEmpty();
        assertThat(relay.replay(poisoned.id()).join()).isFalse();
        assertThat(relay.replayKey(TOPIC, "a").join()).isFalse();
    }

    @Test
    void aDiscardedDeadLetterIsGoneAndWhatWaitsFollows() {
        publisher.answer(entry -> CompletableFuture.failedFuture(new IllegalStateException("poison")));
        OutboxRelay relay = start(AT_ONCE);
        OutboxEntry poisoned = entry("a", 1);
        OutboxEntry next = entry("a", 2);
        append(poisoned, next);
        await().untilAsserted(() -> assertThat(relay.stats().parked()).isEqualTo(1));
        assertThat(relay.discard(next.id()).join()).isFalse();

        publisher.acknowledgeAll();
        assertThat(relay.discard(poisoned.id()).join()).isTrue();
        await().untilAsserted(() -> assertThat(publisher.arrived()).containsExactly("2"));
        await().untilAsserted(() -> assertThat(left()).isZero());
    }

    @Test
    void aSuccessAfterAFailureForgetsTheFailure() {
        AtomicBoolean failed = new AtomicBoolean();
        publisher.answer(entry -> failed.compareAndSet(false, true)
                ? CompletableFuture.failedFuture(new IllegalStateException("once"))
                : CompletableFuture.completedFuture(null));
        OutboxRelay relay = start(AT_ONCE);
        append(entry("a", 1), entry("a", 2));
        await().untilAsserted(() -> assertThat(left()).isZero());
        assertThat(publisher.tried()).containsExactly("1", "1", "2");
        await().untilAsserted(() -> assertThat(relay.stats().sent()).isEqualTo(2));
        assertThat(relay.stats().failed()).isEqualTo(1);
        assertThat(database.read(connection -> {
                            try (var statement = connection.createStatement();
                                    var rows = statement.executeQuery("select count(*) from "
                                            + (database.isShared() ? database.schema() + "." : "") + "cw_outbox_key")) {
                                rows.next();
                                return rows.getInt(1);
                            }
                        })
                        .join())
                .isZero();
    }

    @Test
    void waitsWithTheNextTryForAsLongAsThePolicySays() {
        ManualTime time = new ManualTime();
        publisher.answer(entry -> entry.key().equals("a")
                ? CompletableFuture.failedFuture(new IllegalStateException("poison"))
                : CompletableFuture.completedFuture(null));
        OutboxRelay relay = OutboxRelay.of(outbox)
                .publish(TOPIC, publisher, new RetryPolicy(10, Duration.ofSeconds(1), Duration.ofSeconds(60), 0))
                .clock(time.clock())
                .start();
        toClose.add(relay);
        append(entry("a", 1));
        int[] delays = {1, 2, 4, 8, 16, 32, 60, 60, 60};
        for (int i = 0; i < delays.length; i++) {
            int tries = i + 1;
            await().untilAsserted(() -> assertThat(relay.stats().failed()).isEqualTo(tries));
            time.advance(Duration.ofSeconds(delays[i]).minusMillis(1));
            // what another key needs to get through is a look at the outbox
            append(entry("b" + tries, 2));
            relay.wake();
            await().untilAsserted(() -> assertThat(triesOf("b" + tries)).isEqualTo(1));
            assertThat(triesOf("a")).isEqualTo(tries);
            time.advance(Duration.ofMillis(1));
            relay.wake();
        }
        await().untilAsserted(() -> assertThat(relay.deadLetters(100, 0).join())
                .extracting(letter -> letter.key())
                .contains("a"));
        assertThat(triesOf("a")).isEqualTo(10);
    }

    private long triesOf(String key) {
        return publisher.triedEntries().stream()
                .filter(entry -> entry.key().equals(key))
                .count();
    }

    @Test
    void aReceiverThatIsAwayMakesNoDeadLettersAndHoldsUpNoOtherTopic() {
        AtomicBoolean away = new AtomicBoolean(true);
        publisher.answer(entry -> away.get()
                ? CompletableFuture.failedFuture(new PublisherUnavailableException("away"))
                : CompletableFuture.completedFuture(null));
        RecordingPublisher other = new RecordingPublisher();
        OutboxRelay relay = OutboxRelay.of(outbox)
                .publish(TOPIC, publisher, new RetryPolicy(2, Duration.ofMillis(1), Duration.ofMillis(2), 0))
                .publish("other", other)
                .batchSize(10)
                .start();
        toClose.add(relay);
        Map<String, List<String>> expected = appendToKeys(30, 3);
        await().until(() -> publisher.tried().size() > 200);
        append(OutboxEntry.of(UUID.randomUUID(), "other", "a", "t", "1", NOW));
        await().untilAsserted(() -> assertThat(other.arrived()).containsExactly("1"));

        away.set(false);
        await().untilAsserted(() -> assertThat(left()).isZero());
        assertThat(publisher.firstArrivalsByKey()).isEqualTo(expected);
        assertThat(relay.stats().failed()).isZero();
        assertThat(relay.deadLetters(10, 0).join()).isEmpty();
    }

    @Test
    void anEntryForWhichItsReceiverIsAlwaysAwayIsToBlameIfOthersGetThrough() {
        publisher.answer(entry -> entry.key().equals("bad")
                ? CompletableFuture.supplyAsync(() -> {
                    int before = publisher.arrivals();
                    await().until(() -> publisher.arrivals() > before);
                    throw new PublisherUnavailableException("away");
                })
                : CompletableFuture.completedFuture(null));
        OutboxRelay relay = start(AT_ONCE);
        append(entry("bad", 0));
        for (int i = 1; relay.stats().parked() == 0; i++) {
            int count = i;
            append(entry("good", i));
            await().until(() -> publisher.arrivals() >= count);
        }
        assertThat(relay.deadLetters(10, 0).join())
                .singleElement()
                .satisfies(letter -> assertThat(letter.key()).isEqualTo("bad"));
    }

    @Test
    void aKeyWhoseReceiverTakesItsTimeHoldsUpNoOther() {
        CompletableFuture<Void> slow = new CompletableFuture<>();
        publisher.answer(entry -> entry.key().equals("slow") ? slow : CompletableFuture.completedFuture(null));
        start(AT_ONCE);
        append(entry("slow", 0));
        append(entriesOf("fast", 1, 100));
        await().untilAsserted(() -> assertThat(publisher.arrivals()).isEqualTo(100));
        slow.complete(null);
        await().untilAsserted(() -> assertThat(left()).isZero());
    }

    @Test
    void theNextEntryOfAKeyWaitsForTheAcknowledgementOfTheOneBefore() {
        CompletableFuture<Void> acknowledged = new CompletableFuture<>();
        publisher.answer(entry -> entry.payload().equals("1") ? acknowledged : CompletableFuture.completedFuture(null));
        start(AT_ONCE);
        append(entry("a", 1));
        await().untilAsserted(() -> assertThat(publisher.tried()).containsExactly("1"));
        append(entry("a", 2), entry("b", 3));
        await().untilAsserted(() -> assertThat(publisher.tried()).contains("3"));
        assertThat(publisher.tried()).containsExactly("1", "3");
        acknowledged.complete(null);
        await().untilAsserted(() -> assertThat(publisher.tried()).containsExactly("1", "3", "2"));
    }

    @Test
    void hasNoMoreInFlightThanThePublisherTakes() {
        CountDownLatch go = new CountDownLatch(1);
        List<OutboxEntry> held = new ArrayList<>();
        Publisher three = new Publisher() {
            @Override
            public CompletableFuture<Void> publish(OutboxEntry entry) {
                synchronized (held) {
                    held.add(entry);
                }
                return CompletableFuture.runAsync(() -> awaitUninterrupted(go));
            }

            @Override
            public int maxInFlight() {
                return 3;
            }
        };
        OutboxRelay relay = OutboxRelay.of(outbox).publish(TOPIC, three).start();
        toClose.add(relay);
        toClose.add(go::countDown);
        appendToKeys(10, 1);
        await().untilAsserted(() -> assertThat(relay.stats().inFlight()).isEqualTo(3));
        relay.wake();
        synchronized (held) {
            assertThat(held).hasSize(3);
        }
        go.countDown();
        await().untilAsserted(() -> assertThat(left()).isZero());
    }

    @Test
    void whatWasPublishedButNotAcknowledgedBeforeACrashComesAgainWithTheSameIdAndInOrder() throws Exception {
        CompletableFuture<Void> neverAcknowledged = new CompletableFuture<>();
        OutboxEntry first = entry("a", 1);
        publisher.answer(entry -> neverAcknowledged);
        OutboxRelay relay = OutboxRelay.of(outbox)
                .publish(TOPIC, publisher)
                .lease(Duration.ofMillis(300))
                .shutdownTimeout(Duration.ofMillis(1))
                .start();
        append(first, entry("a", 2));
        await().untilAsserted(() -> assertThat(publisher.tried()).containsExactly("1"));
        database.close();
        relay.close();
        neverAcknowledged.complete(null);

        database = open();
        outbox = new Outbox(database);
        publisher.acknowledgeAll();
        start(AT_ONCE);
        await().untilAsserted(() -> assertThat(left()).isZero());
        assertThat(publisher.tried()).containsExactly("1", "1", "2");
        assertThat(publisher.triedEntries().subList(0, 2)).containsExactly(first, first);
    }

    @Test
    void closingWaitsForWhatIsInFlightAndForItsRecord() throws Exception {
        CompletableFuture<Void> acknowledged = new CompletableFuture<>();
        publisher.answer(entry -> acknowledged);
        OutboxRelay relay = OutboxRelay.of(outbox).publish(TOPIC, publisher).start();
        append(entry("a", 1), entry("a", 2));
        await().untilAsserted(() -> assertThat(publisher.tried()).containsExactly("1"));
        Thread closing = new Thread(relay::close);
        closing.start();
        await().until(() -> closing.getState() == Thread.State.WAITING);
        acknowledged.complete(null);
        closing.join();
        assertThat(publisher.tried()).containsExactly("1");
        assertThat(left()).isEqualTo(1);
    }

    @Test
    void anEntryThatGoesNowhereIsADeadLetter() {
        OutboxRelay relay = start(AT_ONCE);
        append(OutboxEntry.of(UUID.randomUUID(), "unknown", "a", "t", "1", NOW));
        await().untilAsserted(() -> assertThat(relay.deadLetters(10, 0).join())
                .singleElement()
                .satisfies(letter -> assertThat(letter.error()).contains("unknown")));
    }

    @Test
    void anotherPublisherTakesAllOtherTopics() {
        RecordingPublisher others = new RecordingPublisher();
        toClose.add(OutboxRelay.of(outbox)
                .publish(TOPIC, publisher)
                .publishOthers(others)
                .start());
        append(entry("a", 1), OutboxEntry.of(UUID.randomUUID(), "else", "a", "t", "2", NOW));
        await().untilAsserted(() -> assertThat(publisher.arrived()).containsExactly("1"));
        await().untilAsserted(() -> assertThat(others.arrived()).containsExactly("2"));
    }

    @Test
    void tellsWhatIsLeftAndForHowLong() {
        ManualTime time = new ManualTime();
        publisher.answer(entry -> CompletableFuture.failedFuture(new IllegalStateException("poison")));
        OutboxRelay relay = OutboxRelay.of(outbox)
                .publish(TOPIC, publisher, AT_ONCE)
                .clock(time.clock())
                .lease(Duration.ofMillis(30))
                .start();
        toClose.add(relay);
        append(
                OutboxEntry.of(
                        UUID.randomUUID(), TOPIC, "a", "t", "1", time.clock().instant()),
                entry("a", 2));
        time.advance(Duration.ofSeconds(7));
        await().untilAsserted(() -> {
            assertThat(relay.stats().waiting()).isEqualTo(2);
            assertThat(relay.stats().deadLetters()).isEqualTo(1);
            assertThat(relay.stats().lag()).isEqualTo(Duration.ofSeconds(7));
        });
    }

    @Test
    void purgesWhatAnotherToolHasRead() {
        append(entry("a", 1), entry("a", 2), entry("b", 3));
        assertThat(outbox.purge(NOW, 10).join()).isZero();
        assertThat(outbox.purge(NOW.plusMillis(1), 2).join()).isEqualTo(2);
        assertThat(left()).isEqualTo(1);
    }

    OutboxRelay start(RetryPolicy policy) {
        OutboxRelay relay =
                OutboxRelay.of(outbox).publish(TOPIC, publisher, policy).start();
        toClose.add(relay);
        return relay;
    }

    void append(OutboxEntry... entries) {
        append(List.of(entries));
    }

    void append(List<OutboxEntry> entries) {
        database.write(connection -> {
                    outbox.append(connection, entries);
                    return true;
                })
                .join();
    }

    /** Appends entries to keys in turns; the payload is the number within the key. */
    Map<String, List<String>> appendToKeys(int keys, int each) {
        Map<String, List<String>> expected = new TreeMap<>();
        for (int number = 1; number <= each; number++) {
            List<OutboxEntry> entries = new ArrayList<>();
            for (int key = 0; key < keys; key++) {
                entries.add(entry("key-" + key, number));
                expected.computeIfAbsent("key-" + key, any -> new ArrayList<>()).add(Integer.toString(number));
            }
            append(entries);
        }
        return expected;
    }

    long left() {
        return database.read(outbox.tables()::backlog).join().waiting();
    }

    static OutboxEntry entry(String key, int number) {
        return OutboxEntry.of(UUID.randomUUID(), TOPIC, key, "t", Integer.toString(number), NOW);
    }

    private static List<OutboxEntry> entriesOf(String key, int from, int to) {
        List<OutboxEntry> entries = new ArrayList<>();
        for (int number = from; number <= to; number++) {
            entries.add(entry(key, number));
        }
        return entries;
    }

    private static List<String> numbers(int from, int to) {
        List<String> numbers = new ArrayList<>();
        for (int number = from; number <= to; number++) {
            numbers.add(Integer.toString(number));
        }
        return numbers;
    }

    private static void awaitUninterrupted(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
