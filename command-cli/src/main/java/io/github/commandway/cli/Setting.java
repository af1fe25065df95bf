package io.github.commandway.cli;

import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * Everything that can be set in the configuration file, by an environment variable and by a flag: the one table that all three,
 * and the page on operations, are made from.
 */
enum Setting {
    DATA(
            "data",
            "--data",
            Kind.PATH,
            "./commandway-data",
            "the folder for keys, certificates, join tokens and journals",
            Role.values()),

    QUIC_HOST("quic.host", "--quic-host", Kind.TEXT, "127.0.0.1", "the address on which agents connect", Role.SERVER),
    QUIC_PORT(
            "quic.port",
            "--quic-port",
            Kind.PORT,
            "8474",
            "the port for agents, UDP and TCP; 0 for any that is free",
            Role.SERVER),
    HTTP_HOST("http.host", "--http-host", Kind.TEXT, "127.0.0.1", "the address of the HTTP API", Role.SERVER),
    HTTP_PORT(
            "http.port",
            "--http-port",
            Kind.PORT,
            "8080",
            "the port of the HTTP API; 0 for any that is free",
            Role.SERVER),
    HTTP_TOKENS(
            "http.tokens",
            "--http-token",
            Kind.MAP,
            "",
            "who may use the HTTP API, name=secret; needed unless http.host is a loopback address",
            Role.SERVER),
    HTTP_RIGHTS(
            "http.rights",
            "--http-rights",
            Kind.MAP,
            "",
            "what who has a token may do, name=rights, such as robot=run view:own output:own cancel:own;tools=thumb*; everything unless it is named here",
            Role.SERVER),
    HTTP_MAX_BODY("http.max-body", "--http-max-body", Kind.BYTES, "1MiB", "the largest body of a request", Role.SERVER),
    MODE(
            "mode",
            "--mode",
            Kind.MODE,
            "queue",
            "whether POST / is answered when the task is in its queue, or with its result",
            Role.SERVER),
    QUEUE("queue.name", "--queue", Kind.TEXT, "default", "the queue that takes the tasks", Role.SERVER),
    QUEUE_TARGET(
            "queue.target",
            "--queue-target",
            Kind.QUEUE_TARGET,
            "agent:client-001",
            "who executes what is in the queue",
            Role.SERVER),
    QUEUE_CONCURRENCY(
            "queue.concurrency",
            "--queue-concurrency",
            Kind.COUNT,
            "1",
            "how many tasks of the queue are executed at a time",
            Role.SERVER),
    QUEUE_MAX_WAITING(
            "queue.max-waiting",
            "--queue-max-waiting",
            Kind.COUNT,
            "10000",
            "how many tasks may wait in the queue; more are refused",
            Role.SERVER),
    QUEUE_RETRIES(
            "queue.retries",
            "--queue-retries",
            Kind.RETRIES,
            "0",
            "how many more times a task that failed is tried, after 1 s at first and up to 60 s later",
            Role.SERVER),
    QUEUE_TIMEOUT(
            "queue.timeout",
            "--queue-timeout",
            Kind.DURATION,
            "30m",
            "the longest time of execution of a task that says nothing else",
            Role.SERVER),
    QUEUE_TTL(
            "queue.ttl",
            "--queue-ttl",
            Kind.DURATION,
            "24h",
            "the longest time of waiting of a task that says nothing else",
            Role.SERVER),
    TASK_IDS(
            "queue.ids",
            "--task-ids",
            Kind.TASK_IDS,
            "time",
            "the form of task ids: time (task_20231215_143022_abc123) or number (TASK_000001; for one server, as two on one database would give the same ones)",
            Role.SERVER),
    QUEUES(
            "queues",
            "--queues",
            Kind.MAP,
            "",
            "further queues, name=target, such as labels=agent:printer;concurrency=2;max-waiting=100;retries=3",
            Role.SERVER),
    CALLBACK_URL(
            "callback.url",
            "--callback-url",
            Kind.WEB_ADDRESS,
            "",
            "where to tell of the end of each task, by POST until it is answered with {received: true}; needs a database",
            Role.SERVER),
    CALLBACK_SECRET(
            "callback.secret",
            "--callback-secret",
            Kind.TEXT,
            "",
            "what callbacks are signed with: Base64 of at least 24 bytes",
            Role.SERVER),
    NOTIFY_FILE(
            "notify.file",
            "--notify-file",
            Kind.PATH,
            "",
            "the file that says who is told of the ends of runs; by default notify.yaml in the data folder, if it is there; needs a database",
            Role.SERVER),
    CONVERSATION_TARGET(
            "conversations.target",
            "--conversation-target",
            Kind.QUEUE_TARGET,
            "agent:client-001",
            "who executes the commands of conversations, several sessions at a time; there are conversations only with a database",
            Role.SERVER),
    CONVERSATION_RETENTION(
            "conversations.retention",
            "--conversation-retention",
            Kind.DURATION,
            "365d",
            "how long rounds and events of conversations are kept; not shorter than commands.retention",
            Role.SERVER),
    EVENTS_URL(
            "events.url",
            "--events-url",
            Kind.WEB_ADDRESS,
            "",
            "where a webhook takes the events of conversations, as CloudEvents by POST, signed as callbacks are",
            Role.SERVER),
    OUTBOX_PUBLISHER(
            "outbox.publisher",
            "--outbox-publisher",
            Kind.PUBLISHER,
            "",
            "where the events of conversations are sent: webhook, kafka, nats (JetStream), or only to the log; by default webhook if events.url is set, otherwise log",
            Role.SERVER),
    KAFKA_SERVERS(
            "kafka.servers",
            "--kafka-servers",
            Kind.TEXT,
            "",
            "the Kafka brokers to begin with, such as kafka-1:9092,kafka-2:9092",
            Role.SERVER),
    KAFKA_SETTINGS(
            "kafka.settings",
            "--kafka-setting",
            Kind.MAP,
            "",
            "further settings of Kafka's producer, such as security.protocol=SSL",
            Role.SERVER),
    NATS_SERVERS(
            "nats.servers",
            "--nats-servers",
            Kind.TEXT,
            "",
            "the NATS servers, such as nats://user:password@nats-1:4222,nats://nats-2:4222; a stream has to take the topics as subjects",
            Role.SERVER),
    STORE(
            "store.kind",
            "--store",
            Kind.STORE,
            "sqlite",
            "where records are kept: sqlite (a file in the data folder), postgres, or memory (gone when the server stops)",
            Role.SERVER),
    STORE_URL(
            "store.url",
            "--store-url",
            Kind.TEXT,
            "",
            "the PostgreSQL database, such as jdbc:postgresql://db.example:5432/commandway",
            Role.SERVER),
    STORE_USER("store.user", "--store-user", Kind.TEXT, "", "who the server is to PostgreSQL", Role.SERVER),
    STORE_PASSWORD("store.password", "--store-password", Kind.TEXT, "", "that user's password", Role.SERVER),
    STORE_SCHEMA(
            "store.schema",
            "--store-schema",
            Kind.TEXT,
            "commandway",
            "the schema in PostgreSQL, made if it is not there",
            Role.SERVER),
    NODE(
            "node.name",
            "--node",
            Kind.TEXT,
            "",
            "the name of this server among those that share a database; by default the machine's name and the data folder",
            Role.SERVER),
    MAX_OPEN(
            "commands.max-open",
            "--max-open",
            Kind.COUNT,
            "50000",
            "how many commands may be open; more are refused",
            Role.SERVER),
    RETENTION(
            "commands.retention",
            "--retention",
            Kind.DURATION,
            "",
            "how long a command that has ended can be looked up; by default 7d, in memory 30m",
            Role.SERVER),
    MAX_AGENTS("agents.max-known", "--max-agents", Kind.COUNT, "100000", "how many agents are remembered", Role.SERVER),
    AGENT_COMMANDS(
            "agents.max-commands",
            "--max-agent-commands",
            Kind.COUNT,
            "1000",
            "how many commands may wait for and run on one agent; more are refused",
            Role.SERVER),
    AGENT_BYTES(
            "agents.max-bytes",
            "--max-agent-bytes",
            Kind.BYTES,
            "64MiB",
            "how many bytes of payload may wait for and run on one agent; more are refused",
            Role.SERVER),

