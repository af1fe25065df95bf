import org.jspecify.annotations.NullMarked;

/** Built-in handlers that need more than core. */
@NullMarked
module io.github.commandway.system.more {
    requires transitive io.github.commandway.core;
    requires transitive java.sql;
    requires transitive org.jline.terminal;
    requires cel;
    requires com.google.common;
    requires org.slf4j;
    requires run.endive.runtime;
    requires run.endive.wasm;
    requires software.amazon.awssdk.auth;
    requires software.amazon.awssdk.awscore;
    requires software.amazon.awssdk.core;
    requires software.amazon.awssdk.http;
    requires software.amazon.awssdk.http.urlconnection;
    requires software.amazon.awssdk.identity.spi;
    requires software.amazon.awssdk.regions;
    requires software.amazon.awssdk.services.s3;
    requires software.amazon.awssdk.utils;
    requires static org.jspecify;

    exports io.github.commandway.cloudstorage;
    exports io.github.commandway.eval;
    exports io.github.commandway.sql;
    exports io.github.commandway.tty;
}
