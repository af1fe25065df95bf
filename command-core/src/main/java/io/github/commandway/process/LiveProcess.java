package io.github.commandway.process;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Handler;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.process.ProcessException.Code;
import java.time.Instant;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One life of a process: its inbox, its open yields, and its turns. Nothing of it is used again for another process.
 *
 * <p>At any time it belongs to one thread: to the one that starts it, to the worker that runs it, or, while it is in a queue or asleep, to nobody. The change of owner goes through the queue's
 * lock or the inbox, which make visible what the last one wrote. Fields belong to the owner unless they say otherwise. Lock order: process groups, then processes by pid.
 */
final class LiveProcess extends Inbox implements ProcessContext {
    private static final Logger log = LoggerFactory.getLogger(LiveProcess.class);

    /** What a process may do in a row before the others have their turn. */
    private static final int STEPS_OF_A_TURN = 32;

    final Processes processes;
    private final Pid pid;
    final SpawnOptions options;
    private final long startedAtMillis;
    private Process process;

    /** Where it ran last. */
    @Nullable RunQueue<LiveProcess> queue;

    /** The thread that hands its yields to their handlers, while it does so. Whoever finds himself here may write the fields of the owner. */
    private @Nullable Thread dispatcher;

    private @Nullable OpenYield dispatched;

    /** Yields that ended while the yields were handed over, the last one on top. */
    private @Nullable Event endedInline;

    /** A yield to be used again. */
    private @Nullable OpenYield spare;

    private @Nullable OpenYield openYields;
    private int openCount;
    private long lastTag;
    private long steps;

    /** Messages that came while it waited for yields, the oldest first. */
    private @Nullable Event firstHeld;

    private @Nullable Event lastHeld;

    /** How it will have ended when the yields of its last step have. */
    private @Nullable Exit last;

    /** Whether the last step waits for yields, so that messages are kept from it. */
    private boolean deaf;

    /** Guarded by the lock. */
    private @Nullable Relations relations;

    /** Guarded by the lock, so that nobody relates to what has ended. */
    private boolean ended;

    /** Guarded by the lock. */
    private boolean cancelWaits;

    private volatile boolean terminated;

    /** Whether the listeners were told of it; belongs to the thread that starts it, then to the owner, as does the next. */
    boolean announced;

    boolean startedWell;

    LiveProcess(Processes processes, long pid, Process process, SpawnOptions options, long startedAtMillis) {
        this.processes = processes;
        this.pid = new Pid(pid);
        this.process = process;
        this.options = options;
        this.startedAtMillis = startedAtMillis;
    }

    /** Makes some steps. The worker owns it, and does not any more when this returns. */
    void run(Worker worker) {
        queue = worker.queue;
        for (int turn = 1; ; turn++) {
            if (!gather(worker)) {
                return;
            }
            boolean goesOn = false;
            if (last == null) {
                StepOutput.Next next = step(worker);
                if (next == null) {
                    return;
                }
                goesOn = next == StepOutput.Next.AGAIN || next == StepOutput.Next.UPGRADE;
            }
            // what terminates it may have been taken with the events of this turn, after the look whether it is
            if (!goesOn && !terminated && endedInline == null && (deaf || firstHeld == null) && sleep(deaf)) {
                return;
            }
            if ((turn >= STEPS_OF_A_TURN || worker.isReplaced()) && !terminated) {
                processes.scheduler.runLater(this, worker);
                return;
            }
        }
    }

    /** Collects the events of the next step. Returns false if the process has ended instead. */
    private boolean gather(Worker worker) {
        if (terminated) {
            end(worker, null, new ProcessException(Code.TERMINATED, pid + " was terminated"));
            return false;
        }
        List<Event> events = worker.events;
        int messages = 0;
        if (!deaf) {
            messages = deliverHeld(events);
        }
        Event event = endedInline;
        if (event != null) {
            endedInline = null;
            event = reverse(event);
            while (event != null) {
                event = ended((OpenYield) event, events);
            }
        }
        Event fromInbox = take();
        event = fromInbox == null ? null : reverse(fromInbox);
        Throwable failedLink = null;
        while (event != null) {
            Event following = event.below;
            if (event instanceof OpenYield yield) {
                ended(yield, events);
            } else if (event instanceof Control control) {
                event.below = null;
                if (control.upgrade != null && last == null) {
                    upgrade(control.upgrade);
                    messages += deaf ? 0 : deliverHeld(events);
                } else {
                    discardOne(control);
                }
            } else if (event.kind() == Event.Kind.MESSAGE && deaf) {
                hold(event);
            } else if (event.kind() == Event.Kind.LINK_DOWN && !options.isTrappingLinks() && last == null) {
                failedLink = new ProcessException(
                        Code.LINK_DOWN, event.from() + " has failed, to which " + pid + " is linked", event.error());
            } else {
                if (event.kind() == Event.Kind.MESSAGE) {
                    messages++;
                } else if (event.kind() == Event.Kind.CANCEL) {
                    synchronized (this) {
                        cancelWaits = false;
                    }
                }
                addAndGoOn(event, events);
            }
            event = following;
        }
        if (messages > 0) {
            delivered(messages);
        }
        if (failedLink != null) {
            end(worker, null, failedLink);
            return false;
        }
        return last == null || !isOver(worker, last);
    }

