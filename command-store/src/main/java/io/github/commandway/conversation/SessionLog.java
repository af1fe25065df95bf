package io.github.commandway.conversation;

import io.github.commandway.conversation.api.ConversationCommandService;
import io.github.commandway.conversation.api.ConversationEvent;
import io.github.commandway.outbox.Outbox;
import io.github.commandway.store.Database;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The events of sessions: writes them, hands them to the outbox, and tells who watches. Safe for use by many threads. */
final class SessionLog {
    // one log for all that the service does
    private static final Logger LOG = LoggerFactory.getLogger(ConversationService.class);

    private final Database database;
    private final Outbox outbox;
    private final Map<UUID, Map<Object, Runnable>> watchers = new ConcurrentHashMap<>();

    SessionLog(Database database) {
        this.database = database;
        outbox = new Outbox(database);
    }

    /** Writes events of one session in the transaction of the connection. */
    void write(Connection connection, UUID session, String scopeType, List<ConversationEvent> events)
            throws SQLException {
        ConversationTables.insert(connection, events);
        outbox.append(
                connection,
                events.stream()
                        .map(event -> SessionEvents.outboxEntry(scopeType, event))
                        .toList());
        for (ConversationEvent event : events) {
            LOG.atDebug()
                    .addKeyValue("session_id", session)
                    .addKeyValue("event_id", event.eventId())
                    .addKeyValue("event_type", event.eventType())
                    .log("event_generated");
        }
        database.afterCommit(() -> tell(session));
    }

    /** Calls {@code onChange} after each transaction that wrote events of the session. */
    ConversationCommandService.Watch watch(UUID sessionId, Runnable onChange) {
        Object key = new Object();
        watchers.compute(sessionId, (id, present) -> {
            Map<Object, Runnable> all = present == null ? new ConcurrentHashMap<>() : present;
            all.put(key, onChange);
            return all;
        });
        return () -> watchers.computeIfPresent(sessionId, (id, present) -> {
            present.remove(key);
            return present.isEmpty() ? null : present;
        });
    }

    /** Tells those who watch any session. */
    void tellAll() {
        watchers.keySet().forEach(this::tell);
    }

    /** Tells those who watch a session. */
    @SuppressWarnings("IllegalCatch")
    void tell(UUID sessionId) {
        for (Runnable watcher : watchers.getOrDefault(sessionId, Map.of()).values()) {
            try {
                watcher.run();
            } catch (RuntimeException e) {
                LOG.error("a watcher of session {} failed", sessionId, e);
            }
        }
    }
}
