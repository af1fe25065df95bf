package io.github.commandway.tools;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Lets runs begin in the order in which they came, as soon as there is room for them: a thread, one of the runs that their tool may have at a time, and all the names that it locks. Who has
 * to wait keeps later ones from what it waits for, so that it is never passed over for good; who waits holds nothing. Thread-safe.
 */
final class Slots {
    private final int maxRuns;
    private final int maxWaiting;
    private final Set<Claim> waiting = new LinkedHashSet<>();
    private final Map<String, Integer> runs = new HashMap<>();
    private final Set<String> locked = new HashSet<>();
    private int running;

    Slots(int maxRuns, int maxWaiting) {
        this.maxRuns = maxRuns;
        this.maxWaiting = maxWaiting;
    }

    /** What somebody needs. Its fields that are not final are guarded by the lock of the slots. */
    static final class Claim {
        private final String tool;
        private final int concurrency;
        private final List<String> locks;
        private final List<String> pool;
        private final boolean takesThread;
        private final Runnable onGranted;
        private @Nullable String resource;
        private boolean granted;

        /**
         * @param tool the name by which runs are counted, or empty
         * @param concurrency how many of it at a time
         * @param locks all of which it needs
         * @param pool any one of which it needs, unless it is empty
         * @param takesThread whether it counts among all runs
         * @param onGranted is called once it has everything, without a lock, in any thread; must not block
         */
        Claim(
                String tool,
                int concurrency,
                List<String> locks,
                List<String> pool,
                boolean takesThread,
                Runnable onGranted) {
            this.tool = tool;
            this.concurrency = concurrency;
            this.locks = locks;
            this.pool = pool;
            this.takesThread = takesThread;
            this.onGranted = onGranted;
        }
    }

    /** Whether so many wait that no more should come. */
    synchronized boolean isFull() {
        return waiting.size() >= maxWaiting;
    }

    /** Waits for its turn, or begins at once. */
    void submit(Claim claim) {
        List<Claim> granted;
        synchronized (this) {
            waiting.add(claim);
            granted = grant();
        }
        granted.forEach(one -> one.onGranted.run());
    }

    /** Waits no more. Returns false if it did not wait. */
    boolean withdraw(Claim claim) {
        List<Claim> granted;
        synchronized (this) {
            if (!waiting.remove(claim)) {
                return false;
            }
            // those behind it may go on
            granted = grant();
        }
        granted.forEach(one -> one.onGranted.run());
        return true;
    }

    /** Gives back what it holds, or waits no more. Safe to be called again. */
    void release(Claim claim) {
        if (withdraw(claim)) {
            return;
        }
        List<Claim> granted;
        synchronized (this) {
            if (!claim.granted) {
                return;
            }
            claim.granted = false;
            running -= claim.takesThread ? 1 : 0;
            runs.computeIfPresent(claim.tool, (tool, count) -> count == 1 ? null : count - 1);
            claim.locks.forEach(locked::remove);
            if (claim.resource != null) {
                locked.remove(claim.resource);
            }
            granted = grant();
        }
        granted.forEach(one -> one.onGranted.run());
    }

    /** Which of the pool it holds, or null if it has none. */
    synchronized @Nullable String resource(Claim claim) {
        return claim.resource;
    }

    synchronized int waiting() {
        return waiting.size();
    }

    synchronized int running() {
        return running;
    }

    /** Takes out of the line those that can begin. The lock is held. */
    private List<Claim> grant() {
        List<Claim> granted = new ArrayList<>();
        Set<String> reserved = new HashSet<>();
        Set<String> fullTools = new HashSet<>();
        var line = waiting.iterator();
        while (line.hasNext()) {
            Claim claim = line.next();
            boolean noThread = claim.takesThread && running >= maxRuns;
            boolean noRoom = fullTools.contains(claim.tool) || runs.getOrDefault(claim.tool, 0) >= claim.concurrency;
            String resource = claim.pool.stream()
                    .filter(name -> !locked.contains(name) && !reserved.contains(name))
                    .findFirst()
                    .orElse(null);
            boolean noLock = claim.locks.stream().anyMatch(name -> locked.contains(name) || reserved.contains(name))
                    || (resource == null && !claim.pool.isEmpty());
            if (noThread) {
                // those who could pass it have a thread, and it may be theirs that it waits for
                continue;
            }
            if (noRoom || noLock) {
                reserved.addAll(claim.locks);
                if (resource != null) {
                    reserved.add(resource);
                }
                if (noRoom) {
                    fullTools.add(claim.tool);
                }
                continue;
            }
            line.remove();
            claim.granted = true;
            claim.resource = resource;
            running += claim.takesThread ? 1 : 0;
            runs.merge(claim.tool, 1, Integer::sum);
            locked.addAll(claim.locks);
            if (resource != null) {
                locked.add(resource);
            }
            granted.add(claim);
        }
        return granted;
    }
}
