package io.github.commandway.outbox;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.RetryPolicy;
import io.github.commandway.store.EndHook;
import java.net.URI;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.json.JsonMapper;

/**
 * Tells people of the end of commands: for each receiver that wants to know, an entry of the topic {@link #topic} in the transaction that records the end. Its payload is JSON with
 * {@code id}, {@code type}, {@code target}, {@code status}, {@code reason}, {@code message}, {@code version}, {@code exit_code}, {@code principal}, {@code created_at}, {@code ended_at},
 * {@code duration_ms} (from the start, or else from the acceptance), {@code link}, {@code last_event} and {@code encoding}; what is not known is left out.
 *
 * <p>Relay each topic to a {@link ChatPublisher} or a {@link WebhookPublisher}, with {@link #RETRY}. Immutable, safe for use by many threads.
 */
public final class Notifications implements EndHook {
    /** Patience with a receiver: 20 tries, up to 10 minutes apart. */
    public static final RetryPolicy RETRY = new RetryPolicy(20, Duration.ofSeconds(2), Duration.ofMinutes(10), 0.2);

    private static final String TOPIC = "commandway.notify.";
    private static final String PATH = "result/";
    private static final int MAX_MESSAGE = 2_000;
    private static final int MAX_VALUE = 256;
    private static final Set<String> FROM_RESULT = Set.of("version", "exit_code", "encoding");
    private static final JsonMapper MAPPER = JsonMapper.builder().build();

    private final Outbox outbox;
    private final Supplier<UUID> ids;
    private final List<Rule> rules;
    private final @Nullable URI link;

    /**
     * What one receiver wants to know.
     *
     * @param receiver its name: 1 to 64 characters
     * @param states the ends that it wants to know of; none that is not an end
     * @param types the types of command, in which {@code *} stands for any characters, such as {@code tool:backup*}; one of them must match
     * @param targets where the commands run, in the same way, such as {@code agent:*}
     */
    public record Rule(String receiver, Set<CommandStatus> states, List<Pattern> types, List<Pattern> targets) {
        /** Checks and copies. */
        public Rule {
            if (receiver.isBlank() || receiver.length() > 64) {
                throw new IllegalArgumentException(
                        "a receiver's name must have 1 to 64 characters, but is '" + receiver + "'");
            }
            states = Set.copyOf(states);
            if (states.isEmpty() || !states.stream().allMatch(CommandStatus::isTerminal)) {
                throw new IllegalArgumentException(
                        "the states must be some of completed, failed, timeout and cancelled, but are " + states);
            }
            types = List.copyOf(types);
            targets = List.copyOf(targets);
        }

        /** A pattern from a text in which {@code *} stands for any characters. */
        public static Pattern pattern(String text) {
            return Pattern.compile(
                    List.of(text.split("\\*", -1)).stream().map(Pattern::quote).collect(Collectors.joining(".*")),
                    Pattern.DOTALL);
        }

        boolean wants(CommandRecord record) {
            return states.contains(record.status())
                    && matches(types, record.request().type())
                    && matches(targets, record.request().target().toString());
        }

        private static boolean matches(List<Pattern> patterns, String text) {
            return patterns.stream().anyMatch(pattern -> pattern.matcher(text).matches());
        }
    }

    /**
     * Tells of what the rules say.
     *
     * @param ids makes the ids of the entries
     * @param rules one for each receiver
     * @param link the address of the HTTP API as people reach it, for links to runs; null for no links
     */
    public Notifications(Outbox outbox, Supplier<UUID> ids, List<Rule> rules, @Nullable URI link) {
        this.outbox = outbox;
        this.ids = ids;
        this.rules = List.copyOf(rules);
        this.link = link;
    }

    /** The topic of a receiver's entries. */
    public static String topic(String receiver) {
        return TOPIC + receiver;
    }

    /** Appends the entries for a command that ends in the connection's transaction. */
    @Override
    public void onEnd(Connection connection, CommandRecord record) throws SQLException {
        List<OutboxEntry> entries = new ArrayList<>();
        for (Rule rule : rules) {
            if (rule.wants(record)) {
                entries.add(new OutboxEntry(
                        ids.get(),
                        topic(rule.receiver()),
                        "command",
                        record.id().toString(),
                        "command." + record.status().code(),
                        payload(record),
                        Map.of(),
                        Objects.requireNonNull(record.endedAt(), "the command has not ended")));
            }
        }
        outbox.append(connection, entries);
    }

    private String payload(CommandRecord record) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("id", record.id().toString());
        json.put("type", record.request().type());
        json.put("target", record.request().target().toString());
        json.put("status", record.status().code());
        Reason reason = record.reason();
        if (reason != null) {
            json.put("reason", reason.code());
        }
        if (record.message() != null) {
            json.put("message", shortened(record.message(), MAX_MESSAGE));
        }
        addFromResult(record.result(), json);
        if (record.request().principal() != null) {
            json.put("principal", record.request().principal());
        }
        Instant ended = Objects.requireNonNull(record.endedAt(), "the command has not ended");
        Instant begun = Objects.requireNonNullElse(record.startedAt(), record.createdAt());
        json.put("created_at", record.createdAt().toString());
        json.put("ended_at", ended.toString());
        json.put("duration_ms", Math.max(0, Duration.between(begun, ended).toMillis()));
        if (link != null) {
            String base = link.toString();
            json.put("link", base + (base.endsWith("/") ? "" : "/") + PATH + record.id());
        }
        json.put("last_event", record.lastSequence());
        return MAPPER.writeValueAsString(json);
    }

    /** Takes what the result of a run says of itself; a result that is something else says nothing. */
    private static void addFromResult(byte @Nullable [] result, Map<String, Object> json) {
        if (result == null || result.length == 0 || result[0] != '{') {
            return;
        }
        try (JsonParser parser = MAPPER.createParser(result)) {
            parser.nextToken();
            while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
                String name = parser.currentName();
                JsonToken value = parser.nextToken();
                if (FROM_RESULT.contains(name) && value.isScalarValue() && value != JsonToken.VALUE_NULL) {
                    json.put(name, shortened(String.valueOf(parser.getString()), MAX_VALUE));
                }
                parser.skipChildren();
            }
        } catch (JacksonException notJson) {
            json.keySet().removeAll(FROM_RESULT);
        }
    }

    private static String shortened(String text, int longest) {
        return text.length() <= longest ? text : text.substring(0, longest - 1) + "…";
    }
}
