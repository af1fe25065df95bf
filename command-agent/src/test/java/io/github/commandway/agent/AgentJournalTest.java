package io.github.commandway.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.RecordId;
import io.github.commandway.quic.Outcome;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AgentJournalTest {
    private static final int SMALL = 1_024;
    private static final RecordId FIRST = RecordId.ofUuid(1, 1);
    private static final RecordId SECOND = RecordId.ofTimestamp(20_250_208_123_359L, 7);

    @TempDir
    private Path directory;

    @Test
    void beginsACommandOnce() throws IOException {
        try (AgentJournal journal = open()) {
            assertThat(journal.begin(FIRST)).isTrue();
            assertThat(journal.begin(FIRST)).isFalse();
            journal.end(completed(FIRST, "done"));
            assertThat(journal.begin(FIRST)).isFalse();
        }
    }

    @Test
    void reportsWhatWasRunningWhenTheProcessEndedAsLost() throws IOException {
        try (AgentJournal journal = open()) {
            journal.begin(FIRST);
        }
        try (AgentJournal journal = open()) {
            assertThat(journal.begin(FIRST)).isFalse();
            assertThat(journal.unconfirmed())
                    .singleElement()
                    .satisfies(outcome -> assertThat(outcome.reason()).isEqualTo(Reason.LOST));
        }
    }

    @Test
    void keepsAnOutcomeOverRestartsUntilItIsConfirmed() throws IOException {
        try (AgentJournal journal = open()) {
            journal.begin(SECOND);
            journal.end(new Outcome(
                    SECOND, Reason.EXECUTOR_ERROR, "Gerät fehlt", new byte[] {1, 2, 3}, Duration.ofMillis(5)));
        }
        for (int restart = 0; restart < 2; restart++) {
            try (AgentJournal journal = open()) {
                Outcome outcome = journal.outcome(SECOND).orElseThrow();
                assertThat(outcome.id()).isEqualTo(SECOND);
                assertThat(outcome.reason()).isEqualTo(Reason.EXECUTOR_ERROR);
                assertThat(outcome.message()).isEqualTo("Gerät fehlt");
                assertThat(outcome.result()).containsExactly(1, 2, 3);
                assertThat(outcome.executionTime()).isEqualTo(Duration.ofMillis(5));
            }
        }
        try (AgentJournal journal = open()) {
            journal.confirm(List.of(SECOND));
        }
        try (AgentJournal journal = open()) {
            assertThat(journal.unconfirmed()).isEmpty();
            assertThat(journal.begin(SECOND)).isTrue();
        }
    }

    @Test
    void doesNotForgetACommandThatIsStillRunning() throws IOException {
        try (AgentJournal journal = open()) {
            journal.begin(FIRST);
            journal.confirm(List.of(FIRST));
            assertThat(journal.begin(FIRST)).isFalse();
        }
    }

    @Test
    void anOutcomeThatComesAfterTheCloseIsLost() throws IOException {
        AgentJournal journal = open();
        journal.begin(FIRST);
        journal.close();
        journal.end(completed(FIRST, "too late"));
        try (AgentJournal next = open()) {
            assertThat(next.outcome(FIRST).orElseThrow().reason()).isEqualTo(Reason.LOST);
        }
    }

    @Test
    void holdsAnOutcomeLargerThanAFile() throws IOException {
        byte[] large = new byte[10 * SMALL];
        new Random(1).nextBytes(large);
        try (AgentJournal journal = open()) {
            journal.begin(FIRST);
            journal.end(Outcome.completed(FIRST, large, Duration.ZERO));
        }
        try (AgentJournal journal = open()) {
            assertThat(journal.outcome(FIRST).orElseThrow().result()).isEqualTo(large);
        }
    }

    @Test
    void agreesWithAModelOverManyRestartsAndFiles() throws IOException {
        long seed = Long.getLong("commandway.seed", 20_261_121L);
        Random random = new Random(seed);
        Map<RecordId, String> model = new HashMap<>();
        for (int restart = 0; restart < 20; restart++) {
            try (AgentJournal journal = open()) {
                model.replaceAll((id, result) -> result.isEmpty() ? "lost" : result);
                assertThat(unconfirmed(journal))
                        .as("seed %d, restart %d", seed, restart)
                        .isEqualTo(model);
                for (int step = 0; step < 100; step++) {
                    RecordId id = RecordId.ofUuid(0, random.nextInt(60));
                    switch (random.nextInt(3)) {
                        case 0 -> assertThat(journal.begin(id)).isEqualTo(model.putIfAbsent(id, "") == null);
                        case 1 -> {
                            if ("".equals(model.get(id))) {
                                String result = "x".repeat(1 + random.nextInt(300));
                                journal.end(completed(id, result));
                                model.put(id, result);
                            }
                        }
                        default -> {
                            journal.confirm(List.of(id));
                            model.computeIfPresent(id, (same, result) -> result.isEmpty() ? result : null);
                        }
                    }
                }
            }
            assertThat(files()).as("old files are deleted").hasSize(1);
        }
    }

    @Test
    void keepsWhatComesBeforeADamagedEntryAndACopyOfTheFile() throws IOException {
        try (AgentJournal journal = open()) {
            journal.begin(FIRST);
            journal.end(completed(FIRST, "kept"));
            journal.begin(SECOND);
        }
        Path file = files().get(0);
        flip(file, "kept".getBytes(StandardCharsets.UTF_8).length + lastOffset(file));
        try (AgentJournal journal = open()) {
            assertThat(journal.outcome(FIRST)).isPresent();
            assertThat(journal.begin(SECOND)).isTrue();
        }
        assertThat(file.resolveSibling(file.getFileName() + ".damaged")).exists();
    }

    @Test
    void survivesAnyByteBeingWrong() throws IOException {
        try (AgentJournal journal = open()) {
            journal.begin(FIRST);
            journal.end(completed(FIRST, "result"));
        }
        byte[] good = Files.readAllBytes(files().get(0));
        for (int position = 0; position < 120; position++) {
            for (Path each : files()) {
                Files.delete(each);
            }
            byte[] bad = good.clone();
            bad[position] ^= 0x55;
            Files.write(directory.resolve("journal-1.log"), bad);
            try (AgentJournal journal = open()) {
                assertThat(journal.unconfirmed()).as("byte %d", position).hasSizeLessThanOrEqualTo(1);
            }
        }
    }

    @Test
    void belongsToOneAgentAtATime() throws IOException {
        try (AgentJournal journal = open()) {
            journal.begin(FIRST);
            assertThatThrownBy(this::open)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("in use by another agent");
        }
        open().close();
    }

    private AgentJournal open() throws IOException {
        return AgentJournal.open(directory, SMALL);
    }

    private static Outcome completed(RecordId id, String result) {
        return Outcome.completed(id, result.getBytes(StandardCharsets.UTF_8), Duration.ZERO);
    }

    private static Map<RecordId, String> unconfirmed(AgentJournal journal) {
        Map<RecordId, String> found = new HashMap<>();
        journal.unconfirmed()
                .forEach(outcome -> found.put(
                        outcome.id(),
                        outcome.reason() == Reason.LOST
                                ? "lost"
                                : new String(outcome.result(), StandardCharsets.UTF_8)));
        return found;
    }

    private List<Path> files() throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.filter(path -> path.toString().endsWith(".log")).toList();
        }
    }

    /** The offset of the last entry. */
    private static int lastOffset(Path file) throws IOException {
        ByteBuffer content = ByteBuffer.wrap(Files.readAllBytes(file));
        int offset = 0;
        int size = content.getInt(0);
        while (content.getInt(offset + 8 + size) != 0) {
            offset += 8 + size;
            size = content.getInt(offset);
        }
        return offset;
    }

    private static void flip(Path file, int position) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            ByteBuffer one = ByteBuffer.allocate(1);
            channel.read(one, position);
            one.put(0, (byte) ~one.get(0)).rewind();
            channel.write(one, position);
        }
    }
}
