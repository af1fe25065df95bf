import org.jspecify.annotations.NullMarked;

/** Durable records and queues in SQLite or PostgreSQL. */
@NullMarked
@SuppressWarnings("opens") // the packages that are opened hold only the migration scripts, which Flyway reads
module io.github.commandway.store {
    requires transitive io.github.commandway.core;
    requires transitive java.sql;
    requires com.zaxxer.hikari;
    requires java.net.http;
    requires flyway.core;
    requires org.postgresql.jdbc;
    requires org.slf4j;
    requires org.xerial.sqlitejdbc;
    requires static org.checkerframework.checker.qual;
    requires tools.jackson.databind;
    requires transitive org.jspecify;

    exports io.github.commandway.conversation;
    exports io.github.commandway.outbox;
    exports io.github.commandway.store;

    opens io.github.commandway.store.sqlite;
    opens io.github.commandway.store.postgresql;
}
