package io.github.commandway.store;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Set;
import java.util.regex.Pattern;
import javax.sql.DataSource;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.FlywayException;
import org.jspecify.annotations.Nullable;
import org.postgresql.ds.PGSimpleDataSource;

/** PostgreSQL: one schema, which many servers may share. */
final class PostgresDialect implements Dialect {
    private static final Pattern SCHEMA = Pattern.compile("[a-z][a-z0-9_]{0,62}");
    private static final int READERS = 4;
    private static final int SECONDS_TO_CONNECT = 10;
    private static final int SECONDS_FOR_AN_ANSWER = 60;

    /** Of the class 57: the server stops, has crashed, or starts; and what goes away when the transaction is repeated. */
    private static final Set<String> PASSING = Set.of("57P01", "57P02", "57P03", "57P05", "40001", "40P01", "53300");

    private final PGSimpleDataSource connections = new PGSimpleDataSource();
    private final String schema;
    private @Nullable HikariDataSource readers;

    PostgresDialect(String url, String user, String password, String schema) {
        if (!SCHEMA.matcher(schema).matches()) {
            throw new IllegalArgumentException("schema '" + schema
                    + "' must have up to 63 characters: a lower case letter, then lower case letters, digits and _");
        }
        this.schema = schema;
        connections.setUrl(url);
        connections.setUser(user);
        connections.setPassword(password);
        connections.setCurrentSchema(schema);
        connections.setApplicationName("commandway");
        connections.setConnectTimeout(SECONDS_TO_CONNECT);
        connections.setSocketTimeout(SECONDS_FOR_AN_ANSWER);
        connections.setTcpKeepAlive(true);
    }

    @Override
    public boolean isShared() {
        return true;
    }

    @Override
    public String schema() {
        return schema;
    }

    @Override
    public Connection connect() throws SQLException {
        return open();
    }

    @Override
    public void prepare() {
        try {
            Flyway.configure(getClass().getClassLoader())
                    .dataSource(connections)
                    .schemas(schema)
                    .defaultSchema(schema)
                    .locations("classpath:io/github/commandway/store/postgresql")
                    .ignoreMigrationPatterns(new String[0])
                    .cleanDisabled(true)
                    .load()
                    .migrate();
        } catch (FlywayException e) {
            throw new StoreException(
                    "the schema " + schema + " of " + connections.getURL() + " cannot be used: " + e.getMessage(), e);
        }
    }

    @Override
    public Connection openWriter() throws SQLException {
        Connection connection = open();
        try {
            // a server that was told otherwise would lose what was acknowledged
            Dialect.execute(connection, "set synchronous_commit = on");
            // all that is written is found over an index; a plan made while a table was nearly empty must not scan it
            // for ever
            for (String scan : new String[] {"seqscan", "hashjoin", "mergejoin"}) {
                Dialect.execute(connection, "set enable_" + scan + " = off");
            }
            Dialect.execute(connection, "set jit = off");
            connection.setAutoCommit(false);
            return connection;
        } catch (SQLException e) {
            connection.close();
            throw e;
        }
    }

    @Override
    public String now() {
        return "(extract(epoch from clock_timestamp()) * 1000)::bigint";
    }

    @Override
    public String skipLocked() {
        return " for update skip locked";
    }

    @Override
    public String typeIsAnyOf() {
        return "type = any (?)";
    }

    @Override
    public void setTypes(PreparedStatement statement, int index, Set<String> types) throws SQLException {
        statement.setArray(index, statement.getConnection().createArrayOf("text", types.toArray()));
    }

    @Override
    public String forUpdate() {
        return " for update";
    }

    @Override
    public String schemaPrefix() {
        return schema + ".";
    }

    @Override
    public Connection open() throws SQLException {
        return connections.getConnection();
    }

    @Override
    public DataSource readers() {
        HikariConfig config = new HikariConfig();
        config.setDataSource(connections);
        config.setPoolName("commandway-" + schema);
        config.setMaximumPoolSize(READERS);
        config.setMinimumIdle(1);
        config.setReadOnly(true);
        config.setInitializationFailTimeout(-1);
        HikariDataSource pool = new HikariDataSource(config);
        readers = pool;
        return pool;
    }

    /** Nothing to do: the driver sends it together with the first statement. */
    @Override
    public void begin(Connection connection) {}

    @Override
    public @Nullable String transactionId(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("select pg_current_xact_id_if_assigned()::text")) {
            row.next();
            return row.getString(1);
        }
    }

    @Override
    public @Nullable Boolean isCommitted(Connection connection, String transactionId) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement("select pg_xact_status(?::xid8)")) {
            statement.setString(1, transactionId);
            try (ResultSet row = statement.executeQuery()) {
                row.next();
                String status = row.getString(1);
                connection.rollback();
                return "in progress".equals(status) ? null : Boolean.valueOf("committed".equals(status));
            }
        }
    }

    @Override
    public boolean isPassing(Connection connection, SQLException failure) {
        String state = failure.getSQLState();
        if (state != null && (state.startsWith("08") || PASSING.contains(state))) {
            return true;
        }
        try {
            return connection.isClosed();
        } catch (SQLException e) {
            return true;
        }
    }

    @Override
    public void close() {
        if (readers != null) {
            readers.close();
        }
    }
}
