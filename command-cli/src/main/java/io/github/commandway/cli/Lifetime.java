package io.github.commandway.cli;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** How long a server or an agent is to run: until somebody asks it to stop. Safe for use by many threads. */
final class Lifetime {
    private final CountDownLatch stopping = new CountDownLatch(1);
    private final CountDownLatch ended = new CountDownLatch(1);
    private volatile int exitCode;

    /**
     * Ties it to the process: SIGTERM and SIGINT ask it to stop, and the process ends when {@link #ended} was called, with that
     * exit code, and not with the 143 or 130 by which a JVM tells of the signal: a process that was asked to stop and did is no failure.
     */
    void followProcess() {
        Runtime.getRuntime()
                .addShutdownHook(new Thread(
                        () -> {
                            stop();
                            boolean interrupted = false;
                            while (ended.getCount() > 0) {
                                try {
                                    ended.await();
                                } catch (InterruptedException e) {
                                    interrupted = true;
                                }
                            }
                            if (interrupted) {
                                Thread.currentThread().interrupt();
                            }
                            Runtime.getRuntime().halt(exitCode);
                        },
                        "commandway-stop"));
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
