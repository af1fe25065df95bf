package io.github.commandway.cli;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** How long a server or an agent is to run: until somebody asks it to stop. Safe for use by many threads. */
final class Lifetime {
    private final CountDownLatch stopping = new CountDownLatch(1);
    private final CountDownLatch ended = new CountDownLatch(1);
    private volatile boolean hasMuchToClose;
    private volatile int exitCode;

    /**
     * Ties it to the process: SIGTERM and SIGINT ask it to stop. If it {@linkplain #closeBeforeTheEnd has much to close}, the process ends when
     * {@link #ended} was called, with that exit code, and not with the 143 or 130 by which a JVM tells of the signal: a process that was asked to
     * stop and did is no failure. Otherwise it ends at once.
     */
    void followProcess() {
        Runtime.getRuntime().addShutdownHook(new Thread(this::endProcess, "commandway-stop"));
    }

    private void endProcess() {
        stop();
        if (hasMuchToClose) {
            try {
                ended.await();
            } catch (InterruptedException e) {
                // nobody has a reason to interrupt this thread; then the process ends as if there were nothing to close
                Thread.currentThread().interrupt();
                return;
            }
            Runtime.getRuntime().halt(exitCode);
        }
    }

    /** Says that a server or an agent runs, which is to be closed in order before the process ends. */
    void closeBeforeTheEnd() {
        hasMuchToClose = true;
    }

    /** Asks it to stop. */
    void stop() {
        stopping.countDown();
    }

    boolean isStopping() {
        return stopping.getCount() == 0;
    }

    /** Waits until somebody asks it to stop. */
    void awaitStop() throws InterruptedException {
        stopping.await();
    }

    /** Waits until somebody asks it to stop, or this time is over; returns whether somebody did. */
    boolean awaitStop(Duration longest) throws InterruptedException {
        return stopping.await(longest.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** Says that everything has been closed. */
    void ended(int code) {
        exitCode = code;
        ended.countDown();
    }
}
