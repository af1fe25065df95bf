package io.github.commandway.http;

import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.publisher.MonoSink;

/** Passes "something has changed" from any thread to one waiter; changes that come while nobody waits are remembered as one. */
final class Wakeup {
    private boolean signalled;
    private @Nullable MonoSink<Void> waiter;

    void signal() {
        MonoSink<Void> woken;
        synchronized (this) {
            woken = waiter;
            waiter = null;
            signalled = woken == null;
        }
        if (woken != null) {
            woken.success();
        }
    }

    Mono<Void> await() {
        return Mono.create(sink -> {
            synchronized (this) {
                if (!signalled) {
                    waiter = sink;
                    return;
                }
                signalled = false;
            }
            sink.success();
        });
    }
}
