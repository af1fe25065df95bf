package io.github.commandway.manager;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Handler;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.manager.CancelResult.Outcome;
import io.github.commandway.manager.CommandRejectedException.Code;
import io.github.commandway.timing.DaemonThreads;
import io.github.commandway.timing.DeadlineWheel;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Accepts commands, records them, gives them to the handlers of the {@link Registry}, and ends each one in exactly one way: with the
 * outcome that its handler reports, or when its time is over, or because it was cancelled, whichever comes first. What a handler
 * reports after that is counted ({@link ManagerStats#dropped}).
 *
 * <p>All methods are safe for use by many threads, and none blocks except {@link #awaitTermination} and {@link #close}. Handlers, listeners and end actions
 * are called in the thread that brings the news, without any lock held.
 */
public final class CommandManager implements ResultReceiver, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(CommandManager.class);
    private static final long PURGE_EVERY_TICKS = 50;
    private static final int ADOPTED_AT_ONCE = 500;
    private static final byte[] NO_BYTES = {};
    private static final CompletableFuture<Boolean> WRITTEN = CompletableFuture.completedFuture(true);
    private static final String NO_HANDLER = "nothing is registered here that handles commands to ";
    private static final String CANCELLED_WAITING = "cancelled before it was handed over";
    private static final String STOPPED_BEFORE = "the server stopped before it was handed over";

    /** When an end that could not be written is written again first, and how long there is between two tries at most. */
    private static final Duration FIRST_REWRITE = Duration.ofSeconds(1);

    private static final Duration LAST_REWRITE = Duration.ofSeconds(30);

    private final Registry registry;
    private final CommandStore store;
    private final IdGenerator ids;
    private final Clock clock;
    private final LongSupplier ticker;
    private final LongSupplier random;
    private final int maxPayloadBytes;
    private final Admission admission;
    private final Tally tally = new Tally();
    private final EventDelivery events;
    private final ScheduledExecutorService timer;
    private final boolean ownsTimer;
    private final ScheduledFuture<?> ticking;

    private final PromiseTable promises = new PromiseTable();

    /** Open commands that are this server's and were not submitted to it since it started: so the store knows no tag of theirs. */
    private final Map<RecordId, LiveCommand> guests = new ConcurrentHashMap<>();

    private final DeadlineWheel<LiveCommand> deadlines;
    private final Followers followers;
    private final AtomicLong tags = new AtomicLong();
    private final AtomicBoolean adopting = new AtomicBoolean();
    private volatile boolean shutdownNow;
    private volatile boolean recovered;
    private volatile Consumer<String> queueListener = queue -> {};
    private long ticks;

    private CommandManager(Builder builder) {
        registry = builder.registry;
        clock = builder.clock;
        ticker = builder.ticker;
        random = builder.random;
        store = builder.store == null ? new InMemoryCommandStore(clock) : builder.store;
        ids = builder.ids == null ? IdGenerator.uuidV7(clock, random) : builder.ids;
        maxPayloadBytes = builder.maxPayloadBytes;
        admission = new Admission(builder.maxOpen, builder.maxOpenBytes);
        events = new EventDelivery(builder.listeners);
        ownsTimer = builder.timer == null;
        timer = builder.timer == null ? DaemonThreads.newTimer("commandway-timer") : builder.timer;
        deadlines = new DeadlineWheel<>(ticker.getAsLong());
        followers = new Followers(store, promises, deadlines, tags::incrementAndGet, this::live, this::release);
        registry.freeze();
        store.listen(new Elsewhere());
        ticking = timer.scheduleWithFixedDelay(
                this::tick, DeadlineWheel.TICK_NANOS, DeadlineWheel.TICK_NANOS, TimeUnit.NANOSECONDS);
    }

    /** Starts to build a manager for the handlers in {@code registry}, which is frozen when the manager is built. */
    public static Builder builder(Registry registry) {
        return new Builder(registry);
    }

    /** A manager with the defaults that {@link Builder} lists. */
    public static CommandManager ofDefaults(Registry registry) {
        return builder(registry).build();
    }

    /**
     * Records a command and has it executed.
     *
     * @return completes when the command is recorded, in the calling thread if the store is in memory. Fails with {@link CommandRejectedException} if the command
     *     was not accepted; then nothing was recorded and nothing will run. With an idempotency key that was used for the same
     *     request before, it completes with the earlier command ({@link CommandHandle#isRepeated}).
     */
    public CompletableFuture<CommandHandle> submit(CommandRequest request) {
        return submit(request, ids, null);
    }

    /**
     * The same with an id of another form, and with something else to be written in the same transaction.
     *
     * @param ids makes the id
     * @param companion what the store writes together with the record, or null; only durable stores take one
     */
    public CompletableFuture<CommandHandle> submit(
            CommandRequest request, IdGenerator ids, @Nullable Companion companion) {
        CommandRequest admitted;
        try {
            admitted = admit(request);
        } catch (CommandRejectedException e) {
            tally.rejected.increment();
            return CompletableFuture.failedFuture(e);
        }
        LiveCommand command;
        CompletableFuture<CommandStore.Creation> creation;
        try {
            command = new LiveCommand(ids.next(), admitted, tags.incrementAndGet(), clock.millis());
            events.announce(command, 1, CommandEvent.Type.PENDING, command.createdAtMillis);
            // before it can be found in the store, so that whoever finds the record finds the promise too
            promises.put(command);
            creation = create(command, companion);
        } catch (RuntimeException e) {
            admission.release(admitted);
            throw e;
        }
        if (creation.isDone() && !creation.isCompletedExceptionally()) {
            return accepted(command, creation.join());
        }
        return creation.handle((created, error) -> error == null
                        ? accepted(command, created)
                        : CompletableFuture.<CommandHandle>failedFuture(notRecorded(command, error)))
                .thenCompose(answer -> answer);
    }

    private CompletableFuture<CommandStore.Creation> create(LiveCommand command, @Nullable Companion companion) {
        try {
            return store.create(command, companion);
        } catch (RuntimeException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private CommandRejectedException notRecorded(LiveCommand command, Throwable error) {
        Throwable cause = CommandException.unwrap(error);
        tally.storeFailures.increment();
        tally.rejected.increment();
        forget(command);
        return new CommandRejectedException(
                Code.STORE_FAILED, "the command could not be recorded: " + cause.getMessage(), cause);
    }

    /** Undoes what a submit has begun for a command that was not recorded. */
    private void forget(LiveCommand command) {
        promises.remove(command.tag);
        guests.remove(command.id, command);
        admission.release(command.request);
    }

    /** Takes room for one command, or refuses. */
    private CommandRequest admit(CommandRequest request) throws CommandRejectedException {
        admission.requireOpen();
        int size = request.payload().length;
        if (size > maxPayloadBytes) {
            throw new CommandRejectedException(
                    Code.PAYLOAD_TOO_LARGE, "the payload has " + size + " bytes; the most is " + maxPayloadBytes);
        }
        Handler handler = registry.get(request.target().commandId());
        if (handler == null) {
            throw new CommandRejectedException(Code.UNKNOWN_COMMAND, NO_HANDLER + request.target());
        }
        CommandRequest admitted = handler instanceof QueueingHandler queueing ? queueing.admit(request) : request;
        admission.take(request);
        return admitted;
    }

    private CompletableFuture<CommandHandle> accepted(LiveCommand command, CommandStore.Creation creation) {
        if (creation.existing().isPresent()) {
            forget(command);
            CommandRecord earlier = creation.existing().get();
            return creation.isOccupied() ? occupied(earlier) : repeated(command.request, earlier);
        }
        tally.accepted.increment();
        synchronized (command) {
            command.mark(LiveCommand.RECORDED);
            // it may have been found in the store, and cancelled or claimed, by now
            if (!command.status.isTerminal() && command.sentAtMillis == 0) {
                scheduleDeadline(command);
            }
        }
        events.deliver(command);
        if (shutdownNow) {
            // which passed over this one if it was not recorded then
            endByShutdown(command);
        } else {
            dispatch(command);
        }
        return CompletableFuture.completedFuture(command);
    }

    /** Has the command looked at when its time is over. Its lock is held. */
    private void scheduleDeadline(LiveCommand command) {
        long nanos = ticker.getAsLong();
        if (command.sentAtMillis != 0 || command.notBeforeMillis() != 0) {
            nanos += Math.max(
                    0, Duration.between(clock.instant(), command.deadline()).toNanos());
        } else {
            nanos += command.request.ttl().toNanos();
        }
        deadlines.cancel(command);
        command.deadlineNanos(nanos);
        deadlines.schedule(command, nanos);
    }

    private CompletableFuture<CommandHandle> occupied(CommandRecord holder) {
        tally.rejected.increment();
        return CompletableFuture.failedFuture(new CommandRejectedException(
                Code.EXCLUSIVE_KEY_TAKEN,
                "command " + holder.id() + " has the same exclusive key and has not ended; wait for it, or cancel it",
                holder));
    }

    private CompletableFuture<CommandHandle> repeated(CommandRequest request, CommandRecord earlier) {
        if (!earlier.request().isSameAs(request)) {
            tally.rejected.increment();
            return CompletableFuture.failedFuture(new CommandRejectedException(
                    Code.IDEMPOTENCY_CONFLICT,
                    "the idempotency key was used for another request, command " + earlier.id() + "; use a new key",
                    earlier));
        }
        LiveCommand live = live(earlier.id(), earlier.tag());
        if (live != null || earlier.status().isTerminal()) {
            return CompletableFuture.completedFuture(new RepeatedHandle(earlier, live));
        }
        // it ended after the store had looked, or is not here
        return store.find(earlier.id()).thenApply(now -> {
            CommandRecord found = now.orElse(earlier);
            return new RepeatedHandle(found, found.status().isTerminal() ? null : followers.follow(found));
        });
    }

    private void dispatch(LiveCommand command) {
        Handler handler = registry.get(command.commandId());
        if (handler == null) {
            end(
                    command,
                    command.tag,
                    CommandStatus.FAILED,
                    Reason.UNKNOWN_COMMAND,
                    NO_HANDLER + command.request.target(),
                    null);
        } else if (handler instanceof QueueingHandler) {
            call(handler, command);
        } else {
            begin(handler, command);
        }
    }

    /** Calls the handler once it is recorded that the command has begun: otherwise it might run again after a crash. */
    private void begin(Handler handler, LiveCommand command) {
        CompletableFuture<Boolean> written;
        synchronized (command) {
            long now = clock.millis();
            if (!recordHandOver(command, now)) {
                return;
            }
            written = recordStart(command, now);
        }
        events.deliver(command);
        if (isWritten(written)) {
            call(handler, command);
            return;
        }
        written.whenComplete((ok, error) -> {
            if (error != null) {
                String problem = "it was not begun, since that could not be recorded: "
                        + CommandException.unwrap(error).getMessage();
                end(command, command.tag, CommandStatus.FAILED, Reason.EXECUTOR_ERROR, problem, null);
            } else if (ok) {
                call(handler, command);
            } else {
                becomeWhatIsRecorded(command);
            }
        });
    }

    @SuppressWarnings("IllegalCatch")
    private void call(Handler handler, LiveCommand command) {
        long tag = command.tag;
        try {
            handler.handle(command.context(), command, tag, this);
        } catch (Throwable e) {
            if (e instanceof InterruptedException) {
                Thread.currentThread().interrupt();
            }
            LOG.warn("handler of {} threw", command, e);
            completeYield(tag, null, e);
        }
    }

    /**
     * Takes commands out of a queue, to be executed here. What it returns is executed by whoever called this, and ended through this manager.
     *
     * @param limit how many at most, from 1
     * @param concurrency how many commands of this queue may be handed over and open at a time, over all servers that share it; from 1
     * @param begun whether they count as begun from now on; otherwise {@link #started} says so later
     * @param types only commands of these types; null for all
     * @return completes when the hand-over is recorded
     */
    public CompletableFuture<QueueClaim> claim(
            String queue, int limit, int concurrency, boolean begun, @Nullable Set<String> types) {
        return store.queues().claim(queue, limit, concurrency, begun, types).thenApply(claims -> {
            List<QueueClaim.Claimed> claimed = new ArrayList<>(claims.records().size());
            for (CommandRecord record : claims.records()) {
                claimed.add(claimed(record));
            }
            return new QueueClaim(claimed, claims.nextDue());
        });
    }

    private QueueClaim.Claimed claimed(CommandRecord record) {
        LiveCommand command = own(record);
        synchronized (command) {
            scheduleDeadline(command);
            if (record.startedAt() != null) {
                events.announce(command, command.lastSequence - 1, CommandEvent.Type.SENT, command.sentAtMillis);
                events.announce(command, command.lastSequence, CommandEvent.Type.EXECUTING, command.startedAtMillis);
            } else {
                events.announce(command, command.lastSequence, CommandEvent.Type.SENT, command.sentAtMillis);
            }
        }
        events.deliver(command);
        return new QueueClaim.Claimed(command.context(), command, command.tag);
    }

    /** The command of a record that belongs to this server from now on. */
    private LiveCommand own(CommandRecord record) {
        LiveCommand live = live(record.id(), record.tag());
        if (live == null) {
            LiveCommand follower = followers.remove(record.id());
            live = follower == null ? new LiveCommand(record, tags.incrementAndGet()) : follower;
            admission.takeAnyway(record.request());
            promises.put(live);
            guests.put(live.id, live);
        }
        synchronized (live) {
            live.mark(LiveCommand.RECORDED);
            live.owned = true;
            live.take(record);
        }
        return live;
    }

    /** What is in queues, and the means to pause them. */
    public QueueStore queues() {
        return store.queues();
    }

    /** Sets who is told, with the name of a queue, when commands may be waiting in it that were not submitted here. It must not block. */
    public void onQueueWork(Consumer<String> listener) {
        queueListener = listener;
    }

    /**
     * Takes up what an earlier run of this server, or a server that is gone, left open: hands over what was not, resumes what was if its handler can, and applies the deadlines
     * that have passed meanwhile. Called once, when the handlers are ready; from then on it also looks after what other servers leave behind.
     *
     * @return completes with the number of commands that were taken up
     */
    public CompletableFuture<Integer> recover() {
        recovered = true;
        return adopt(0);
    }

    private CompletableFuture<Integer> adopt(int before) {
        return store.adopt(ADOPTED_AT_ONCE).thenCompose(records -> {
            records.forEach(this::adopt);
            int sum = before + records.size();
            return records.size() < ADOPTED_AT_ONCE ? CompletableFuture.completedFuture(sum) : adopt(sum);
        });
    }

    private void adopt(CommandRecord record) {
        LiveCommand command = own(record);
        synchronized (command) {
            scheduleDeadline(command);
        }
        Handler handler = registry.get(command.commandId());
        if (record.sentAt() != null) {
            if (handler instanceof QueueingHandler queueing) {
                queueing.resume(command.context(), command, command.tag, this);
                if (record.cancelRequested()) {
                    runCancelAction(command, command.tag, CancelCause.REQUESTED);
                }
            } else {
                end(command, command.tag, CommandStatus.FAILED, Reason.LOST, QueueingHandler.LOST, null);
            }
        } else if (record.cancelRequested()) {
            end(command, command.tag, CommandStatus.CANCELLED, Reason.CANCELLED_BEFORE_START, CANCELLED_WAITING, null);
        } else if (command.deadline().isAfter(clock.instant())) {
            dispatch(command);
        } else {
            end(command, command.tag, CommandStatus.TIMEOUT, Reason.QUEUE_TIMEOUT, notHandedOver(command), null);
        }
    }

    @Override
    public boolean handOver(long tag) {
        LiveCommand command = promises.get(tag);
        if (command == null) {
            tally.dropped.increment();
            return false;
        }
        boolean handedOver;
        synchronized (command) {
            handedOver = command.tag == tag && recordHandOver(command, clock.millis());
        }
        events.deliver(command);
        return handedOver;
    }

    private boolean recordHandOver(LiveCommand command, long nowMillis) {
        if (command.status.isTerminal() || !command.owned || command.cancelCause() != null) {
            return false;
        }
        if (command.sentAtMillis == 0) {
            recordSent(command, nowMillis);
        }
        return true;
    }

    private void recordSent(LiveCommand command, long nowMillis) {
        command.sentAtMillis = nowMillis;
        changed(command, CommandStatus.PENDING, CommandEvent.Type.SENT, command.sentAtMillis);
        command.deadlineNanos(ticker.getAsLong() + command.request.timeout().toNanos());
        // a later deadline is left to the wheel, which looks again when the earlier one fires
        if (command.deadlineNanos() - command.wheelNanos < 0) {
            deadlines.cancel(command);
            deadlines.schedule(command, command.deadlineNanos());
        }
    }

    @Override
    public CompletableFuture<Boolean> assign(long tag, String assignee) {
        LiveCommand command = promises.get(tag);
        if (command == null) {
            tally.dropped.increment();
            return CompletableFuture.completedFuture(false);
        }
        synchronized (command) {
            if (command.status.isTerminal() || !command.owned || command.tag != tag || command.cancelCause() != null) {
                return CompletableFuture.completedFuture(false);
            }
            command.assignedTo = assignee;
        }
        try {
            return store.assign(command, assignee);
        } catch (RuntimeException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    @Override
    public void started(long tag) {
        LiveCommand command = promises.get(tag);
        if (command == null) {
            tally.dropped.increment();
            return;
        }
        synchronized (command) {
            if (command.status.isTerminal() || !command.owned || command.tag != tag) {
                tally.dropped.increment();
                return;
            }
            recordStart(command, clock.millis());
        }
        events.deliver(command);
    }

    private CompletableFuture<Boolean> recordStart(LiveCommand command, long nowMillis) {
        if (command.status != CommandStatus.PENDING) {
            return WRITTEN;
        }
        if (command.sentAtMillis == 0) {
            recordSent(command, nowMillis);
        }
        command.status = CommandStatus.EXECUTING;
        command.startedAtMillis = nowMillis;
        CompletableFuture<Boolean> written =
                changed(command, CommandStatus.PENDING, CommandEvent.Type.EXECUTING, command.startedAtMillis);
        if (!isWritten(written)) {
            written.whenComplete((ok, error) -> {
                if (error != null) {
                    synchronized (command) {
                        command.mark(LiveCommand.START_UNRECORDED);
                    }
                }
            });
        }
        return written;
    }

    /** Records a change that is not the end, with the next sequence number. The command's lock is held. */
    private CompletableFuture<Boolean> changed(
            LiveCommand command, CommandStatus from, CommandEvent.Type type, long atMillis) {
        command.lastSequence++;
        CompletableFuture<Boolean> written = update(command, from);
        watchForLoss(written, command);
        events.announce(command, command.lastSequence, type, atMillis);
        return written;
    }

    private CompletableFuture<Boolean> update(LiveCommand command, CommandStatus from) {
        try {
            return store.update(command, from);
        } catch (RuntimeException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    @Override
    public void progress(long tag, double fraction, String message) {
        double bounded = fraction >= 0 ? Math.min(fraction, 1) : -1;
        append(tag, CommandEvent.Type.PROGRESS, null, null, bounded, message);
    }

    @Override
    public void output(long tag, String channel, byte[] data) {
        append(tag, CommandEvent.Type.OUTPUT, channel, data, -1, "");
    }

    private void append(
            long tag,
            CommandEvent.Type type,
            @Nullable String channel,
            byte @Nullable [] data,
            double fraction,
            String message) {
        LiveCommand command = promises.get(tag);
        if (command == null) {
            tally.dropped.increment();
            return;
        }
        synchronized (command) {
            if (command.status.isTerminal() || !command.owned || command.tag != tag) {
                tally.dropped.increment();
                return;
            }
            long now = clock.millis();
            recordStart(command, now);
            appendEvent(command, type, now, channel, data, fraction, message);
        }
        events.deliver(command);
    }

    private void appendEvent(
            LiveCommand command,
            CommandEvent.Type type,
            long nowMillis,
            @Nullable String channel,
            byte @Nullable [] data,
            double fraction,
            String message) {
        CommandEvent event = new CommandEvent(
                command.lastSequence + 1L, type, Instant.ofEpochMilli(nowMillis), channel, data, fraction, message);
        command.lastSequence++;
        if (!command.is(LiveCommand.START_UNRECORDED)) {
            watchForLoss(append(command, event), command);
        }
        events.announce(command, event);
    }

    private CompletableFuture<Boolean> append(LiveCommand command, CommandEvent event) {
        try {
            return store.append(command, event);
        } catch (RuntimeException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    @Override
    public void completeYield(long tag, @Nullable Object data, @Nullable Throwable error) {
        LiveCommand command = promises.get(tag);
        if (command == null || !end(command, tag, data, error)) {
            tally.dropped.increment();
        }
    }

    private boolean end(LiveCommand command, long tag, @Nullable Object data, @Nullable Throwable error) {
        byte[] result = bytesOf(data);
        if (error != null) {
            // a result that cannot be kept must not hide why the command failed
            byte[] kept = result == null || result.length > maxPayloadBytes ? null : result;
            Reason reason = error instanceof CommandException failure ? failure.reason() : Reason.EXECUTOR_ERROR;
            return end(command, tag, CommandStatus.of(reason), reason, messageOf(error), kept);
        }
        if (data == null) {
            result = NO_BYTES;
        } else if (result == null) {
            String problem =
                    "the handler returned a " + data.getClass().getName() + "; a result is a byte[], text or null";
            return end(command, tag, CommandStatus.FAILED, Reason.EXECUTOR_ERROR, problem, null);
        }
        if (result.length > maxPayloadBytes) {
            String problem = "the result has " + result.length + " bytes; the most is " + maxPayloadBytes;
            return end(command, tag, CommandStatus.FAILED, Reason.PAYLOAD_TOO_LARGE, problem, null);
        }
        return end(command, tag, CommandStatus.COMPLETED, Reason.OK, null, result);
    }

    /** The bytes of a result; null if there is none, or it is of another type. */
    private static byte @Nullable [] bytesOf(@Nullable Object data) {
        if (data instanceof byte[] bytes) {
            return bytes;
        }
        return data instanceof CharSequence text ? text.toString().getBytes(StandardCharsets.UTF_8) : null;
    }

    private static String messageOf(Throwable error) {
        String message = error.getMessage();
        return message == null || message.isBlank() ? error.getClass().getName() : message;
    }

    /**
     * Ends the command unless it has ended: the one place where a command gets its outcome.
     *
     * @param tag of the attempt that this is the outcome of
     * @return false if it had ended, or another attempt is under way
     */
    private boolean end(
            LiveCommand command,
            long tag,
            CommandStatus status,
            Reason reason,
            @Nullable String message,
            byte @Nullable [] result) {
        CompletableFuture<Boolean> written;
        CommandStatus from;
        boolean again;
        synchronized (command) {
            if (command.status.isTerminal() || !command.owned || command.tag != tag) {
                return false;
            }
            long now = clock.millis();
            if (status == CommandStatus.COMPLETED) {
                recordStart(command, now);
            }
            from = command.status;
            command.lastSequence++;
            // first, since the store may use what links the command into the wheel
            deadlines.cancel(command);
            again = isToBeTriedAgain(command, reason);
            if (again) {
                prepareNextAttempt(command, reason, message, now);
            } else {
                command.status = status;
                command.reason = reason;
                command.message = message;
                command.result = result;
                command.endedAtMillis = now;
            }
            written = update(command, from);
        }
        if (written.isDone()) {
            goOn(command, from, again, written);
        } else {
            written.whenComplete((ok, error) -> goOn(command, from, again, written));
        }
        return true;
    }

    private void goOn(LiveCommand command, CommandStatus from, boolean again, CompletableFuture<Boolean> written) {
        if (isOfUnrecordedStart(command, from, written)) {
            CompletableFuture<Boolean> second = update(command, CommandStatus.PENDING);
            var unused = second.whenComplete((ok, error) -> goOn(command, CommandStatus.PENDING, again, second));
        } else if (again) {
            waitAgain(command, written);
        } else {
            publish(command, from, written);
        }
    }

    private static boolean isToBeTriedAgain(LiveCommand command, Reason reason) {
        RetryPolicy retry = command.request.retry();
        return retry != null
                && command.attempt() < retry.maxAttempts()
                && !command.is(LiveCommand.CANCEL_REQUESTED)
                && RetryPolicy.mayHelp(reason);
    }

    /** Lets the command wait for its next attempt, under a new tag, so that nothing of the old one can end it. Its lock is held. */
    private void prepareNextAttempt(LiveCommand command, Reason reason, @Nullable String message, long nowMillis) {
        RetryPolicy retry = Objects.requireNonNull(command.request.retry());
        // 53 bits are what a double holds exactly
        double random = (this.random.getAsLong() >>> 11) * 0x1p-53;
        long notBefore = nowMillis + retry.delayAfter(command.attempt(), random).toMillis();
        promises.remove(command.tag);
        command.nextAttempt(tags.incrementAndGet(), notBefore);
        command.status = CommandStatus.PENDING;
        command.message = message == null ? reason.code() : reason.code() + ": " + message;
        promises.put(command);
        if (events.isObserved(command)) {
            events.announce(command, EventLog.retrying(command, nowMillis));
        }
    }

    private void waitAgain(LiveCommand command, CompletableFuture<Boolean> written) {
        tally.retried.increment();
        watchForFailure(written, command);
        events.deliver(command);
        Runnable outcomeAction = command.takeOutcomeAction();
        if (outcomeAction != null && isWritten(written)) {
            outcomeAction.run();
        }
        if (!isWritten(written)) {
            becomeWhatIsRecorded(command);
        } else if (command.is(LiveCommand.GUEST) || (admission.isClosed() && store.isDurable())) {
            // whoever claims it next brings it up again
            forget(command);
            queueListener.accept(((Target.Queue) command.request.target()).name());
        } else {
            synchronized (command) {
                command.unmark(LiveCommand.STOPPING | LiveCommand.START_UNRECORDED);
                if (!command.owned) {
                    scheduleDeadline(command);
                }
            }
            dispatch(command);
        }
    }

    /** Whether a change was refused only because the one before, to executing, is missing in the record. */
    private static boolean isOfUnrecordedStart(
            LiveCommand command, CommandStatus from, CompletableFuture<Boolean> written) {
        synchronized (command) {
            return from == CommandStatus.EXECUTING
                    && command.is(LiveCommand.START_UNRECORDED)
                    && !written.isCompletedExceptionally()
                    && !isWritten(written);
        }
    }

    /** Lets everybody see the end, once it is written. If that failed it is shown all the same, since it is what happened, and written later. */
    private void publish(LiveCommand command, CommandStatus from, CompletableFuture<Boolean> written) {
        boolean isWritten = isWritten(written);
        if (!isWritten && !written.isCompletedExceptionally()) {
            // it was not this server's any more, and so has another end, or none yet
            tally.dropped.increment();
            becomeWhatIsRecorded(command);
            return;
        }
        watchForFailure(written, command);
        tally.ended(command.status);
        synchronized (command) {
            if (isWritten) {
                command.mark(LiveCommand.END_RECORDED);
            }
            if (events.isObserved(command)) {
                events.announce(command, EventLog.terminal(command, command.lastSequence));
            }
        }
        Runnable outcomeAction = command.takeOutcomeAction();
        release(command);
        if (!isWritten) {
            writeLater(command, from, outcomeAction, FIRST_REWRITE);
        } else if (outcomeAction != null) {
            outcomeAction.run();
        }
    }

    /**
     * Writes an end that could not be written, again and again until it is: until then the record says that the command is open. There are no more of these than commands were open when the
     * store began to fail, since it accepts no others.
     */
    private void writeLater(LiveCommand command, CommandStatus from, @Nullable Runnable outcomeAction, Duration delay) {
        if (shutdownNow) {
            return;
        }
        try {
            timer.schedule(
                    () -> {
                        CompletableFuture<Boolean> written = update(command, from);
                        var unused = written.whenComplete((ok, error) -> {
                            if (error != null) {
                                Duration longer = delay.multipliedBy(2);
                                writeLater(
                                        command,
                                        from,
                                        outcomeAction,
                                        longer.compareTo(LAST_REWRITE) < 0 ? longer : LAST_REWRITE);
                            } else if (isOfUnrecordedStart(command, from, written)) {
                                writeLater(command, CommandStatus.PENDING, outcomeAction, FIRST_REWRITE);
                            } else if (ok) {
                                LOG.info("the end of {} is recorded now", command);
                                if (outcomeAction != null) {
                                    outcomeAction.run();
                                }
                            }
                        });
                    },
                    delay.toMillis(),
                    TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            LOG.warn("the end of {} is not recorded, since the timer was stopped", command);
        }
    }

    /** Lets go of a command that has ended, and tells those who wait for that. */
    private void release(LiveCommand command) {
        List<Consumer<? super CommandHandle>> actions;
        synchronized (command) {
            actions = command.publish();
        }
        admission.release(command.request);
        promises.remove(command.tag);
        guests.remove(command.id, command);
        events.deliver(command);
        for (Consumer<? super CommandHandle> action : actions) {
            runEndAction(action, command);
        }
    }

    /** Follows the record of a command that is not this server's any more, although it took it to be. */
    private void becomeWhatIsRecorded(LiveCommand command) {
        long tag;
        synchronized (command) {
            tag = command.tag;
            command.owned = false;
            deadlines.cancel(command);
        }
        runCancelAction(command, tag, CancelCause.SHUTDOWN);
        followers.add(command);
    }

    /** What other servers do with the same records. */
    private final class Elsewhere implements StoreListener {
        @Override
        public void onQueueWork(String queue) {
            queueListener.accept(queue);
        }

        @Override
        public void onChanged(RecordId id) {
            followers.refresh(id);
        }

        @Override
        public void onCancelRequested(RecordId id) {
            var unused = cancel(id);
        }
    }

    private static boolean isWritten(CompletableFuture<Boolean> written) {
        return written.isDone() && !written.isCompletedExceptionally() && written.join();
    }

    /** Stops the work if a change of it was refused, since the command is not this server's any more. The command's lock is held. */
    private void watchForLoss(CompletableFuture<Boolean> written, LiveCommand command) {
        watchForFailure(written, command);
        if (isWritten(written)) {
            return;
        }
        long tag = command.tag;
        written.thenAccept(ok -> {
            boolean lost;
            synchronized (command) {
                lost = !ok
                        && command.owned
                        && !command.status.isTerminal()
                        && command.tag == tag
                        && !command.is(LiveCommand.START_UNRECORDED);
            }
            if (lost) {
                becomeWhatIsRecorded(command);
            }
        });
    }

    private void watchForFailure(CompletableFuture<Boolean> written, LiveCommand command) {
        if (isWritten(written)) {
            return;
        }
        written.whenComplete((ok, error) -> {
            if (error != null || !ok) {
                tally.storeFailures.increment();
                LOG.error("a change of {} could not be recorded", command, error);
            }
        });
    }

    @SuppressWarnings("IllegalCatch")
    static void runEndAction(Consumer<? super CommandHandle> action, CommandHandle handle) {
        try {
            action.accept(handle);
        } catch (Throwable e) {
            LOG.error("an end action of {} failed", handle, e);
        }
    }

    /** One record. */
    public CompletableFuture<Optional<CommandRecord>> find(RecordId id) {
        return store.find(id);
    }

    /** Records, newest first. Fails with {@link IllegalArgumentException} if the cursor is not one. */
    public CompletableFuture<CommandPage> list(CommandQuery query) {
        return store.list(query);
    }

    /** Events of one record, see {@link CommandStore#events}. */
    public CompletableFuture<List<CommandEvent>> events(RecordId id, long after, int limit) {
        return store.events(id, after, limit);
    }

    /**
     * Calls {@code onChange} after each further event of a command, until the command has ended or the watch is closed: then read what
     * is new with {@link #events}. It runs in the thread that makes the change, and must not block. Calls may be fewer than events.
     *
     * @return completes with the watch when it is in place; empty if the command is unknown or has ended
     */
    public CompletableFuture<Optional<Watch>> watch(RecordId id, Runnable onChange) {
        return store.find(id).thenApply(found -> found.flatMap(record -> watch(record, onChange)));
    }

    private Optional<Watch> watch(CommandRecord record, Runnable onChange) {
        LiveCommand live = live(record.id(), record.tag());
        if (live == null && (record.status().isTerminal() || !store.isDurable())) {
            return Optional.empty();
        }
        LiveCommand command = live == null ? followers.follow(record) : live;
        synchronized (command) {
            if (command.is(LiveCommand.PUBLISHED)) {
                return Optional.empty();
            }
            command.observers().watchers.add(onChange);
        }
        return Optional.of(() -> {
            synchronized (command) {
                command.observers().watchers.remove(onChange);
            }
        });
    }

    /** The open command of that id, if it is one of this manager's. */
    private @Nullable LiveCommand live(RecordId id, long tag) {
        LiveCommand command = promises.get(tag);
        return command != null && command.id.equals(id) ? command : guests.get(id);
    }

    /**
     * Cancels a command. One that has not been handed over never runs; one that has is stopped by its handler.
     *
     * @return completes when the command has ended, with what it was that ended it; at the latest at the command's deadline. Empty if
     *     the command is unknown
     */
    public CompletableFuture<Optional<CancelResult>> cancel(RecordId id) {
        return store.find(id).thenCompose(found -> {
            if (found.isEmpty()) {
                return CompletableFuture.completedFuture(Optional.empty());
            }
            CommandRecord record = found.get();
            LiveCommand command = live(id, record.tag());
            if (command != null && command.owned) {
                return cancel(command).thenApply(Optional::of);
            }
            return record.status().isTerminal()
                    ? CompletableFuture.completedFuture(Optional.of(new CancelResult(Outcome.ALREADY_ENDED, record)))
                    : cancelNotOwned(record);
        });
    }

    /**
     * Cancels a command that waits in a queue, and leaves one alone that was handed over.
     *
     * @return completes with the final record; empty if the command is not known, was handed over, or has ended
     */
    public CompletableFuture<Optional<CommandRecord>> cancelWaiting(RecordId id) {
        return store.queues()
                .take(id)
                .thenCompose(taken -> taken.isEmpty()
                        ? CompletableFuture.completedFuture(Optional.empty())
                        : cancel(own(taken.get())).thenApply(result -> Optional.of(result.record())));
    }

    /** Cancels a command that waits for anybody, or that another server has. */
    private CompletableFuture<Optional<CancelResult>> cancelNotOwned(CommandRecord record) {
        return store.queues().take(record.id()).thenCompose(taken -> {
            if (taken.isPresent()) {
                return cancel(own(taken.get())).thenApply(Optional::of);
            }
            LiveCommand claimed = live(record.id(), record.tag());
            if (claimed != null && claimed.owned) {
                return cancel(claimed).thenApply(Optional::of);
            }
            return store.requestCancel(record.id()).thenCompose(asked -> cancelElsewhere(record, asked));
        });
    }

    private CompletableFuture<Optional<CancelResult>> cancelElsewhere(CommandRecord record, boolean asked) {
        if (asked) {
            return followers
                    .follow(record)
                    .completion()
                    .thenApply(ended -> Optional.of(new CancelResult(outcomeOf(ended), ended)));
        }
        // it ended between the two looks
        return store.find(record.id())
                .thenApply(now -> now.map(found -> new CancelResult(
                        found.status().isTerminal() ? Outcome.ALREADY_ENDED : Outcome.ENDED_OTHERWISE, found)));
    }

    private CompletableFuture<CancelResult> cancel(LiveCommand command) {
        boolean handedOver;
        long tag;
        synchronized (command) {
            if (command.status.isTerminal()) {
                return command.completion().thenApply(record -> new CancelResult(Outcome.ALREADY_ENDED, record));
            }
            if (!command.is(LiveCommand.CANCEL_REQUESTED)) {
                command.mark(LiveCommand.CANCEL_REQUESTED);
                appendEvent(command, CommandEvent.Type.CANCEL_REQUESTED, clock.millis(), null, null, -1, "");
            }
            handedOver = command.sentAtMillis != 0;
            tag = command.tag;
            // from here on it cannot be handed over any more
            var unused = command.cancel(tag, CancelCause.REQUESTED);
        }
        events.deliver(command);
        runCancelAction(command, tag, CancelCause.REQUESTED);
        if (!handedOver) {
            end(command, tag, CommandStatus.CANCELLED, Reason.CANCELLED_BEFORE_START, CANCELLED_WAITING, null);
        }
        return command.completion().thenApply(record -> new CancelResult(outcomeOf(record), record));
    }

    private static Outcome outcomeOf(CommandRecord record) {
        if (record.reason() == Reason.CANCELLED_BEFORE_START) {
            return Outcome.CANCELLED_BEFORE_START;
        }
        return record.reason() == Reason.CANCELLED_WHILE_RUNNING
                ? Outcome.CANCELLED_WHILE_RUNNING
                : Outcome.ENDED_OTHERWISE;
    }

    @SuppressWarnings("IllegalCatch")
    private static void runCancelAction(LiveCommand command, long tag, CancelCause cause) {
        Consumer<CancelCause> action = command.cancel(tag, cause);
        if (action != null) {
            try {
                action.accept(cause);
            } catch (Throwable e) {
                LOG.error("the cancel action of {} failed", command, e);
            }
        }
    }

    @SuppressWarnings("IllegalCatch")
    private void tick() {
        try {
            List<LiveCommand> due = new ArrayList<>();
            deadlines.expire(ticker.getAsLong(), due);
            due.forEach(this::onDeadline);
            if (++ticks % PURGE_EVERY_TICKS == 0) {
                store.purge();
                lookElsewhere();
            }
        } catch (Throwable e) {
            // the next tick must come
            LOG.error("deadline check failed", e);
        }
    }

    /** Looks after what is not, or not only, in the hands of this server. */
    private void lookElsewhere() {
        followers.refreshAll();
        if (recovered && !admission.isClosed() && store.isDurable() && adopting.compareAndSet(false, true)) {
            adopt(0).whenComplete((count, error) -> {
                adopting.set(false);
                if (error != null) {
                    LOG.warn("what other servers left behind could not be looked at: {}", error.getMessage());
                }
            });
        }
    }

    private void onDeadline(LiveCommand command) {
        long tag;
        synchronized (command) {
            if (command.status.isTerminal()) {
                return;
            }
            tag = command.tag;
            if (command.deadlineNanos() - ticker.getAsLong() > 0) {
                deadlines.schedule(command, command.deadlineNanos());
                return;
            }
        }
        if (!command.owned) {
            endWaiting(command, CommandStatus.TIMEOUT, Reason.QUEUE_TIMEOUT, notHandedOver(command));
            return;
        }
        // the handler may know better what became of it than that its time is over
        runCancelAction(command, tag, CancelCause.DEADLINE);
        boolean handedOver;
        synchronized (command) {
            handedOver = command.sentAtMillis != 0;
            if (handedOver && mayStillTell(command)) {
                return;
            }
        }
        end(
                command,
                tag,
                CommandStatus.TIMEOUT,
                handedOver ? Reason.EXECUTION_TIMEOUT : Reason.QUEUE_TIMEOUT,
                handedOver ? "no outcome within the timeout of " + command.request.timeout() : notHandedOver(command),
                null);
    }

    /** Gives the handler time to say what became of a command that it is ending, once. The lock is held. */
    private boolean mayStillTell(LiveCommand command) {
        if (command.status.isTerminal() || command.is(LiveCommand.STOPPING)) {
            return false;
        }
        Duration grace = registry.get(command.commandId()) instanceof QueueingHandler queueing
                ? queueing.stopGrace(command)
                : Duration.ZERO;
        if (grace.isZero()) {
            return false;
        }
        command.mark(LiveCommand.STOPPING);
        command.deadlineNanos(ticker.getAsLong() + grace.toNanos());
        deadlines.schedule(command, command.deadlineNanos());
        return true;
    }

    private static String notHandedOver(LiveCommand command) {
        return "not handed over within its ttl of " + command.request.ttl();
    }

    /** Ends a command that waits in a queue, unless somebody has claimed it. */
    private void endWaiting(LiveCommand command, CommandStatus status, Reason reason, String message) {
        store.queues().take(command.id).whenComplete((taken, error) -> {
            if (error != null) {
                tally.storeFailures.increment();
                LOG.error("{} could not be taken out of its queue, which is tried again", command, error);
                synchronized (command) {
                    command.deadlineNanos(ticker.getAsLong() + TimeUnit.SECONDS.toNanos(1));
                    deadlines.schedule(command, command.deadlineNanos());
                }
            } else if (taken.isPresent()) {
                LiveCommand owned = own(taken.get());
                end(owned, owned.tag, status, reason, message, null);
            }
        });
    }

    /** Counts, at this moment. */
    public ManagerStats stats() {
        return tally.stats(admission.open(), store.size());
    }

    /** From now on refuses new commands. Those that are open go on; but what waits in a queue of a durable store is left there for the next run. */
    public void shutdown() {
        admission.close();
        if (store.isDurable()) {
            promises.snapshot().stream()
                    .filter(command -> command.is(LiveCommand.RECORDED) && !command.owned)
                    .forEach(this::leave);
        }
    }

    /**
     * Refuses new commands and ends those that are open: as cancelled if they have not begun, otherwise as failed, since nobody waits for them any
     * more. With a durable store, what has not begun, and what goes on without this process, is left for the next run instead; the actions of its handles are not called.
     */
    public void shutdownNow() {
        shutdownNow = true;
        shutdown();
        promises.snapshot().forEach(this::endByShutdown);
    }

    private void endByShutdown(LiveCommand command) {
        boolean handedOver;
        long tag;
        synchronized (command) {
            if (!command.is(LiveCommand.RECORDED) || command.status.isTerminal()) {
                return;
            }
            handedOver = command.sentAtMillis != 0;
            tag = command.tag;
        }
        if (store.isDurable() && (!handedOver || outlivesServer(command))) {
            leave(command);
            return;
        }
        if (!command.owned) {
            endWaiting(command, CommandStatus.CANCELLED, Reason.SHUTDOWN, STOPPED_BEFORE);
            return;
        }
        runCancelAction(command, tag, CancelCause.SHUTDOWN);
        synchronized (command) {
            handedOver = command.sentAtMillis != 0;
        }
        end(
                command,
                tag,
                handedOver ? CommandStatus.FAILED : CommandStatus.CANCELLED,
                Reason.SHUTDOWN,
                handedOver ? "the server stopped before an outcome was known" : STOPPED_BEFORE,
                null);
    }

    private boolean outlivesServer(LiveCommand command) {
        return registry.get(command.commandId()) instanceof QueueingHandler queueing
                && queueing.outlivesServer(command);
    }

    /** Lets go of an open command without a change of its record. */
    private void leave(LiveCommand command) {
        synchronized (command) {
            if (command.status.isTerminal() || promises.get(command.tag) != command) {
                return;
            }
            deadlines.cancel(command);
            promises.remove(command.tag);
            guests.remove(command.id, command);
        }
        admission.release(command.request);
    }

    /**
     * Waits after a shutdown until no command is open.
     *
     * @return false if that took longer than {@code timeout}
     */
    public boolean awaitTermination(Duration timeout) throws InterruptedException {
        return admission.awaitEmpty(timeout);
    }

    /** Ends everything at once ({@link #shutdownNow}) and closes the store. A timer that was passed in stays open. */
    @Override
    public void close() {
        shutdownNow();
        ticking.cancel(false);
        if (ownsTimer) {
            timer.shutdownNow();
        }
        store.close();
    }

    /** Ends a watch. Closing it twice does nothing. */
    @FunctionalInterface
    public interface Watch extends AutoCloseable {
        @Override
        void close();
    }

    /**
     * Builds a {@link CommandManager}. Defaults: records in memory ({@link InMemoryCommandStore}), ids of UUID version 7, 50,000
     * open commands with payloads of 512 MiB together and 64 MiB each, the system's clocks, a timer thread of its own, no listeners. Not safe for use by many
     * threads.
     */
    public static final class Builder {
        private final Registry registry;
        private final List<CommandListener> listeners = new ArrayList<>();
        private @Nullable CommandStore store;
        private @Nullable IdGenerator ids;
        private @Nullable ScheduledExecutorService timer;
        private Clock clock = Clock.systemUTC();
        private LongSupplier ticker = System::nanoTime;
        private LongSupplier random = () -> ThreadLocalRandom.current().nextLong();
        private int maxOpen = 50_000;
        private int maxPayloadBytes = 64 << 20;
        private long maxOpenBytes = 512L << 20;

        private Builder(Registry registry) {
            this.registry = registry;
        }

        /** Sets where records are kept; the manager closes it. */
        public Builder store(CommandStore store) {
            this.store = store;
            return this;
        }

        /** Sets what makes the ids. */
        public Builder ids(IdGenerator ids) {
            this.ids = ids;
            return this;
        }

        /** Sets the clock that stamps records, and the source of nanoseconds, as {@link System#nanoTime}, that deadlines are measured with. */
        public Builder time(Clock clock, LongSupplier ticker) {
            this.clock = clock;
            this.ticker = ticker;
            return this;
        }

        /** Sets where any 64 random bits come from, for ids and for the jitter of retries; need not be unguessable. */
        public Builder random(LongSupplier random) {
            this.random = random;
            return this;
        }

        /** Sets what runs the check of deadlines, every 16 ms; it stays the caller's. */
        public Builder timer(ScheduledExecutorService timer) {
            this.timer = timer;
            return this;
        }

        /** Sets how many commands may be open at once, from 1. */
        public Builder maxOpen(int maxOpen) {
            this.maxOpen = maxOpen;
            return this;
        }

        /** Sets the largest payload and the largest result, in bytes, from 1. */
        public Builder maxPayloadBytes(int maxPayloadBytes) {
            this.maxPayloadBytes = maxPayloadBytes;
            return this;
        }

        /** Sets how many bytes the payloads of all open commands may take, from 1. */
        public Builder maxOpenBytes(long maxOpenBytes) {
            this.maxOpenBytes = maxOpenBytes;
            return this;
        }

        /** Adds a listener to every event of every command. */
        public Builder listener(CommandListener listener) {
            listeners.add(listener);
            return this;
        }

        /**
         * Freezes the registry and makes the manager.
         *
         * @throws IllegalArgumentException if a bound is less than 1
         */
        public CommandManager build() {
            if (maxOpen < 1 || maxPayloadBytes < 1 || maxOpenBytes < 1) {
                throw new IllegalArgumentException("maxOpen " + maxOpen + ", maxPayloadBytes " + maxPayloadBytes
                        + " and maxOpenBytes " + maxOpenBytes + " must all be at least 1");
            }
            return new CommandManager(this);
        }
    }
}
