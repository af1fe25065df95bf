package io.github.commandway.process;

import io.github.commandway.process.ProcessException.Code;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** The threads of blocking bodies: virtual ones if the JVM has them, otherwise a bounded number of platform threads. */
final class BodyThreads implements AutoCloseable {
    private static final @Nullable MethodHandle NEW_VIRTUAL_THREADS = findVirtualThreads();

    private final ExecutorService threads;

    BodyThreads(int most) {
        ExecutorService virtual = newVirtualThreads();
        threads = virtual == null ? newPlatformThreads(most) : virtual;
    }

    /** For Java 21 and above, from bytecode for 17. */
    private static @Nullable MethodHandle findVirtualThreads() {
        try {
            return MethodHandles.publicLookup()
                    .findStatic(
                            Executors.class,
                            "newVirtualThreadPerTaskExecutor",
                            MethodType.methodType(ExecutorService.class));
        } catch (NoSuchMethodException | IllegalAccessException e) {
            return null;
        }
    }

    @SuppressWarnings("IllegalCatch")
    private static @Nullable ExecutorService newVirtualThreads() {
        if (NEW_VIRTUAL_THREADS == null) {
            return null;
        }
        try {
            return (ExecutorService) NEW_VIRTUAL_THREADS.invokeExact();
        } catch (UnsupportedOperationException e) {
            // a preview that is not enabled
            return null;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    static ExecutorService newPlatformThreads(int most) {
        return new ThreadPoolExecutor(0, most, 30, TimeUnit.SECONDS, new SynchronousQueue<>(), task -> {
            Thread thread = new Thread(task, "commandway-process-body");
            thread.setDaemon(true);
            return thread;
        });
    }

    void execute(Runnable task) {
        try {
            threads.execute(task);
        } catch (RejectedExecutionException e) {
            throw new ProcessException(Code.TOO_MANY, "no thread is left for a blocking process");
        }
    }

    @Override
    public void close() {
        threads.shutdownNow();
    }
}
