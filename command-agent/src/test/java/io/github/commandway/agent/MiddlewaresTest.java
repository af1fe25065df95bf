package io.github.commandway.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

class MiddlewaresTest {
    private static final byte[] EMPTY = {};

    private final ScheduledExecutorService scheduler = Executors.newSingleThreadScheduledExecutor();
    private final ListAppender<ILoggingEvent> log = new ListAppender<>();

    @AfterEach
    void stop() {
        scheduler.shutdownNow();
        logger().detachAppender(log);
        // What a test did to its own thread must not reach the next one.
        assertThat(Thread.interrupted()).isFalse();
    }

    @Test
    void loggingTellsTheOutcomeButNoPayloadNoResultAndNoMessage() throws Exception {
        log.start();
        logger().addAppender(log);
        AtomicLong ticker = new AtomicLong();
        CommandRouter router =
                CommandRouter.of(routes -> routes.use(Middlewares.logging(() -> ticker.getAndAdd(7_000_000)))
                        .on("good", (context, payload) -> payload)
                        .on("bad", (context, payload) -> {
                            throw new IOException("secret");
                        })
                        .on("refused", (context, payload) -> {
                            throw new CommandException(Reason.REJECTED_BY_AGENT, "secret");
                        }));

        router.execute(new RecordingContext(), "good", "secret".getBytes(StandardCharsets.UTF_8));
        assertThatExceptionOfType(IOException.class)
                .isThrownBy(() -> router.execute(new RecordingContext(), "bad", EMPTY));
        assertThatExceptionOfType(CommandException.class)
                .isThrownBy(() -> router.execute(new RecordingContext(), "refused", EMPTY));

        assertThat(log.list)
                .extracting(ILoggingEvent::getFormattedMessage)
                .containsExactly(
                        "command good 0198-test completed in 7 ms",
                        "command bad 0198-test failed after 7 ms: java.io.IOException",
                        "command refused 0198-test failed after 7 ms: rejected_by_agent");
    }

    @Test
    void recoveryMakesAFailureOfABugAndLetsOthersPass() {
        CommandRouter router = CommandRouter.of(routes -> routes.use(Middlewares.recovery())
                .on("null", (context, payload) -> {
                    throw new NullPointerException("no name");
                })
                .on("deep", (context, payload) -> endless(payload))
                .on("checked", (context, payload) -> {
                    throw new IOException("disk full");
                }));

        assertThatExceptionOfType(CommandException.class)
                .isThrownBy(() -> router.execute("null", EMPTY))
                .withMessage("the handler of 'null' failed unexpectedly: NullPointerException: no name")
                .satisfies(e -> assertThat(e.reason()).isEqualTo(Reason.EXECUTOR_ERROR));
        assertThatExceptionOfType(CommandException.class)
                .isThrownBy(() -> router.execute("deep", EMPTY))
                .withMessageContaining("StackOverflowError");
        assertThatExceptionOfType(IOException.class)
                .isThrownBy(() -> router.execute("checked", EMPTY))
                .withMessage("disk full");
    }

    @SuppressWarnings("InfiniteRecursion")
    private static byte[] endless(byte[] payload) {
        return endless(payload);
    }

    @Test
    void timeoutInterruptsTheHandlerAndRunsItsCancelActions() {
        AtomicInteger actions = new AtomicInteger();
        AtomicReference<ExecutionContext> seen = new AtomicReference<>();
        CommandRouter router = limited(Duration.ofMillis(20), (context, payload) -> {
            seen.set(context);
            context.onCancel(actions::incrementAndGet);
            new CountDownLatch(1).await();
            return payload;
        });
        RecordingContext outer = new RecordingContext();

        assertThatExceptionOfType(CommandException.class)
                .isThrownBy(() -> router.execute(outer, "slow", EMPTY))
                .withMessage("'slow' took longer than 20 ms")
                .satisfies(e -> assertThat(e.reason()).isEqualTo(Reason.EXECUTION_TIMEOUT));

        assertThat(seen.get().isCancelled()).isTrue();
        assertThat(seen.get().deadline()).isBefore(Instant.MAX);
        await().untilAsserted(() -> assertThat(actions).hasValue(1));
        AtomicInteger late = new AtomicInteger();
        seen.get().onCancel(late::incrementAndGet);
        assertThat(late).hasValue(1);
        assertThat(outer.isCancelled()).isFalse();

        outer.cancel();
        assertThat(Thread.interrupted()).isTrue();
        assertThat(actions).as("ended twice, run once").hasValue(1);
    }

    @Test
    void aHandlerThatIgnoresTheTimeoutHasTimedOutAllTheSame() {
        CommandRouter router = limited(Duration.ofMillis(5), (context, payload) -> {
            while (!context.isCancelled()) {
                Thread.onSpinWait();
            }
            return payload;
        });
        assertThatExceptionOfType(CommandException.class)
                .isThrownBy(() -> router.execute("slow", EMPTY))
                .satisfies(e -> assertThat(e.reason()).isEqualTo(Reason.EXECUTION_TIMEOUT));
    }

