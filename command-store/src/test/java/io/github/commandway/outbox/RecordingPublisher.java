package io.github.commandway.outbox;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;

/** Remembers what arrived, in order, and answers as it is told. */
final class RecordingPublisher implements Publisher {
    private static final CompletableFuture<Void> ACKNOWLEDGED = CompletableFuture.completedFuture(null);

    private final Set<String> inFlight = ConcurrentHashMap.newKeySet();
    private final List<OutboxEntry> tried = new ArrayList<>();
    private final List<OutboxEntry> arrived = new ArrayList<>();
    private final List<String> overlaps = new ArrayList<>();
    private volatile Function<OutboxEntry, CompletableFuture<Void>> answer = entry -> ACKNOWLEDGED;

    void answer(Function<OutboxEntry, CompletableFuture<Void>> answer) {
        this.answer = answer;
    }

    void acknowledgeAll() {
        answer = entry -> ACKNOWLEDGED;
    }

    @Override
    public CompletableFuture<Void> publish(OutboxEntry entry) {
        String lane = entry.topic() + "/" + entry.key();
        synchronized (this) {
            tried.add(entry);
            if (!inFlight.add(lane)) {
                overlaps.add(lane);
            }
        }
        return answer.apply(entry).whenComplete((nothing, error) -> {
            synchronized (this) {
                inFlight.remove(lane);
                if (error == null) {
                    arrived.add(entry);
                }
            }
        });
    }

    synchronized List<String> tried() {
        return tried.stream().map(OutboxEntry::payload).toList();
    }

    synchronized List<OutboxEntry> triedEntries() {
        return List.copyOf(tried);
    }

    synchronized List<String> arrived() {
        return arrived.stream().map(OutboxEntry::payload).toList();
    }

    synchronized int arrivals() {
        return arrived.size();
    }

    /** Keys of which two entries were with the publisher at the same time. */
    synchronized List<String> overlaps() {
        return List.copyOf(overlaps);
    }

    /** What arrived for each key, repetitions left out. */
    synchronized Map<String, List<String>> firstArrivalsByKey() {
        Map<String, List<String>> byKey = new TreeMap<>();
        for (OutboxEntry entry : arrived) {
            List<String> payloads = byKey.computeIfAbsent(entry.key(), key -> new ArrayList<>());
            if (!payloads.contains(entry.payload())) {
                payloads.add(entry.payload());
            }
        }
        return byKey;
    }
}
