import org.jspecify.annotations.NullMarked;

/** Versioned command-line tools and toolchains as commands. */
@NullMarked
module io.github.commandway.tools {
    requires transitive io.github.commandway.core;
    requires transitive org.jspecify;
    requires com.cronutils;
    requires org.apache.commons.compress;
    requires org.semver4j;
    requires org.slf4j;
    requires org.snakeyaml.engine;
    requires run.endive.runtime;
    requires run.endive.wasi;
    requires run.endive.wasm;
    requires tools.jackson.databind;

    exports io.github.commandway.tools;
}
