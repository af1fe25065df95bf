package io.github.commandway.http;

import static io.github.commandway.http.Ends.monoOf;

import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.RecordId;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Mono;

/**
 * Tells those who read a run that it has gone on. All readers of one run share one watch and one look at its record, so that what the run writes costs it the same whether one reads it or a thousand.
 * Safe for use by many threads.
 */
final class RunFeeds {
    private static final Logger LOG = LoggerFactory.getLogger(RunFeeds.class);
    private static final Duration AGAIN = Duration.ofSeconds(1);

    private final CommandManager manager;
    private final Ends ends;
    private final Map<RecordId, Shared> open = new ConcurrentHashMap<>();

    RunFeeds(CommandManager manager, Ends ends) {
        this.manager = manager;
        this.ends = ends;
    }

    /** Begins to tell of a run, until the feed is closed. Empty if there is no such run. */
    Mono<Feed> open(RecordId id) {
        return Mono.defer(() -> {
            Wakeup wakeup = new Wakeup();
            Shared shared = open.compute(id, (key, present) -> {
                Shared joined = present == null ? new Shared(id) : present;
                joined.readers.add(wakeup);
                return joined;
            });
            Feed feed = new Feed(shared, wakeup);
            return monoOf(shared.begun())
                    .filter(known -> known)
                    .map(known -> feed)
                    .switchIfEmpty(Mono.fromRunnable(feed::close))
                    .doOnError(error -> feed.close())
                    .doOnCancel(feed::close);
        });
    }

    /** How many runs are being told of. */
    int size() {
        return open.size();
    }

    /** What one reader gets. */
    final class Feed {
        private final Shared shared;
        private final Wakeup wakeup;

        private Feed(Shared shared, Wakeup wakeup) {
            this.shared = shared;
            this.wakeup = wakeup;
        }

        /** Is signalled when the run has gone on. */
        Wakeup wakeup() {
            return wakeup;
        }

        /** The run as it was when the wakeup was signalled, or later. */
        CommandRecord run() {
            CommandRecord latest = shared.latest;
            if (latest == null) {
                throw new IllegalStateException("a feed begins with the record");
            }
            return latest;
        }

        void close() {
            open.computeIfPresent(shared.id, (id, present) -> {
                present.readers.remove(wakeup);
                if (present != shared || !present.readers.isEmpty()) {
                    return present;
                }
                present.end();
                return null;
            });
        }
    }

    private final class Shared {
        private final RecordId id;
        private final Set<Wakeup> readers = ConcurrentHashMap.newKeySet();
        private final AtomicInteger changes = new AtomicInteger();
        private @Nullable CompletableFuture<Boolean> begun;
        private @Nullable CompletableFuture<Optional<CommandManager.Watch>> watch;
        private volatile @Nullable CommandRecord latest;

        Shared(RecordId id) {
            this.id = id;
        }

        /** Completes when the record is known, or with false if there is none. */
        synchronized CompletableFuture<Boolean> begun() {
            CompletableFuture<Boolean> present = begun;
            if (present == null) {
                watch = manager.watch(id, this::changed);
                present = watch.thenCompose(watching -> manager.find(id)).thenApply(found -> {
                    // a look at it that was caused by a change may have been faster
                    if (latest == null && found.isPresent()) {
                        latest = found.get();
                    }
                    return found.isPresent();
                });
                begun = present;
            }
            return present;
        }

        synchronized void end() {
            if (watch != null) {
                watch.thenAccept(watching -> watching.ifPresent(CommandManager.Watch::close));
            }
        }

        /** Runs in the thread of whoever has changed it, so all the rest is done elsewhere; one look after another, so that an old one never follows a new one. */
        private void changed() {
            if (changes.getAndIncrement() == 0) {
                ends.onWorker(Mono.just(true)).subscribe(now -> look());
            }
        }

        private void look() {
            int seen = changes.get();
            manager.find(id).whenComplete((found, error) -> {
                if (error == null) {
                    found.ifPresent(record -> latest = record);
                    readers.forEach(Wakeup::signal);
                } else {
                    LOG.warn("run {} could not be looked at and is looked at again: {}", id, error.toString());
                }
                if (error != null && !readers.isEmpty()) {
                    ends.delay(AGAIN).subscribe(nothing -> {}, failure -> {}, this::look);
                } else if (changes.addAndGet(-seen) > 0) {
                    ends.onWorker(Mono.just(true)).subscribe(now -> look());
                }
            });
        }
    }
}