    @Test
    void aHandlerInTimeIsNeverInterruptedLater() throws Exception {
        ScheduledThreadPoolExecutor own = new ScheduledThreadPoolExecutor(1);
        own.setRemoveOnCancelPolicy(true);
        try {
            CommandRouter router = CommandRouter.of(
                    routes -> routes.use(Middlewares.timeout(Duration.ofHours(1), Clock.systemUTC(), own))
                            .on("quick", (context, payload) -> payload));
            assertThat(router.execute("quick", new byte[3])).hasSize(3);
            assertThat(own.getQueue()).isEmpty();
        } finally {
            own.shutdownNow();
        }
    }

    @Test
    void aCommandWhoseOwnTimeIsShorterKeepsItsContext() throws Exception {
        AtomicReference<ExecutionContext> seen = new AtomicReference<>();
        CommandRouter router = limited(Duration.ofHours(1), (context, payload) -> {
            seen.set(context);
            return payload;
        });
        RecordingContext outer =
                new RecordingContext(Clock.systemUTC().instant().plusSeconds(60));
        router.execute(outer, "slow", EMPTY);
        assertThat(seen.get()).isSameAs(outer);
    }

    @Test
    void cancellingFromOutsideStaysACancellation() {
        RecordingContext outer = new RecordingContext();
        AtomicInteger actions = new AtomicInteger();
        CommandRouter router = limited(Duration.ofHours(1), (context, payload) -> {
            context.onCancel(actions::incrementAndGet);
            scheduler.execute(outer::cancel);
            new CountDownLatch(1).await();
            return payload;
        });
        assertThatExceptionOfType(InterruptedException.class).isThrownBy(() -> router.execute(outer, "slow", EMPTY));
        await().untilAsserted(() -> assertThat(actions).hasValue(1));
    }

    @Test
    void rateLimitRefusesWhatIsBeyondItAndLetsOthersInLater() throws Exception {
        CommandRouter hourly = CommandRouter.of(routes -> routes.use(Middlewares.rateLimit(2, Duration.ofHours(1)))
                .on("one", (context, payload) -> payload)
                .on("other", (context, payload) -> payload));
        hourly.execute("one", EMPTY);
        hourly.execute("other", EMPTY);
        assertThatExceptionOfType(CommandException.class)
                .isThrownBy(() -> hourly.execute("one", EMPTY))
                .withMessageContaining("at most 2 commands")
                .withMessageContaining("send it again later")
                .satisfies(e -> assertThat(e.reason()).isEqualTo(Reason.REJECTED_BY_AGENT));

        CommandRouter often = CommandRouter.of(routes ->
                routes.use(Middlewares.rateLimit(1, Duration.ofMillis(20))).on("one", (context, payload) -> payload));
        often.execute("one", EMPTY);
        await().ignoreExceptionsInstanceOf(CommandException.class).until(() -> often.execute("one", EMPTY).length == 0);
    }

    @Test
    void jsonObjectLetsOnlyObjectsThrough() throws Exception {
        CommandRouter router = CommandRouter.of(
                routes -> routes.use(Middlewares.jsonObject()).on("raw", (context, payload) -> payload));
        router.execute("raw", EMPTY);
        router.execute("raw", " {\"a\": [1, {}]} ".getBytes(StandardCharsets.UTF_8));
        for (String bad : new String[] {"[]", "1", "{} {}", "{", "{\"a\": 1,}", "{\"a\": 1, \"a\": 2}", "text", " "}) {
            assertThatExceptionOfType(CommandException.class)
                    .as(bad)
                    .isThrownBy(() -> router.execute("raw", bad.getBytes(StandardCharsets.UTF_8)))
                    .withMessageContaining("invalid payload")
                    .satisfies(e -> assertThat(e.reason()).isEqualTo(Reason.REJECTED_BY_AGENT));
        }
    }

    @Test
    void metricsCountOutcomesAndTimeForEachType() throws Exception {
        AtomicLong ticker = new AtomicLong();
        CommandMetrics metrics = new CommandMetrics(ticker::get);
        AtomicLong runningWhileAtWork = new AtomicLong();
        CommandRouter router = CommandRouter.of(routes -> routes.use(metrics)
                .on("work", (context, payload) -> {
                    runningWhileAtWork.set(metrics.snapshot().get("work").running());
                    ticker.addAndGet(payload.length);
                    return payload;
                })
                .on("fail", (context, payload) -> {
                    throw new IOException("no");
                }));
        router.execute("work", new byte[10]);
        router.execute("work", new byte[30]);
        assertThatExceptionOfType(IOException.class).isThrownBy(() -> router.execute("fail", EMPTY));
        assertThatExceptionOfType(UnknownCommandException.class).isThrownBy(() -> router.execute("made up", EMPTY));

        assertThat(runningWhileAtWork).hasValue(1);
        assertThat(metrics.snapshot())
                .containsOnlyKeys("work", "fail")
                .containsEntry(
                        "work", new CommandMetrics.TypeMetrics(0, 2, 0, Duration.ofNanos(40), Duration.ofNanos(30)))
                .containsEntry("fail", new CommandMetrics.TypeMetrics(0, 0, 1, Duration.ZERO, Duration.ZERO));
    }

    private CommandRouter limited(Duration limit, RawHandler handler) {
        return CommandRouter.of(routes -> routes.use(Middlewares.timeout(limit, Clock.systemUTC(), scheduler))
                .on("slow", handler));
    }

    private static Logger logger() {
        return (Logger) LoggerFactory.getLogger(Middlewares.class);
    }
}
