package io.github.commandway.process;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** A thread that runs processes, with what it needs to run one. If it is blocked for long, another one takes over its place and its queue. */
final class Worker extends Thread {
    private static final int EVENTS_KEPT = 256;

    final Scheduler scheduler;
    final int place;
    final RunQueue queue;
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
    private volatile boolean replaced;
    private volatile @Nullable LiveProcess current;

    Worker(Scheduler scheduler, int place, RunQueue queue, String name) {
        super(name);
        this.scheduler = scheduler;
        this.place = place;
        this.queue = queue;
        setDaemon(true);
    }

    @Override
    public void run() {
        while (!replaced) {
            LiveProcess process = scheduler.next(this);
            if (process == null) {
                return;
            }
            current = process;
            process.run(this);
            current = null;
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

    @Nullable LiveProcess current() {
        return current;
    }

    /** It leaves its place as soon as it can. */
    void replace() {
        replaced = true;
    }

    boolean isReplaced() {
        return replaced;
    }
}
