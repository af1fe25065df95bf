package io.github.commandway.http;

import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.RecordId;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import reactor.core.publisher.Mono;
import reactor.core.publisher.MonoSink;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Scheduler;

/** Waits for commands to end without holding a thread, and leaves nothing behind in a command when a caller stops waiting. */
final class Ends {
    /** After this time without news a stream says that it is alive. */
    static final Duration KEEP_ALIVE = Duration.ofSeconds(15);

    private final CommandManager manager;
    private final Scheduler timer;
    private final Scheduler worker;
    private final Sinks.Empty<Void> closing = Sinks.empty();

    /**
     * @param timer says when a time is over
     * @param worker where a waiter goes on: not in the thread that ended the command, which may be a transport's
     */
    Ends(CommandManager manager, Scheduler timer, Scheduler worker) {
        this.manager = manager;
        this.timer = timer;
        this.worker = worker;
    }

    /** Ends all waits now. */
    void close() {
        closing.tryEmitEmpty();
    }

    /** Completes when the facade is being shut down. */
    Mono<Void> closing() {
        return closing.asMono();
    }

    /** Completes after this time, or earlier when the facade is being shut down. */
    Mono<Void> after(Duration time) {
        return Mono.firstWithSignal(delay(time), closing());
    }

    /** Completes after this time, in a worker. */
    Mono<Void> delay(Duration time) {
        return onWorker(Mono.delay(time, timer).then());
    }

    /** Waits for news for a stream, and keeps it alive meanwhile; true if the facade is being shut down, and the stream is to end. */
    Mono<Boolean> news(Wakeup wakeup, Reply.EventWriter out) {
        Mono<Boolean> changed = onWorker(wakeup.await()).thenReturn(false);
        Mono<Boolean> keepAlive = delay(KEEP_ALIVE)
                .then(Mono.defer(() -> out.write(Reply.comment("keep-alive")).thenReturn(false)));
        Mono<Boolean> isClosing = closing()
                .then(Mono.defer(
                        () -> out.write(Reply.comment("the server is stopping")).thenReturn(true)));
        return Mono.firstWithSignal(changed, keepAlive, isClosing);
    }

    /** The same, going on in a worker. */
    <T> Mono<T> onWorker(Mono<T> mono) {
        return mono.publishOn(worker);
    }

    /** The record when the command has ended, or as it is when {@code until} completes; empty if it is not known any more. */
    Mono<CommandRecord> await(RecordId id, Mono<Void> until) {
        return onWorker(Mono.<CommandRecord>create(sink -> watch(id, sink)))
                .takeUntilOther(until)
                .switchIfEmpty(Mono.defer(() -> monoOf(manager.find(id)).flatMap(Mono::justOrEmpty)));
    }

    private void watch(RecordId id, MonoSink<CommandRecord> sink) {
        Runnable check = () -> manager.find(id).whenComplete((found, error) -> {
            if (error != null) {
                sink.error(error);
            } else {
                emitIfEnded(found, sink);
            }
        });
        manager.watch(id, check).whenComplete((watch, error) -> {
            if (error != null) {
                sink.error(error);
                return;
            }
            watch.ifPresent(present -> sink.onDispose(present::close));
            check.run();
        });
    }

    private static void emitIfEnded(Optional<CommandRecord> found, MonoSink<CommandRecord> sink) {
        if (found.isEmpty()) {
            sink.success();
        } else if (found.get().status().isTerminal()) {
            sink.success(found.get());
        }
    }

    /** The future's outcome. The future belongs to the manager, so nobody cancels it. */
    static <T> Mono<T> monoOf(CompletableFuture<T> future) {
        return Mono.fromFuture(future, true);
    }
}