    /** Turns a chain of events round, so that the oldest comes first. */
    private static Event reverse(Event newest) {
        Event first = newest;
        Event rest = newest.below;
        newest.below = null;
        while (rest != null) {
            Event next = rest.below;
            rest.below = first;
            first = rest;
            rest = next;
        }
        return first;
    }

    private int deliverHeld(List<Event> events) {
        int count = 0;
        for (Event event = firstHeld; event != null; count++) {
            event = addAndGoOn(event, events);
        }
        firstHeld = null;
        lastHeld = null;
        return count;
    }

    private static @Nullable Event addAndGoOn(Event event, List<Event> events) {
        Event following = event.below;
        event.below = null;
        events.add(event);
        return following;
    }

    private void hold(Event message) {
        message.below = null;
        if (lastHeld == null) {
            firstHeld = message;
        } else {
            lastHeld.below = message;
        }
        lastHeld = message;
    }

    private @Nullable Event ended(OpenYield yield, List<Event> events) {
        Event following = yield.below;
        yield.below = null;
        if (unlink(yield)) {
            events.add(yield);
        } else {
            yield.settle();
        }
        return following;
    }

    /** Looks whether the yields of the last step have ended. */
    private boolean isOver(Worker worker, Exit planned) {
        Exit exit = planned;
        for (Event event : worker.events) {
            Throwable error = event.error();
            if (event instanceof OpenYield yield) {
                if (error != null && exit.error() == null) {
                    exit = new Exit(pid, null, error);
                }
                yield.settle();
            }
        }
        worker.clearEvents();
        last = exit;
        if (openCount > 0) {
            return false;
        }
        end(worker, exit.result(), exit.error());
        return true;
    }

    /** Makes one step. Returns null if the process has ended with it. */
    @SuppressWarnings("IllegalCatch")
    private StepOutput.@Nullable Next step(Worker worker) {
        StepOutput out = worker.out;
        Throwable failure = null;
        try {
            process.step(worker.eventsOfStep, out);
        } catch (Throwable e) {
            failure = e;
        }
        steps++;
        worker.stepped();
        settle(worker);
        if (failure != null) {
            for (int i = 0; i < out.count(); i++) {
                processes.release(out.command(i));
            }
            out.reset();
            end(worker, null, failure);
            return null;
        }
        StepOutput.Next next = out.next();
        long tagBefore = lastTag;
        int count = out.count();
        if (count > 0) {
            dispatch(out);
        }
        Object value = out.value();
        Process successor = next == StepOutput.Next.UPGRADE ? out.successor() : null;
        out.reset();
        deaf = next != StepOutput.Next.IDLE && next != StepOutput.Next.AGAIN && next != StepOutput.Next.UPGRADE;
        if (next == StepOutput.Next.DONE) {
            if (count == 0) {
                end(worker, value, null);
                return null;
            }
            last = new Exit(pid, value, null);
            abandonUpTo(tagBefore);
        } else if (next == StepOutput.Next.WAIT && openCount == 0) {
            end(worker, null, new ProcessException(Code.STUCK, pid + " waits for yields, but none is open"));
            return null;
        } else if (successor != null) {
            Throwable failed = goOnWith(successor, value);
            if (failed != null) {
                end(worker, null, new ProcessException(Code.START_FAILED, "the upgrade of " + pid + " failed", failed));
                return null;
            }
        }
        return next;
    }

    /** Gives back what the step has seen. */
    private void settle(Worker worker) {
        List<Event> events = worker.events;
        for (int i = 0; i < events.size(); i++) {
            if (events.get(i) instanceof OpenYield yield && yield.settle()) {
                spare = yield;
            }
        }
        if (!events.isEmpty()) {
            worker.clearEvents();
        }
    }

