package io.github.commandway.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SqliteFileTest {
    @TempDir
    Path folder;

    private Path file = Path.of("");

    @BeforeEach
    void nameFile() {
        file = folder.resolve("commandway.db");
    }

    @Test
    void refusesAFileThatIsNotSqliteAndLeavesItAsItIs() throws Exception {
        Files.write(file, "Dear diary".getBytes(StandardCharsets.UTF_8));
        assertRefused("is not a SQLite database");
        Files.write(file, new byte[100_000]);
        assertRefused("is not a SQLite database");
    }

    @Test
    void refusesTheDatabaseOfAnotherApplicationAndLeavesItAsItIs() throws Exception {
        execute("create table mine(id integer)");
        assertRefused("another application");
        execute("pragma application_id = 77");
        assertRefused("another application");
    }

    @Test
    void refusesADatabaseThatANewerVersionHasWrittenAndLeavesItAsItIs() throws Exception {
        Database.sqlite(file).close();
        execute(
                "insert into flyway_schema_history select installed_rank + 1000, '999', description, type, 'V999__later.sql', checksum,"
                        + " installed_by, installed_on, execution_time, success from flyway_schema_history where version = '1'");
        assertRefused("999");
    }

    @Test
    void refusesADamagedDatabaseAndLeavesItAsItIs() throws Exception {
        Database.sqlite(file).close();
        byte[] whole = Files.readAllBytes(file);
        Random random = new Random(1);
        byte[] damaged = whole.clone();
        for (int i = 4096; i < damaged.length; i += 97) {
            damaged[i] = (byte) random.nextInt();
        }
        Files.write(file, damaged);
        assertRefused("damaged");

        Files.write(file, Arrays.copyOf(whole, whole.length / 2));
        assertRefused("damaged");
    }

    @Test
    void refusesASecondServerOnTheSameFile() {
        try (Database first = Database.sqlite(file)) {
            assertThat(first.isShared()).isFalse();
            assertThatThrownBy(() -> Database.sqlite(file))
                    .isInstanceOf(StoreException.class)
                    .hasMessageContaining("in use by another server");
        }
        Database.sqlite(file).close();
    }

    @Test
    void opensAnEmptyFile() throws Exception {
        Files.createFile(file);
        Database.sqlite(file).close();
        Database.sqlite(file).close();
    }

    private void assertRefused(String why) throws Exception {
        byte[] before = Files.readAllBytes(file);
        assertThatThrownBy(() -> Database.sqlite(file))
                .isInstanceOf(StoreException.class)
                .hasMessageContaining(file.toString())
                .hasMessageContaining(why);
        assertThat(Files.readAllBytes(file)).isEqualTo(before);
        Files.deleteIfExists(folder.resolve("commandway.db-wal"));
    }

    private void execute(String sql) throws Exception {
        try (Connection connection = DriverManager.getConnection("jdbc:sqlite:" + file)) {
            Dialect.execute(connection, sql);
        }
    }
}
