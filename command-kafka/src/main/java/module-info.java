import org.jspecify.annotations.NullMarked;

/** Publishes the outbox to Kafka. */
@NullMarked
module io.github.commandway.kafka {
    requires transitive io.github.commandway.store;
    requires kafka.clients;
    requires static org.jspecify;

    exports io.github.commandway.kafka;
}
