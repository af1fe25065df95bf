package io.github.commandway.system;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.system.MemoryStore.Condition;
import io.github.commandway.system.MemoryStore.ConflictException;
import io.github.commandway.system.MemoryStore.Entry;
import io.github.commandway.system.MemoryStore.Page;
import io.github.commandway.system.StoreService.Delete;
import io.github.commandway.system.StoreService.EntryOf;
import io.github.commandway.system.StoreService.Get;
import io.github.commandway.system.StoreService.Has;
import io.github.commandway.system.StoreService.ListEntries;
import io.github.commandway.system.StoreService.Put;
import io.github.commandway.system.StoreService.Set;
import io.github.commandway.testing.HandlerDriver;
import io.github.commandway.testing.ManualTime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StoreServiceTest {
    private static final String STORE = "main";
    private static final Duration SECOND = Duration.ofSeconds(1);

    private final ManualTime time = new ManualTime();
    private final MemoryStore memory = new MemoryStore(time.clock(), 5);
    private final StoreService store = new StoreService(Map.of(STORE, memory));
    private final HandlerDriver driver = new HandlerDriver(store);

    @AfterEach
    void everyCommandCompletedOnce() {
        driver.verify();
    }

    @Test
    void whatIsSetIsThereUntilItIsDeleted() {
        assertThat(get("a")).isNull();
        driver.result(Set.of(STORE, "a", "one", null));
        assertThat(get("a")).isEqualTo("one");
        assertThat(driver.result(new Has(STORE, "a"))).isEqualTo(true);
        assertThat(driver.result(new Delete(STORE, "a"))).isNull();
        assertThat(driver.result(new Has(STORE, "a"))).isEqualTo(false);
        assertThat(driver.call(new Delete(STORE, "a")).error()).isInstanceOf(NoSuchElementException.class);
    }

    @Test
    void anUnknownStoreIsNamed() {
        assertThat(driver.call(Get.of("other", "a")).error())
                .isInstanceOf(NoSuchElementException.class)
                .hasMessageContaining("other")
                .hasMessageContaining(STORE);
    }

    @Test
    void anEntryIsGoneWhenItsTimeIsOver() {
        driver.result(Set.of(STORE, "a", 1, SECOND));
        time.advance(SECOND.minusNanos(1));
        assertThat(get("a")).isEqualTo(1);
        time.advance(Duration.ofNanos(1));
        assertThat(get("a")).isNull();
        assertThat(driver.result(new EntryOf(STORE, "a"))).isNull();
        assertThat(page("", "", 10).items()).isEmpty();
        assertThat(driver.call(new Delete(STORE, "a")).error()).isInstanceOf(NoSuchElementException.class);
    }

    @Test
    void aNewValueHasItsOwnTime() {
        driver.result(Set.of(STORE, "a", 1, SECOND));
        driver.result(Set.of(STORE, "a", 2, null));
        time.advance(Duration.ofDays(1));
        driver.result(Set.of(STORE, "b", 1, Duration.ofSeconds(Long.MAX_VALUE)));
        assertThat(get("a")).isEqualTo(2);
        assertThat(get("b")).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -1})
    void aTimeToLiveOfNothingIsRefused(long nanos) {
        assertThat(driver.call(Set.of(STORE, "a", 1, Duration.ofNanos(nanos))).error())
                .isInstanceOf(IllegalArgumentException.class);
        assertThat(get("a")).isNull();
    }

    @Test
    void aFullStoreTakesNoNewKeysUntilSomethingGoes() {
        for (int i = 0; i < 4; i++) {
            driver.result(Set.of(STORE, "key" + i, i, null));
        }
        driver.result(Set.of(STORE, "short", "lived", SECOND));
        assertThat(driver.call(Set.of(STORE, "more", 1, null)).error()).isInstanceOf(RejectedExecutionException.class);
        driver.result(Set.of(STORE, "key0", "changed", null));
        time.advance(SECOND);
        driver.result(Set.of(STORE, "more", 1, null));
        assertThat(memory.size()).isEqualTo(5);
    }

    @Test
    void aValueIsOnlyPutOverTheVersionThatIsExpected() {
        long first = (Long) result(new Put(STORE, "a", "one", null, Condition.ABSENT));
        assertThat(driver.call(new Put(STORE, "a", "two", null, Condition.ABSENT))
                        .error())
                .isInstanceOfSatisfying(
                        ConflictException.class,
                        conflict -> assertThat(conflict.present()).isEqualTo(first));
        long second = (Long) result(new Put(STORE, "a", "two", null, Condition.version(first)));
        assertThat(driver.call(new Put(STORE, "a", "three", null, Condition.version(first)))
                        .error())
                .isInstanceOf(ConflictException.class);
        assertThat((Entry) driver.result(new EntryOf(STORE, "a"))).isEqualTo(new Entry("a", "two", second, null));
        assertThat(driver.call(new Put(STORE, "b", 1, null, Condition.version(first)))
                        .error())
                .isInstanceOf(ConflictException.class);
    }

    @Test
    void oneOfManyWinsACompareAndSet() throws Exception {
        int threads = 4;
        int rounds = 500;
        memory.set("counter", 0, null);
        ExecutorService executor = Executors.newFixedThreadPool(threads);
        try {
            List<Callable<Integer>> tasks = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                tasks.add(() -> {
                    int won = 0;
                    for (int round = 0; round < rounds; round++) {
                        Entry entry = (Entry) result(new EntryOf(STORE, "counter"));
                        var put = driver.process(1)
                                .call(new Put(
                                        STORE,
                                        "counter",
                                        (Integer) entry.value() + 1,
                                        null,
                                        Condition.version(entry.version())));
                        won += put.outcome().isCompletedExceptionally() ? 0 : 1;
                    }
                    return won;
                });
            }
            int won = 0;
            for (Future<Integer> task : executor.invokeAll(tasks)) {
                won += task.get();
            }
            assertThat(get("counter")).isEqualTo(won);
        } finally {
            executor.shutdownNow();
        }
    }

    @Test
    void pagesFollowOneAnotherInTheOrderOfTheKeys() {
        IntStream.rangeClosed(1, 3).forEach(i -> driver.result(Set.of(STORE, "b" + i, i, null)));
        driver.result(Set.of(STORE, "a", 0, null));
        driver.result(Set.of(STORE, "c", 0, null));

        Page first = page("b", "", 2);
        assertThat(first.items()).extracting(Entry::key).containsExactly("b1", "b2");
        assertThat(first.hasMore()).isTrue();
        Page second = page("b", first.cursor(), 2);
        assertThat(second.items()).extracting(Entry::key).containsExactly("b3");
        assertThat(second.hasMore()).isFalse();
        assertThat(page("b", second.cursor(), 2).items()).isEmpty();
        assertThat(page("", "", 1000).items()).hasSize(5);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, -1, 1001})
    void aPageHasAReasonableSize(int size) {
        assertThat(driver.call(new ListEntries(STORE, "", "", size)).error())
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aStoppedServiceRefuses() {
        store.close();
        assertThat(driver.call(Get.of(STORE, "a")).reason()).isEqualTo(Reason.SHUTDOWN);
    }

    @Test
    void releasedCommandsAreUsedAgain() {
        Get get = Get.of(STORE, "a");
        get.release();
        assertThat(Get.of(STORE, "b")).isSameAs(get);
        Set set = Set.of(STORE, "a", 1, null);
        set.release();
        assertThat(Set.of(STORE, "b", 2, null)).isSameAs(set);
    }

    private @Nullable Object get(String key) {
        return driver.result(Get.of(STORE, key));
    }

    private Page page(String prefix, String after, int limit) {
        return (Page) result(new ListEntries(STORE, prefix, after, limit));
    }

    private Object result(Command command) {
        Object result = driver.result(command);
        return Objects.requireNonNull(result);
    }
}
