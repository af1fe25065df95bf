package io.github.commandway.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;

class TableTest {
    @Test
    void columnsAreAsWideAsTheirLongestCell() {
        Table table = new Table("A", "B");
        table.row("longer", "1");
        StringWriter out = new StringWriter();

        table.print(new PrintWriter(out));

        assertThat(out.toString().lines()).containsExactly("A       B", "longer  1");
    }

    @Test
    void whatComesFromElsewhereCannotMoveTheCursor() {
        assertThat(Table.printable("a\u001b[2Jb\rc\u009bd")).isEqualTo("a?[2Jb?c?d");
    }
}
