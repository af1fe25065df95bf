package io.github.commandway.system;

import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.process.Pid;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Time: sleeping, timers that fire once and tickers that fire again and again. What fires goes to the process that started it, as a message with a {@link Tick}. The number of
 * sleepers, of timers and of tickers is limited.
 */
public final class ClockService implements SystemService {
    /** The id of {@link Sleep}. */
    public static final int SLEEP = 10;
    /** The id of {@link TickerStart}. */
    public static final int TICKER_START = 14;
    /** The id of {@link TickerStop}. */
    public static final int TICKER_STOP = 16;
    /** The id of {@link TimerStart}. */
    public static final int TIMER_START = 18;
    /** The id of {@link TimerWait}. */
    public static final int TIMER_WAIT = 19;
    /** The id of {@link TimerStop}. */
    public static final int TIMER_STOP = 20;
    /** The id of {@link TimerReset}. */
    public static final int TIMER_RESET = 21;
    /** The id of {@link TimerStopByChannel}. */
    public static final int TIMER_STOP_BY_CHANNEL = 22;
    /** The id of {@link TickerStopByChannel}. */
    public static final int TICKER_STOP_BY_CHANNEL = 23;

    /** The shortest time between two ticks. */
    public static final Duration SHORTEST_PERIOD = Duration.ofMillis(1);

    private static final Duration STOP_REMEMBERED = Duration.ofMinutes(5);

    private final ScheduledExecutorService timer;
    private final Clock clock;
    private final int limit;
    private final Set<Sleeper> sleepers = ConcurrentHashMap.newKeySet();
    private final Handles<Timer> timers;
    private final Handles<Ticker> tickers;
    private final Channels timerChannels = new Channels();
    private final Channels tickerChannels = new Channels();
    private volatile boolean closed;

    /**
     * @param timer stays the caller's; should remove what is cancelled from its queue, or a cancelled sleep takes room until it is over
     * @param limit how many sleepers, how many timers and how many tickers there may be at once
     */
    public ClockService(ScheduledExecutorService timer, Clock clock, int limit) {
        this.timer = timer;
        this.clock = clock;
        this.limit = limit;
        timers = new Handles<>("timer", limit, Timer::close);
        tickers = new Handles<>("ticker", limit, Ticker::close);
    }

    @Override
    public String name() {
        return "clock";
    }

    @Override
    public void registerAll(Registrar registrar) {
        registrar.register(SLEEP, (context, command, tag, receiver) -> sleep(context, (Sleep) command, tag, receiver));
        registrar.register(
                TICKER_START,
                (context, command, tag, receiver) -> startTicker(context, (TickerStart) command, tag, receiver));
        registrar.register(
                TICKER_STOP,
                (context, command, tag, receiver) ->
                        receiver.completeYield(tag, tickers.close(((TickerStop) command).ticker()), null));
        registrar.register(
                TIMER_START,
                (context, command, tag, receiver) -> startTimer(context, (TimerStart) command, tag, receiver));
        registrar.register(
                TIMER_WAIT,
                (context, command, tag, receiver) ->
                        timers.get(((TimerWait) command).timer()).await(context, new Completion(tag, receiver)));
        registrar.register(
                TIMER_STOP,
                (context, command, tag, receiver) ->
                        receiver.completeYield(tag, stopTimer(((TimerStop) command).timer()), null));
        registrar.register(TIMER_RESET, (context, command, tag, receiver) -> {
            TimerReset reset = (TimerReset) command;
            receiver.completeYield(tag, timers.get(reset.timer()).reset(nanos(reset.duration())), null);
        });
        registrar.register(TIMER_STOP_BY_CHANNEL, (context, command, tag, receiver) -> {
            Long id = timerChannels.stop(Caller.required(context).pid(), ((TimerStopByChannel) command).channel());
            receiver.completeYield(tag, id != null && stopTimer(id), null);
        });
        registrar.register(TICKER_STOP_BY_CHANNEL, (context, command, tag, receiver) -> {
            Long id = tickerChannels.stop(Caller.required(context).pid(), ((TickerStopByChannel) command).channel());
            receiver.completeYield(tag, id != null && tickers.close(id), null);
        });
    }

