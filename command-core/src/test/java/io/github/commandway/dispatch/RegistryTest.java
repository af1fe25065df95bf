package io.github.commandway.dispatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RegistryTest {
    private final Registry registry = new Registry();

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 255, 256, 1_000, 0xFFFF})
    void findsWhatIsRegisteredBeforeAndAfterTheFreeze(int id) {
        Handler handler = handler();
        registry.register("clock", id, handler);
        assertThat(registry.get(id)).isSameAs(handler);
        assertThat(registry.has(id)).isTrue();
        assertThat(registry.ownerOf(id)).isEqualTo("clock");

        registry.freeze();
        assertThat(registry.get(id)).isSameAs(handler);
        assertThat(registry.has(id)).isTrue();
        assertThat(registry.ownerOf(id)).isEqualTo("clock");
    }

    @ParameterizedTest
    @ValueSource(ints = {Integer.MIN_VALUE, -1, 0, 255, 256, 0xFFFF, 0x10000, Integer.MAX_VALUE})
    void findsNothingWhereNothingIsRegistered(int id) {
        registry.register("clock", 10, handler());
        registry.register("application", 300, handler());
        for (int pass = 0; pass < 2; pass++) {
            assertThat(registry.get(id)).isNull();
            assertThat(registry.has(id)).isFalse();
            assertThat(registry.ownerOf(id)).isNull();
            registry.freeze();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 0x10000, Integer.MIN_VALUE, Integer.MAX_VALUE})
    void refusesIdsOutsideTheRange(int id) {
        assertThatThrownBy(() -> registry.register("clock", id, handler()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("clock")
                .hasMessageContaining(String.valueOf(id));
    }

    @ParameterizedTest
    @ValueSource(ints = {20, 400})
    void refusesASecondClaimAndNamesBothOwnersAndTheFreeIds(int id) {
        Handler first = handler();
        registry.register("first", id, first);
        registry.register("first", id + 1, handler());
        registry.register("other", id + 5, handler());

        assertThatThrownBy(() -> registry.register("second", id, handler()))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("'first'")
                .hasMessageContaining("'second'")
                .hasMessageContaining((id + 2) + ".." + (id + 4));
        assertThat(registry.get(id)).isSameAs(first);
        assertThat(registry.ownerOf(id)).isEqualTo("first");
    }

    @Test
    void refusesASecondClaimByTheSameOwnerToo() {
        registry.register("first", 20, handler());
        assertThatThrownBy(() -> registry.register("first", 20, handler())).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void doesNotOfferSystemCallersIdsOfApplications() {
        registry.register("first", 254, handler());
        registry.register("first", 255, handler());
        assertThatThrownBy(() -> registry.register("second", 254, handler()))
                .hasMessageContaining("none in this range");
    }

    @Test
    void offersTheFreeIdsUpToTheEndOfTheRange() {
        registry.register("first", 250, handler());
        assertThatThrownBy(() -> registry.register("second", 250, handler())).hasMessageContaining("251..255");
        registry.register("first", 60_000, handler());
        assertThatThrownBy(() -> registry.register("second", 60_000, handler())).hasMessageContaining("60001..65535");
    }

    @Test
    void changesNoMoreAfterTheFreeze() {
        assertThat(registry.isFrozen()).isFalse();
        registry.freeze();
        registry.freeze();
        assertThat(registry.isFrozen()).isTrue();
        assertThatThrownBy(() -> registry.register("late", 20, handler()))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("'late'")
                .hasMessageContaining("frozen");
        assertThat(registry.has(20)).isFalse();
    }

    @Test
    void registersADispatcherUnderItsName() {
        registry.register(new Dispatcher() {
            @Override
            public String name() {
                return "clock";
            }

            @Override
            public void registerAll(Registrar registrar) {
                registrar.register(10, handler());
                registrar.register(11, handler());
            }
        });
        assertThat(registry.ownerOf(10)).isEqualTo("clock");
        assertThat(registry.ownerOf(11)).isEqualTo("clock");
    }

    @Test
    void givesOneIdToOneOfManyThatClaimIt() throws Exception {
        for (int id = 0; id < 500; id++) {
            int contested = id;
            List<Boolean> claims = inThreads(thread -> claim("thread " + thread, contested));
            assertThat(claims).as("claims of %d", id).containsOnlyOnce(true);
            assertThat(registry.ownerOf(id)).isEqualTo("thread " + claims.indexOf(true));
        }
    }

    /** What was registered before the freeze is found after it, and what came too late is refused and not found. */
    @Test
    void losesNothingWhenFrozenWhileOthersRegister() throws Exception {
        for (int round = 0; round < 200; round++) {
            Registry shared = new Registry();
            int each = 40;
            List<List<Integer>> claimed = inThreads(thread -> {
                List<Integer> mine = new ArrayList<>();
                for (int i = 0; i < each; i++) {
                    int id = 200 + thread * each + i;
                    if (thread == 0 && i == each / 2) {
                        shared.freeze();
                    }
                    try {
                        shared.register("thread " + thread, id, handler());
                        mine.add(id);
                    } catch (IllegalStateException frozen) {
                        assertThat(shared.isFrozen()).isTrue();
                    }
                }
                return mine;
            });
            List<Integer> all = claimed.stream().flatMap(List::stream).toList();
            for (int id = 200; id < 200 + 4 * each; id++) {
                assertThat(shared.has(id)).as("id %d", id).isEqualTo(all.contains(id));
            }
        }
    }

    private boolean claim(String owner, int id) {
        try {
            registry.register(owner, id, handler());
            return true;
        } catch (IllegalStateException taken) {
            return false;
        }
    }

    private static Handler handler() {
        return new Handler() {
            @Override
            public void handle(CommandContext context, Command command, long tag, ResultReceiver receiver) {
                throw new UnsupportedOperationException("never called here");
            }
        };
    }

    private static <T> List<T> inThreads(Work<T> work) throws Exception {
        int count = 4;
        ExecutorService threads = Executors.newFixedThreadPool(count);
        try {
            CyclicBarrier start = new CyclicBarrier(count);
            List<Callable<T>> tasks = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                int thread = i;
                tasks.add(() -> {
                    start.await();
                    return work.run(thread);
                });
            }
            List<T> results = new ArrayList<>();
            for (Future<T> result : threads.invokeAll(tasks)) {
                results.add(result.get());
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
