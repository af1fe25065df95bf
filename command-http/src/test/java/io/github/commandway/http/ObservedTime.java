package io.github.commandway.http;

import io.github.commandway.testing.ManualTime;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.time.Clock;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/** Manual time that also tells who waits for it, so that a test knows when to move it. */
final class ObservedTime {
    private final ManualTime time = new ManualTime();
    private final Map<ScheduledFuture<?>, Duration> delays = new ConcurrentHashMap<>();
    private final ScheduledExecutorService scheduler = (ScheduledExecutorService) Proxy.newProxyInstance(
            getClass().getClassLoader(), new Class<?>[] {ScheduledExecutorService.class}, this::observe);

    private Object observe(Object proxy, Method method, Object[] arguments) throws Throwable {
        try {
            Object result = method.invoke(time.scheduler(), arguments);
            if (method.getName().equals("schedule")) {
                long nanos = ((TimeUnit) arguments[2]).toNanos((Long) arguments[1]);
                delays.put((ScheduledFuture<?>) result, Duration.ofNanos(nanos));
            }
            return result;
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    Clock clock() {
        return time.clock();
    }

    long nanos() {
        return time.nanos();
    }

    ScheduledExecutorService scheduler() {
        return scheduler;
    }

    void advance(Duration by) {
        time.advance(by);
    }

    /** How many tasks wait that were scheduled with this delay. */
    long waiting(Duration delay) {
        delays.keySet().removeIf(ScheduledFuture::isDone);
        return delays.values().stream().filter(delay::equals).count();
    }
}