    @SuppressWarnings("IllegalCatch")
    private void dispatch(StepOutput out) {
        dispatcher = Thread.currentThread();
        for (int i = 0; i < out.count(); i++) {
            Command command = out.command(i);
            OpenYield yield = link(command, out.tag(i));
            long timeout = out.timeoutNanos(i);
            if (timeout > 0) {
                processes.expireAfter(yield, timeout);
            }
            dispatched = yield;
            try {
                int commandId = command.commandId();
                Handler handler = processes.registry.get(commandId);
                if (handler == null) {
                    yield.failed(new CommandException(
                            Reason.UNKNOWN_COMMAND, "no handler is registered for command " + commandId));
                } else {
                    handler.handle(yield, command, yield.handlerTag(), yield);
                }
            } catch (Throwable e) {
                yield.failed(e);
            }
        }
        dispatched = null;
        dispatcher = null;
    }

    private OpenYield link(Command command, long tag) {
        OpenYield yield = spare;
        if (yield == null) {
            yield = new OpenYield(this);
        } else {
            spare = null;
        }
        OpenYield head = openYields;
        yield.nextOpen = head;
        yield.previousOpen = null;
        if (head != null) {
            head.previousOpen = yield;
        }
        openYields = yield;
        openCount++;
        yield.open(command, ++lastTag, tag);
        return yield;
    }

    /** Returns false if it was not linked. */
    private boolean unlink(OpenYield yield) {
        OpenYield previous = yield.previousOpen;
        OpenYield next = yield.nextOpen;
        if (previous != null) {
            previous.nextOpen = next;
        } else if (openYields == yield) {
            openYields = next;
        } else {
            return false;
        }
        if (next != null) {
            next.previousOpen = previous;
        }
        yield.previousOpen = null;
        yield.nextOpen = null;
        openCount--;
        return true;
    }

    /** Takes the end of a yield. Called once for each, by whoever ended it. Returns whether that was its handler, in the thread that hands it over and before that was done. */
    boolean ended(OpenYield yield) {
        if (dispatcher == Thread.currentThread()) {
            yield.below = endedInline;
            endedInline = yield;
            return dispatched == yield;
        }
        if (!add(yield)) {
            yield.endedTooLate();
        }
        return false;
    }

    private void abandonUpTo(long tag) {
        CancelCause why = processes.isStopping() ? CancelCause.SHUTDOWN : CancelCause.REQUESTED;
        OpenYield yield = openYields;
        while (yield != null) {
            OpenYield next = yield.nextOpen;
            if (yield.handlerTag() <= tag) {
                unlink(yield);
                yield.abandon(why);
            }
            yield = next;
        }
    }

    /** Adds an event, and has the process run if that wakes it. Returns false if it has ended. */
    private boolean add(Event event) {
        Pushed pushed = push(event);
        if (pushed == Pushed.WAKES) {
            processes.scheduler.run(this);
        }
        return pushed != Pushed.REFUSED;
    }

    /** Whether it has ended, or is about to, and takes nothing any more. */
    boolean isOver() {
        return state() == ProcessInfo.State.COMPLETE;
    }

    /** Called by any thread. Returns false if it has ended or has no room. */
    boolean send(Message message) {
        return reserveMessage(options.mailbox()) && add(Signal.message(message));
    }

    /** Called by any thread. Returns false if it has ended. */
    boolean terminate() {
        synchronized (this) {
            if (ended || terminated) {
                return !ended;
            }
            terminated = true;
        }
        return add(Control.wakeUp());
    }

    /** Called by any thread. Returns false if it has ended. A second one joins one that has not been seen yet. */
    boolean cancel(@Nullable Pid from, String reason) {
        synchronized (this) {
            if (ended || cancelWaits) {
                return !ended;
            }
            cancelWaits = true;
        }
        return add(Signal.cancel(from, reason));
    }

    /** Has it make a step. Called by any thread. Returns false if it has ended. */
    boolean wakeUp() {
        return add(Control.wakeUp());
    }

    /** Called by any thread. Returns false if it has ended. */
    boolean requestUpgrade(Control.Upgrade upgrade) {
        return add(Control.upgrade(upgrade));
    }

