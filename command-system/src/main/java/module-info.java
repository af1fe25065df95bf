import org.jspecify.annotations.NullMarked;

/** Built-in handlers that need more than core. */
@NullMarked
module io.github.commandway.system.more {
    requires transitive io.github.commandway.core;
    requires transitive java.sql;
    requires org.slf4j;
    requires static org.jspecify;

    exports io.github.commandway.sql;
}
