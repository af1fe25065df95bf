package io.github.commandway.sql;

import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.process.Pid;
import io.github.commandway.system.Handles;
import io.github.commandway.system.SystemService;
import io.github.commandway.system.Workers;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.concurrent.atomic.AtomicBoolean;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * SQL on any database that has a {@link DataSource}. Parameters are bound, never put into the text. Cancelling a command cancels its statement in the database. A transaction, or a statement prepared
 * outside of one, keeps a connection until it is closed; what a process leaves behind is rolled back and closed when it ends. The rows of a result are limited.
 */
public final class SqlService implements SystemService {
    /** The id of {@link Query}. */
    public static final int QUERY = 100;
    /** The id of {@link Execute}. */
    public static final int EXECUTE = 101;
    /** The id of {@link Prepare}. */
    public static final int PREPARE = 102;
    /** The id of {@link Begin}. */
    public static final int BEGIN = 103;
    /** The id of {@link StatementQuery}. */
    public static final int STATEMENT_QUERY = 104;
    /** The id of {@link StatementExecute}. */
    public static final int STATEMENT_EXECUTE = 105;
    /** The id of {@link StatementClose}. */
    public static final int STATEMENT_CLOSE = 106;
    /** The id of {@link TransactionQuery}. */
    public static final int TRANSACTION_QUERY = 107;
    /** The id of {@link TransactionExecute}. */
    public static final int TRANSACTION_EXECUTE = 108;
    /** The id of {@link TransactionPrepare}. */
    public static final int TRANSACTION_PREPARE = 109;
    /** The id of {@link TransactionCommit}. */
    public static final int TRANSACTION_COMMIT = 110;
    /** The id of {@link TransactionRollback}. */
    public static final int TRANSACTION_ROLLBACK = 111;

    private static final Logger log = LoggerFactory.getLogger(SqlService.class);
    private static final int HELPERS = 2;
    private static final int FETCHED_AT_ONCE = 500;

    private final Map<String, DataSource> databases;
    private final Workers workers;
    private final Workers helpers;
    private final int mostRows;
    private final Handles<Session> transactions;
    private final Handles<Prepared> statements;

    /**
     * @param databases by name; stay the caller's
     * @param workers talk to the databases; closed with this service. More of them than a pool has connections only wait for each other
     * @param mostRows how many rows a result has at most
     * @param limit how many transactions, and how many prepared statements, are open at most
     */
    public SqlService(Map<String, DataSource> databases, Workers workers, int mostRows, int limit) {
        if (mostRows < 1) {
            throw new IllegalArgumentException("a result has at least one row, not " + mostRows);
        }
        this.databases = Map.copyOf(databases);
        this.workers = workers;
        this.mostRows = mostRows;
        // one may be closed and cancelled at the same time
        helpers = new Workers("sql-helper", HELPERS, 4 * limit);
        transactions = new Handles<>("transaction", limit, session -> help(session::close));
        statements = new Handles<>("statement", limit, statement -> help(statement::close));
    }

    @Override
    public String name() {
        return "sql";
    }