    @Override
    public void ended(Pid process) {
        timers.closeAll(process);
        tickers.closeAll(process);
    }

    @Override
    public void close() {
        closed = true;
        sleepers.forEach(Sleeper::shutDown);
        timers.close();
        tickers.close();
    }

    /** How many sleep, how many timers and how many tickers there are, added up. */
    public int active() {
        return sleepers.size() + timers.size() + tickers.size();
    }

    private void sleep(CommandContext context, Sleep command, long tag, ResultReceiver receiver) {
        long nanos = command.nanos;
        if (nanos <= 0) {
            receiver.completeYield(tag, null, null);
            return;
        }
        if (sleepers.size() >= limit) {
            throw new RejectedExecutionException("as many commands sleep as may (" + limit + ")");
        }
        Sleeper sleeper = new Sleeper(new Completion(tag, receiver));
        sleepers.add(sleeper);
        if (closed) {
            sleeper.shutDown();
            return;
        }
        try {
            sleeper.waiting = timer.schedule(sleeper, nanos, TimeUnit.NANOSECONDS);
        } catch (RejectedExecutionException e) {
            sleeper.shutDown();
            return;
        }
        sleeper.completion.endOnCancel(context, sleeper::forget);
    }

    private void startTimer(CommandContext context, TimerStart command, long tag, ResultReceiver receiver) {
        Caller caller =
                command.topic == null && command.channel == null ? Caller.of(context) : Caller.required(context);
        Timer started = new Timer(caller, command.topic, command.channel);
        long nanos = nanos(command.duration);
        timers.open(context, tag, receiver, started, id -> started.start(id, nanos));
    }

    private void startTicker(CommandContext context, TickerStart command, long tag, ResultReceiver receiver) {
        if (command.period.compareTo(SHORTEST_PERIOD) < 0) {
            throw new IllegalArgumentException(
                    "a ticker's period is at least " + SHORTEST_PERIOD + ", not " + command.period);
        }
        Ticker started = new Ticker(Caller.required(context), command.topic, command.channel);
        long nanos = nanos(command.period);
        tickers.open(context, tag, receiver, started, id -> started.start(id, nanos));
    }

    private boolean stopTimer(long id) {
        Timer stopped = timers.remove(id);
        return stopped != null && stopped.stop(new CancellationException("timer " + id + " was stopped"));
    }

    /** The same time in nanoseconds, or the longest there is: 292 years. */
    private static long nanos(Duration duration) {
        try {
            return duration.toNanos();
        } catch (ArithmeticException e) {
            return duration.isNegative() ? 0 : Long.MAX_VALUE;
        }
    }

    /** Completes with null when a time has passed; at once if it is zero or less. Pooled: taken with {@link #of}, and gone once it was released. */
    public static final class Sleep implements Command {
        private static final Pool<Sleep> POOL = new Pool<>();

        private long nanos;

        private Sleep() {}

        /** A command to sleep for this long. */
        public static Sleep of(Duration duration) {
            return ofNanos(ClockService.nanos(duration));
        }

        /** A command to sleep for so many nanoseconds. */
        public static Sleep ofNanos(long nanos) {
            Sleep command = POOL.poll();
            if (command == null) {
                command = new Sleep();
            }
            command.nanos = nanos;
            return command;
        }

        @Override
        public int commandId() {
            return SLEEP;
        }

        @Override
        public void release() {
            POOL.release(this);
        }
    }

    /**
     * The name that a process itself gives a timer or ticker, so that it can stop one before it was told its number.
     *
     * @param epoch which life of the process's own book-keeping {@code number} belongs to
     */
    public record Channel(long epoch, long number) {}

    /**
     * Sends the calling process a {@link Tick} on {@code topic} again and again. A tick that its mailbox has no room for is left out. Completes with the ticker's number, a Long.
     *
     * @param period at least {@link #SHORTEST_PERIOD}
     * @param channel a name by which it can be stopped, or null
     */
    public record TickerStart(
            String topic, Duration period, @Nullable Channel channel) implements Command {
        @Override
        public int commandId() {
            return TICKER_START;
        }
    }

    /** Stops a ticker. Completes with whether it was there. */
    public record TickerStop(long ticker) implements Command {
        @Override
        public int commandId() {
            return TICKER_STOP;
        }
    }

