package io.github.commandway.process;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Workers, each with a queue of processes that are ready, and one more queue for those that come from elsewhere. A worker without work takes from that queue and then from the other workers. Who
 * wakes a process puts it into a worker's queue himself, and all of a queue can be taken by others: so nothing waits behind a worker that is busy.
 *
 * <p>A worker that finds nothing says that it is going to sleep, looks once more, and sleeps. Whoever has put a process into a queue looks after that whether a worker sleeps. One of the
 * two sees the other. While a worker that was woken is still searching no second one is woken; when it has found something it looks whether there is more.
 */
final class Scheduler {
    private static final Logger log = LoggerFactory.getLogger(Scheduler.class);

    /** Every so many looks a worker begins with the common queue, so that those in it wait for no worker to run out of work. */
    private static final int LOOKS_AT_OWN_QUEUE = 61;

    private static final int TAKEN_AT_ONCE = 32;

    private final String name;
    private final long blockedNanos;
    private final int maxBlocked;
    private final RunQueue<LiveProcess> common = new RunQueue<>();
    private final List<RunQueue<LiveProcess>> queues;
    private final AtomicReferenceArray<@Nullable Worker> workers;

    /** Those that sleep; its own lock guards it. */
    private final ArrayDeque<Worker> sleeping = new ArrayDeque<>();

    private volatile int sleepers;
    private final AtomicInteger searchers = new AtomicInteger();
    private volatile boolean stopped;

    /** Those whose place was taken while they were blocked; guarded by itself, like what was counted of them. */
    private final List<Worker> blocked = new ArrayList<>();

    private long stepsOfFormer;
    private long stolenByFormer;
    private int replacements;
    private final long[] stepsSeen;
    private final long[] seenAtNanos;
    private boolean toldOfTooMany;
    private long lookedAtNanos;

    Scheduler(String name, int size, long blockedNanos, int maxBlocked) {
        this.name = name;
        this.blockedNanos = blockedNanos;
        this.maxBlocked = maxBlocked;
        queues = Stream.generate(RunQueue<LiveProcess>::new).limit(size).toList();
        workers = new AtomicReferenceArray<>(size);
        stepsSeen = new long[size];
        seenAtNanos = new long[size];
    }

    void start() {
        for (int place = 0; place < queues.size(); place++) {
            startWorker(place);
        }
    }

    private void startWorker(int place) {
        Worker worker = new Worker(this, place, queues.get(place), name + "-" + place);
        workers.set(place, worker);
        worker.start();
    }

    /** Has a process run that is asleep, or new. It belongs to the caller, and then to the scheduler. */
    void run(LiveProcess process) {
        RunQueue<LiveProcess> queue = process.queue;
        if (Thread.currentThread() instanceof Worker worker && worker.scheduler == this && !worker.isReplaced()) {
            queue = worker.queue;
        }
        (queue == null ? common : queue).add(process);
        signal();
    }

    /** Has a process run on that has had its turn. */
    void runLater(LiveProcess process, Worker worker) {
        worker.queue.add(process);
        if (worker.isReplaced()) {
            signal();
        }
    }

    /** The next process for a worker, for which it waits; null when there is nothing more to do for it. */
    @Nullable LiveProcess next(Worker worker) {
        while (!stopped) {
            LiveProcess process = find(worker);
            if (process != null) {
                if (worker.searching) {
                    worker.searching = false;
                    endSearch();
                }
                return process;
            }
            sleep(worker);
        }
        return null;
    }

    private @Nullable LiveProcess find(Worker worker) {
        LiveProcess process = null;
        if (++worker.looks % LOOKS_AT_OWN_QUEUE == 0) {
            process = common.poll();
        }
        if (process == null) {
            process = worker.queue.poll();
        }
        if (process == null) {
            process = takeSome(common, queues.size(), worker);
        }
        for (int i = 1; process == null && i < queues.size(); i++) {
            process = takeSome(queues.get((worker.place + i) % queues.size()), 2, worker);
            if (process != null) {
                worker.stolen.lazySet(worker.stolen.getPlain() + 1);
            }
        }
        return process;
    }

    private static @Nullable LiveProcess takeSome(RunQueue<LiveProcess> from, int parts, Worker worker) {
        LiveProcess first = from.pollSome(parts, TAKEN_AT_ONCE, worker.taken);
        if (!worker.taken.isEmpty()) {
            worker.queue.addAll(worker.taken);
            worker.taken.clear();
        }
        return first;
    }

    private void sleep(Worker worker) {
        synchronized (sleeping) {
            sleeping.addLast(worker);
            sleepers = sleeping.size();
        }
        if (worker.searching) {
            worker.searching = false;
            searchers.decrementAndGet();
        }
        if ((stopped || isAnyReady()) && isStillAsleep(worker)) {
            return;
        }
        while (!worker.called) {
            LockSupport.park(this);
            // somebody else's interrupt must not make it spin
            Thread.interrupted();
        }
        worker.called = false;
        worker.searching = true;
    }

    private boolean isStillAsleep(Worker worker) {
        synchronized (sleeping) {
            boolean still = sleeping.remove(worker);
            sleepers = sleeping.size();
            return still;
        }
    }

    /** Wakes a worker if that is necessary. A process was put into a queue before. */
    private void signal() {
        while (sleepers > 0 && searchers.compareAndSet(0, 1)) {
            Worker worker;
            synchronized (sleeping) {
                worker = sleeping.pollLast();
                sleepers = sleeping.size();
            }
            if (worker != null) {
                call(worker);
                return;
            }
            // others may have left it to the search that did not take place
            searchers.decrementAndGet();
            if (!isAnyReady()) {
                return;
            }
        }
    }

