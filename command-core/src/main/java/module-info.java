import org.jspecify.annotations.NullMarked;

/**
 * The heart of Commandway: dispatch of commands to handlers, and the manager that records each command and knows what
 * became of it.
 */
@NullMarked
module io.github.commandway.core {
    requires transitive org.jspecify;
    requires transitive java.net.http;
    requires org.agrona;
    requires org.slf4j;

    exports io.github.commandway.boot;
    exports io.github.commandway.conversation.api;
    exports io.github.commandway.dispatch;
    exports io.github.commandway.exec;
    exports io.github.commandway.manager;
    exports io.github.commandway.directory;
    exports io.github.commandway.outbox.api;
    exports io.github.commandway.process;
    exports io.github.commandway.queue;
    exports io.github.commandway.system;
    exports io.github.commandway.tool.api;
}
