package io.github.commandway.process;

import static org.awaitility.Awaitility.await;

import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.Handler;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.testing.ManualTime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** Processes with a manual clock, and handlers that a test can steer. */
final class ProcessFixture implements AutoCloseable {
    static final Duration LONGEST = Duration.ofSeconds(20);

    /** Completes inline with the number of the command. */
    static final int ECHO = 256;

    /** Is kept in {@link #begun} until the test completes it. */
    static final int LATER = 257;

    /** Throws. */
    static final int THROWING = 258;

    /** Runs the action of the command. */
    static final int ACTION = 259;

    final ManualTime time = new ManualTime();
    final Registry registry = new Registry();
    final BlockingQueue<Begun> begun = new LinkedBlockingQueue<>();
    final Processes processes;

    ProcessFixture() {
        this(builder -> builder);
    }

    ProcessFixture(UnaryOperator<Processes.Builder> settings) {
        registry.register(
                "test",
                ECHO,
                (context, command, tag, receiver) -> receiver.completeYield(tag, ((Numbered) command).number, null));
        registry.register(
                "test",
                LATER,
                (context, command, tag, receiver) -> begun.add(new Begun(context, (Numbered) command, tag, receiver)));
        registry.register("test", THROWING, (context, command, tag, receiver) -> {
            throw new IllegalArgumentException("refused");
        });
        registry.register(
                "test",
                ACTION,
                (context, command, tag, receiver) ->
                        ((Action) command).handler().handle(context, command, tag, receiver));
        processes = settings.apply(Processes.builder(registry)
                        .workers(2)
                        .clock(time.clock())
                        .ticker(time::nanos)
                        .timer(time.scheduler())
                        .closeTimeout(Duration.ofMillis(50)))
                .build();
        registry.register(new ProcessCommands(processes));
        registry.register(new GroupCommands(processes));
    }

    ProcessFixture start() {
        processes.start();
        return this;
    }

    /** Waits for the next command of {@link #LATER}. */
    Begun nextBegun() throws InterruptedException {
        Begun next = begun.poll(LONGEST.toSeconds(), TimeUnit.SECONDS);
        if (next == null) {
            throw new AssertionError("no command was begun");
        }
        return next;
    }

    /** Starts a process of which every step is recorded. */
    Recorded spawn(Step step) {
        return spawn(step, SpawnOptions.defaults());
    }

    Recorded spawn(Step step, SpawnOptions options) {
        Recorded recorded = new Recorded(step);
        Pid pid = processes.spawn(recorded, null, recorded.watching(options));
        recorded.pid = pid;
        return recorded;
    }

    void awaitState(Pid pid, ProcessInfo.State state) {
        await().atMost(LONGEST)
                .until(() -> processes.find(pid).map(ProcessInfo::state).orElse(ProcessInfo.State.COMPLETE) == state);
    }

    @Override
    public void close() {
        processes.close();
    }

    static Numbered echo(int number) {
        return new Numbered(ECHO, number);
    }

    static Numbered later(int number) {
        return new Numbered(LATER, number);
    }

    /** A step of a process, given as code. */
    @FunctionalInterface
    interface Step {
        void make(int number, List<Event> events, StepOutput out) throws Exception;
    }

    /** What a handler of {@link #LATER} was given. */
    record Begun(CommandContext context, Numbered command, long tag, ResultReceiver receiver) {
        void complete(@Nullable Object data) {
            receiver.completeYield(tag, data, null);
        }

        void fail(Throwable error) {
            receiver.completeYield(tag, null, error);
        }
    }

    /** A command of which the releases are counted. */
    static final class Numbered implements Command {
        final int id;
        final int number;
        final AtomicInteger released = new AtomicInteger();

        Numbered(int id, int number) {
            this.id = id;
            this.number = number;
        }

        @Override
        public int commandId() {
            return id;
        }

        @Override
        public void release() {
            released.incrementAndGet();
        }
    }

    /** A command that is its own handler. */
    record Action(Handler handler) implements Command {
        @Override
        public int commandId() {
            return ACTION;
        }
    }

    /** An event as it was. */
    record Seen(
            Event.Kind kind,
            long tag,
            @Nullable Object data,
            @Nullable Throwable error,
            @Nullable Pid from,
            String topic) {
        static Seen of(Event event) {
            return new Seen(event.kind(), event.tag(), event.data(), event.error(), event.from(), event.topic());
        }
    }

    /** A process that writes down what happens to it. */
    static final class Recorded implements Process {
        final CompletableFuture<Exit> exit = new CompletableFuture<>();
        final List<List<Seen>> steps = new ArrayList<>();
        final AtomicInteger closed = new AtomicInteger();
        final AtomicInteger inside = new AtomicInteger();
        private final Step step;
        Pid pid = new Pid(0);

        Recorded(Step step) {
            this.step = step;
        }

        SpawnOptions watching(SpawnOptions options) {
            return options.toBuilder().onExit(exit::complete).build();
        }

        @Override
        public void step(List<Event> events, StepOutput out) throws Exception {
            if (inside.incrementAndGet() != 1) {
                throw new AssertionError("stepped by two threads at once");
            }
            int number;
            synchronized (steps) {
                steps.add(events.stream().map(Seen::of).toList());
                number = steps.size();
            }
            try {
                step.make(number, events, out);
            } finally {
                inside.decrementAndGet();
            }
        }

        @Override
        public void close() {
            closed.incrementAndGet();
        }

        Exit awaitExit() throws Exception {
            return exit.get(LONGEST.toSeconds(), TimeUnit.SECONDS);
        }

        /** All events of all steps. */
        List<Seen> seen() {
            synchronized (steps) {
                return steps.stream().flatMap(List::stream).toList();
            }
        }

        int stepCount() {
            synchronized (steps) {
                return steps.size();
            }
        }

        void awaitSeen(Consumer<List<Seen>> check) {
            await().atMost(LONGEST).untilAsserted(() -> check.accept(seen()));
        }
    }
}
