package io.github.commandway.system;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.dispatch.Registry;
import io.github.commandway.process.Event;
import io.github.commandway.process.Exit;
import io.github.commandway.process.Pid;
import io.github.commandway.process.ProcessListener;
import io.github.commandway.process.Processes;
import io.github.commandway.system.ClockService.Sleep;
import io.github.commandway.system.ClockService.Tick;
import io.github.commandway.system.ClockService.TickerStart;
import io.github.commandway.system.ClockService.TimerStart;
import io.github.commandway.system.EventService.Send;
import io.github.commandway.system.EventService.Subscribe;
import io.github.commandway.system.ExecService.ProcessStart;
import io.github.commandway.system.ExecService.ProcessWait;
import io.github.commandway.system.ExecService.Started;
import io.github.commandway.system.FunctionService.AsyncStart;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The services under real processes. */
class ServicesOfProcessesTest {
    private final CountDownLatch interrupted = new CountDownLatch(1);
    private final ScheduledThreadPoolExecutor timer =
            new ScheduledThreadPoolExecutor(1, Executors.defaultThreadFactory());
    private final ClockService clock = new ClockService(timer, Clock.systemUTC(), 100);
    private final EventService events = new EventService(10);
    private final StreamService streams = new StreamService(10);
    private final ExecService programs = new ExecService(streams, 2);
    private final FunctionService functions =
            new FunctionService(Map.of("block", (arguments, job) -> block()), new Workers("function", 2, 2));
    private final List<SystemService> services = List.of(clock, events, streams, programs, functions);
    private final BlockingQueue<Object> seen = new LinkedBlockingQueue<>();
    private final Registry registry = new Registry();
    private @Nullable Processes running;

    @BeforeEach
    void start() {
        services.forEach(registry::register);
        registry.freeze();
        running = Processes.builder(registry).build();
        processes().addListener("services", new ProcessListener() {
            @Override
            public void onExit(Exit exit) {
                services.forEach(service -> service.ended(exit.pid()));
            }
        });
        processes().start();
    }

    @AfterEach
    void nothingIsLeft() {
        processes().close();
        assertThat(clock.active() + events.active() + streams.active()).isZero();
        await().until(() -> functions.active() == 0);
        services.forEach(SystemService::close);
        timer.shutdownNow();
    }

    @Test
    void timersAndEventsReachTheProcessThatAskedForThem() throws Exception {
        processes().spawn(self -> {
            self.call(new Subscribe("orders", "*", "orders"));
            self.call(new TimerStart("timer", Duration.ofMillis(1), null));
            self.call(new TickerStart("ticker", Duration.ofMillis(1), null));
            seen.add("ready");
            int ticks = 0;
            boolean fired = false;
            boolean told = false;
            while (ticks < 3 || !fired || !told) {
                Event message = self.receive();
                ticks += message.topic().equals("ticker") ? 1 : 0;
                fired |= message.topic().equals("timer") && message.data() instanceof Tick tick && tick.last();
                told |= message.topic().equals("orders");
            }
            return seen.add("done");
        });
        assertThat(seen.take()).isEqualTo("ready");
        processes().spawn(self -> seen.add(Objects.requireNonNull(self.call(Send.of("orders", "paid", "1", null)))));
        assertThat(List.of(seen.take(), seen.take())).contains(1, "done");
        await().until(() -> clock.active() + events.active() == 0);
    }

    @Test
    void whatATerminatedProcessHadUnderWayIsStopped() throws Exception {
        Pid pid = processes().spawn(self -> {
            self.call(new TickerStart("ticker", Duration.ofHours(1), null));
            self.call(new AsyncStart("block", List.of(), "result"));
            Started started =
                    (Started) Objects.requireNonNull(self.call(new ProcessStart(List.of("sleep", "1000"), null, null)));
            seen.add(started.pid());
            return self.call(new ProcessWait(started.program()));
        });
        long program = (Long) seen.take();
        assertThat(ProcessHandle.of(program)).isPresent();
        processes().terminate(pid);
        interrupted.await();
        await().until(() ->
                ProcessHandle.of(program).filter(ProcessHandle::isAlive).isEmpty());
        await().until(() -> clock.active() + streams.active() == 0);
    }

    @Test
    void aSleepOfAProcessThatIsGoneIsForgotten() throws Exception {
        Pid pid = processes().spawn(self -> {
            seen.add("ready");
            return self.call(Sleep.of(Duration.ofHours(1)));
        });
        assertThat(seen.take()).isEqualTo("ready");
        await().until(() -> clock.active() == 1);
        processes().terminate(pid);
        await().until(() -> clock.active() == 0);
    }

    private Processes processes() {
        return Objects.requireNonNull(running);
    }

    private @Nullable Object block() throws InterruptedException {
        try {
            new CountDownLatch(1).await();
            return null;
        } catch (InterruptedException e) {
            interrupted.countDown();
            throw e;
        }
    }
}
