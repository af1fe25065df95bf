package io.github.commandway.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A JVM of this build that is asked things over its standard input and answers each with one line on its standard output. It
 * ends when its input does.
 */
final class ChildProcess implements AutoCloseable {

    private static final long CLOSE_TIMEOUT_SECONDS = 10;

    private final String name;
    private final Process process;
    private final PrintWriter questions;
    private final BufferedReader answers;

    private ChildProcess(String name, Process process) {
        this.name = name;
        this.process = process;
        questions = new PrintWriter(process.outputWriter(StandardCharsets.UTF_8), true);
        answers = process.inputReader(StandardCharsets.UTF_8);
    }

    /** Starts {@code main} in a JVM with these flags. */
    static ChildProcess start(Class<?> main, List<String> jvmFlags, List<String> arguments) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(System.getProperty("java.home") + "/bin/java");
        command.addAll(jvmFlags);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
        command.addAll(arguments);
        return new ChildProcess(
                main.getSimpleName(),
                new ProcessBuilder(command)
                        .redirectError(ProcessBuilder.Redirect.INHERIT)
                        .start());
    }

    long pid() {
        return process.pid();
    }

    /** Waits for the next line. */
    String answer() throws IOException {
        String line = answers.readLine();
        if (line == null) {
            throw new IOException(name + " ended without an answer");
        }
        return line;
    }

    String ask(String question) throws IOException {
        questions.println(question);
        return answer();
    }

    /** The whole numbers in the answer, separated by spaces. */
    long[] askNumbers(String question) throws IOException {
        String[] words = ask(question).split(" ");
        long[] numbers = new long[words.length];
        for (int i = 0; i < words.length; i++) {
            numbers[i] = Long.parseLong(words[i]);
        }
        return numbers;
    }

    @Override
    public void close() {
        questions.close();
        process.onExit()
                .completeOnTimeout(process, CLOSE_TIMEOUT_SECONDS, TimeUnit.SECONDS)
                .join();
        process.destroyForcibly();
    }
}