    @Override
    public void registerAll(Registrar registrar) {
        registrar.register(QUERY, (context, command, tag, receiver) -> {
            Query query = (Query) command;
            DataSource database = database(query.database);
            workers.run(context, tag, receiver, job -> {
                try (Connection connection = database.getConnection()) {
                    return query(job, connection, query.sql, query.parameters);
                }
            });
        });
        registrar.register(EXECUTE, (context, command, tag, receiver) -> {
            Execute execute = (Execute) command;
            DataSource database = database(execute.database);
            workers.run(context, tag, receiver, job -> {
                try (Connection connection = database.getConnection()) {
                    return execute(job, connection, execute.sql, execute.parameters);
                }
            });
        });
        registrar.register(PREPARE, (context, command, tag, receiver) -> {
            Prepare prepare = (Prepare) command;
            DataSource database = database(prepare.database);
            prepare(context, tag, receiver, () -> new Session(database.getConnection()), prepare.sql, true);
        });
        registrar.register(BEGIN, (context, command, tag, receiver) -> begin(context, (Begin) command, tag, receiver));
        registrar.register(STATEMENT_QUERY, (context, command, tag, receiver) -> {
            StatementQuery query = (StatementQuery) command;
            Prepared prepared = statements.get(query.statement);
            use(prepared.session, context, tag, receiver, job -> query(job, prepared.statement, query.parameters));
        });
        registrar.register(STATEMENT_EXECUTE, (context, command, tag, receiver) -> {
            StatementExecute execute = (StatementExecute) command;
            Prepared prepared = statements.get(execute.statement);
            use(
                    prepared.session,
                    context,
                    tag,
                    receiver,
                    job -> execute(job, prepared.statement, execute.parameters, prepared.inserts));
        });
        registrar.register(
                STATEMENT_CLOSE,
                (context, command, tag, receiver) ->
                        receiver.completeYield(tag, statements.close(((StatementClose) command).statement), null));
        registrar.register(TRANSACTION_QUERY, (context, command, tag, receiver) -> {
            TransactionQuery query = (TransactionQuery) command;
            Session session = transactions.get(query.transaction);
            use(session, context, tag, receiver, job -> query(job, session.connection, query.sql, query.parameters));
        });
        registrar.register(TRANSACTION_EXECUTE, (context, command, tag, receiver) -> {
            TransactionExecute execute = (TransactionExecute) command;
            Session session = transactions.get(execute.transaction);
            use(
                    session,
                    context,
                    tag,
                    receiver,
                    job -> execute(job, session.connection, execute.sql, execute.parameters));
        });
        registrar.register(TRANSACTION_PREPARE, (context, command, tag, receiver) -> {
            TransactionPrepare prepare = (TransactionPrepare) command;
            Session session = transactions.get(prepare.transaction);
            prepare(context, tag, receiver, () -> session, prepare.sql, false);
        });
        registrar.register(TRANSACTION_COMMIT, (context, command, tag, receiver) -> {
            long id = ((TransactionCommit) command).transaction;
            finish(id, context, tag, receiver, Connection::commit);
        });
        registrar.register(TRANSACTION_ROLLBACK, (context, command, tag, receiver) -> {
            long id = ((TransactionRollback) command).transaction;
            finish(id, context, tag, receiver, Connection::rollback);
        });
    }

    /** How many transactions and prepared statements are open. */
    public int active() {
        return transactions.size() + statements.size();
    }

    @Override
    public void ended(Pid process) {
        statements.closeAll(process);
        transactions.closeAll(process);
    }

    @Override
    public void close() {
        workers.close();
        statements.close();
        transactions.close();
    }

    private DataSource database(String name) {
        DataSource database = databases.get(name);
        if (database == null) {
            throw new NoSuchElementException("there is no database '" + name + "'; there are " + databases.keySet());
        }
        return database;
    }

    private void begin(CommandContext context, Begin command, long tag, ResultReceiver receiver) {
        DataSource database = database(command.database);
        workers.run(
                context,
                job -> {
                    Session session = new Session(database.getConnection());
                    try {
                        if (command.isolation != null) {
                            session.connection.setTransactionIsolation(command.isolation.level);
                        }
                        session.connection.setReadOnly(command.readOnly);
                        session.connection.setAutoCommit(false);
                        return session;
                    } catch (SQLException e) {
                        session.connection.close();
                        throw e;
                    }
                },
                (session, error) -> {
                    if (session instanceof Session begun) {
                        transactions.open(context, tag, receiver, begun, id -> id);
                    } else {
                        receiver.completeYield(tag, null, error);
                    }
                });
    }

    private void prepare(
            CommandContext context,
            long tag,
            ResultReceiver receiver,
            SessionSource source,
            String sql,
            boolean ownSession) {
        workers.run(
                context,
                job -> {
                    Session session = source.open();
                    synchronized (session) {
                        session.checkOpen();
                        try {
                            return new Prepared(session, statement(session.connection, sql), inserts(sql), ownSession);
                        } catch (SQLException e) {
                            if (ownSession) {
                                session.connection.close();
                            }
                            throw e;
                        }
                    }
                },
                (prepared, error) -> {
                    if (prepared instanceof Prepared statement) {
                        statements.open(context, tag, receiver, statement, id -> id);
                    } else {
                        receiver.completeYield(tag, null, error);
                    }
                });
    }

    /** Does something with a connection that is kept, which takes one command at a time. */
    private void use(Session session, CommandContext context, long tag, ResultReceiver receiver, Workers.Work work) {
        if (!session.busy.compareAndSet(false, true)) {
            throw new IllegalStateException("its connection is busy with an earlier command");
        }
        workers.run(
                context,
                job -> {
                    synchronized (session) {
                        session.checkOpen();
                        return work.run(job);
                    }
                },
                (result, error) -> {
                    session.busy.set(false);
                    receiver.completeYield(tag, result, error);
                });
    }

    private void finish(long id, CommandContext context, long tag, ResultReceiver receiver, Ending ending) {
        Session session = transactions.get(id);
        use(session, context, tag, receiver, job -> {
            if (transactions.remove(id) == null) {
                throw new NoSuchElementException("there is no open transaction " + id);
            }
            try {
                ending.apply(session.connection);
            } finally {
                // rolls back what could not be committed
                session.close();
            }
            return null;
        });
    }