    /**
     * Starts a timer that fires once, at once if {@code duration} is zero or less. Completes with its number, a Long. With a topic the calling process gets a {@link Tick} when it
     * fires, and the timer is gone; without, it is kept until {@link TimerWait} has told of it.
     *
     * @param channel a name by which it can be stopped, or null
     */
    public record TimerStart(
            @Nullable String topic,
            Duration duration,
            @Nullable Channel channel) implements Command {
        @Override
        public int commandId() {
            return TIMER_START;
        }
    }

    /** Completes with the moment at which the timer fired, an Instant, and takes the timer away. Fails if the timer is stopped meanwhile. */
    public record TimerWait(long timer) implements Command {
        @Override
        public int commandId() {
            return TIMER_WAIT;
        }
    }

    /** Takes a timer away. Completes with whether it was stopped before it fired. */
    public record TimerStop(long timer) implements Command {
        @Override
        public int commandId() {
            return TIMER_STOP;
        }
    }

    /** Lets a timer fire after {@code duration} from now, at once if that is zero or less. Completes with whether it had still been waiting to fire. */
    public record TimerReset(long timer, Duration duration) implements Command {
        @Override
        public int commandId() {
            return TIMER_RESET;
        }
    }

    /**
     * Stops the calling process's timer of this name. Completes with whether it was stopped before it fired. If none of this name was started yet, its start will
     * fail, should it come within five minutes.
     */
    public record TimerStopByChannel(Channel channel) implements Command {
        @Override
        public int commandId() {
            return TIMER_STOP_BY_CHANNEL;
        }
    }

    /** The same as {@link TimerStopByChannel} for a ticker. */
    public record TickerStopByChannel(Channel channel) implements Command {
        @Override
        public int commandId() {
            return TICKER_STOP_BY_CHANNEL;
        }
    }

    /**
     * What a timer or ticker sends.
     *
     * @param source the number of the timer or ticker
     * @param count counts from 1; what is missing had no room in the mailbox
     * @param last whether nothing follows, as with a timer
     */
    public record Tick(long source, long count, Instant at, boolean last) {}

    private final class Sleeper implements Runnable {
        final Completion completion;
        volatile @Nullable ScheduledFuture<?> waiting;

        Sleeper(Completion completion) {
            this.completion = completion;
        }

        @Override
        public void run() {
            sleepers.remove(this);
            completion.complete(null);
        }

        void forget() {
            sleepers.remove(this);
            ScheduledFuture<?> present = waiting;
            if (present != null) {
                present.cancel(false);
            }
        }

        void shutDown() {
            forget();
            completion.fail(Completion.stopped(name()));
        }
    }

    /** The lock guards the fields that are not final. */
    private final class Timer {
        private final @Nullable Caller caller;
        private final @Nullable String topic;
        private final @Nullable Channel channel;
        private long id;
        private int armed;
        private boolean stopped;
        private @Nullable Instant firedAt;
        private @Nullable Completion waiter;
        private @Nullable ScheduledFuture<?> waiting;

        Timer(@Nullable Caller caller, @Nullable String topic, @Nullable Channel channel) {
            this.caller = caller;
            this.topic = topic;
            this.channel = channel;
        }

        synchronized Object start(long number, long nanos) {
            id = number;
            if (stopped) {
                return number;
            }
            if (caller != null && channel != null) {
                timerChannels.start(caller.pid(), channel, number);
            }
            arm(nanos);
            return number;
        }

        synchronized boolean reset(long nanos) {
            if (stopped) {
                throw new NoSuchElementException("there is no open timer " + id);
            }
            boolean wasActive = firedAt == null;
            if (waiting != null) {
                waiting.cancel(false);
            }
            firedAt = null;
            arm(nanos);
            return wasActive;
        }

        private void arm(long nanos) {
            int which = ++armed;
            waiting = timer.schedule(() -> fire(which), Math.max(0, nanos), TimeUnit.NANOSECONDS);
        }

