package io.github.commandway.outbox;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.RetryPolicy;
import io.github.commandway.store.EndHook;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.UUID;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.util.RawValue;

/**
 * Tells of the end of commands: an entry of the topic {@value #TOPIC} for each, in the transaction that records the end. Its payload is
 * {@code {"cmd_id", "task_id", "cmd_type", "success", "message", "data"}}: the caller's own name for it if there is one, the record's id, the type, whether it was
 * completed, what there is to say about it, and the executor's result or null.
 *
 * <p>Relay the topic with {@link WebhookPublisher.Builder#confirmed} and {@link #RETRY}. Immutable, safe for use by many threads.
 */
public final class CompletionCallbacks implements EndHook {
    /** The topic of the entries. */
    public static final String TOPIC = "commandway.callback";

    /** Patience for a receiver that answers, but does not confirm: 1,000 tries, up to 60 s apart. */
    public static final RetryPolicy RETRY = new RetryPolicy(1_000, Duration.ofSeconds(1), Duration.ofSeconds(60), 0.2);

    private static final JsonMapper MAPPER = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private final Outbox outbox;
    private final Supplier<UUID> ids;
    private final Predicate<CommandRecord> wanted;

    /**
     * Tells of some commands.
     *
     * @param ids makes the ids of the entries
     * @param wanted which commands to tell of
     */
    public CompletionCallbacks(Outbox outbox, Supplier<UUID> ids, Predicate<CommandRecord> wanted) {
        this.outbox = outbox;
        this.ids = ids;
        this.wanted = wanted;
    }

    /** Appends the entry for a command that ends in the connection's transaction. */
    @Override
    public void onEnd(Connection connection, CommandRecord record) throws SQLException {
        Instant endedAt = record.endedAt();
        if (endedAt == null) {
            throw new IllegalArgumentException("command " + record.id() + " has not ended");
        }
        if (wanted.test(record)) {
            String id = record.id().toString();
            outbox.append(
                    connection,
                    new OutboxEntry(
                            ids.get(),
                            TOPIC,
                            "command",
                            id,
                            "command." + record.status().code(),
                            payload(record),
                            Map.of(),
                            endedAt));
        }
    }

    private static String payload(CommandRecord record) {
        Map<String, @Nullable Object> json = new LinkedHashMap<>();
        if (record.request().reference() != null) {
            json.put("cmd_id", record.request().reference());
        }
        json.put("task_id", record.id().toString());
        json.put("cmd_type", record.request().type());
        byte[] result = record.result();
        json.put("success", record.status() == CommandStatus.COMPLETED);
        json.put("message", message(record));
        json.put("data", result == null || result.length == 0 ? null : content(result));
        return MAPPER.writeValueAsString(json);
    }

    private static String message(CommandRecord record) {
        String message = record.message();
        Reason reason = record.reason();
        if (message != null) {
            return message;
        }
        return reason == null ? record.status().code() : reason.code();
    }

    /** Bytes as what they are: JSON if they are JSON, otherwise a string if they are UTF-8, otherwise {@code {"base64": ...}}. */
    private static Object content(byte[] bytes) {
        String text;
        try {
            text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException notText) {
            return Map.of("base64", Base64.getEncoder().encodeToString(bytes));
        }
        try {
            return MAPPER.readTree(text).isMissingNode() ? text : new RawValue(text);
        } catch (JacksonException notJson) {
            return text;
        }
    }
}
