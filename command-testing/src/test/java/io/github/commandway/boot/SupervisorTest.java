package io.github.commandway.boot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.github.commandway.boot.Supervisor.State;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.testing.ManualTime;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SupervisorTest {
    private static final Duration SECOND = Duration.ofSeconds(1);

    private final ManualTime time = new ManualTime();
    private final Subject subject = new Subject();

    @Test
    void theWaitBeforeEachStartIsTwiceAsLongUpToTheLongest() {
        Supervisor supervisor = supervisor(exact(0));
        supervisor.start();
        List<Long> waits = new ArrayList<>();
        for (int i = 0; i < 9; i++) {
            int starts = subject.starts;
            subject.fail(new IOException("lost"));
            assertThat(supervisor.state()).isEqualTo(State.WAITING);
            long waited = 0;
            while (subject.starts == starts) {
                time.advance(SECOND);
                waited++;
            }
            waits.add(waited);
        }
        assertThat(waits).containsExactly(1L, 2L, 4L, 8L, 16L, 32L, 64L, 90L, 90L);
        assertThat(supervisor.failures()).isEqualTo(9);
        assertThat(supervisor.lastFailure()).hasMessage("lost");
    }

    @Test
    void aServiceThatRanLongEnoughBeginsWithTheShortestWaitAgain() {
        Supervisor supervisor = supervisor(exact(0));
        supervisor.start();
        for (int i = 0; i < 4; i++) {
            subject.fail(new IOException());
            time.advance(Duration.ofSeconds(90));
        }
        // it has run for 82 seconds since its last start
        subject.fail(new IOException());
        assertThat(supervisor.failures()).isEqualTo(1);
        time.advance(SECOND);
        assertThat(supervisor.state()).isEqualTo(State.RUNNING);
        time.advance(Duration.ofSeconds(5).minusNanos(1));
        subject.fail(new IOException());
        assertThat(supervisor.failures()).isEqualTo(2);
    }

    @Test
    void chanceSpreadsTheWaits() {
        Random random = new Random(5);
        List<Long> waits = new ArrayList<>();
        for (int i = 0; i < 1_000; i++) {
            waits.add(RestartPolicy.DEFAULT.delay(3, random).toMillis());
        }
        assertThat(waits).allMatch(wait -> wait >= 3_600 && wait <= 4_400);
        assertThat(waits).anyMatch(wait -> wait < 3_700).anyMatch(wait -> wait > 4_300);
        assertThat(RestartPolicy.DEFAULT.delay(1_000, random))
                .isBetween(Duration.ofSeconds(81), Duration.ofSeconds(90));
    }

    @Test
    void aServiceThatFailsTooOftenIsNotStartedAgain() {
        Supervisor supervisor = supervisor(exact(2));
        supervisor.start();
        for (int i = 0; i < 3; i++) {
            assertThat(supervisor.state()).isEqualTo(State.RUNNING);
            subject.fail(new IOException());
            time.advance(Duration.ofSeconds(4));
        }
        assertThat(supervisor.state()).isEqualTo(State.FAILED);
        time.advance(Duration.ofDays(1));
        assertThat(subject.starts).isEqualTo(3);
        assertThat(subject.stops).isEqualTo(3);
    }

    @Test
    void aFinalFailureIsNotFollowedByAStart() {
        Supervisor supervisor = supervisor(exact(0));
        supervisor.start();
        subject.fail(new CancellationException());
        assertThat(supervisor.state()).isEqualTo(State.FAILED);
        time.advance(Duration.ofDays(1));
        assertThat(subject.starts).isEqualTo(1);
    }

    @Test
    void aServiceThatEndsByItselfIsDone() {
        Supervisor supervisor = supervisor(exact(0));
        supervisor.start();
        subject.end.complete(null);
        assertThat(supervisor.state()).isEqualTo(State.EXITED);
        time.advance(Duration.ofDays(1));
        assertThat(subject.starts).isEqualTo(1);
        assertThat(supervisor.stop()).isCompleted();
    }

    @Test
    void aStartThatFailsIsTriedAgain() {
        subject.startFailure = new IOException("no port");
        Supervisor supervisor = supervisor(exact(0));
        CompletableFuture<?> running = supervisor.start();
        assertThat(running).isNotDone();
        subject.startFailure = null;
        time.advance(SECOND);
        assertThat(running).isCompleted();
        assertThat(supervisor.state()).isEqualTo(State.RUNNING);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aServiceIsStoppedWhetherItRunsOrWaits(boolean waits) {
        Supervisor supervisor = supervisor(exact(0));
        supervisor.start();
        if (waits) {
            subject.fail(new IOException());
        }
        assertThat(supervisor.stop()).isCompleted();
        assertThat(supervisor.state()).isEqualTo(State.STOPPED);
        assertThat(subject.stops).isEqualTo(1);
        time.advance(Duration.ofDays(1));
        subject.fail(new IOException("late"));
        assertThat(supervisor.state()).isEqualTo(State.STOPPED);
        assertThat(subject.starts).isEqualTo(1);
        assertThatThrownBy(supervisor::start).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void aStartThatHangsIsInterruptedAndTriedAgain() throws Exception {
        CountDownLatch interrupted = new CountDownLatch(1);
        CountDownLatch hangs = new CountDownLatch(1);
        ExecutorService threads = Executors.newCachedThreadPool();
        try {
            Service service = new Service() {
                @Override
                public String name() {
                    return "slow";
                }

                @Override
                public CompletionStage<?> start() throws InterruptedException {
                    hangs.countDown();
                    try {
                        new CountDownLatch(1).await();
                        return new CompletableFuture<>();
                    } catch (InterruptedException e) {
                        interrupted.countDown();
                        throw e;
                    }
                }

                @Override
                public void stop() {}
            };
            Supervisor supervisor = new Supervisor(
                    service, exact(0), SECOND, SECOND, time.scheduler(), threads, time::nanos, new Random(1));
            supervisor.start();
            hangs.await();
            time.advance(SECOND);
            interrupted.await();
            assertThat(supervisor.lastFailure()).isInstanceOf(TimeoutException.class);
            assertThat(supervisor.state()).isEqualTo(State.WAITING);
            supervisor.stop();
            await().until(() -> supervisor.state() == State.STOPPED);
        } finally {
            threads.shutdownNow();
        }
    }

    @Test
    void aStopThatHangsIsNotWaitedForForEver() {
        List<Runnable> never = new ArrayList<>();
        boolean[] hang = {false};
        Supervisor supervisor = new Supervisor(
                subject,
                exact(0),
                SECOND,
                SECOND,
                time.scheduler(),
                work -> {
                    if (hang[0]) {
                        never.add(work);
                    } else {
                        work.run();
                    }
                },
                time::nanos,
                new Random(1));
        supervisor.start();
        hang[0] = true;
        CompletableFuture<?> stopped = supervisor.stop();
        assertThat(supervisor.state()).isEqualTo(State.STOPPING);
        time.advance(SECOND);
        assertThat(supervisor.state()).isEqualTo(State.STOPPED);
        assertThatThrownBy(stopped::join)
                .isInstanceOf(CompletionException.class)
                .hasCauseInstanceOf(TimeoutException.class);
        never.forEach(Runnable::run);
        assertThat(subject.stops).isEqualTo(1);
    }

    @Test
    void aRequiredServiceThatCannotRunKeepsTheApplicationFromStarting() throws Exception {
        subject.startFailure = new CancellationException("no licence");
        Component required = supervisor(exact(0)).asComponent(Set.of(), true);
        Application application =
                new Application(new Registry(), List.of(required), Duration.ofSeconds(20), System::nanoTime);
        assertThatThrownBy(application::start)
                .isInstanceOf(BootException.class)
                .hasMessageContaining("'subject'")
                .hasRootCauseMessage("no licence");
    }

    @Test
    void anOptionalServiceMayComeLater() throws Exception {
        subject.startFailure = new IOException("not yet");
        Supervisor supervisor = supervisor(exact(0));
        Application application = new Application(
                new Registry(),
                List.of(supervisor.asComponent(Set.of(), false)),
                Duration.ofSeconds(20),
                System::nanoTime);
        application.start();
        assertThat(supervisor.state()).isEqualTo(State.WAITING);
        application.stop();
        assertThat(supervisor.state()).isEqualTo(State.STOPPED);
    }

    @ParameterizedTest
    @ValueSource(doubles = {0.9, Double.NaN, -1})
    void aPolicyThatMakesNoSenseIsRefused(double backoff) {
        assertThatThrownBy(() -> new RestartPolicy(SECOND, SECOND, backoff, 0, 0, SECOND, error -> false))
                .isInstanceOf(IllegalArgumentException.class);
    }

    private Supervisor supervisor(RestartPolicy policy) {
        return new Supervisor(
                subject, policy, SECOND, SECOND, time.scheduler(), Runnable::run, time::nanos, new Random(1));
    }

    private static RestartPolicy exact(int mostAttempts) {
        RestartPolicy usual = RestartPolicy.DEFAULT;
        return new RestartPolicy(
                usual.initialDelay(),
                usual.longestDelay(),
                usual.backoff(),
                0,
                mostAttempts,
                usual.stableAfter(),
                usual.terminal());
    }

    private static final class Subject implements Service {
        int starts;
        int stops;
        CompletableFuture<Object> end = new CompletableFuture<>();

        @Nullable Exception startFailure;

        @Override
        public String name() {
            return "subject";
        }

        @Override
        public CompletionStage<?> start() throws Exception {
            starts++;
            if (startFailure != null) {
                throw startFailure;
            }
            end = new CompletableFuture<>();
            return end;
        }

        @Override
        public void stop() {
            stops++;
        }

        void fail(Throwable error) {
            end.completeExceptionally(error);
        }
    }
}
