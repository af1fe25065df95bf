package io.github.commandway.store;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.concurrent.atomic.AtomicInteger;

/** A PostgreSQL server for the tests of this JVM, which ends with it; it flushes to the disk as one in production does. */
public final class PostgresServer {
    private static final AtomicInteger SCHEMAS = new AtomicInteger();
    private static final EmbeddedPostgres SERVER = start();

    private PostgresServer() {}

    private static EmbeddedPostgres start() {
        try {
            return EmbeddedPostgres.builder()
                    .setServerConfig("fsync", "on")
                    .setServerConfig("synchronous_commit", "on")
                    .start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The address of the database {@code postgres}, whose owner is {@code postgres} without a password. */
    public static String url() {
        return SERVER.getJdbcUrl("postgres", "postgres");
    }

    /** The name of a schema that nobody has used. */
    public static String newSchema() {
        return "test_" + SCHEMAS.incrementAndGet();
    }

    /** A database in a schema of that name. */
    public static Database open(String schema) {
        return Database.postgres(url(), "postgres", "postgres", schema);
    }

    static Database freshSchema() {
        return open(newSchema());
    }
}
