package io.github.commandway.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DatabaseTest {
    @TempDir
    Path folder;

    @Test
    void readsWhatWasGivenToBeWrittenBefore() throws Exception {
        try (Database database = Database.sqlite(folder.resolve("a.db"))) {
            var written = database.write(c -> {
                Dialect.execute(c, "insert into cw_placeholder(id) values (7)");
                return 1;
            });
            var read = database.read(c -> {
                try (var s = c.createStatement();
                        var r = s.executeQuery("select id from cw_placeholder")) {
                    return r.next() ? r.getInt(1) : -1;
                }
            });
            assertThat(read.get(10, TimeUnit.SECONDS)).isEqualTo(7);
            assertThat(written.get(10, TimeUnit.SECONDS)).isEqualTo(1);
        }
    }
}
