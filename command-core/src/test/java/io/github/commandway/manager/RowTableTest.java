package io.github.commandway.manager;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class RowTableTest {
    private static final int ROWS = 5_000;

    private final RowTable table = new RowTable();

    @Test
    void findsExactlyTheRowsThatAreInIt() {
        Random random = new Random(1);
        List<LiveCommand> rows = new ArrayList<>();
        for (int i = 0; i < ROWS; i++) {
            LiveCommand row = row(RecordId.ofUuid(random.nextLong(), random.nextLong()));
            rows.add(row);
            assertThat(table.add(row)).isTrue();
        }
        List<LiveCommand> kept = new ArrayList<>();
        for (LiveCommand row : rows) {
            if (random.nextBoolean()) {
                kept.add(row);
            } else {
                table.remove(row);
            }
        }

        List<LiveCommand> all = new ArrayList<>();
        table.forEach(all::add);
        assertThat(all).containsExactlyInAnyOrderElementsOf(kept);
        assertThat(table.size()).isEqualTo(kept.size());
        assertThat(rows).filteredOn(row -> table.get(row.id) == row).isEqualTo(kept);
    }

    @Test
    void keepsRowsOfOneHashApart() {
        // the same hash: the upper half is xored with the lower half turned by 32 bits
        LiveCommand first = row(RecordId.ofUuid(1, 0));
        LiveCommand second = row(RecordId.ofUuid(0, 1L << 32));
        LiveCommand third = row(RecordId.ofTimestamp(1, 0));
        assertThat(List.of(second.idHash, third.idHash)).containsOnly(first.idHash);
        table.add(first);
        table.add(second);
        table.add(third);

        table.remove(second);

        assertThat(table.get(first.id)).isSameAs(first);
        assertThat(table.get(second.id)).isNull();
        assertThat(table.get(third.id)).isSameAs(third);
    }

    @Test
    void takesNoSecondRowOfOneId() {
        LiveCommand first = row(RecordId.ofUuid(1, 2));
        table.add(first);

        assertThat(table.add(row(RecordId.ofUuid(1, 2)))).isFalse();
        assertThat(table.get(first.id)).isSameAs(first);
        assertThat(table.size()).isEqualTo(1);
    }

    @Test
    void leavesTheRowsAsTheyAreWhenOneThatIsNotThereIsRemoved() {
        LiveCommand first = row(RecordId.ofUuid(1, 2));
        table.add(first);

        table.remove(row(RecordId.ofUuid(1, 2)));

        assertThat(table.get(first.id)).isSameAs(first);
        assertThat(table.size()).isEqualTo(1);
    }

    private static LiveCommand row(RecordId id) {
        return new LiveCommand(id, CommandRequest.toAgent("agent-1", "test").build(), 1, 0);
    }
}
