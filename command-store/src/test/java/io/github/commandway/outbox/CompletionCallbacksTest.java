package io.github.commandway.outbox;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.sun.net.httpserver.HttpServer;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.Target;
import io.github.commandway.queue.CommandQueues;
import io.github.commandway.queue.QueueOptions;
import io.github.commandway.store.Database;
import io.github.commandway.store.SqlCommandStore;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CompletionCallbacksTest {
    private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");
    private static final WebhookSignature SIGNATURE =
            WebhookSignature.ofSecrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");

    @TempDir
    Path folder;

    private final List<String> bodies = new CopyOnWriteArrayList<>();
    private final List<Boolean> verified = new CopyOnWriteArrayList<>();
    private volatile boolean confirm;
    private Database database;
    private Outbox outbox;
    private CompletionCallbacks callbacks;
    private HttpServer server;

    @BeforeEach
    void start() throws Exception {
        database = Database.sqlite(folder.resolve("outbox.db"));
        outbox = new Outbox(database);
        callbacks = new CompletionCallbacks(
                outbox, UUID::randomUUID, record -> !record.request().type().equals("ping"));
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/done", exchange -> {
            byte[] body = exchange.getRequestBody().readAllBytes();
            bodies.add(new String(body, StandardCharsets.UTF_8));
            verified.add(SIGNATURE.verify(
                    exchange.getRequestHeaders().getFirst("webhook-id"),
                    exchange.getRequestHeaders().getFirst("webhook-timestamp"),
                    exchange.getRequestHeaders().getFirst("webhook-signature"),
                    body,
                    NOW,
                    Duration.ofSeconds(1)));
            byte[] answer = ("{\"received\": " + confirm + "}").getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(200, answer.length);
            exchange.getResponseBody().write(answer);
            exchange.close();
        });
        server.start();
    }

    @AfterEach
    void stop() {
        server.stop(0);
        database.close();
    }

    @Test
    void theReceiverIsToldUntilItConfirmsAlsoAcrossARestart() {
        end(record(CommandStatus.COMPLETED, Reason.OK, null, "{\"ok\": 1}".getBytes(StandardCharsets.UTF_8)));
        try (OutboxRelay relay = relay()) {
            await().until(() -> relay.stats().failed() > 0);
        }
        confirm = true;
        try (OutboxRelay relay = relay()) {
            await().until(() -> relay.stats().sent() == 1);
        }
        String body = "{\"cmd_id\":\"c-1\",\"task_id\":\"TASK_000007\",\"cmd_type\":\"scan\",\"success\":true,"
                + "\"message\":\"ok\",\"data\":{\"ok\": 1}}";
        assertThat(bodies).hasSizeGreaterThan(1).containsOnly(body);
        assertThat(verified).containsOnly(true);
    }

    @Test
    void theEndOfACommandIsToldWhenItIsRecorded() {
        confirm = true;
        Registry registry = new Registry();
        registry.register(
                "test",
                300,
                (context, command, tag, receiver) ->
                        receiver.completeYield(tag, "[1]".getBytes(StandardCharsets.UTF_8), null));
        try (OutboxRelay relay = relay();
                CommandManager manager = CommandManager.builder(registry)
                        .store(SqlCommandStore.builder(database)
                                .endHook(callbacks)
                                .build())
                        .build()) {
            RecordId id = manager.submit(CommandRequest.to(new Target.Local(300), "scan")
                            .reference("c-2")
                            .build())
                    .join()
                    .id();
            await().until(() -> relay.stats().sent() == 1);
            assertThat(bodies)
                    .containsExactly("{\"cmd_id\":\"c-2\",\"task_id\":\"" + id
                            + "\",\"cmd_type\":\"scan\",\"success\":true," + "\"message\":\"ok\",\"data\":[1]}");
        }
    }

    @Test
    void aResultThatSaysItFailedIsNoSuccess() {
        confirm = true;
        Registry registry = new Registry();
        CommandQueues queues = CommandQueues.builder(registry)
                .queue(
                        QueueOptions.serial("q"),
                        (context, command, tag, receiver) ->
                                receiver.completeYield(tag, "{\"success\":false,\"n\":1}", null))
                .build();
        registry.register(queues);
        try (queues;
                OutboxRelay relay = relay();
                CommandManager manager = CommandManager.builder(registry)
                        .store(SqlCommandStore.builder(database)
                                .endHook(callbacks)
                                .build())
                        .build()) {
            queues.start(manager);
            manager.submit(CommandRequest.toQueue("q", "scan").build()).join();
            await().until(() -> relay.stats().sent() == 1);
            assertThat(bodies)
                    .singleElement()
                    .asString()
                    .contains("\"success\":false,\"message\"")
                    .endsWith("\"data\":{\"success\":false,\"n\":1}}");
        }
    }

    private OutboxRelay relay() {
        return OutboxRelay.of(outbox)
                .publish(
                        CompletionCallbacks.TOPIC,
                        WebhookPublisher.to(URI.create("http://127.0.0.1:"
                                        + server.getAddress().getPort() + "/done"))
                                .binary()
                                .confirmed()
                                .signature(SIGNATURE)
                                .clock(Clock.fixed(NOW, ZoneOffset.UTC))
                                .build(),
                        OutboxRelayContract.PATIENT)
                .start();
    }

    @Test
    void aCommandThatDidNotSucceedSaysWhy() {
        end(record(CommandStatus.FAILED, Reason.EXECUTOR_ERROR, "no such bottle", null));
        end(record(CommandStatus.CANCELLED, Reason.CANCELLED_BEFORE_START, null, null));
        assertThat(payloads())
                .containsExactly(
                        "{\"cmd_id\":\"c-1\",\"task_id\":\"TASK_000007\",\"cmd_type\":\"scan\",\"success\":false,"
                                + "\"message\":\"no such bottle\",\"data\":null}",
                        "{\"cmd_id\":\"c-1\",\"task_id\":\"TASK_000007\",\"cmd_type\":\"scan\",\"success\":false,"
                                + "\"message\":\"cancelled_before_start\",\"data\":null}");
    }

    @Test
    void aResultIsShownAsWhatItIs() {
        end(record(CommandStatus.COMPLETED, Reason.OK, null, "[1.50]".getBytes(StandardCharsets.UTF_8)));
        end(record(CommandStatus.COMPLETED, Reason.OK, null, "grüße {".getBytes(StandardCharsets.UTF_8)));
        end(record(CommandStatus.COMPLETED, Reason.OK, null, "[1] [2]".getBytes(StandardCharsets.UTF_8)));
        end(record(CommandStatus.COMPLETED, Reason.OK, null, " ".getBytes(StandardCharsets.UTF_8)));
        end(record(CommandStatus.COMPLETED, Reason.OK, null, new byte[] {(byte) 0xff, 0}));
        end(record(CommandStatus.COMPLETED, Reason.OK, null, new byte[0]));
        assertThat(payloads())
                .extracting(payload -> payload.substring(payload.indexOf("\"data\":") + 7, payload.length() - 1))
                .containsExactly("[1.50]", "\"grüße {\"", "\"[1] [2]\"", "\" \"", "{\"base64\":\"/wA=\"}", "null");
    }

    @Test
    void tellsOfNothingThatIsNotWantedAndOfNoCommandThatGoesOn() {
        CommandRecord ping = new CommandRecord(
                RecordId.parse("TASK_000001").orElseThrow(),
                CommandRequest.toQueue("q", "ping").build(),
                CommandStatus.COMPLETED,
                Reason.OK,
                null,
                null,
                1,
                NOW,
                NOW,
                NOW,
                NOW,
                false,
                3,
                0,
                null,
                null);
        end(ping);
        assertThat(payloads()).isEmpty();
        CommandRecord open = new CommandRecord(
                ping.id(),
                ping.request(),
                CommandStatus.EXECUTING,
                null,
                null,
                null,
                1,
                NOW,
                NOW,
                NOW,
                null,
                false,
                2,
                0,
                null,
                null);
        assertThatThrownBy(() -> end(open)).hasMessageContaining("TASK_000001 has not ended");
    }

    private static CommandRecord record(
            CommandStatus status, Reason reason, @Nullable String message, byte @Nullable [] result) {
        return new CommandRecord(
                RecordId.parse("TASK_000007").orElseThrow(),
                CommandRequest.toQueue("q", "scan").reference("c-1").build(),
                status,
                reason,
                message,
                result,
                1,
                NOW,
                NOW,
                NOW,
                NOW,
                false,
                3,
                0,
                null,
                null);
    }

    private void end(CommandRecord record) {
        database.write(connection -> {
                    callbacks.onEnd(connection, record);
                    return true;
                })
                .join();
    }

    private List<String> payloads() {
        return database.read(connection ->
                        outbox
                                .tables()
                                .read(connection, CompletionCallbacks.TOPIC, List.of(0L), List.of(), NOW, 100)
                                .stream()
                                .map(row -> row.entry().payload())
                                .toList())
                .join();
    }
}
