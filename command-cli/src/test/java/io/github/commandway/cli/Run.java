package io.github.commandway.cli;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;

/** One run of the program in this JVM, with what it printed. */
final class Run {
    private final Path folder;
    private final Lifetime lifetime = new Lifetime();
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private InputStream in = InputStream.nullInputStream();
    private volatile int exitCode = -1;

    Run(Path folder) {
        this.folder = folder;
    }

    Run input(String text) {
        in = new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8));
        return this;
    }

    /** Runs until it ends. */
    Run run(String... args) {
        Surroundings surroundings = new Surroundings(Map.of(), folder, in, out, err, false, lifetime);
        exitCode = Commandway.run(surroundings, args);
        return this;
    }

    /** Runs in a thread of its own until {@link #stop}. */
    Thread start(String... args) {
        Thread thread = new Thread(() -> run(args), "run " + args[0]);
        thread.start();
        return thread;
    }

    void stop() {
        lifetime.stop();
    }

    int exitCode() {
        return exitCode;
    }

    String out() {
        return out.toString(StandardCharsets.UTF_8);
    }

    byte[] bytes() {
        return out.toByteArray();
    }

    String err() {
        return err.toString(StandardCharsets.UTF_8);
    }
}