    private void upgrade(Control.Upgrade upgrade) {
        Throwable failure = goOnWith(upgrade.next(), upgrade.input());
        if (failure == null) {
            upgrade.done().complete(null);
        } else {
            upgrade.done()
                    .completeExceptionally(
                            new ProcessException(Code.START_FAILED, "the upgrade of " + pid + " failed", failure));
        }
    }

    @SuppressWarnings("IllegalCatch")
    private @Nullable Throwable goOnWith(Process next, @Nullable Object input) {
        try {
            next.init(this, input);
        } catch (Throwable e) {
            close(next);
            return e;
        }
        close(process);
        process = next;
        deaf = false;
        return null;
    }

    @SuppressWarnings("IllegalCatch")
    @Nullable Throwable close(Process closed) {
        try {
            closed.close();
            return null;
        } catch (Throwable e) {
            log.warn("closing {} has failed", pid, e);
            return e;
        }
    }

    /** Begins its life, in the thread that spawns it. */
    void init(@Nullable Object input) throws Exception {
        process.init(this, input);
    }

    /** Ends it in the calling thread, which owns it: it could not be started, or no worker will run it any more. */
    void end(Throwable why) {
        end(null, null, why);
    }

    private void end(@Nullable Worker worker, @Nullable Object result, @Nullable Throwable error) {
        Event untaken = close();
        abandonUpTo(Long.MAX_VALUE);
        discard(untaken);
        discard(endedInline);
        discard(firstHeld);
        endedInline = null;
        firstHeld = null;
        lastHeld = null;
        if (worker != null) {
            worker.events.forEach(this::discardOne);
            worker.clearEvents();
        }
        Throwable failure = error;
        Throwable failedClose = close(process);
        if (failure == null) {
            failure = failedClose;
        }
        Relations former;
        synchronized (this) {
            ended = true;
            former = relations;
            relations = null;
        }
        processes.ended(this, former, new Exit(pid, failure == null ? result : null, failure));
    }

    private void discard(@Nullable Event newest) {
        Event event = newest;
        while (event != null) {
            Event next = event.below;
            event.below = null;
            discardOne(event);
            event = next;
        }
    }

    private void discardOne(Event event) {
        if (event instanceof OpenYield yield) {
            yield.settle();
        } else if (event instanceof Control control) {
            if (control.upgrade != null) {
                close(control.upgrade.next());
                control.upgrade.done().completeExceptionally(new ProcessException(Code.NOT_FOUND, pid + " has ended"));
            }
        } else if (event.kind() == Event.Kind.MESSAGE) {
            processes.counters.messagesLost.increment();
        }
    }

    /** Ties this process to something with {@code change}, under its lock, unless it has ended. */
    synchronized boolean relate(Consumer<Relations> change) {
        if (ended) {
            return false;
        }
        if (relations == null) {
            relations = new Relations();
        }
        change.accept(relations);
        return true;
    }

    /** Undoes that. */
    synchronized void unrelate(Consumer<Relations> change) {
        if (relations != null) {
            change.accept(relations);
        }
    }

    /** Tells this process of the end of another one. */
    void tell(Signal signal) {
        add(signal);
    }

    /** What can be seen from outside, without its owner. */
    ProcessInfo info() {
        ProcessInfo.State state = state();
        List<String> names;
        synchronized (this) {
            names = relations == null ? List.of() : List.copyOf(relations.names);
        }
        if (state == ProcessInfo.State.READY && processes.scheduler.isRunning(this)) {
            state = ProcessInfo.State.RUNNING;
        }
        return new ProcessInfo(
                pid,
                options.parent(),
                process.getClass().getName(),
                names,
                state,
                startedAt(),
                steps,
                openCount,
                messages());
    }

    private Instant startedAt() {
        return Instant.ofEpochMilli(startedAtMillis);
    }

    @Override
    public Pid pid() {
        return pid;
    }

    @Override
    public Mail mail() {
        return processes;
    }

    @Override
    public Instant deadline() {
        return Instant.MAX;
    }

    @Override
    public synchronized boolean isCancelled() {
        return ended || terminated;
    }

    @Override
    public void onCancel(Consumer<CancelCause> action) {
        if (!relate(own -> own.cancelAction = action)) {
            action.accept(CancelCause.REQUESTED);
        }
    }

    @Override
    public @Nullable String principal() {
        return options.principal();
    }

    @Override
    public @Nullable String traceParent() {
        return options.traceParent();
    }

    @Override
    public String toString() {
        return pid + " (" + process.getClass().getName() + ")";
    }
}
