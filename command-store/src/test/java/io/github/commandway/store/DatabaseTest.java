package io.github.commandway.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DatabaseTest {
    @TempDir
    private Path folder;

    private Database database;

    @BeforeEach
    void open() {
        database = Database.sqlite(folder.resolve("test.db"));
    }

    @AfterEach
    void close() {
        database.close();
    }

    @Test
    void readsWhatWasGivenToBeWrittenBefore() throws Exception {
        CompletableFuture<Integer> written = write("a", 7);
        assertThat(database.read(connection -> value(connection.createStatement(), "a"))
                        .get(10, TimeUnit.SECONDS))
                .isEqualTo(7);
        assertThat(written.get(10, TimeUnit.SECONDS)).isEqualTo(1);
    }

    @Test
    void doesEverythingThatWaitsTogether() throws Exception {
        CountDownLatch release = holdTheWriter();
        List<CompletableFuture<Integer>> written = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            written.add(write("n" + i, i));
        }
        release.countDown();
        for (CompletableFuture<Integer> each : written) {
            assertThat(each.get(10, TimeUnit.SECONDS)).isEqualTo(1);
        }
        assertThat(count()).isEqualTo(50);
    }

    @Test
    void whatFailsFailsAlone() throws Exception {
        CountDownLatch release = holdTheWriter();
        CompletableFuture<Integer> before = write("before", 1);
        CompletableFuture<Integer> broken = database.write(connection -> {
            try (Statement statement = connection.createStatement()) {
                statement.executeUpdate("insert into cw_number (name, value) values ('half done', 1)");
            }
            throw new SQLException("broken");
        });
        CompletableFuture<Integer> after = write("after", 1);
        release.countDown();
        assertThat(before.get(10, TimeUnit.SECONDS)).isEqualTo(1);
        assertThat(after.get(10, TimeUnit.SECONDS)).isEqualTo(1);
        assertThatThrownBy(() -> broken.get(10, TimeUnit.SECONDS)).hasRootCauseMessage("broken");
        assertThat(count()).isEqualTo(2);
    }

    @Test
    void writesWhatWaitsWhenItIsClosed() throws Exception {
        CountDownLatch release = holdTheWriter();
        CompletableFuture<Integer> written = write("late", 1);
        release.countDown();
        database.close();
        assertThat(written.get(10, TimeUnit.SECONDS)).isEqualTo(1);
        assertThat(write("too late", 1)).failsWithin(10, TimeUnit.SECONDS);
        database = Database.sqlite(folder.resolve("test.db"));
        assertThat(count()).isEqualTo(1);
    }

    /** Keeps the writer busy, so that what is given to it from now on waits together. */
    private CountDownLatch holdTheWriter() throws InterruptedException {
        CountDownLatch held = new CountDownLatch(1);
        CountDownLatch release = new CountDownLatch(1);
        var unused = database.write(connection -> {
            held.countDown();
            try {
                return release.await(10, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                throw new SQLException(e);
            }
        });
        assertThat(held.await(10, TimeUnit.SECONDS)).isTrue();
        return release;
    }

    private CompletableFuture<Integer> write(String name, int value) {
        return database.write(connection -> {
            try (PreparedStatement insert =
                    connection.prepareStatement("insert into cw_number (name, value) values (?, ?)")) {
                insert.setString(1, name);
                insert.setInt(2, value);
                return insert.executeUpdate();
            }
        });
    }

    private int count() throws Exception {
        return database.read(connection -> {
                    try (Statement statement = connection.createStatement();
                            ResultSet row = statement.executeQuery("select count(*) from cw_number")) {
                        row.next();
                        return row.getInt(1);
                    }
                })
                .get(10, TimeUnit.SECONDS);
    }

    private static int value(Statement statement, String name) throws SQLException {
        try (statement;
                ResultSet row = statement.executeQuery("select value from cw_number where name = '" + name + "'")) {
            row.next();
            return row.getInt(1);
        }
    }
}
