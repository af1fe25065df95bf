import org.jspecify.annotations.NullMarked;

/** Publishes the outbox to NATS JetStream. */
@NullMarked
module io.github.commandway.nats {
    requires transitive io.github.commandway.store;
    requires transitive io.nats.jnats;
    requires org.slf4j;
    requires static org.jspecify;

    exports io.github.commandway.nats;
}