    TOOLS_FOLDER(
            "tools.folder",
            "--tools-folder",
            Kind.TEXT,
            "",
            "the catalogue of tools and toolchains; by default the folder tools in the data folder",
            Role.SERVER,
            Role.TOOLS),
    TOOLS_RELOAD_EVERY(
            "tools.reload-every",
            "--tools-reload-every",
            Kind.DURATION,
            "2s",
            "how often changes of the catalogue are looked for",
            Role.SERVER,
            Role.AGENT),
    TOOLS_MAX_RUNS(
            "tools.max-runs",
            "--tools-max-runs",
            Kind.COUNT,
            "16",
            "how many runs of tools and toolchains there may be at a time",
            Role.SERVER),
    TOOLS_MAX_WAITING(
            "tools.max-waiting",
            "--tools-max-waiting",
            Kind.COUNT,
            "1000",
            "how many runs may wait; more are refused",
            Role.SERVER,
            Role.AGENT),
    TOOLS_KEEP_RUNS(
            "tools.keep-runs",
            "--tools-keep-runs",
            Kind.COUNT,
            "1000",
            "how many folders of runs that have ended are kept",
            Role.SERVER,
            Role.AGENT),
    TOOLS_KEEP_FOR(
            "tools.keep-for",
            "--tools-keep-for",
            Kind.DURATION,
            "24h",
            "how long they are kept",
            Role.SERVER,
            Role.AGENT),
    TOOLS_IDS(
            "tools.ids",
            "--tools-ids",
            Kind.RUN_IDS,
            "uuid",
            "the form of the ids of runs: uuid, uuid4 (random), or time (20250208123359-1; for one server, as two on one database could give the same one)",
            Role.SERVER),
    TOOLS_REPOSITORY(
            "tools.repository",
            "--tools-repository",
            Kind.TEXT,
            "",
            "where tools are installed from: a folder, or an http(s) address; it is signed",
            Role.SERVER,
            Role.TOOLS),
    TOOLS_REPOSITORY_KEY(
            "tools.repository-key",
            "--tools-repository-key",
            Kind.TEXT,
            "",
            "the file of the public key with which that is checked",
            Role.SERVER,
            Role.TOOLS),
    TOOLS_UPDATE_EVERY(
            "tools.update-every",
            "--tools-update-every",
            Kind.DURATION,
            "",
            "how often newer versions of what came from the repository are looked for and installed; by default never",
            Role.SERVER),
    TOOLS_UPDATE(
            "tools.update",
            "--tools-update",
            Kind.MAP,
            "",
            "which tools that is, name=versions such as thumbnail=^1.2; by default all that came from the repository, and each to its newest",
            Role.SERVER),
    TOOLS_KEEP_VERSIONS(
            "tools.keep-versions",
            "--tools-keep-versions",
            Kind.RETRIES,
            "2",
            "how many versions stay beside the newest when that is done",
            Role.SERVER),
    UPGRADE_REPOSITORY(
            "upgrade.repository",
            "--upgrade-repository",
            Kind.TEXT,
            "",
            "where newer versions of this program are: a folder, or an http(s) address; it is signed",
            Role.PROGRAM),
    UPGRADE_KEY(
            "upgrade.key",
            "--upgrade-key",
            Kind.TEXT,
            "",
            "the file of the public key with which that is checked",
            Role.PROGRAM),

