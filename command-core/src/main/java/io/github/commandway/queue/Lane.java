package io.github.commandway.queue;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Handler;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.QueueClaim;
import io.github.commandway.manager.QueueingHandler;
import io.github.commandway.manager.RecordedCommand;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One queue as this server executes it: at most one claim under way, and as many runs as the concurrency allows. The lock guards the fields that are not final, and is never held
 * while anybody else is called.
 */
final class Lane {
    private static final Logger LOG = LoggerFactory.getLogger(Lane.class);
    private static final long RETRY_CLAIM_SECONDS = 1;

    /** How long a run that was told to stop keeps its place when it does not. */
    private static final long STUCK_SECONDS = 10;

    private final CommandQueues queues;
    private final CommandQueues.Queue queue;
    private final Clock clock;
    private final ScheduledExecutorService timer;

    private int running;
    private boolean claiming;
    private boolean again;
    private @Nullable ScheduledFuture<?> due;

    Lane(CommandQueues queues, CommandQueues.Queue queue, Clock clock, ScheduledExecutorService timer) {
        this.queues = queues;
        this.queue = queue;
        this.clock = clock;
        this.timer = timer;
    }

    QueueOptions options() {
        return queue.options();
    }

    /** Takes out what may run now, if there is something. */
    void wake() {
        CommandManager manager = queues.claimer();
        Handler handler = queue.destination();
        Room room = manager == null ? Room.NONE : queue.room().get();
        if (manager == null || room.places() < 1) {
            return;
        }
        int free;
        synchronized (this) {
            again = claiming;
            free = Math.min(room.places(), options().concurrency() - running);
            if (claiming || free <= 0) {
                return;
            }
            claiming = true;
        }
        // a handler that keeps commands waiting says itself when one begins
        boolean begun = !(handler instanceof QueueingHandler);
        manager.claim(options().name(), free, options().concurrency(), begun, room.types())
                .whenComplete((claim, error) -> onClaim(manager, claim, error));
    }

    private void onClaim(CommandManager manager, @Nullable QueueClaim claim, @Nullable Throwable error) {
        if (claim == null) {
            synchronized (this) {
                claiming = false;
            }
            LOG.warn(
                    "queue '{}' could not be looked at, which is tried again: {}",
                    options().name(),
                    String.valueOf(error));
            wakeIn(TimeUnit.SECONDS.toMillis(RETRY_CLAIM_SECONDS));
            return;
        }
        boolean look;
        int taken = claim.commands().size();
        synchronized (this) {
            running += taken;
            claiming = false;
            look = again || taken > 0;
            again = false;
        }
        for (QueueClaim.Claimed claimed : claim.commands()) {
            run(claimed.context(), claimed.command(), claimed.tag(), manager);
        }
        if (look) {
            wake();
        }
        Instant nextDue = claim.nextDue();
        if (nextDue != null) {
            wakeIn(Math.max(1, Duration.between(clock.instant(), nextDue).toMillis()));
        }
    }

    private void wakeIn(long millis) {
        try {
            synchronized (this) {
                if (due == null || due.isDone() || due.getDelay(TimeUnit.MILLISECONDS) > millis) {
                    if (due != null) {
                        due.cancel(false);
                    }
                    due = timer.schedule(this::wake, millis, TimeUnit.MILLISECONDS);
                }
            }
        } catch (RejectedExecutionException stopped) {
            LOG.debug("queue '{}' is not looked at any more", options().name(), stopped);
        }
    }

    @SuppressWarnings("IllegalCatch")
    private void run(CommandContext context, RecordedCommand command, long tag, ResultReceiver receiver) {
        Handler handler = queue.destination();
        Run run = new Run(context, receiver, handler instanceof QueueingHandler);
        context.onCancel(run);
        try {
            if (handler == null) {
                throw new CommandException(
                        Reason.UNKNOWN_COMMAND,
                        "nothing is registered here that handles commands to " + queue.target());
            }
            handler.handle(run, forwarded(command), tag, run);
        } catch (Throwable e) {
            if (e instanceof InterruptedException) {
                Thread.currentThread().interrupt();
            }
            run.completeYield(tag, null, e);
        }
    }

    private RecordedCommand forwarded(RecordedCommand command) {
        return queue.target() == null ? command : new ForwardedCommand(command, queue.target());
    }

    /** Takes up a command again that was handed over before; false if the handler cannot do that. */
    boolean resume(CommandContext context, RecordedCommand command, long tag, ResultReceiver receiver) {
        if (!(queue.destination() instanceof QueueingHandler handler)) {
            return false;
        }
        synchronized (this) {
            running++;
        }
        Run run = new Run(context, receiver, true);
        context.onCancel(run);
        handler.resume(run, forwarded(command), tag, run);
        return true;
    }

    boolean outlivesServer(RecordedCommand command) {
        return queue.destination() instanceof QueueingHandler handler && handler.outlivesServer(forwarded(command));
    }

    private void free() {
        synchronized (this) {
            running--;
        }
        wake();
    }

    /** One attempt in one of the queue's places: passes everything on, and gives the place back when it is over. */
    private final class Run extends Passage {
        private final boolean isRemote;
        private boolean over;

        Run(CommandContext context, ResultReceiver receiver, boolean isRemote) {
            super(context, receiver);
            this.isRemote = isRemote;
        }

        @Override
        public void accept(CancelCause why) {
            super.accept(why);
            if (why == CancelCause.REQUESTED) {
                // its outcome comes
                return;
            }
            if (isRemote) {
                end();
            } else {
                endIfStuck();
            }
        }

        private void endIfStuck() {
            try {
                timer.schedule(this::end, STUCK_SECONDS, TimeUnit.SECONDS);
            } catch (RejectedExecutionException stopped) {
                LOG.debug("queue '{}' is not looked at any more", options().name(), stopped);
            }
        }

        private void end() {
            synchronized (this) {
                if (over) {
                    return;
                }
                over = true;
            }
            free();
        }

        @Override
        public void completeYield(long tag, @Nullable Object data, @Nullable Throwable error) {
            super.completeYield(tag, data, error == null ? Verdict.of(data) : error);
            end();
        }

        @Override
        public boolean handOver(long tag) {
            boolean allowed = super.handOver(tag);
            if (!allowed) {
                end();
            }
            return allowed;
        }
    }
}
