package io.github.commandway.process;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** A thread that runs processes, with what it needs to run one. If it is blocked for long, another one takes over its place and its queue. */
final class Worker extends Thread {
    private static final int EVENTS_KEPT = 256;
    private static final Object REPLACED = new Object();

    final Scheduler scheduler;
    final int place;
    final RunQueue<LiveProcess> queue;
    final StepOutput out = new StepOutput();

    /** Those of the step that is being made. */
    List<Event> events = new ArrayList<>();

    /** The same, for the process. */
    List<Event> eventsOfStep = Collections.unmodifiableList(events);

    /** Steps that this thread has made; nobody else writes it. */
    final AtomicLong steps = new AtomicLong();

    final AtomicLong stolen = new AtomicLong();

    /** Used while it looks for work. */
    final List<LiveProcess> taken = new ArrayList<>();

    int looks;
    boolean searching;
    volatile boolean called;

    /** The process that it runs; {@link #REPLACED} from when another thread has taken its place until it ends; null between two processes. */
    private final AtomicReference<@Nullable Object> current = new AtomicReference<>();

    private volatile @Nullable LiveProcess blockedBy;

    Worker(Scheduler scheduler, int place, RunQueue<LiveProcess> queue, String name) {
        super(name);
        this.scheduler = scheduler;
        this.place = place;
        this.queue = queue;
        setDaemon(true);
    }

    @Override
    public void run() {
        LiveProcess process = scheduler.next(this);
        while (process != null) {
            current.setRelease(process);
            process.run(this);
            // who has lost its place meanwhile must not take from its queue any more
            process = current.compareAndSet(process, null) ? scheduler.next(this) : null;
        }
    }

    void stepped() {
        steps.lazySet(steps.getPlain() + 1);
    }

    /** Forgets the events of the last step. */
    void clearEvents() {
        if (events.size() > EVENTS_KEPT) {
            events = new ArrayList<>();
            eventsOfStep = Collections.unmodifiableList(events);
        } else {
            events.clear();
        }
    }

    /** The process that it runs, or null. */
    @Nullable LiveProcess current() {
        return current.get() instanceof LiveProcess process ? process : blockedBy;
    }

    /** Takes its place away, unless it has gone on to another process. It ends as soon as it can. */
    boolean replace(LiveProcess process) {
        if (current.compareAndSet(process, REPLACED)) {
            blockedBy = process;
            return true;
        }
        return false;
    }

    boolean isReplaced() {
        return current.get() == REPLACED;
    }
}
