package io.github.commandway.queue;

import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.CommandIds;
import io.github.commandway.dispatch.Dispatcher;
import io.github.commandway.dispatch.Handler;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.manager.CancelResult;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandQuery;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRejectedException;
import io.github.commandway.manager.CommandRejectedException.Code;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.QueueState;
import io.github.commandway.manager.QueueStore;
import io.github.commandway.manager.QueueingHandler;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.manager.Target;
import io.github.commandway.timing.DaemonThreads;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Executes the commands that wait in queues: takes them out in their order, a few at a time, and gives each to the handler behind the queue. Register it as a dispatcher before the
 * manager is built, and {@link #start} it after {@link CommandManager#recover}.
 *
 * <p>A command is claimed, and its attempt recorded, before its handler sees it: whatever happens then, the same attempt does not run again. Several servers on one
 * store share a queue: each command runs on one of them, and the concurrency is that of all together.
 *
 * <p>All methods are safe for use by many threads, and none blocks.
 */
public final class CommandQueues implements Dispatcher, AutoCloseable {
    private static final long POLL_SECONDS = 1;
    private static final int PURGED_AT_ONCE = 500;

    private final Map<String, Lane> lanes;
    private final Clock clock;
    private final ScheduledExecutorService timer;
    private final boolean ownsTimer;
    private volatile @Nullable CommandManager manager;
    private volatile boolean stopped;
    private @Nullable ScheduledFuture<?> polling;

    private CommandQueues(Builder builder) {
        clock = builder.clock;
        ownsTimer = builder.timer == null;
        timer = builder.timer == null ? DaemonThreads.newTimer("commandway-queues") : builder.timer;
        Map<String, Lane> all = new LinkedHashMap<>();
        builder.queues.forEach((name, queue) -> all.put(name, new Lane(this, queue, clock, timer)));
        lanes = Collections.unmodifiableMap(all);
    }

    /**
     * Starts to build the queues.
     *
     * @param registry where the handlers of targets are looked up, by the time a command is executed
     */
    public static Builder builder(Registry registry) {
        return new Builder(registry);
    }

    @Override
    public String name() {
        return "queues";
    }

    @Override
    public void registerAll(Registrar registrar) {
        registrar.register(CommandIds.QUEUE_EXECUTE, new Waiting());
    }

    /**
     * Begins to execute what waits. Until then commands are accepted and wait.
     *
     * @throws IllegalStateException if it was called before
     */
    public synchronized void start(CommandManager manager) {
        if (this.manager != null) {
            throw new IllegalStateException("queues can be started once");
        }
        this.manager = manager;
        manager.onQueueWork(this::wake);
        // what other servers did is told, but a message can be lost
        polling = timer.scheduleWithFixedDelay(
                () -> lanes.values().forEach(Lane::wake), 0, POLL_SECONDS, TimeUnit.SECONDS);
    }

    /** From now on takes nothing out any more; what runs goes on. */
    public synchronized void stop() {
        stopped = true;
        if (polling != null) {
            polling.cancel(false);
        }
    }

    /** The same as {@link #stop}, and ends the timer unless it was passed in. */
    @Override
    public void close() {
        stop();
        if (ownsTimer) {
            timer.shutdownNow();
        }
    }

    /** Looks for work in a queue now, because something may have changed that it waits for. An unknown name is ignored. */
    public void wake(String queue) {
        Lane lane = lanes.get(queue);
        if (lane != null) {
            lane.wake();
        }
    }

    /** The names, in the order in which they were added. */
    public List<String> names() {
        return List.copyOf(lanes.keySet());
    }

    /** How the queue works; empty if there is none of that name. */
    public Optional<QueueOptions> options(String queue) {
        return Optional.ofNullable(lanes.get(queue)).map(Lane::options);
    }

    /**
     * What is in the queue.
     *
     * @throws IllegalArgumentException if there is none of that name
     */
    public CompletableFuture<QueueState> state(String queue) {
        return store(queue).state(queue);
    }

    /**
     * Keeps back what waits in the queue, on all servers that share it and also after a restart. What runs goes on.
     *
     * @throws IllegalArgumentException if there is none of that name
     */
    public CompletableFuture<Void> pause(String queue) {
        return store(queue).pause(queue, true);
    }

    /**
     * Lets the queue go on.
     *
     * @throws IllegalArgumentException if there is none of that name
     */
    public CompletableFuture<Void> resume(String queue) {
        return store(queue).pause(queue, false).thenRun(() -> wake(queue));
    }

    /**
     * Cancels everything that waits in the queue at this moment. What runs goes on.
     *
     * @return completes with how many were cancelled
     * @throws IllegalArgumentException if there is none of that name
     */
    public CompletableFuture<Integer> purge(String queue) {
        store(queue);
        return purge(queue, null, 0);
    }

    private CompletableFuture<Integer> purge(String queue, @Nullable String cursor, int before) {
        CommandManager commands = started();
        CommandQuery waiting = new CommandQuery(new Target.Queue(queue), CommandStatus.PENDING, PURGED_AT_ONCE, cursor);
        return commands.list(waiting).thenCompose(page -> {
            List<CompletableFuture<Boolean>> cancelled = new ArrayList<>();
            for (CommandRecord record : page.records()) {
                if (record.sentAt() == null) {
                    cancelled.add(commands.cancel(record.id()).thenApply(CommandQueues::wasCancelled));
                }
            }
            return CompletableFuture.allOf(cancelled.toArray(CompletableFuture[]::new))
                    .thenCompose(all -> {
                        int sum = before
                                + (int) cancelled.stream()
                                        .filter(CompletableFuture::join)
                                        .count();
                        String next = page.nextCursor();
                        return next == null ? CompletableFuture.completedFuture(sum) : purge(queue, next, sum);
                    });
        });
    }

    private static boolean wasCancelled(Optional<CancelResult> result) {
        return result.isPresent() && result.get().outcome() == CancelResult.Outcome.CANCELLED_BEFORE_START;
    }

    private QueueStore store(String queue) {
        if (!lanes.containsKey(queue)) {
            throw new IllegalArgumentException("there is no queue '" + queue + "'; there are " + lanes.keySet());
        }
        return started().queues();
    }

    private CommandManager started() {
        CommandManager present = manager;
        if (present == null) {
            throw new IllegalStateException("the queues are not started");
        }
        return present;
    }

    /** The manager to claim with; null while nothing is to be taken out. */
    @Nullable CommandManager claimer() {
        return stopped ? null : manager;
    }

    /** What the registry has for commands to queues: they wait in the store, so there is nothing to do but to look. */
    private final class Waiting implements QueueingHandler {
        @Override
        public CommandRequest admit(CommandRequest request) throws CommandRejectedException {
            Lane lane = lane(request);
            if (lane == null) {
                throw new CommandRejectedException(
                        Code.TARGET_UNKNOWN,
                        "there is no queue '" + queueOf(request) + "' here; there are " + lanes.keySet());
            }
            QueueOptions options = lane.options();
            CommandManager commands = manager;
            if (commands != null && commands.queues().waiting(options.name()) >= options.maxWaiting()) {
                throw new CommandRejectedException(
                        Code.TARGET_BUSY,
                        "in queue '" + options.name() + "' wait as many commands as may (" + options.maxWaiting()
                                + "); try again when some have run");
            }
            return request.retry() == null && options.retry().maxAttempts() > 1
                    ? request.toBuilder().retry(options.retry()).build()
                    : request;
        }

        @Override
        public void handle(CommandContext context, Command command, long tag, ResultReceiver receiver) {
            wake(queueOf(((RecordedCommand) command).request()));
        }

        @Override
        public void resume(CommandContext context, RecordedCommand command, long tag, ResultReceiver receiver) {
            Lane lane = lane(command.request());
            if (lane == null || !lane.resume(context, command, tag, receiver)) {
                QueueingHandler.super.resume(context, command, tag, receiver);
            }
        }

        @Override
        public boolean outlivesServer(RecordedCommand command) {
            Lane lane = lane(command.request());
            return lane != null && lane.outlivesServer(command);
        }

        private @Nullable Lane lane(CommandRequest request) {
            return lanes.get(queueOf(request));
        }

        private String queueOf(CommandRequest request) {
            return ((Target.Queue) request.target()).name();
        }
    }

    /** One queue and what is behind it: a handler, or a target whose handler is in the registry. */
    record Queue(
            QueueOptions options,
            Registry registry,
            @Nullable Handler handler,
            @Nullable Target target,
            Supplier<Room> room) {
        /** The handler; null if nothing is registered for the target. */
        @Nullable Handler destination() {
            return target == null ? handler : registry.get(target.commandId());
        }
    }

    /**
     * Builds {@link CommandQueues}. Defaults: no queues, the system's clock, a timer thread of its own. Not safe for use by many threads.
     */
    public static final class Builder {
        private final Registry registry;
        private final Map<String, Queue> queues = new LinkedHashMap<>();
        private Clock clock = Clock.systemUTC();
        private @Nullable ScheduledExecutorService timer;

        private Builder(Registry registry) {
            this.registry = registry;
        }

        /**
         * Adds a queue whose commands are executed by {@code handler} in this process.
         *
         * @throws IllegalArgumentException if there is one of that name
         */
        public Builder queue(QueueOptions options, Handler handler) {
            return add(new Queue(options, registry, handler, null, () -> Room.ANY));
        }

        /**
         * Adds a queue whose commands go on to a target, such as an agent.
         *
         * @param target not another queue
         * @param room for what there is room there now, such as none while the agent is not connected; must not block. When that changes
         *     {@link CommandQueues#wake} should be called; otherwise it is noticed within a second
         * @throws IllegalArgumentException if there is a queue of that name, or the target is a queue
         */
        public Builder queue(QueueOptions options, Target target, Supplier<Room> room) {
            if (target instanceof Target.Queue) {
                throw new IllegalArgumentException(
                        "queue '" + options.name() + "' cannot lead to another queue, " + target);
            }
            return add(new Queue(options, registry, null, target, room));
        }

        private Builder add(Queue queue) {
            if (queues.putIfAbsent(queue.options().name(), queue) != null) {
                throw new IllegalArgumentException(
                        "there are two queues '" + queue.options().name() + "'");
            }
            return this;
        }

        /** Sets the clock that tells when delayed commands may begin. */
        public Builder clock(Clock clock) {
            this.clock = clock;
            return this;
        }

        /** Sets what wakes the queues; it stays the caller's. */
        public Builder timer(ScheduledExecutorService timer) {
            this.timer = timer;
            return this;
        }

        /** Makes the queues; they execute nothing before {@link CommandQueues#start}. */
        public CommandQueues build() {
            return new CommandQueues(this);
        }
    }
}