    private static void call(Worker worker) {
        worker.called = true;
        LockSupport.unpark(worker);
    }

    private void endSearch() {
        if (searchers.decrementAndGet() == 0 && isAnyReady()) {
            signal();
        }
    }

    private boolean isAnyReady() {
        if (common.size() > 0) {
            return true;
        }
        for (RunQueue<LiveProcess> queue : queues) {
            if (queue.size() > 0) {
                return true;
            }
        }
        return false;
    }

    /** Gives the place of a worker that has been in one step for too long to a new one. Called by one thread, now and then. */
    void replaceBlocked(long nowNanos) {
        // if this thread did not get to run either, it says nothing of the workers
        boolean paused = nowNanos - lookedAtNanos >= blockedNanos;
        lookedAtNanos = nowNanos;
        for (int place = 0; place < queues.size(); place++) {
            Worker worker = workers.get(place);
            LiveProcess process = worker == null ? null : worker.current();
            if (worker == null || process == null) {
                seenAtNanos[place] = nowNanos;
                continue;
            }
            long steps = worker.steps.get();
            if (paused || steps != stepsSeen[place]) {
                stepsSeen[place] = steps;
                seenAtNanos[place] = nowNanos;
            } else if (nowNanos - seenAtNanos[place] >= blockedNanos && sleepers == 0 && isAnyReady()) {
                replace(worker, process);
                seenAtNanos[place] = nowNanos;
            }
        }
    }

    private void replace(Worker worker, LiveProcess process) {
        synchronized (blocked) {
            forgetThoseThatEnded();
            if (blocked.size() >= maxBlocked) {
                if (!toldOfTooMany) {
                    toldOfTooMany = true;
                    log.error(
                            "{} threads are blocked in steps or handlers of processes; no more are added", maxBlocked);
                }
                return;
            }
            if (stopped || !worker.replace(process)) {
                return;
            }
            toldOfTooMany = false;
            blocked.add(worker);
            replacements++;
        }
        startWorker(worker.place);
        log.warn(
                "{} is blocked by {}; another thread goes on in its place. Handlers must not block: see BlockingHandler",
                worker.getName(),
                process);
    }

    private void forgetThoseThatEnded() {
        blocked.removeIf(worker -> {
            boolean ended = !worker.isAlive();
            if (ended) {
                stepsOfFormer += worker.steps.get();
                stolenByFormer += worker.stolen.get();
            }
            return ended;
        });
    }

    /** Lets the workers end after the step that they are in. */
    void stop() {
        stopped = true;
        synchronized (sleeping) {
            sleeping.forEach(Scheduler::call);
            sleeping.clear();
            sleepers = 0;
        }
    }

    /** Interrupts whatever the workers are in. */
    void interrupt() {
        synchronized (blocked) {
            blocked.forEach(Thread::interrupt);
        }
        for (int place = 0; place < queues.size(); place++) {
            Worker worker = workers.get(place);
            if (worker != null && worker.current() != null) {
                worker.interrupt();
            }
        }
    }

    /** Waits until the workers have ended, but for those that are in a step when the time is over. */
    boolean join(Duration timeout) throws InterruptedException {
        List<Worker> all = new ArrayList<>();
        synchronized (blocked) {
            all.addAll(blocked);
        }
        for (int place = 0; place < queues.size(); place++) {
            Worker worker = workers.get(place);
            if (worker != null) {
                all.add(worker);
            }
        }
        boolean ended = true;
        for (Worker worker : all) {
            if (worker != Thread.currentThread()) {
                worker.join(timeout.toMillis());
                while (worker.isAlive() && worker.current() == null) {
                    worker.join(1);
                }
                ended &= !worker.isAlive();
            }
        }
        return ended;
    }

    /** Whether a worker is in a step of the process, or on the way to one. */
    boolean isRunning(LiveProcess process) {
        for (int place = 0; place < queues.size(); place++) {
            Worker worker = workers.get(place);
            if (worker != null && worker.current() == process) {
                return true;
            }
        }
        synchronized (blocked) {
            return blocked.stream().anyMatch(worker -> worker.current() == process);
        }
    }

    int size() {
        return queues.size();
    }

    int ready() {
        int ready = common.size();
        for (RunQueue<LiveProcess> queue : queues) {
            ready += queue.size();
        }
        return ready;
    }

    long steps() {
        long steps = 0;
        for (int place = 0; place < queues.size(); place++) {
            Worker worker = workers.get(place);
            steps += worker == null ? 0 : worker.steps.get();
        }
        synchronized (blocked) {
            forgetThoseThatEnded();
            return blocked.stream().mapToLong(worker -> worker.steps.get()).sum() + stepsOfFormer + steps;
        }
    }

    long stolen() {
        long stolen = 0;
        for (int place = 0; place < queues.size(); place++) {
            Worker worker = workers.get(place);
            stolen += worker == null ? 0 : worker.stolen.get();
        }
        synchronized (blocked) {
            forgetThoseThatEnded();
            return blocked.stream().mapToLong(worker -> worker.stolen.get()).sum() + stolenByFormer + stolen;
        }
    }

    int replacements() {
        synchronized (blocked) {
            return replacements;
        }
    }
}
