import org.jspecify.annotations.NullMarked;

/** The agent runtime. */
@NullMarked
module io.github.commandway.agent {
    requires transitive io.github.commandway.core;
    requires dev.failsafe.core;
    requires io.github.commandway.quic;
    requires org.slf4j;
    requires tools.jackson.databind;
    requires transitive org.jspecify;
}
