package io.github.commandway.manager;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RecordIdTest {
    @Test
    void isReadBackFromItsText() {
        RecordId uuid = RecordId.ofUuid(0x0195_1234_5678_7ABCL, 0x8000_0000_0000_0001L);
        assertThat(uuid).hasToString("01951234-5678-7abc-8000-000000000001");
        assertThat(RecordId.parse(uuid.toString())).contains(uuid);
        assertThat(RecordId.parse("01951234-5678-7ABC-8000-000000000001")).contains(uuid);

        RecordId timestamp = RecordId.ofTimestamp(20250208123359L, 1);
        assertThat(timestamp).hasToString("20250208123359-1");
        assertThat(RecordId.parse("20250208123359-1")).contains(timestamp);
        assertThat(RecordId.parse("20250208123359-123456789012345678"))
                .contains(RecordId.ofTimestamp(20250208123359L, 123456789012345678L));
    }

    @Test
    void readsTheFormsOfTasks() {
        RecordId task = RecordId.of(RecordId.Form.TASK, 20231215003022L, 0x0bc123);
        assertThat(task).hasToString("task_20231215_003022_0bc123");
        assertThat(RecordId.parse("task_20231215_003022_0bc123")).contains(task);
        RecordId number = RecordId.of(RecordId.Form.TASK_NUMBER, 0, 1);
        assertThat(number).hasToString("TASK_000001");
        assertThat(RecordId.parse("TASK_000001")).contains(number);
        assertThat(RecordId.parse("TASK_1234567")).contains(RecordId.of(RecordId.Form.TASK_NUMBER, 0, 1234567));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "-",
                "1",
                "20250208123359",
                "20250208123359-",
                "2025020812335-1",
                "20250208123359-1x",
                "20250208123359--1",
                "20250208123359_1",
                "20250208123359-01",
                "20250208123359-1234567890123456789",
                "00000000000000-1",
                "٢0250208123359-1",
                "01951234-5678-7abc-8000-00000000000",
                "01951234-5678-7abc-8000-0000000000010",
                "0195123-45678-7abc-8000-000000000001",
                "01951234-5678-7abc-8000-00000000000g",
                "1-1-1-1-1",
                "task_20231215_143022_ABC123",
                "task_20231215_143022_abc12",
                "TASK_00001",
                "TASK_0000001",
                "task_000001",
                "0x951234-5678-7abc-8000-000000000001",
                "+1951234-5678-7abc-8000-000000000001",
                "------------------------------------"
            })
    void refusesTextThatIsNotAnId(String text) {
        assertThat(RecordId.parse(text)).isEmpty();
    }

    /** Whatever is read as an id is the text of that id. */
    @Test
    void survivesRandomAndMutatedText() {
        long seed = Long.getLong("commandway.seed", System.nanoTime());
        Random random = new Random(seed);
        String alphabet = "0123456789abcdefABCDEF-x+ ";
        String[] starts = {
            "01951234-5678-7abc-8000-000000000001",
            "20250208123359-17",
            "task_20231215_143022_abc123",
            "TASK_000001",
            ""
        };
        for (int i = 0; i < 20_000; i++) {
            StringBuilder text = new StringBuilder(starts[random.nextInt(starts.length)]);
            for (int edits = random.nextInt(4); edits >= 0; edits--) {
                char c = alphabet.charAt(random.nextInt(alphabet.length()));
                int at = random.nextInt(text.length() + 1);
                if (random.nextBoolean() || at == text.length()) {
                    text.insert(at, c);
                } else {
                    text.setCharAt(at, c);
                }
            }
            Optional<RecordId> parsed = RecordId.parse(text.toString());
            parsed.ifPresent(
                    id -> assertThat(id.toString()).as("seed %d", seed).isEqualToIgnoringCase(text.toString()));
        }
    }

    @Test
    void isOrderedAsItsHalvesWithoutSign() {
        RecordId low = RecordId.ofUuid(1, -1);
        RecordId middle = RecordId.ofUuid(2, 1);
        RecordId high = RecordId.ofUuid(-1, 0);
        assertThat(low).isLessThan(middle);
        assertThat(middle).isLessThan(high).isEqualByComparingTo(RecordId.ofUuid(2, 1));
        assertThat(high).isGreaterThan(low);
    }

    @Test
    void isEqualToAnIdOfTheSameKindAndHalvesOnly() {
        RecordId uuid = RecordId.ofUuid(1, 2);
        assertThat(uuid).isEqualTo(RecordId.ofUuid(1, 2)).hasSameHashCodeAs(RecordId.ofUuid(1, 2));
        assertThat(uuid)
                .isNotEqualTo(RecordId.ofTimestamp(1, 2))
                .isNotEqualTo(RecordId.ofUuid(1, 3))
                .isNotEqualTo(RecordId.ofUuid(3, 2))
                .isNotEqualTo(new UUID(1, 2));
        assertThat(uuid.form()).isEqualTo(RecordId.Form.UUID);
        assertThat(RecordId.ofTimestamp(1, 2).form()).isEqualTo(RecordId.Form.TIMESTAMP);
    }
}
