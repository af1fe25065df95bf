package io.github.commandway.agent;

import dev.failsafe.RateLimiter;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import java.time.Clock;
import java.time.Duration;
import java.util.concurrent.ScheduledExecutorService;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The middleware that comes with the router. Counting is {@link CommandMetrics}. */
public final class Middlewares {
    private static final Logger LOG = LoggerFactory.getLogger(Middlewares.class);

    private Middlewares() {}

    /** Logs the outcome of every command with {@link System#nanoTime()}; see {@link #logging(LongSupplier)}. */
    public static Middleware logging() {
        return logging(System::nanoTime);
    }

    /**
     * Logs the outcome of every command: completed at level info, failed at level warn. Names the type, the id, the duration and, for a failure, the reason
     * or the exception's class. Never payloads, results or messages of failures, which can hold what is secret; those are in the command's record.
     *
     * @param nanoTicker counts nanoseconds
     */
    public static Middleware logging(LongSupplier nanoTicker) {
        return (context, type, payload, next) -> {
            long start = nanoTicker.getAsLong();
            try {
                byte[] result = next.execute(context, payload);
                LOG.info("command {} {} completed in {} ms", type, context.commandId(), millisSince(start, nanoTicker));
                return result;
            } catch (Throwable e) {
                String outcome = e instanceof CommandException failure
                        ? failure.reason().code()
                        : e.getClass().getName();
                LOG.warn(
                        "command {} {} failed after {} ms: {}",
                        type,
                        context.commandId(),
                        millisSince(start, nanoTicker),
                        outcome);
                throw e;
            }
        };
    }

    /**
     * Turns a {@link RuntimeException} or {@link Error} of a handler, which is a bug in it, into a failure with a clear message, and logs it with its
     * stack trace. Checked exceptions pass: a handler throws those on purpose.
     */
    public static Middleware recovery() {
        return (context, type, payload, next) -> {
            try {
                return next.execute(context, payload);
            } catch (RuntimeException | Error e) {
                LOG.error("the handler of {} failed unexpectedly on command {}", type, context.commandId(), e);
                throw new CommandException(
                        Reason.EXECUTOR_ERROR,
                        "the handler of '" + type + "' failed unexpectedly: "
                                + e.getClass().getSimpleName() + (e.getMessage() == null ? "" : ": " + e.getMessage()));
            }
        };
    }

    /**
     * Gives commands at most {@code limit}, where their own time is longer. Then the executing thread is interrupted, {@link ExecutionContext#isCancelled()}
     * is true, the {@linkplain ExecutionContext#onCancel cancel actions} run, and the command ends as {@code EXECUTION_TIMEOUT} when the handler has returned,
     * whatever it returns.
     *
     * @param limit more than zero
     * @param clock the clock of the commands' deadlines
     * @param scheduler waits for the end of the limit, and runs the cancel actions; stays the caller's
     */
    public static Middleware timeout(Duration limit, Clock clock, ScheduledExecutorService scheduler) {
        if (limit.isNegative() || limit.isZero()) {
            throw new IllegalArgumentException("the limit must be more than zero: " + limit);
        }
        return (context, type, payload, next) -> {
            if (!clock.instant().plus(limit).isBefore(context.deadline())) {
                return next.execute(context, payload);
            }
            return new TimeLimitedContext(context, clock.instant().plus(limit))
                    .execute(type, payload, next, limit, scheduler);
        };
    }

    /**
     * Refuses commands beyond {@code max} in each {@code period}, as {@code REJECTED_BY_AGENT} before they start, so that sending them again later is safe. The
     * commands of all routes that it covers count together.
     *
     * @param max at least 1
     * @param period more than zero
     */
    public static Middleware rateLimit(int max, Duration period) {
        RateLimiter<Object> limiter = RateLimiter.burstyBuilder(max, period).build();
        return (context, type, payload, next) -> {
            if (!limiter.tryAcquirePermit()) {
                throw new CommandException(
                        Reason.REJECTED_BY_AGENT,
                        "rate limit: at most " + max + " commands such as '" + type + "' in " + period.toMillis()
                                + " ms; not started, send it again later");
            }
            return next.execute(context, payload);
        };
    }

    /** Refuses payloads that are neither empty nor one JSON object, as {@code REJECTED_BY_AGENT}. For raw handlers; typed ones check more than this. */
    public static Middleware jsonObject() {
        Json json = new Json();
        return (context, type, payload, next) -> {
            json.requireObject(payload);
            return next.execute(context, payload);
        };
    }

    private static long millisSince(long start, LongSupplier nanoTicker) {
        return (nanoTicker.getAsLong() - start) / 1_000_000;
    }
}
