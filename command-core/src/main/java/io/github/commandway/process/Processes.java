package io.github.commandway.process;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.process.ProcessException.Code;
import io.github.commandway.timing.DaemonThreads;
import io.github.commandway.timing.DeadlineWheel;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs processes on a few worker threads, and is where they are found: by pid, by name, in groups. Its commands, by which processes do all this to each other, are {@link ProcessCommands}
 * and {@link GroupCommands}.
 *
 * <p>Processes can be spawned before {@link #start}, and run from then on. All methods are safe for use by many threads; only {@link #close} and {@link #awaitTermination} block.
 */
public final class Processes implements Mail, AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Processes.class);
    private static final String SHUTDOWN = "shutdown";
    private static final Duration LAST_WAIT = Duration.ofSeconds(1);

    final Registry registry;
    final Scheduler scheduler;
    final Counters counters = new Counters();
    final DeadlineWheel<OpenYield.Expiry> deadlines;
    private final Clock clock;
    private final LongSupplier ticker;
    private final ScheduledExecutorService timer;
    private final boolean ownsTimer;
    private final int maxProcesses;
    private final Duration closeTimeout;
    private final ProcessGroups groups = new ProcessGroups(this);
    private final BodyThreads bodyThreads;

    private final ConcurrentHashMap<Pid, LiveProcess> alive = new ConcurrentHashMap<>();
    private final ConcurrentHashMap<String, LiveProcess> names = new ConcurrentHashMap<>();
    private final ConcurrentHashMap<String, ProcessListener> listeners = new ConcurrentHashMap<>();
    private final AtomicLong lastPid = new AtomicLong();

    /** Those that are alive and those that are being started. */
    private final AtomicInteger count = new AtomicInteger();

    private final CountDownLatch terminated = new CountDownLatch(1);
    private volatile boolean stopping;

    /** Guarded by this object's lock, as is starting. */
    private @Nullable ScheduledFuture<?> ticking;

    private Processes(Builder builder) {
        registry = builder.registry;
        clock = builder.clock;
        ticker = builder.ticker;
        ownsTimer = builder.timer == null;
        timer = builder.timer == null ? DaemonThreads.newTimer("commandway-process-timer") : builder.timer;
        maxProcesses = builder.maxProcesses;
        closeTimeout = builder.closeTimeout;
        deadlines = new DeadlineWheel<>(ticker.getAsLong());
        bodyThreads = new BodyThreads(builder.bodyThreads);
        scheduler = new Scheduler(
                "commandway-process", builder.workers, builder.blockedAfter.toNanos(), builder.maxBlockedWorkers);
    }

    /**
     * Starts to build.
     *
     * @param registry finds the handlers of what processes yield; it is frozen at {@link #start}
     */
    public static Builder builder(Registry registry) {
        return new Builder(registry);
    }

    /** Freezes the registry and starts the workers. Calling it again does nothing. */
    public synchronized void start() {
        if (ticking != null || terminated.getCount() == 0) {
            return;
        }
        registry.freeze();
        scheduler.start();
        ticking = timer.scheduleWithFixedDelay(
                this::tick, DeadlineWheel.TICK_NANOS, DeadlineWheel.TICK_NANOS, TimeUnit.NANOSECONDS);
    }

    @SuppressWarnings("IllegalCatch")
    private void tick() {
        try {
            long now = ticker.getAsLong();
            List<OpenYield.Expiry> due = new ArrayList<>();
            deadlines.expire(now, due);
            due.forEach(expiry -> expiry.yield.expire());
            scheduler.replaceBlocked(now);
        } catch (Throwable e) {
            log.error("the timer of the processes has failed; it goes on", e);
        }
    }

    void expireAfter(OpenYield yield, long timeoutNanos) {
        OpenYield.Expiry expiry = new OpenYield.Expiry(yield, clock.instant().plusNanos(timeoutNanos));
        yield.expiry = expiry;
        deadlines.schedule(expiry, ticker.getAsLong() + timeoutNanos);
    }

    /** Starts a process without ties to others. See {@link #spawn(Process, Object, SpawnOptions)}. */
    public Pid spawn(Process process) {
        return spawn(process, null, SpawnOptions.defaults());
    }

    /**
     * Starts a process: it gets its name and relations, is initialised in the calling thread, and then runs. If anything of this cannot be done nothing is left of it, but those who monitor
     * it are told of its failure.
     *
     * @param process is closed once, whatever happens
     * @param input what its {@link Process#init} gets
     * @throws ProcessException if it could not be started; its code says why
     */
    public Pid spawn(Process process, @Nullable Object input, SpawnOptions options) {
        LiveProcess live;
        try {
            live = prepare(process, options);
        } catch (ProcessException e) {
            counters.refused.increment();
            closeUnused(process);
            throw e;
        }
        String name = options.name();
        LiveProcess other = name == null ? null : names.putIfAbsent(name, live);
        if (other != null) {
            throw refuse(live, new ProcessException(Code.NAME_TAKEN, "'" + name + "' is the name of " + other.pid()));
        }
        begin(live, process, input, List.of());
        return live.pid();
    }

    /**
     * Starts a process under a name, or signals the one that has it. Whoever of several callers is first starts it.
     *
     * @param process is called only if there is none with this name
     * @param options must have a name; parent, monitor and link hold for the existing process too
     * @param signals are sent to the process, whichever it is, in this order
     * @return the pid of the new or the existing one
     * @throws ProcessException if it could not be started, or the mailbox of the existing one is full
     */
    public Pid spawnOrSignal(
            Supplier<? extends Process> process, @Nullable Object input, SpawnOptions options, List<Message> signals) {
        String name = options.name();
        if (name == null) {
            throw new IllegalArgumentException("spawnOrSignal needs a name");
        }
        for (; ; ) {
            LiveProcess present = names.get(name);
            if (present == null) {
                Process created = process.get();
                LiveProcess live;
                try {
                    live = prepare(created, options);
                } catch (ProcessException e) {
                    counters.refused.increment();
                    closeUnused(created);
                    throw e;
                }
                present = names.putIfAbsent(name, live);
                if (present == null) {
                    begin(live, created, input, signals);
                    return live.pid();
                }
                refuse(live, new ProcessException(Code.NAME_TAKEN, "'" + name + "' is the name of " + present.pid()));
            }
            if (signal(present, options, signals)) {
                return present.pid();
            }
            // it has just ended; whoever ends it may not have come to its name yet
            names.remove(name, present);
        }
    }

    private boolean signal(LiveProcess present, SpawnOptions options, List<Message> signals) {
        try {
            relateToParent(present, options);
        } catch (ProcessException e) {
            if (present.isOver()) {
                return false;
            }
            throw e;
        }
        for (Message signal : signals) {
            if (!present.send(signal)) {
                if (present.isOver()) {
                    return false;
                }
                throw new ProcessException(Code.MAILBOX_FULL, "the mailbox of " + present.pid() + " is full");
            }
        }
        return !signals.isEmpty() || !present.isOver();
    }

    /** Starts plain code that blocks while its commands are executed, in a thread of its own. See {@link ProcessBody}. */
    public Pid spawn(ProcessBody body) {
        return spawn(body, SpawnOptions.defaults());
    }

    /**
     * Starts plain code that blocks while its commands are executed: in a virtual thread where the JVM has them, otherwise in one of a bounded number of platform threads.
     *
     * @throws ProcessException if it could not be started; {@link Code#TOO_MANY} also if there is no thread left
     */
    public Pid spawn(ProcessBody body, SpawnOptions options) {
        return spawn(new BlockingProcess(this, bodyThreads, body), null, options);
    }

    private LiveProcess prepare(Process process, SpawnOptions options) {
        if ((options.isMonitored() || options.isLinked()) && options.parent() == null) {
            throw new IllegalArgumentException("to be monitored or linked a process needs a parent");
        }
        if (stopping) {
            throw new ProcessException(Code.STOPPING, "no process is started any more");
        }
        int before;
        do {
            before = count.get();
            if (before >= maxProcesses) {
                throw new ProcessException(Code.TOO_MANY, "there are " + before + " processes, which is the limit");
            }
        } while (!count.compareAndSet(before, before + 1));
        LiveProcess live = new LiveProcess(this, lastPid.incrementAndGet(), process, options, clock.millis());
        alive.put(live.pid(), live);
        return live;
    }

    private void closeUnused(Process process) {
        new LiveProcess(this, 0, process, SpawnOptions.defaults(), 0).close(process);
    }

    /** Ends what never became known to anybody. */
    private ProcessException refuse(LiveProcess live, ProcessException why) {
        counters.refused.increment();
        live.end(why);
        return why;
    }

    @SuppressWarnings("IllegalCatch")
    private void begin(LiveProcess live, Process process, @Nullable Object input, List<Message> signals) {
        try {
            String name = live.options.name();
            if (name != null) {
                live.relate(own -> own.names.add(name));
            }
            if (stopping) {
                // it may have been missed when the others were asked to end
                throw new ProcessException(Code.STOPPING, "no process is started any more");
            }
            relateToParent(live, live.options);
            live.announced = true;
            for (ProcessListener listener : listeners.values()) {
                listener.onStart(live.pid(), process);
            }
            live.init(input);
            for (Message signal : signals) {
                live.send(signal);
            }
        } catch (Throwable e) {
            ProcessException failure = e instanceof ProcessException own
                    ? own
                    : new ProcessException(Code.START_FAILED, live.pid() + " could not be started: " + e, e);
            throw refuse(live, failure);
        }
        counters.spawned.increment();
        live.startedWell = true;
        scheduler.run(live);
    }

    private void relateToParent(LiveProcess child, SpawnOptions options) {
        Pid parent = options.parent();
        if (parent != null && options.isMonitored()) {
            monitor(parent, child.pid());
        }
        if (parent != null && options.isLinked()) {
            link(parent, child.pid());
        }
    }

    /** Called once for each process that was given a pid, by whoever owned it last. */
    void ended(LiveProcess live, @Nullable Relations former, Exit exit) {
        String name = live.options.name();
        if (name != null) {
            names.remove(name, live);
        }
        if (former != null) {
            former.names.forEach(own -> names.remove(own, live));
            if (former.inGroups) {
                groups.leaveAll(live);
            }
        }
        alive.remove(live.pid(), live);
        count.decrementAndGet();
        if (live.startedWell) {
            (exit.error() == null ? counters.done : counters.failed).increment();
        }
        if (former != null) {
            tellRelations(live, former, exit);
        }
        if (live.announced) {
            listeners.values().forEach(listener -> tell(listener::onExit, exit));
        }
        Consumer<Exit> onExit = live.options.onExit();
        if (onExit != null) {
            tell(onExit, exit);
        }
        endIfLast();
    }

    private void tellRelations(LiveProcess live, Relations former, Exit exit) {
        former.watched.forEach(target -> target.unrelate(theirs -> theirs.watchers.remove(live)));
        for (LiveProcess watcher : former.watchers) {
            watcher.unrelate(theirs -> theirs.watched.remove(live));
            watcher.tell(Signal.exit(exit));
        }
        for (LiveProcess peer : former.linked) {
            peer.unrelate(theirs -> theirs.linked.remove(live));
            if (exit.error() != null) {
                peer.tell(Signal.linkDown(exit));
            }
        }
        Consumer<CancelCause> action = former.cancelAction;
        if (action != null) {
            tell(action, stopping ? CancelCause.SHUTDOWN : CancelCause.REQUESTED);
        }
    }

    @SuppressWarnings("IllegalCatch")
    private static <T> void tell(Consumer<T> action, T what) {
        try {
            action.accept(what);
        } catch (Throwable e) {
            log.warn("what was to be done at the end of a process has failed: {}", what, e);
        }
    }

    @SuppressWarnings("IllegalCatch")
    void release(Command command) {
        try {
            command.release();
        } catch (Throwable e) {
            log.warn("releasing {} has failed", command, e);
        }
    }

    @Override
    public boolean send(Pid to, Message message) {
        LiveProcess live = alive.get(to);
        if (live != null && live.send(message)) {
            return true;
        }
        counters.messagesRefused.increment();
        return false;
    }

    /**
     * Ends a process at once: a step that is being made is finished, but none follows.
     *
     * @return false if there is none
     */
    public boolean terminate(Pid pid) {
        LiveProcess live = alive.get(pid);
        return live != null && live.terminate();
    }

    /**
     * Asks a process to come to its end by itself; it sees {@link Event.Kind#CANCEL}.
     *
     * @param from who wants it, or null if that is no process
     * @param reason for people
     * @return false if there is none
     */
    public boolean cancel(Pid pid, @Nullable Pid from, String reason) {
        LiveProcess live = alive.get(pid);
        return live != null && live.cancel(from, reason);
    }

    /**
     * Has another code go on under the pid of a process, before its next step; see {@link StepOutput#upgrade}. If the new one cannot be initialised the old one goes on.
     *
     * @param next is closed once, whatever happens
     * @return completes when it is done; fails with a {@link ProcessException} if it could not be
     */
    public CompletableFuture<@Nullable Void> upgrade(Pid pid, Process next, @Nullable Object input) {
        CompletableFuture<@Nullable Void> done = new CompletableFuture<>();
        LiveProcess live = alive.get(pid);
        if (live == null || !live.requestUpgrade(new Control.Upgrade(next, input, done))) {
            closeUnused(next);
            done.completeExceptionally(notFound(pid));
        }
        return done;
    }

    private static ProcessException notFound(Pid pid) {
        return new ProcessException(Code.NOT_FOUND, "there is no " + pid);
    }

    private LiveProcess get(Pid pid) {
        LiveProcess live = alive.get(pid);
        if (live == null) {
            throw notFound(pid);
        }
        return live;
    }

    /**
     * The watcher is told how the target ends. Doing it again changes nothing.
     *
     * @throws ProcessException {@link Code#NOT_FOUND} if one of them is not alive
     */
    public void monitor(Pid watcher, Pid target) {
        relate(
                get(watcher),
                get(target),
                (one, other) -> one.watched.add(other),
                (one, other) -> one.watchers.add(other));
    }

    /** Undoes that. An exit that is already on its way still arrives. */
    public void unmonitor(Pid watcher, Pid target) {
        unrelate(
                watcher, target, (one, other) -> one.watched.remove(other), (one, other) -> one.watchers.remove(other));
    }

    /**
     * If one of the two fails, so does the other. Doing it again changes nothing.
     *
     * @throws ProcessException {@link Code#NOT_FOUND} if one of them is not alive
     */
    public void link(Pid one, Pid other) {
        relate(get(one), get(other), (a, b) -> a.linked.add(b), (a, b) -> a.linked.add(b));
    }

    /** Undoes that. A failure that is already on its way still arrives. */
    public void unlink(Pid one, Pid other) {
        unrelate(one, other, (a, b) -> a.linked.remove(b), (a, b) -> a.linked.remove(b));
    }

    private static void relate(LiveProcess one, LiveProcess other, Tie ofOne, Tie ofOther) {
        if (one == other) {
            throw new IllegalArgumentException(one.pid() + " cannot be tied to itself");
        }
        boolean inOrder = one.pid().value() < other.pid().value();
        synchronized (inOrder ? one : other) {
            synchronized (inOrder ? other : one) {
                if (!one.relate(own -> ofOne.change(own, other))) {
                    throw notFound(one.pid());
                }
                if (!other.relate(own -> ofOther.change(own, one))) {
                    one.unrelate(own -> {
                        own.watched.remove(other);
                        own.linked.remove(other);
                    });
                    throw notFound(other.pid());
                }
            }
        }
    }

    private void unrelate(Pid one, Pid other, Tie ofOne, Tie ofOther) {
        LiveProcess first = alive.get(one);
        LiveProcess second = alive.get(other);
        if (first != null && second != null) {
            first.unrelate(own -> ofOne.change(own, second));
            second.unrelate(own -> ofOther.change(own, first));
        }
    }

    /**
     * Gives a process one more name. Doing it again changes nothing.
     *
     * @throws ProcessException {@link Code#NAME_TAKEN} if another one has it, {@link Code#NOT_FOUND} if the process is not alive
     */
    public void register(String name, Pid pid) {
        LiveProcess live = get(pid);
        LiveProcess other = names.putIfAbsent(name, live);
        if (other != null && other != live) {
            throw new ProcessException(Code.NAME_TAKEN, "'" + name + "' is the name of " + other.pid());
        }
        if (other == null && !live.relate(own -> own.names.add(name))) {
            names.remove(name, live);
            throw notFound(pid);
        }
    }

    /**
     * Takes a name away.
     *
     * @return false if nobody had it
     */
    public boolean unregister(String name) {
        LiveProcess live = names.remove(name);
        if (live != null) {
            live.unrelate(own -> own.names.remove(name));
        }
        return live != null;
    }

    /** Who has a name. */
    public Optional<Pid> lookup(String name) {
        return Optional.ofNullable(names.get(name)).map(LiveProcess::pid);
    }

    /** The groups of processes. */
    public ProcessGroups groups() {
        return groups;
    }

    /** Has somebody told of starts and ends, from now on. One with the same name is replaced. */
    public void addListener(String name, ProcessListener listener) {
        listeners.put(name, listener);
    }

    /** Undoes that. */
    public void removeListener(String name) {
        listeners.remove(name);
    }

    /** What is known of a process. */
    public Optional<ProcessInfo> find(Pid pid) {
        return Optional.ofNullable(alive.get(pid)).map(LiveProcess::info);
    }

    /** What is known of all processes that are alive, in the order of their pids. */
    public List<ProcessInfo> list() {
        return alive.values().stream()
                .map(LiveProcess::info)
                .sorted((a, b) -> a.pid().compareTo(b.pid()))
                .toList();
    }

    /** The figures. */
    public ProcessStats stats() {
        return new ProcessStats(
                scheduler.size(),
                count.get(),
                scheduler.ready(),
                counters.spawned.sum(),
                counters.done.sum(),
                counters.failed.sum(),
                counters.refused.sum(),
                scheduler.steps(),
                scheduler.stolen(),
                scheduler.replacements(),
                counters.expired.sum(),
                counters.abandoned.sum(),
                counters.late.sum(),
                counters.repeated.sum(),
                counters.messagesRefused.sum(),
                counters.messagesLost.sum());
    }

    @Nullable LiveProcess live(Pid pid) {
        return alive.get(pid);
    }

    boolean isStopping() {
        return stopping;
    }

    /** Starts no more processes, and asks all that are alive to come to their end. They can still yield what they need for that. */
    public void shutdown() {
        stopping = true;
        start();
        Collection<LiveProcess> all = alive.values();
        all.forEach(live -> live.cancel(null, SHUTDOWN));
        endIfLast();
    }

    /** The same, and terminates them. */
    public void shutdownNow() {
        shutdown();
        alive.values().forEach(LiveProcess::terminate);
    }

    private void endIfLast() {
        if (stopping && count.get() == 0) {
            terminated.countDown();
        }
    }

    /**
     * Waits until all processes have ended after {@link #shutdown}.
     *
     * @return false if the time is over before that
     */
    public boolean awaitTermination(Duration timeout) throws InterruptedException {
        return terminated.await(timeout.toNanos(), TimeUnit.NANOSECONDS);
    }

    /**
     * Ends all processes and the workers: asks, waits for the close timeout, and then terminates what is left. A step that does not return even when its thread is interrupted is left behind, in a thread that does
     * not keep the JVM alive.
     */
    @Override
    public void close() {
        shutdown();
        boolean interrupted = false;
        try {
            if (!awaitTermination(closeTimeout)) {
                shutdownNow();
            }
        } catch (InterruptedException e) {
            interrupted = true;
            shutdownNow();
        }
        try {
            if (!awaitTermination(LAST_WAIT)) {
                scheduler.interrupt();
                awaitTermination(LAST_WAIT);
            }
            stopTicking();
            scheduler.stop();
            if (!scheduler.join(LAST_WAIT)) {
                log.error("a step of a process does not return");
            }
            // nobody runs these any more
            alive.values().stream()
                    .filter(live -> !scheduler.isRunning(live))
                    .forEach(live -> live.end(
                            new ProcessException(Code.TERMINATED, live.pid() + " was terminated with its scheduler")));
        } catch (InterruptedException e) {
            interrupted = true;
            stopTicking();
            scheduler.stop();
        }
        bodyThreads.close();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private synchronized void stopTicking() {
        if (ticking != null) {
            ticking.cancel(false);
        }
        if (ownsTimer) {
            timer.shutdown();
        }
    }

    /** A change of what ties one process to another. */
    @FunctionalInterface
    private interface Tie {
        void change(Relations own, LiveProcess other);
    }

    /**
     * Defaults: as many workers as processors, 1,000,000 processes, a worker counts as blocked after 500 ms in one step and is replaced at most 64 times at once, 1,000 platform threads
     * for blocking bodies on a JVM without virtual ones, 10 s to close, the system's clocks, a timer thread of its own.
     */
    public static final class Builder {
        private final Registry registry;
        private int workers = Runtime.getRuntime().availableProcessors();
        private int maxProcesses = 1_000_000;
        private Duration blockedAfter = Duration.ofMillis(500);
        private int maxBlockedWorkers = 64;
        private int bodyThreads = 1_000;
        private Duration closeTimeout = Duration.ofSeconds(10);
        private Clock clock = Clock.systemUTC();
        private LongSupplier ticker = System::nanoTime;
        private @Nullable ScheduledExecutorService timer;

        private Builder(Registry registry) {
            this.registry = registry;
        }

        /** How many threads run processes at a time. */
        public Builder workers(int threads) {
            workers = atLeastOne(threads, "workers");
            return this;
        }

        /** How many processes there may be; a further one is refused. */
        public Builder maxProcesses(int processes) {
            maxProcesses = atLeastOne(processes, "processes");
            return this;
        }

        /** After how long in one step, with others waiting, the place of a worker is given to another thread. */
        public Builder blockedAfter(Duration time) {
            blockedAfter = time;
            return this;
        }

        /** How many workers may be blocked before no more are added. */
        public Builder maxBlockedWorkers(int threads) {
            if (threads < 0) {
                throw new IllegalArgumentException("not a number of threads: " + threads);
            }
            maxBlockedWorkers = threads;
            return this;
        }

        /** How many blocking bodies may run at a time where there are no virtual threads; a further one is refused. */
        public Builder bodyThreads(int threads) {
            bodyThreads = atLeastOne(threads, "threads");
            return this;
        }

        /** How long {@link #close} lets processes end by themselves. */
        public Builder closeTimeout(Duration time) {
            closeTimeout = time;
            return this;
        }

        /** Tells the time of day. */
        public Builder clock(Clock ofDay) {
            clock = ofDay;
            return this;
        }

        /** Counts nanoseconds, like {@link System#nanoTime}. */
        public Builder ticker(LongSupplier nanos) {
            ticker = nanos;
            return this;
        }

        /** Fires deadlines and looks after blocked workers, every 16 ms. It stays the caller's. */
        public Builder timer(ScheduledExecutorService executor) {
            timer = executor;
            return this;
        }

        private static int atLeastOne(int number, String what) {
            if (number < 1) {
                throw new IllegalArgumentException("at least one is needed, not " + number + " " + what);
            }
            return number;
        }

        /** Nothing runs yet: see {@link Processes#start}. */
        public Processes build() {
            return new Processes(this);
        }
    }
}
