package io.github.commandway.http;

import java.util.List;
import java.util.concurrent.Flow;

/** Adds each line of a response to a list as it comes. */
record LineCollector(List<String> lines) implements Flow.Subscriber<String> {
    @Override
    public void onSubscribe(Flow.Subscription subscription) {
        subscription.request(Long.MAX_VALUE);
    }

    @Override
    public void onNext(String line) {
        lines.add(line);
    }

    @Override
    public void onError(Throwable error) {
        lines.add("error: " + error);
    }

    @Override
    public void onComplete() {
        // the response's own future says so
    }
}
