package io.github.commandway.http;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import reactor.core.publisher.Mono;

/** So many of something at once and no more. Safe for use by many threads. */
final class Slots {
    private final String what;
    private final int most;
    private final AtomicInteger taken = new AtomicInteger();

    Slots(String what, int most) {
        this.what = what;
        this.most = most;
    }

    /** Does something while it holds a slot, or fails with a 503 and does nothing. */
    <T> Mono<T> hold(Supplier<Mono<T>> work) {
        return Mono.defer(() -> {
            if (taken.incrementAndGet() > most) {
                taken.decrementAndGet();
                return Mono.error(
                        Problem.busy("there are as many " + what + " as may be (" + most + "); try again later"));
            }
            return Mono.defer(work).doFinally(signal -> taken.decrementAndGet());
        });
    }

    int taken() {
        return taken.get();
    }
}