    AGENT_ID("agent.id", "--id", Kind.TEXT, "client-001", "the name of this agent", Role.AGENT),
    AGENT_SERVERS(
            "agent.servers",
            "--server",
            Kind.LIST,
            "",
            "the servers, host:port, tried in this order; by default the one in this data folder, or 127.0.0.1:8474",
            Role.AGENT),
    AGENT_TOKEN(
            "agent.token",
            "--token",
            Kind.TEXT,
            "",
            "the join token, needed once; by default the one in this data folder",
            Role.AGENT),
    AGENT_LABELS("agent.labels", "--label", Kind.MAP, "", "what the agent says of itself, name=value", Role.AGENT),
    AGENT_CONCURRENCY(
            "agent.concurrency",
            "--concurrency",
            Kind.COUNT,
            "10",
            "how many commands are executed at a time",
            Role.AGENT),
    AGENT_TOOLS(
            "agent.tools",
            "--agent-tools",
            Kind.TEXT,
            "",
            "the catalogue of tools and toolchains that this agent runs; without one it runs none",
            Role.AGENT),
    AGENT_TRANSPORT(
            "agent.transport",
            "--transport",
            Kind.TRANSPORT,
            "auto",
            "auto (QUIC, or TCP where UDP is blocked), quic or tcp",
            Role.AGENT),
    ALLOW_SHELL(
            "agent.allow-shell", "--allow-shell", Kind.SWITCH, "false", "whether exec_shell is available", Role.AGENT),
    ALLOW_KILL(
            "agent.allow-kill", "--allow-kill", Kind.SWITCH, "false", "whether process.kill is available", Role.AGENT),
    ALLOW_SERVICES(
            "agent.allow-services",
            "--allow-services",
            Kind.SWITCH,
            "false",
            "whether service.* is available",
            Role.AGENT),
    FILE_ROOT(
            "agent.file-root",
            "--file-root",
            Kind.TEXT,
            "",
            "the folder that file.* may read and write; without one they are not available",
            Role.AGENT),

