package io.github.commandway.store;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;
import java.util.Set;
import javax.sql.DataSource;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.FlywayException;
import org.jspecify.annotations.Nullable;
import org.sqlite.SQLiteConfig;
import org.sqlite.SQLiteDataSource;
import org.sqlite.SQLiteErrorCode;
import org.sqlite.SQLiteException;

/** SQLite: one file, which one process has open. */
final class SqliteDialect implements Dialect {
    /** "Cway", which SQLite keeps in the file's header for whoever wants to know whose file it is. */
    private static final int APPLICATION_ID = 0x43776179;

    private static final byte[] MAGIC = "SQLite format 3\0".getBytes(StandardCharsets.US_ASCII);
    private static final int HEADER_BYTES = 100;
    private static final int APPLICATION_ID_OFFSET = 68;
    private static final int BUSY_TIMEOUT_MILLIS = 5_000;
    private static final int READERS = 4;

    private final Path file;
    private @Nullable FileChannel lockFile;
    private @Nullable HikariDataSource readers;

    SqliteDialect(Path file) {
        this.file = file.toAbsolutePath();
    }

    @Override
    public boolean isShared() {
        return false;
    }

    @Override
    public String schema() {
        return "";
    }

    @Override
    public Connection connect() {
        throw new UnsupportedOperationException("SQLite has one connection that writes");
    }

    @Override
    public void prepare() {
        try {
            Path folder = file.getParent();
            if (folder != null) {
                Files.createDirectories(folder);
            }
            lock();
            if (Files.exists(file) && Files.size(file) > 0) {
                checkHeader();
                checkContent();
            } else {
                create();
            }
            migrate();
        } catch (IOException | SQLException e) {
            throw new StoreException(file + " cannot be used as a database: " + e.getMessage(), e);
        }
    }

    private void lock() throws IOException {
        Path path = file.resolveSibling(file.getFileName() + ".lock");
        FileChannel channel = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock held;
        try {
            held = channel.tryLock();
        } catch (OverlappingFileLockException e) {
            held = null;
        }
        if (held == null) {
            channel.close();
            throw new StoreException(file + " is in use by another server (it holds " + path
                    + "); a SQLite file is for one server at a time");
        }
        lockFile = channel;
    }

