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
    requires static org.jspecify;

    exports io.github.commandway.eval;
    exports io.github.commandway.sql;
    exports io.github.commandway.tty;
}