    HEARTBEAT(
            "heartbeat",
            "--heartbeat",
            Kind.DURATION,
            "10s",
            "how often a connection shows that it is alive; three missed ones end it",
            Role.SERVER,
            Role.AGENT),
    SHUTDOWN_GRACE(
            "shutdown-grace",
            "--shutdown-grace",
            Kind.DURATION,
            "10s",
            "how long commands that run may go on when the process is stopped",
            Role.SERVER,
            Role.AGENT),
    LOG_LEVEL(
            "log.level",
            "--log-level",
            Kind.LEVEL,
            "info",
            "error, warn, info, debug or trace",
            Role.SERVER,
            Role.AGENT),
    LOG_FORMAT(
            "log.format",
            "--log-format",
            Kind.LOG_FORMAT,
            "text",
            "text, or json (one object a line)",
            Role.SERVER,
            Role.AGENT),
    LOG_FILE(
            "log.file",
            "--log-file",
            Kind.TEXT,
            "",
            "a file that has the log too; at 10 MB it is renamed and a new one begun, and the last 10 are kept",
            Role.SERVER,
            Role.AGENT),

    CLIENT_SERVER(
            "client.server",
            "--server",
            Kind.TEXT,
            "",
            "the HTTP API to talk to; by default that of the server in this data folder, or http://127.0.0.1:8080",
            Role.CLIENT),
    CLIENT_TOKEN("client.token", "--token", Kind.TEXT, "", "the secret of an http.tokens entry", Role.CLIENT);

    /** What reads a setting. */
    enum Role {
        SERVER,
        AGENT,
        CLIENT,
        /** Somebody who works on the data folder only. */
        OPERATOR,
        /** Somebody who works on the folder of tools. */
        TOOLS,
        /** Somebody who exchanges the program. */
        PROGRAM
    }

    private final String key;
    private final String flag;
    private final Kind kind;
    private final String defaultValue;
    private final String description;

    @SuppressWarnings("ImmutableEnumChecker") // the set cannot be changed, which the check does not see
    private final Set<Role> roles;

    Setting(String key, String flag, Kind kind, String defaultValue, String description, Role... roles) {
        this.key = key;
        this.flag = flag;
        this.kind = kind;
        this.defaultValue = defaultValue;
        this.description = description;
        this.roles = Set.of(roles);
    }

    /** The name in the configuration file; a point is a level. */
    String key() {
        return key;
    }

    String flag() {
        return flag;
    }

    /** All names of the flag. */
    String[] flags() {
        return this == HTTP_PORT ? new String[] {"-p", "--port", flag} : new String[] {flag};
    }

    Kind kind() {
        return kind;
    }

    /** As it would be written; empty if there is none. */
    String defaultValue() {
        return defaultValue;
    }

    String description() {
        return description;
    }

    boolean isFor(Role role) {
        return roles.contains(role);
    }

    String variable() {
        return Settings.PREFIX + key.toUpperCase(Locale.ROOT).replace('.', '_').replace('-', '_');
    }

    static Optional<Setting> ofKey(String key) {
        for (Setting setting : values()) {
            if (setting.key.equals(key)) {
                return Optional.of(setting);
            }
        }
        return Optional.empty();
    }

    static Optional<Setting> ofVariable(String variable) {
        for (Setting setting : values()) {
            if (setting.variable().equals(variable)) {
                return Optional.of(setting);
            }
        }
        return Optional.empty();
    }
}
