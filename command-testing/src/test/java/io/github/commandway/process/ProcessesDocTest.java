package io.github.commandway.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.Registry;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The Java lines of docs/processes.md: they run here, and the page has them as they are here. */
class ProcessesDocTest {
    private static final Pattern SNIPPET = Pattern.compile("// DOC\\R(.*?)// end", Pattern.DOTALL);

    // DOC
    record Square(int number) implements Command {
        @Override
        public int commandId() {
            return 300;
        }
    }

    /** Has each number squared that it is sent, and ends with the sum when it is cancelled. */
    static final class SumOfSquares implements Process {
        private int sum;

        @Override
        public void step(List<Event> events, StepOutput out) {
            for (Event event : events) {
                switch (event.kind()) {
                    case MESSAGE -> out.yield(new Square((Integer) event.data()), 1, Duration.ofSeconds(5));
                    case YIELD_COMPLETE -> sum += (Integer) event.data();
                    default -> {
                        out.done(sum);
                        return;
                    }
                }
            }
            out.idle();
        }
    }
    // end

    @Test
    void itsCodeRuns() throws Exception {
        CompletableFuture<Exit> ended = new CompletableFuture<>();
        CompletableFuture<Exit> blockingEnded = new CompletableFuture<>();

        // DOC
        Registry registry = new Registry();
        registry.register("squares", 300, (context, command, tag, receiver) -> {
            int number = ((Square) command).number();
            receiver.completeYield(tag, number * number, null);
        });
        Processes processes = Processes.builder(registry).build();
        registry.register(new ProcessCommands(processes));
        processes.start();

        SpawnOptions options =
                SpawnOptions.builder().name("sum").onExit(ended::complete).build();
        Pid pid = processes.spawn(new SumOfSquares(), null, options);
        processes.send(pid, new Message(null, "number", 3));
        processes.send(pid, new Message(null, "number", 4));
        // end

        try (processes) {
            await().until(() -> isQuiet(processes.find(pid).orElseThrow()));
            processes.cancel(pid, null, "enough");
            assertThat(ended.get(20, TimeUnit.SECONDS).result()).isEqualTo(25);

            SpawnOptions watched =
                    SpawnOptions.builder().onExit(blockingEnded::complete).build();
            // DOC
            ProcessBody body = self -> {
                int sum = 0;
                while (sum < 50) {
                    Event next = self.receive();
                    Object squared =
                            self.call(new Square((Integer) next.data())); // throws what the command failed with
                    sum += (Integer) squared;
                }
                return sum;
            };
            Pid summing = processes.spawn(body, watched);
            // end
            processes.send(summing, new Message(null, "number", 5));
            processes.send(summing, new Message(null, "number", 6));
            assertThat(blockingEnded.get(20, TimeUnit.SECONDS).result()).isEqualTo(61);
        }
    }

    private static boolean isQuiet(ProcessInfo info) {
        return info.state() == ProcessInfo.State.IDLE && info.waitingMessages() == 0 && info.openYields() == 0;
    }

    @Test
    void thePageHasTheLinesThatRun() throws Exception {
        String source = Files.readString(Path.of("src/test/java/io/github/commandway/process/ProcessesDocTest.java"));
        String page = Files.readString(Path.of("../docs/processes.md"));
        Matcher snippets = SNIPPET.matcher(source);
        int count = 0;
        while (snippets.find()) {
            assertThat(page)
                    .contains("```java\n" + snippets.group(1).stripIndent().strip() + "\n```");
            count++;
        }
        assertThat(count).isEqualTo(3);
    }
}