        private void fire(int which) {
            Completion told;
            Instant at;
            synchronized (this) {
                if (stopped || which != armed) {
                    return;
                }
                at = clock.instant();
                firedAt = at;
                told = waiter == null || waiter.isDone() ? null : waiter;
                if (told == null && topic == null) {
                    return;
                }
                stopped = true;
            }
            forget();
            if (told != null) {
                told.complete(at);
            }
            if (topic != null && caller != null) {
                caller.send(topic, new Tick(id, 1, at, true));
            }
        }

        void await(CommandContext context, Completion completion) {
            Instant at;
            synchronized (this) {
                if (stopped) {
                    throw new NoSuchElementException("there is no open timer " + id);
                }
                at = firedAt;
                if (at != null) {
                    stopped = true;
                } else if (waiter != null && !waiter.isDone()) {
                    throw new IllegalStateException("another command waits for timer " + id + " already");
                } else {
                    waiter = completion;
                }
            }
            if (at != null) {
                forget();
                completion.complete(at);
            } else {
                completion.endOnCancel(context, () -> {});
            }
        }

        void close() {
            stop(
                    closed
                            ? Completion.stopped(name())
                            : new CancellationException("timer " + id + " ended with the process that started it"));
        }

        boolean stop(Throwable why) {
            Completion told;
            boolean wasActive;
            synchronized (this) {
                if (stopped) {
                    return false;
                }
                stopped = true;
                wasActive = firedAt == null;
                told = waiter;
                if (waiting != null) {
                    waiting.cancel(false);
                }
            }
            forget();
            if (told != null) {
                told.fail(why);
            }
            return wasActive;
        }

        private void forget() {
            timers.remove(id);
            if (caller != null && channel != null) {
                timerChannels.forget(caller.pid(), channel, id);
            }
        }
    }

    /** The lock guards the fields that are not final. */
    private final class Ticker {
        private final Caller caller;
        private final String topic;
        private final @Nullable Channel channel;
        private long id;
        private long count;
        private boolean stopped;
        private @Nullable ScheduledFuture<?> ticking;

        Ticker(Caller caller, String topic, @Nullable Channel channel) {
            this.caller = caller;
            this.topic = topic;
            this.channel = channel;
        }

        synchronized Object start(long number, long periodNanos) {
            id = number;
            if (stopped) {
                return number;
            }
            if (channel != null) {
                tickerChannels.start(caller.pid(), channel, number);
            }
            ticking = timer.scheduleAtFixedRate(this::tick, periodNanos, periodNanos, TimeUnit.NANOSECONDS);
            return number;
        }

        private void tick() {
            Tick tick;
            synchronized (this) {
                if (stopped) {
                    return;
                }
                tick = new Tick(id, ++count, clock.instant(), false);
            }
            caller.send(topic, tick);
        }

        void close() {
            synchronized (this) {
                stopped = true;
                if (ticking != null) {
                    ticking.cancel(false);
                }
            }
            if (channel != null) {
                tickerChannels.forget(caller.pid(), channel, id);
            }
        }
    }

    /** Who has which name, and which names were stopped before they were started. */
    private final class Channels {
        private final Map<Key, Long> started = new HashMap<>();
        private final LinkedHashMap<Key, Instant> stoppedBefore = new LinkedHashMap<>();

        synchronized void start(Pid caller, Channel channel, long id) {
            Key key = new Key(caller, channel);
            dropOld();
            if (stoppedBefore.remove(key) != null) {
                throw new IllegalStateException(channel + " was stopped before it was started");
            }
            Long other = started.putIfAbsent(key, id);
            if (other != null) {
                throw new IllegalStateException(channel + " was started already, with number " + other);
            }
        }

        synchronized @Nullable Long stop(Pid caller, Channel channel) {
            Key key = new Key(caller, channel);
            Long id = started.get(key);
            if (id == null) {
                dropOld();
                stoppedBefore.put(key, clock.instant().plus(STOP_REMEMBERED));
            }
            return id;
        }

        synchronized void forget(Pid caller, Channel channel, long id) {
            started.remove(new Key(caller, channel), id);
        }

        private void dropOld() {
            Instant now = clock.instant();
            Iterator<Instant> ends = stoppedBefore.values().iterator();
            while (ends.hasNext() && (!ends.next().isAfter(now) || stoppedBefore.size() > limit)) {
                ends.remove();
            }
        }
    }

    private record Key(Pid caller, Channel channel) {}
}
