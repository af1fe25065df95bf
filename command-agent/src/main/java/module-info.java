import org.jspecify.annotations.NullMarked;

/** The agent runtime: connects to a server, executes commands and reports what came of them. */
@NullMarked
module io.github.commandway.agent {
    requires transitive io.github.commandway.core;
    requires transitive io.github.commandway.quic;
    requires transitive org.jspecify;
    requires dev.failsafe.core;
    requires org.slf4j;
    requires tools.jackson.databind;

    exports io.github.commandway.agent;
}
