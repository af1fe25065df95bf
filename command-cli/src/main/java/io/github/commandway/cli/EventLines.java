package io.github.commandway.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The lines of a stream of events. It ends when nothing has come for too long: a connection whose other end is gone may say nothing of it. */
final class EventLines extends BufferedReader {
    private static final Logger LOG = LoggerFactory.getLogger(EventLines.class);

    private final InputStream stream;
    private final long longestSilenceNanos;
    private final ScheduledExecutorService guard;
    private volatile boolean isSilent;
    private volatile long lastLineNanos = System.nanoTime();

    EventLines(InputStream stream, Duration longestSilence) {
        super(new InputStreamReader(stream, StandardCharsets.UTF_8));
        this.stream = stream;
        longestSilenceNanos = longestSilence.toNanos();
        guard = Executors.newSingleThreadScheduledExecutor(DaemonThreads.named("commandway-silence"));
        long interval = Math.max(1, longestSilenceNanos / 10);
        guard.scheduleWithFixedDelay(this::endIfSilent, interval, interval, TimeUnit.NANOSECONDS);
    }

    private void endIfSilent() {
        if (System.nanoTime() - lastLineNanos > longestSilenceNanos) {
            isSilent = true;
            try {
                stream.close();
            } catch (IOException e) {
                LOG.debug("a silent stream could not be closed", e);
            }
        }
    }

    @Override
    public @Nullable String readLine() throws IOException {
        try {
            String line = super.readLine();
            lastLineNanos = System.nanoTime();
            return line;
        } catch (IOException e) {
            if (isSilent) {
                return null;
            }
            throw e;
        }
    }

    @Override
    public void close() throws IOException {
        guard.shutdownNow();
        super.close();
    }
}
