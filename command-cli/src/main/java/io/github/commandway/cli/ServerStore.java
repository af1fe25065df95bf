package io.github.commandway.cli;

import io.github.commandway.conversation.ConversationService;
import io.github.commandway.http.CommandMetrics;
import io.github.commandway.kafka.KafkaPublisher;
import io.github.commandway.manager.CommandStore;
import io.github.commandway.manager.IdGenerator;
import io.github.commandway.manager.InMemoryCommandStore;
import io.github.commandway.manager.Target;
import io.github.commandway.nats.NatsPublisher;
import io.github.commandway.outbox.CompletionCallbacks;
import io.github.commandway.outbox.Notifications;
import io.github.commandway.outbox.Outbox;
import io.github.commandway.outbox.OutboxRelay;
import io.github.commandway.outbox.Publisher;
import io.github.commandway.outbox.WebhookPublisher;
import io.github.commandway.outbox.WebhookSignature;
import io.github.commandway.outbox.api.DeadLetters;
import io.github.commandway.store.Database;
import io.github.commandway.store.SqlCommandStore;
import io.github.commandway.store.StoreException;
import java.net.InetAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import org.apache.kafka.common.KafkaException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Where the settings say that records are kept, and what tells of the ends that are recorded there. Close it when the manager is closed. */
final class ServerStore implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ServerStore.class);
    private static final String FILE = "commandway.db";
    private static final Duration IN_MEMORY = Duration.ofMinutes(30);
    private static final Duration UNDELIVERED_KEPT = Duration.ofDays(7);
    private static final Duration NATS_ANSWER = Duration.ofSeconds(5);
    private static final int PURGED_AT_ONCE = 10_000;
    private static final int MAX_ENDED = 100_000;
    private static final long MAX_ENDED_BYTES = 256L << 20;

    private final CommandStore commands;
    private final String description;
    private final long lastTaskNumber;
    private final @Nullable Database database;
    private final @Nullable Outgoing outgoing;
    private final List<Publisher> notifying = new ArrayList<>();
    private @Nullable OutboxRelay relay;
    private @Nullable ScheduledExecutorService notifyTimer;

    /**
     * What goes out of a database.
     *
     * @param conversationRetention how long their rounds and events are kept
     * @param callbacks takes the ends of tasks, or null
     * @param notified who is told of ends, or null for nobody
     * @param events takes the events of conversations
     */
    private record Outgoing(
            ConversationService conversations,
            Duration conversationRetention,
            Outbox outbox,
            @Nullable Publisher callbacks,
            @Nullable NotifyFile notified,
            Publisher events) {}

    private ServerStore(
            CommandStore commands,
            String description,
            long lastTaskNumber,
            @Nullable Database database,
            @Nullable Outgoing outgoing) {
        this.commands = commands;
        this.description = description;
        this.lastTaskNumber = lastTaskNumber;
        this.database = database;
        this.outgoing = outgoing;
    }

    /**
     * Opens it.
     *
     * @param started the folder in which the program was started
     * @throws UsageException if it cannot be opened; the message says why
     */
    static ServerStore open(Settings settings, Path started, CommandMetrics metrics) {
        String kind = settings.text(Setting.STORE);
        Optional<String> callbackUrl = settings.given(Setting.CALLBACK_URL);
        Optional<Duration> retention = settings.given(Setting.RETENTION).map(Kind::duration);
        NotifyFile notify = NotifyFile.find(settings, started).orElse(null);
        Path data = started.resolve(settings.data());
        if (kind.equals("memory")) {
            if (notify != null) {
                throw new UsageException("notification needs a database, so that nothing is lost on its way; "
                        + Setting.STORE.key() + " is memory, and there is a " + NotifyFile.NAME);
            }
            for (Setting setting : List.of(Setting.CALLBACK_URL, Setting.EVENTS_URL, Setting.OUTBOX_PUBLISHER)) {
                if (settings.given(setting).isPresent()) {
                    throw new UsageException(setting.key() + " needs a database, so that nothing is lost on its way; "
                            + Setting.STORE.key() + " is memory");
                }
            }
            CommandStore memory = new InMemoryCommandStore(
                    Clock.systemUTC(), retention.orElse(IN_MEMORY), MAX_ENDED, MAX_ENDED_BYTES);
            return new ServerStore(memory, "in memory", 0, null, null);
        }
        boolean isPostgres = kind.equals("postgres");
        Path file = data.resolve(FILE);
        Publisher callbacks = callbackUrl
                .map(url -> publisher(WebhookPublisher.to(URI.create(url)).confirmed(), settings))
                .orElse(null);
        Publisher events = eventPublisher(settings);
        Database database;
        try {
            database = isPostgres ? postgres(settings) : Database.sqlite(file);
        } catch (StoreException | UsageException e) {
            closeIfOpen(events);
            throw new UsageException(String.valueOf(e.getMessage()), e);
        }
        try {
            SqlCommandStore.Builder store = SqlCommandStore.builder(database)
                    .name(settings.given(Setting.NODE).orElseGet(() -> nodeName(data)))
                    .retention(retention.orElse(SqlCommandStore.DEFAULT_RETENTION), SqlCommandStore.DEFAULT_MAX_ENDED);
            Outbox outbox = new Outbox(database);
            ConversationService conversations = ConversationService.builder(database)
                    .queue(ServerQueues.CONVERSATIONS)
                    .metrics(metrics)
                    .build();
            store.endHook(conversations);
            if (callbacks != null) {
                store.endHook(new CompletionCallbacks(
                        outbox,
                        UUID::randomUUID,
                        ended -> ended.request().target() instanceof Target.Queue queue
                                && !queue.name().equals(ServerQueues.CONVERSATIONS)));
            }
            if (notify != null) {
                store.endHook(notify.hook(outbox));
            }
            SqlCommandStore commands = store.build();
            return new ServerStore(
                    commands,
                    isPostgres
                            ? "PostgreSQL, " + settings.text(Setting.STORE_URL).replaceFirst("\\?.*", "")
                            : "SQLite, " + FILE + " in the data folder",
                    commands.lastTaskNumber().join(),
                    database,
                    new Outgoing(conversations, conversationRetention(settings), outbox, callbacks, notify, events));
        } catch (RuntimeException e) {
            closeIfOpen(events);
            database.close();
            throw e;
        }
    }

    private static Publisher eventPublisher(Settings settings) {
        String kind = settings.given(Setting.OUTBOX_PUBLISHER)
                .orElse(settings.given(Setting.EVENTS_URL).isPresent() ? "webhook" : "log");
        return switch (kind) {
            case "webhook" ->
                publisher(WebhookPublisher.to(URI.create(needed(settings, Setting.EVENTS_URL, kind))), settings);
            case "kafka" -> kafka(settings, needed(settings, Setting.KAFKA_SERVERS, kind));
            case "nats" -> nats(needed(settings, Setting.NATS_SERVERS, kind));
            // whoever does not want them sent reads them over HTTP, from where they are kept
            default ->
                Publisher.calling(
                        event -> LOG.debug("{} of {} {}", event.type(), event.aggregateType(), event.key()),
                        Runnable::run);
        };
    }

    private static Duration conversationRetention(Settings settings) {
        Duration conversations = settings.duration(Setting.CONVERSATION_RETENTION);
        Duration commands =
                settings.given(Setting.RETENTION).map(Kind::duration).orElse(SqlCommandStore.DEFAULT_RETENTION);
        if (conversations.compareTo(commands) < 0) {
            throw new UsageException(Setting.CONVERSATION_RETENTION.key() + " must not be shorter than "
                    + Setting.RETENTION.key() + ", since a request that is repeated would bring events back");
        }
        return conversations;
    }

    private static String needed(Settings settings, Setting setting, String publisher) {
        return settings.given(setting)
                .orElseThrow(() -> new UsageException(Setting.OUTBOX_PUBLISHER.key() + " is " + publisher
                        + ", which needs " + setting.key() + ": " + setting.description()));
    }

    private static Publisher kafka(Settings settings, String servers) {
        Map<String, Object> producer = new HashMap<>(settings.map(Setting.KAFKA_SETTINGS));
        producer.put("bootstrap.servers", servers);
        try {
            return KafkaPublisher.of(producer);
        } catch (KafkaException e) {
            String why = e.getCause() == null ? e.getMessage() : e.getCause().getMessage();
            throw new UsageException(
                    Setting.KAFKA_SERVERS.key() + " and " + Setting.KAFKA_SETTINGS.key() + ": " + why, e);
        }
    }

    private static Publisher nats(String servers) {
        try {
            return NatsPublisher.connecting(servers, NATS_ANSWER);
        } catch (IllegalArgumentException e) {
            throw new UsageException(Setting.NATS_SERVERS.key() + ": " + e.getMessage(), e);
        }
    }

    @SuppressWarnings("IllegalCatch")
    private static void closeIfOpen(Publisher publisher) {
        if (publisher instanceof AutoCloseable open) {
            try {
                open.close();
            } catch (Exception e) {
                LOG.warn("a publisher could not be closed: {}", e.getMessage());
            }
        }
    }

    private static Publisher publisher(WebhookPublisher.Builder publisher, Settings settings) {
        settings.given(Setting.CALLBACK_SECRET).ifPresent(secret -> {
            try {
                publisher.signature(WebhookSignature.ofSecrets(secret));
            } catch (IllegalArgumentException e) {
                throw new UsageException(Setting.CALLBACK_SECRET.key() + ": " + e.getMessage(), e);
            }
        });
        return publisher.build();
    }

    private static Database postgres(Settings settings) {
        String url = settings.given(Setting.STORE_URL)
                .filter(given -> given.startsWith("jdbc:postgresql:"))
                .orElseThrow(
                        () -> new UsageException(
                                Setting.STORE_URL.key()
                                        + " must be that of a PostgreSQL database, such as jdbc:postgresql://db.example:5432/commandway"));
        return Database.postgres(
                url,
                settings.text(Setting.STORE_USER),
                settings.text(Setting.STORE_PASSWORD),
                settings.text(Setting.STORE_SCHEMA));
    }

    private static String nodeName(Path data) {
        String machine;
        try {
            machine = InetAddress.getLocalHost().getHostName();
        } catch (UnknownHostException nameless) {
            LOG.debug("this machine has no name", nameless);
            machine = "localhost";
        }
        return machine + ":" + data.toAbsolutePath().normalize();
    }

    /** The records; the manager closes it. */
    CommandStore commands() {
        return commands;
    }

    /** What and where it is, for people. */
    String description() {
        return description;
    }

    /** The same way of making ids, going on where an earlier run ended if they count. */
    IdGenerator countingIds() {
        return IdGenerator.taskNumber(lastTaskNumber);
    }

    /** The conversations; none in memory. */
    Optional<ConversationService> conversations() {
        return Optional.ofNullable(outgoing).map(Outgoing::conversations);
    }

    /** What could not be delivered, once it has begun to tell; nothing in memory. */
    Optional<DeadLetters> deadLetters() {
        return Optional.ofNullable(relay);
    }

    /** Begins to tell of ends and events. */
    void startRelay(CommandMetrics metrics) {
        if (outgoing != null) {
            OutboxRelay.Builder builder = OutboxRelay.of(outgoing.outbox());
            if (outgoing.callbacks() != null) {
                builder.publish(CompletionCallbacks.TOPIC, outgoing.callbacks(), CompletionCallbacks.RETRY);
            }
            if (outgoing.notified() != null) {
                notifyBy(builder, outgoing.notified());
            }
            OutboxRelay started = builder.publishOthers(outgoing.events()).start();
            relay = started;
            metrics.gauge(
                    "commandway.outbox.waiting",
                    "Events and callbacks that were not delivered yet",
                    () -> started.stats().waiting());
            metrics.gauge(
                    "commandway.outbox.dead",
                    "Events and callbacks that could not be delivered",
                    () -> started.stats().deadLetters());
            metrics.gauge(
                    "commandway.outbox.lag.seconds",
                    "How long the oldest of those that wait has been there",
                    () -> started.stats().lag().toMillis() / 1_000.0);
            metrics.counter(
                    "commandway.outbox.sent",
                    "Deliveries of this server that were acknowledged",
                    () -> started.stats().sent());
            metrics.counter(
                    "commandway.outbox.failed",
                    "Tries of this server to deliver that failed",
                    () -> started.stats().failed());
        }
    }

    private void notifyBy(OutboxRelay.Builder builder, NotifyFile notify) {
        ScheduledExecutorService timer =
                Executors.newSingleThreadScheduledExecutor(DaemonThreads.named("commandway-notify"));
        notifyTimer = timer;
        for (NotifyFile.Receiver receiver : notify.receivers()) {
            Publisher publisher = receiver.publisher(timer, commands::events);
            notifying.add(publisher);
            builder.publish(Notifications.topic(receiver.rule().receiver()), publisher, Notifications.RETRY);
        }
    }

    /** Gives up what nobody has taken for a week, and removes what is too old of conversations. Called now and then. */
    void purge(Instant now) {
        if (outgoing != null) {
            purgeConversations(outgoing, now.minus(outgoing.conversationRetention()));
            outgoing.outbox().purge(now.minus(UNDELIVERED_KEPT), PURGED_AT_ONCE).whenComplete((count, error) -> {
                if (error != null) {
                    LOG.warn("what could not be delivered could not be removed: {}", error.getMessage());
                } else if (count > 0) {
                    LOG.warn("{} callbacks or events could not be delivered for 7 days and are given up", count);
                }
            });
        }
    }

    private static void purgeConversations(Outgoing outgoing, Instant before) {
        outgoing.conversations().purge(before, PURGED_AT_ONCE).whenComplete((count, error) -> {
            if (error != null) {
                LOG.warn("old rounds and events could not be removed: {}", error.getMessage());
            } else if (count == PURGED_AT_ONCE) {
                purgeConversations(outgoing, before);
            }
        });
    }

    @Override
    public void close() {
        // first, since what waits for room would keep the relay waiting
        notifying.forEach(ServerStore::closeIfOpen);
        if (relay != null) {
            relay.close();
        }
        if (notifyTimer != null) {
            notifyTimer.shutdownNow();
        }
        if (outgoing != null) {
            closeIfOpen(outgoing.events());
            outgoing.conversations().close();
        }
        if (database != null) {
            database.close();
        }
    }
}
