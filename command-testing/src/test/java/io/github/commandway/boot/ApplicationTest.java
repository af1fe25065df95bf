package io.github.commandway.boot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.commandway.dispatch.Registry;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ApplicationTest {
    private static final Duration STOP_TIME = Duration.ofSeconds(20);

    private final Registry registry = new Registry();
    private final List<String> log = Collections.synchronizedList(new ArrayList<>());

    @Test
    void componentsGoUpInTheOrderOfWhatTheyDependOnAndDownInReverse() throws Exception {
        Application application =
                application(new Part("http", "manager", "store"), new Part("store"), new Part("manager", "store"));
        application.start();
        application.stop();
        application.stop();
        assertThat(log)
                .containsExactly(
                        "load store",
                        "load manager",
                        "load http",
                        "start store",
                        "start manager",
                        "start http",
                        "stop http",
                        "stop manager",
                        "stop store");
    }

    @Test
    void handlersAreRegisteredWhileLoadingAndNoLater() throws Exception {
        List<Boolean> frozen = new ArrayList<>();
        Application application = application(new Part("part") {
            @Override
            public void load(Registry registry) {
                frozen.add(registry.isFrozen());
                registry.register("part", 300, (context, command, tag, receiver) -> {});
            }

            @Override
            public void start() {
                frozen.add(registry.isFrozen());
            }
        });
        application.start();
        assertThat(frozen).containsExactly(false, true);
        assertThat(registry.has(300)).isTrue();
        application.stop();
    }

    @Test
    void componentsThatDoNotDependOnEachOtherGoUpSideBySide() throws Exception {
        CyclicBarrier together = new CyclicBarrier(2);
        class Meeting extends Part {
            Meeting(String name) {
                super(name);
            }

            @Override
            public void load(Registry registry) throws Exception {
                together.await(20, TimeUnit.SECONDS);
            }

            @Override
            public void start() throws Exception {
                together.await(20, TimeUnit.SECONDS);
            }

            @Override
            public void stop() throws Exception {
                together.await(20, TimeUnit.SECONDS);
            }
        }
        Application application = application(new Meeting("a"), new Meeting("b"));
        application.start();
        application.stop();
    }

    @Test
    void aCircleIsShownWithItsPath() {
        assertThatThrownBy(() -> application(
                        new Part("free"),
                        new Part("in", "a"),
                        new Part("a", "b"),
                        new Part("b", "c"),
                        new Part("c", "a", "free")))
                .isInstanceOf(BootException.class)
                .hasMessageContaining("a -> b -> c -> a");
        assertThatThrownBy(() -> application(new Part("a", "a"))).hasMessageContaining("a -> a");
    }

    @Test
    void whatIsMissingIsNamedAndSoIsWhoNeedsIt() {
        assertThatThrownBy(() -> application(new Part("a", "b")))
                .isInstanceOf(BootException.class)
                .hasMessageContaining("'a' depends on 'b'");
        assertThatThrownBy(() -> application(new Part("a"), new Part("a")))
                .isInstanceOf(BootException.class)
                .hasMessageContaining("two components 'a'");
    }

    @Test
    void whatWasLoadedIsStoppedWhenOneCannotBeLoaded() {
        Application application =
                application2(new Part("store"), new Part("http", "manager"), new Part("manager", "store") {
                    @Override
                    public void load(Registry registry) throws IOException {
                        throw new IOException("no disk");
                    }
                });
        assertThatThrownBy(application::start)
                .isInstanceOf(BootException.class)
                .hasMessageContaining("'manager' could not be loaded")
                .hasCauseInstanceOf(IOException.class);
        assertThat(log).containsExactly("load store", "stop manager", "stop store");
        assertThat(registry.isFrozen()).isFalse();
    }

    @Test
    void allIsStoppedWhenOneCannotBeStartedAndWhatGoesWrongThenIsTold() {
        Application application = application2(
                new Part("store") {
                    @Override
                    public void stop() throws IOException {
                        super.log("stop");
                        throw new IOException("not closed");
                    }
                },
                new Part("http", "manager"),
                new Part("manager", "store") {
                    @Override
                    public void start() throws IOException {
                        throw new IOException("no port");
                    }
                });
        assertThatThrownBy(application::start)
                .isInstanceOf(BootException.class)
                .hasMessageContaining("'manager' could not be started")
                .satisfies(e -> assertThat(e.getSuppressed())
                        .singleElement()
                        .satisfies(suppressed ->
                                assertThat(suppressed).hasMessageContaining("'store' could not be stopped")));
        assertThat(log)
                .containsExactly(
                        "load store",
                        "load manager",
                        "load http",
                        "start store",
                        "stop http",
                        "stop manager",
                        "stop store");
        assertThatThrownBy(application::start).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void aStopThatTakesTooLongIsInterruptedAndTheOthersAreStoppedAllTheSame() throws Exception {
        CountDownLatch interrupted = new CountDownLatch(1);
        Application application = new Application(
                registry,
                List.of(new Part("store"), new Part("http", "store") {
                    @Override
                    public void stop() {
                        try {
                            new CountDownLatch(1).await();
                        } catch (InterruptedException e) {
                            interrupted.countDown();
                        }
                    }
                }),
                Duration.ofMillis(1),
                System::nanoTime);
        application.start();
        assertThatThrownBy(application::stop)
                .isInstanceOf(BootException.class)
                .hasMessageContaining("'http' was not stopped in time");
        interrupted.await();
    }

    private Application application(Component... components) throws BootException {
        return new Application(registry, Arrays.asList(components), STOP_TIME, System::nanoTime);
    }

    private Application application2(Component... components) {
        try {
            return application(components);
        } catch (BootException e) {
            throw new AssertionError(e);
        }
    }

    private class Part implements Component {
        private final String name;
        private final Set<String> needed;

        Part(String name, String... needed) {
            this.name = name;
            this.needed = Set.of(needed);
        }

        @Override
        public String name() {
            return name;
        }

        @Override
        public Set<String> dependsOn() {
            return needed;
        }

        @Override
        public void load(Registry registry) throws Exception {
            log("load");
        }

        @Override
        public void start() throws Exception {
            log("start");
        }

        @Override
        public void stop() throws Exception {
            log("stop");
        }

        void log(String what) {
            log.add(what + " " + name);
        }
    }
}
