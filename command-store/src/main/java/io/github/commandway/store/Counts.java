package io.github.commandway.store;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/** How many records there are, and how many wait in each queue, as far as is known here without a look. */
final class Counts {
    private final AtomicLong records = new AtomicLong();
    private final AtomicLong ended = new AtomicLong();
    private final Map<String, AtomicLong> waiting = new ConcurrentHashMap<>();

    void created(int count) {
        records.addAndGet(count);
    }

    void ended() {
        ended.incrementAndGet();
    }

    void purged(int count) {
        records.addAndGet(-count);
        ended.addAndGet(-count);
    }

    void waiting(String queue, long more) {
        waiting.computeIfAbsent(queue, none -> new AtomicLong()).addAndGet(more);
    }

    void setRecords(long recordsNow, long endedNow) {
        records.set(recordsNow);
        ended.set(endedNow);
    }

    void setWaiting(Map<String, Long> now) {
        now.forEach((queue, count) ->
                waiting.computeIfAbsent(queue, none -> new AtomicLong()).set(count));
    }

    long records() {
        return records.get();
    }

    long endedRecords() {
        return ended.get();
    }

    long waiting(String queue) {
        AtomicLong count = waiting.get(queue);
        return count == null ? 0 : Math.max(0, count.get());
    }
}
