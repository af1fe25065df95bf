import org.jspecify.annotations.NullMarked;

/** A manual clock, contract tests and fault-injecting fakes. */
@NullMarked
module io.github.commandway.testing {
    requires transitive io.github.commandway.core;
    requires transitive org.assertj.core;
    requires transitive org.junit.jupiter.api;
    requires transitive org.jspecify;

    exports io.github.commandway.testing;
}