    private Rows query(Workers.Job job, Connection connection, String sql, List<@Nullable Object> parameters)
            throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            return query(job, statement, parameters);
        }
    }

    private Rows query(Workers.Job job, PreparedStatement statement, List<@Nullable Object> parameters)
            throws SQLException {
        bind(statement, parameters);
        statement.setMaxRows(mostRows + 1);
        statement.setFetchSize(Math.min(FETCHED_AT_ONCE, mostRows + 1));
        job.onCancel(() -> help(statement::cancel));
        try (ResultSet result = statement.executeQuery()) {
            ResultSetMetaData columns = result.getMetaData();
            List<String> names = new ArrayList<>();
            for (int column = 1; column <= columns.getColumnCount(); column++) {
                names.add(columns.getColumnLabel(column));
            }
            List<List<@Nullable Object>> rows = new ArrayList<>();
            while (result.next()) {
                if (rows.size() == mostRows) {
                    return new Rows(names, rows, true);
                }
                List<@Nullable Object> row = new ArrayList<>(names.size());
                for (int column = 1; column <= names.size(); column++) {
                    row.add(SqlValues.read(result, column));
                }
                rows.add(Collections.unmodifiableList(row));
            }
            return new Rows(names, rows, false);
        }
    }

    private Changed execute(Workers.Job job, Connection connection, String sql, List<@Nullable Object> parameters)
            throws SQLException {
        try (PreparedStatement statement = statement(connection, sql)) {
            return execute(job, statement, parameters, inserts(sql));
        }
    }

    private Changed execute(
            Workers.Job job, PreparedStatement statement, List<@Nullable Object> parameters, boolean inserts)
            throws SQLException {
        bind(statement, parameters);
        job.onCancel(() -> help(statement::cancel));
        statement.execute();
        long changed = Math.max(0, statement.getUpdateCount());
        Long inserted = null;
        if (inserts) {
            try (ResultSet keys = statement.getGeneratedKeys()) {
                if (keys.next() && keys.getObject(1) instanceof Number number) {
                    inserted = number.longValue();
                }
            }
        }
        return new Changed(inserted, changed);
    }

    private static void bind(PreparedStatement statement, List<@Nullable Object> parameters) throws SQLException {
        for (int i = 0; i < parameters.size(); i++) {
            statement.setObject(i + 1, parameters.get(i));
        }
    }

    private static PreparedStatement statement(Connection connection, String sql) throws SQLException {
        return inserts(sql)
                ? connection.prepareStatement(sql, Statement.RETURN_GENERATED_KEYS)
                : connection.prepareStatement(sql);
    }

    private static boolean inserts(String sql) {
        return sql.stripLeading().toLowerCase(Locale.ROOT).startsWith("insert");
    }

    /** Does what may block, for something that must not. */
    private void help(Help help) {
        helpers.start(
                job -> {
                    help.run();
                    return null;
                },
                (nothing, error) -> {
                    if (error != null) {
                        log.warn("A statement or a connection could not be ended", error);
                    }
                });
    }

    /** Reads rows. Completes with {@link Rows}. */
    public record Query(String database, String sql, List<@Nullable Object> parameters) implements Command {
        /** Copies the parameters. */
        public Query {
            parameters = copy(parameters);
        }

        @Override
        public int commandId() {
            return QUERY;
        }
    }

    /** Changes something. Completes with {@link Changed}. */
    public record Execute(String database, String sql, List<@Nullable Object> parameters) implements Command {
        /** Copies the parameters. */
        public Execute {
            parameters = copy(parameters);
        }

        @Override
        public int commandId() {
            return EXECUTE;
        }
    }

    /** Prepares a statement on a connection of its own. Completes with its number, a Long. */
    public record Prepare(String database, String sql) implements Command {
        @Override
        public int commandId() {
            return PREPARE;
        }
    }

    /**
     * Begins a transaction. Completes with its number, a Long.
     *
     * @param isolation null for the database's default
     */
    public record Begin(String database, @Nullable Isolation isolation, boolean readOnly) implements Command {
        /** A transaction as the database has them by default. */
        public Begin(String database) {
            this(database, null, false);
        }

        @Override
        public int commandId() {
            return BEGIN;
        }
    }

    /** Reads rows with a prepared statement. Completes with {@link Rows}. */
    public record StatementQuery(long statement, List<@Nullable Object> parameters) implements Command {
        /** Copies the parameters. */
        public StatementQuery {
            parameters = copy(parameters);
        }

        @Override
        public int commandId() {
            return STATEMENT_QUERY;
        }
    }

    /** Changes something with a prepared statement. Completes with {@link Changed}. */
    public record StatementExecute(long statement, List<@Nullable Object> parameters) implements Command {
        /** Copies the parameters. */
        public StatementExecute {
            parameters = copy(parameters);
        }

        @Override
        public int commandId() {
            return STATEMENT_EXECUTE;
        }
    }

    /** Closes a prepared statement. Completes with whether it was open. */
    public record StatementClose(long statement) implements Command {
        @Override
        public int commandId() {
            return STATEMENT_CLOSE;
        }
    }

    /** Reads rows in a transaction. Completes with {@link Rows}. */
    public record TransactionQuery(long transaction, String sql, List<@Nullable Object> parameters) implements Command {
        /** Copies the parameters. */
        public TransactionQuery {
            parameters = copy(parameters);
        }

        @Override
        public int commandId() {
            return TRANSACTION_QUERY;
        }
    }

    /** Changes something in a transaction. Completes with {@link Changed}. */
    public record TransactionExecute(long transaction, String sql, List<@Nullable Object> parameters)
            implements Command {
        /** Copies the parameters. */
        public TransactionExecute {
            parameters = copy(parameters);
        }

        @Override
        public int commandId() {
            return TRANSACTION_EXECUTE;
        }
    }

    /** Prepares a statement in a transaction, with which it ends. Completes with its number, a Long. */
    public record TransactionPrepare(long transaction, String sql) implements Command {
        @Override
        public int commandId() {
            return TRANSACTION_PREPARE;
        }
    }

    /** Commits a transaction. Completes with null; if it fails, the transaction is rolled back. Either way it is closed. */
    public record TransactionCommit(long transaction) implements Command {
        @Override
        public int commandId() {
            return TRANSACTION_COMMIT;
        }
    }

    /** Rolls a transaction back and closes it. Completes with null. */
    public record TransactionRollback(long transaction) implements Command {
        @Override
        public int commandId() {
            return TRANSACTION_ROLLBACK;
        }
    }

    /** What a transaction sees of others. */
    public enum Isolation {
        /** What they have not committed, too. */
        READ_UNCOMMITTED(Connection.TRANSACTION_READ_UNCOMMITTED),
        /** What they have committed. */
        READ_COMMITTED(Connection.TRANSACTION_READ_COMMITTED),
        /** What they had committed before it began to read. */
        REPEATABLE_READ(Connection.TRANSACTION_REPEATABLE_READ),
        /** As if it were alone. */
        SERIALIZABLE(Connection.TRANSACTION_SERIALIZABLE);

        private final int level;

        Isolation(int level) {
            this.level = level;
        }
    }

    /**
     * What a query found. Values are null, Boolean, Number, String, byte[], the types of {@code java.time} and lists of those; what is none of them comes as text.
     *
     * @param columns their names
     * @param rows with one value for each column
     * @param more whether there were more rows than are given
     */
    public record Rows(List<String> columns, List<List<@Nullable Object>> rows, boolean more) {
        /** Copies the lists. */
        public Rows {
            columns = List.copyOf(columns);
            rows = List.copyOf(rows);
        }
    }

    /**
     * What a statement changed.
     *
     * @param inserted the key that the database gave the new row, or null if there is none or it is no number
     * @param rows how many rows it changed
     */
    public record Changed(@Nullable Long inserted, long rows) {}

    private static List<@Nullable Object> copy(List<@Nullable Object> parameters) {
        return Collections.unmodifiableList(new ArrayList<>(parameters));
    }

    @FunctionalInterface
    private interface SessionSource {
        Session open() throws SQLException;
    }

    @FunctionalInterface
    private interface Ending {
        void apply(Connection connection) throws SQLException;
    }

    @FunctionalInterface
    private interface Help {
        void run() throws SQLException;
    }

    /** A connection that is kept. Whoever uses it holds its lock, so that it is closed between two uses. */
    private static final class Session {
        final Connection connection;
        final AtomicBoolean busy = new AtomicBoolean();
        private boolean closed;

        Session(Connection connection) {
            this.connection = connection;
        }

        void checkOpen() {
            if (closed) {
                throw new NoSuchElementException("its connection is closed");
            }
        }

        synchronized void close() throws SQLException {
            if (closed) {
                return;
            }
            closed = true;
            // a connection goes back into its pool as it came
            try (connection) {
                if (!connection.getAutoCommit()) {
                    connection.rollback();
                    connection.setAutoCommit(true);
                }
            }
        }
    }

    private record Prepared(Session session, PreparedStatement statement, boolean inserts, boolean ownsSession) {
        void close() throws SQLException {
            synchronized (session) {
                try {
                    statement.close();
                } finally {
                    if (ownsSession) {
                        session.close();
                    }
                }
            }
        }
    }
}
