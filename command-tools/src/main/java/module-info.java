import org.jspecify.annotations.NullMarked;

/** Versioned command-line tools and toolchains as commands. */
@NullMarked
module io.github.commandway.tools {
    requires transitive io.github.commandway.core;
    requires transitive org.jspecify;
    requires com.cronutils;
    requires org.semver4j;
    requires org.slf4j;
    requires org.snakeyaml.engine;
    requires tools.jackson.databind;

    exports io.github.commandway.tools;
}