    private void checkHeader() throws IOException {
        ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES);
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            while (header.hasRemaining() && channel.read(header) >= 0) {
                // until there is a whole header or nothing more to read
            }
        }
        if (header.hasRemaining() || !header.slice(0, MAGIC.length).equals(ByteBuffer.wrap(MAGIC))) {
            throw new StoreException(file + " is not a SQLite database; it was left as it is");
        }
        if (header.getInt(APPLICATION_ID_OFFSET) != APPLICATION_ID) {
            throw new StoreException(
                    file + " is a database of another application; it was left as it is. Name another file");
        }
    }

    /** Looks at all pages through a connection that changes nothing. */
    private void checkContent() throws IOException {
        Path log = file.resolveSibling(file.getFileName() + "-wal");
        boolean isAllInFile = !Files.exists(log) || Files.size(log) == 0;
        SQLiteDataSource source = new SQLiteDataSource();
        source.setUrl("jdbc:sqlite:" + file.toUri() + (isAllInFile ? "?immutable=1" : "?mode=ro"));
        source.setReadOnly(true);
        String problem;
        Exception cause = null;
        try (Connection connection = source.getConnection();
                Statement statement = connection.createStatement();
                ResultSet answer = statement.executeQuery("pragma quick_check(1)")) {
            problem = answer.next() ? answer.getString(1) : "no answer";
        } catch (SQLException e) {
            problem = e.getMessage();
            cause = e;
        }
        if (!"ok".equals(problem)) {
            throw new StoreException(
                    file + " is damaged and was left as it is: " + problem
                            + ". Restore a copy, or move it away to begin with an empty one",
                    cause);
        }
    }

    /** Before the log is switched on: whose file it is must be in the file itself from the first moment. */
    private void create() throws SQLException {
        SQLiteDataSource source = new SQLiteDataSource();
        source.setUrl("jdbc:sqlite:" + file);
        try (Connection connection = source.getConnection()) {
            Dialect.execute(connection, "pragma synchronous = full");
            Dialect.execute(connection, "pragma application_id = " + APPLICATION_ID);
        }
    }

    private void migrate() throws SQLException {
        try {
            Flyway flyway = Flyway.configure(getClass().getClassLoader())
                    .dataSource(source(false))
                    .locations("classpath:io/github/commandway/store/sqlite")
                    .ignoreMigrationPatterns(new String[0])
                    .cleanDisabled(true)
                    .baselineOnMigrate(false)
                    .load();
            flyway.migrate();
        } catch (FlywayException e) {
            throw new StoreException(file + " cannot be used: " + e.getMessage(), e);
        }
    }

    private SQLiteDataSource source(boolean readOnly) {
        SQLiteConfig config = new SQLiteConfig();
        config.setJournalMode(SQLiteConfig.JournalMode.WAL);
        config.setSynchronous(SQLiteConfig.SynchronousMode.FULL);
        config.setBusyTimeout(BUSY_TIMEOUT_MILLIS);
        config.enforceForeignKeys(true);
        Properties properties = config.toProperties();
        if (readOnly) {
            properties.setProperty("query_only", "true");
        }
        SQLiteDataSource source = new SQLiteDataSource(new SQLiteConfig(properties));
        source.setUrl("jdbc:sqlite:" + file);
        return source;
    }

    @Override
    public String now() {
        return "cast(unixepoch('subsec') * 1000 as integer)";
    }

    /** Nothing: there is one who writes. */
    @Override
    public String skipLocked() {
        return "";
    }

    @Override
    public String typeIsAnyOf() {
        return "instr(?, char(10) || type || char(10)) > 0";
    }

    /** One a line: a type has no line end in it. */
    @Override
    public void setTypes(PreparedStatement statement, int index, Set<String> types) throws SQLException {
        statement.setString(index, "\n" + String.join("\n", types) + "\n");
    }

    @Override
    public String forUpdate() {
        return "";
    }

    @Override
    public String schemaPrefix() {
        return "";
    }

    @Override
    public Connection open() throws SQLException {
        return openWriter();
    }

    @Override
    public Connection openWriter() throws SQLException {
        return source(false).getConnection();
    }

    @Override
    public DataSource readers() {
        HikariConfig config = new HikariConfig();
        config.setDataSource(source(true));
        config.setPoolName("commandway-" + file.getFileName());
        config.setMaximumPoolSize(READERS);
        config.setMinimumIdle(1);
        HikariDataSource pool = new HikariDataSource(config);
        readers = pool;
        return pool;
    }

    /** Takes the write lock at once, with a statement: the driver's own transactions take it again right after each commit, and keep it. */
    @Override
    public void begin(Connection connection) throws SQLException {
        Dialect.execute(connection, "begin immediate");
    }

    /** A commit here has taken place, or has failed. */
    @Override
    public @Nullable String transactionId(Connection connection) {
        return null;
    }

    @Override
    public @Nullable Boolean isCommitted(Connection connection, String transactionId) {
        throw new IllegalStateException("nothing is ever in doubt");
    }

    @Override
    public boolean isPassing(Connection connection, SQLException failure) {
        if (failure instanceof SQLiteException sqlite) {
            SQLiteErrorCode code = sqlite.getResultCode();
            return code.name().startsWith("SQLITE_BUSY") || code == SQLiteErrorCode.SQLITE_LOCKED;
        }
        return false;
    }

    @Override
    public void close() {
        if (readers != null) {
            readers.close();
        }
        if (lockFile != null) {
            try {
                lockFile.close();
            } catch (IOException e) {
                throw new StoreException("the lock of " + file + " could not be given back", e);
            }
        }
    }
}
