package io.github.commandway.sql;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.sql.SqlService.Begin;
import io.github.commandway.sql.SqlService.Changed;
import io.github.commandway.sql.SqlService.Execute;
import io.github.commandway.sql.SqlService.Isolation;
import io.github.commandway.sql.SqlService.Prepare;
import io.github.commandway.sql.SqlService.Query;
import io.github.commandway.sql.SqlService.Rows;
import io.github.commandway.sql.SqlService.StatementClose;
import io.github.commandway.sql.SqlService.StatementExecute;
import io.github.commandway.sql.SqlService.StatementQuery;
import io.github.commandway.sql.SqlService.TransactionCommit;
import io.github.commandway.sql.SqlService.TransactionExecute;
import io.github.commandway.sql.SqlService.TransactionPrepare;
import io.github.commandway.sql.SqlService.TransactionQuery;
import io.github.commandway.sql.SqlService.TransactionRollback;
import io.github.commandway.system.Workers;
import io.github.commandway.testing.HandlerDriver;
import io.github.commandway.testing.HandlerDriver.Call;
import io.github.commandway.testing.HandlerDriver.Caller;
import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.LocalDate;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SqlServiceTest {
    private static final String PG = "pg";
    private static final String SQLITE = "sqlite";
    private static final int MOST_ROWS = 100;
    private static final int POOL = 4;

    private static EmbeddedPostgres server;

    @TempDir
    private static Path folder;

    private final HikariDataSource pg =
            pool("jdbc:postgresql://localhost:" + server.getPort() + "/postgres?user=postgres");
    private final HikariDataSource sqlite = pool("jdbc:sqlite:" + folder.resolve("test.db"));
    private final SqlService sql =
            new SqlService(Map.of(PG, pg, SQLITE, sqlite), new Workers("sql", POOL, 8), MOST_ROWS, 3);
    private final HandlerDriver driver = new HandlerDriver(sql);
    private final Caller process = driver.process(1);

    @BeforeAll
    static void startServer() throws IOException {
        server = EmbeddedPostgres.start();
    }

    @AfterAll
    static void stopServer() throws IOException {
        server.close();
    }

    @BeforeEach
    void makeTables() {
        execute(PG, "drop table if exists item");
        execute(PG, "create table item (id bigserial primary key, name text unique, day date, tags text[])");
        execute(SQLITE, "drop table if exists item");
        execute(SQLITE, "create table item (id integer primary key, name text unique, day text, tags text)");
    }

    @AfterEach
    void everyCommandCompletedOnceAndEveryConnectionCameBack() {
        sql.close();
        await().until(() -> pg.getHikariPoolMXBean().getActiveConnections() == 0
                && sqlite.getHikariPoolMXBean().getActiveConnections() == 0);
        assertThat(sql.active()).isZero();
        driver.verify();
        pg.close();
        sqlite.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {PG, SQLITE})
    void whatIsInsertedIsFoundAndParametersAreNeverPartOfTheText(String database) {
        String nasty = "Robert'); drop table item; --";
        Changed first = execute(database, "insert into item (name) values (?)", nasty);
        Changed second = execute(database, " INSERT into item (name) values (?)", (Object) null);
        assertThat(first).isEqualTo(new Changed(1L, 1));
        assertThat(second).isEqualTo(new Changed(2L, 1));
        assertThat(execute(database, "update item set name = ? where id > ?", "x", 5L))
                .isEqualTo(new Changed(null, 0));
        Rows rows = query(database, "select id, name as label from item order by id");
        assertThat(rows.columns()).containsExactly("id", "label");
        assertThat(rows.rows().get(0).get(1)).isEqualTo(nasty);
        assertThat(rows.rows().get(1).get(1)).isNull();
        assertThat(rows.more()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {PG, SQLITE})
    void aResultHasNoMoreRowsThanMayAndSaysSo(String database) {
        String numbers = "with recursive n(i) as (select 1 union all select i + 1 from n where i < %d) select i from n";
        assertThat(query(database, numbers.formatted(MOST_ROWS)).more()).isFalse();
        Rows cut = query(database, numbers.formatted(100_000));
        assertThat(cut.rows()).hasSize(MOST_ROWS);
        assertThat(cut.more()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {PG, SQLITE})
    void aTransactionIsSeenByOthersOnlyOnceItIsCommitted(String database) {
        long transaction = id(new Begin(database));
        get(new TransactionExecute(transaction, "insert into item (name) values (?)", List.of("a")));
        assertThat(((Rows) value(new TransactionQuery(transaction, "select name from item", List.of()))).rows())
                .hasSize(1);
        assertThat(query(database, "select * from item").rows()).isEmpty();
        assertThat(get(new TransactionCommit(transaction))).isNull();
        assertThat(query(database, "select * from item").rows()).hasSize(1);
        assertThat(error(new TransactionCommit(transaction))).isInstanceOf(NoSuchElementException.class);

        long undone = id(new Begin(database));
        get(new TransactionExecute(undone, "delete from item", List.of()));
        get(new TransactionRollback(undone));
        assertThat(query(database, "select * from item").rows()).hasSize(1);
        assertThat(error(new TransactionExecute(undone, "delete from item", List.of())))
                .isInstanceOf(NoSuchElementException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {PG, SQLITE})
    void aPreparedStatementIsUsedUntilItIsClosed(String database) {
        long insert = id(new Prepare(database, "insert into item (name) values (?)"));
        for (long i = 1; i <= 3; i++) {
            assertThat(get(new StatementExecute(insert, List.of("name" + i)))).isEqualTo(new Changed(i, 1));
        }
        long select = id(new Prepare(database, "select name from item where id = ?"));
        assertThat(((Rows) value(new StatementQuery(select, List.of(2)))).rows())
                .isEqualTo(List.of(List.of("name2")));
        assertThat(get(new StatementClose(insert))).isEqualTo(true);
        assertThat(get(new StatementClose(insert))).isEqualTo(false);
        assertThat(error(new StatementExecute(insert, List.of("x")))).isInstanceOf(NoSuchElementException.class);
    }

    @Test
    void aStatementOfATransactionEndsWithIt() {
        long transaction = id(new Begin(PG, Isolation.SERIALIZABLE, false));
        long insert = id(new TransactionPrepare(transaction, "insert into item (name) values (?)"));
        get(new StatementExecute(insert, List.of("a")));
        get(new TransactionRollback(transaction));
        assertThat(error(new StatementExecute(insert, List.of("b")))).isInstanceOf(NoSuchElementException.class);
        assertThat(query(PG, "select * from item").rows()).isEmpty();
    }

    @Test
    void aReadOnlyTransactionChangesNothing() {
        long transaction = id(new Begin(PG, null, true));
        assertThat(error(new TransactionExecute(transaction, "delete from item", List.of())))
                .isInstanceOf(SQLException.class);
        get(new TransactionRollback(transaction));
    }

    @Test
    void valuesOutliveTheirConnection() {
        execute(PG, "insert into item (name, day, tags) values ('a', '2026-02-03', '{x,y}')");
        assertThat(query(PG, "select day, tags, 1.5::float8, true, '\\x0102'::bytea, null, '{\"a\":1}'::json from item")
                        .rows()
                        .get(0))
                .usingRecursiveComparison()
                .isEqualTo(Arrays.asList(
                        LocalDate.of(2026, 2, 3), List.of("x", "y"), 1.5, true, new byte[] {1, 2}, null, "{\"a\":1}"));
    }

    @Test
    void aStatementThatIsCancelledStopsInTheDatabase() {
        Call call = process.call(new Query(PG, "select pg_sleep(1000)", List.of()));
        await().until(() -> sleeping() == 1);
        call.cancel(CancelCause.DEADLINE);
        await().until(call::isDone);
        assertThat(call.reason()).isEqualTo(Reason.EXECUTION_TIMEOUT);
        await().until(() -> sleeping() == 0);
    }

    @Test
    void whatAProcessLeavesBehindIsRolledBack() {
        long transaction = id(new Begin(PG));
        get(new TransactionExecute(transaction, "insert into item (name) values ('a')", List.of()));
        Call running = process.call(new TransactionQuery(transaction, "select pg_sleep(1000)", List.of()));
        id(new Prepare(PG, "select 1"));
        await().until(() -> sleeping() == 1);
        process.end();
        sql.ended(process.pid());
        await().until(running::isDone);
        await().until(() -> pg.getHikariPoolMXBean().getActiveConnections() == 0);
        assertThat(sql.active()).isZero();
        assertThat(query(PG, "select * from item").rows()).isEmpty();
    }

    @Test
    void aTransactionTakesOneCommandAtATime() {
        long transaction = id(new Begin(PG));
        Call running = process.call(new TransactionQuery(transaction, "select pg_sleep(1000)", List.of()));
        assertThat(error(new TransactionCommit(transaction))).isInstanceOf(IllegalStateException.class);
        running.cancel(CancelCause.REQUESTED);
        await().until(running::isDone);
        get(new TransactionRollback(transaction));
    }

    @Test
    void aCommitThatFailsRollsBackAndSaysSo() {
        execute(PG, "create table child (item bigint references item deferrable initially deferred)");
        try {
            long transaction = id(new Begin(PG));
            get(new TransactionExecute(transaction, "insert into child values (99)", List.of()));
            assertThat(error(new TransactionCommit(transaction))).isInstanceOf(SQLException.class);
            assertThat(query(PG, "select * from child").rows()).isEmpty();
        } finally {
            execute(PG, "drop table child");
        }
    }

    @Test
    void whatMakesNoSenseFails() {
        assertThat(error(new Query("none", "select 1", List.of()))).isInstanceOf(NoSuchElementException.class);
        assertThat(error(new Query(PG, "selekt", List.of()))).isInstanceOf(SQLException.class);
        assertThat(error(new Query(PG, "select ?", List.of()))).isInstanceOf(SQLException.class);
        assertThat(error(new Query(PG, "delete from item", List.of()))).isInstanceOf(SQLException.class);
        assertThat(error(new TransactionRollback(99))).isInstanceOf(NoSuchElementException.class);
        assertThat(error(new StatementQuery(99, List.of()))).isInstanceOf(NoSuchElementException.class);
        assertThat(error(new Prepare(SQLITE, "selekt"))).isInstanceOf(SQLException.class);
    }

    @Test
    void thereAreNoMoreTransactionsThanMayAndNoneMoreKeepsAConnection() {
        for (int i = 0; i < 3; i++) {
            id(new Begin(PG));
        }
        assertThat(error(new Begin(PG))).isInstanceOf(RejectedExecutionException.class);
        await().until(() -> pg.getHikariPoolMXBean().getActiveConnections() == 3);
    }

    @Test
    void aStatementEndsWithTheService() {
        Call call = process.call(new Query(PG, "select pg_sleep(1000)", List.of()));
        await().until(() -> sleeping() == 1);
        sql.close();
        await().until(call::isDone);
        assertThat(call.reason()).isEqualTo(Reason.SHUTDOWN);
        assertThat(error(new Query(PG, "select 1", List.of()))).isNotNull();
    }

    private long sleeping() {
        return (Long) Objects.requireNonNull(query(
                        PG,
                        "select count(*) from pg_stat_activity where state = 'active' and query like 'select pg_sleep%'")
                .rows()
                .get(0)
                .get(0));
    }

    private static HikariDataSource pool(String url) {
        HikariConfig config = new HikariConfig();
        config.setJdbcUrl(url);
        config.setMaximumPoolSize(POOL);
        return new HikariDataSource(config);
    }

    private Changed execute(String database, String text, @Nullable Object... parameters) {
        return (Changed) value(new Execute(database, text, Arrays.asList(parameters)));
    }

    private Rows query(String database, String text) {
        Call call = driver.process(2).call(new Query(database, text, List.of()));
        return (Rows) Objects.requireNonNull(
                call.outcome().orTimeout(20, TimeUnit.SECONDS).join());
    }

    private long id(Command command) {
        return (Long) value(command);
    }

    private Object value(Command command) {
        return Objects.requireNonNull(get(command));
    }

    private @Nullable Object get(Command command) {
        return process.call(command).outcome().orTimeout(20, TimeUnit.SECONDS).join();
    }

    private Throwable error(Command command) {
        Call call = process.call(command);
        await().until(call::isDone);
        return call.error();
    }
}
