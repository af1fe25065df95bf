import org.jspecify.annotations.NullMarked;

/** The agent runtime, a router for typed commands, and commands that come with it. */
@NullMarked
module io.github.commandway.agent {
    requires transitive io.github.commandway.core;
    requires transitive io.github.commandway.quic;
    requires transitive org.jspecify;
    requires dev.failsafe.core;
    requires java.management;
    requires jdk.management;
    requires org.slf4j;
    requires tools.jackson.databind;

    exports io.github.commandway.agent;
    exports io.github.commandway.agent.command;

    // Jackson reads and writes the records there, which nobody else needs.
    opens io.github.commandway.agent.command to
            tools.jackson.databind;
}
