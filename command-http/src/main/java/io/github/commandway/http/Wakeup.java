package io.github.commandway.http;

import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.publisher.MonoSink;

/**
 * Passes "something has changed" from any thread to one waiter. Changes are remembered as one until {@link #clear}, which the waiter calls before it looks at what has changed, so that it misses
 * none, even if it stops to wait at the moment when it is woken.
 */
final class Wakeup {
    private boolean signalled;
    private @Nullable MonoSink<Void> waiter;

    void signal() {
        MonoSink<Void> woken;
        synchronized (this) {
            woken = waiter;
            waiter = null;
            signalled = true;
        }
        if (woken != null) {
            woken.success();
        }
    }

    synchronized void clear() {
        signalled = false;
    }

    /** Completes at the next change; at once if there was one since {@link #clear}. */
    Mono<Void> await() {
        return Mono.create(sink -> {
            synchronized (this) {
                if (!signalled) {
                    waiter = sink;
                    return;
                }
            }
            sink.success();
        });
    }
}
