package io.github.commandway.conversation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.conversation.api.ConversationEvent;
import io.github.commandway.conversation.api.ConversationResult;
import io.github.commandway.conversation.api.EnqueuedCommand;
import io.github.commandway.manager.RecordId;
import io.github.commandway.store.Database;
import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.sql.Connection;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class PostgresConversationServiceTest extends ConversationServiceContract {
    private static EmbeddedPostgres server;

    private String name;

    @BeforeAll
    static void startServer() throws Exception {
        server = EmbeddedPostgres.builder()
                .setServerConfig("fsync", "on")
                .setServerConfig("synchronous_commit", "on")
                .start();
    }

    @AfterAll
    static void stopServer() throws Exception {
        server.close();
    }

    @Override
    Database open() throws Exception {
        if (name == null) {
            name = "t" + UUID.randomUUID().toString().replace("-", "");
            try (Connection connection = server.getPostgresDatabase().getConnection();
                    var statement = connection.createStatement()) {
                statement.execute("create database " + name);
            }
        }
        return Database.postgres(server.getJdbcUrl("postgres", name), "postgres", "");
    }

    @Test
    void givesRoundsThatAreAddedAtOnceOnTwoServersAPlaceEach() throws Exception {
        try (Server other = server(builder -> builder)) {
            givesRoundsThatAreAddedAtOnceAPlaceEach(List.of(conversations, other.conversations()));
        }
    }

    @Test
    void sharesSessionsWithAnotherServer() throws Exception {
        try (Server other = server(builder -> builder)) {
            UUID watched = session(ALICE);
            AtomicInteger news = new AtomicInteger();
            other.conversations().watch(watched, news::incrementAndGet);
            queues.start(manager);
            other.queues().start(other.manager());
            List<UUID> sessions = new ArrayList<>(List.of(watched));
            for (int i = 1; i < 20; i++) {
                sessions.add(session(ALICE));
            }
            List<CompletableFuture<ConversationResult<EnqueuedCommand>>> calls = new ArrayList<>();
            // in opposite orders, so that transactions of the two meet
            for (int i = 0; i < 20; i++) {
                calls.add(conversations.enqueueCommand(ALICE, sessions.get(i), "HERE", null, null));
                calls.add(other.conversations().enqueueCommand(ALICE, sessions.get(19 - i), "THERE", null, null));
            }
            Set<RecordId> ids = new HashSet<>();
            for (CompletableFuture<ConversationResult<EnqueuedCommand>> call : calls) {
                ids.add(value(call).command().id());
            }
            assertThat(ids).hasSize(20);
            for (UUID session : sessions) {
                await().untilAsserted(() -> {
                    running.values().forEach(run -> run.receiver().completeYield(run.tag(), bytes("1"), null));
                    assertThat(types(session))
                            .containsExactly("Command.Received", "Round.Created", "Command.Completed");
                });
                assertThat(events(session))
                        .extracting(ConversationEvent::sequence)
                        .containsExactly(1L, 2L, 3L);
            }
            assertThat(query("select id from cw_command where attempt > 1")).isEmpty();
            await().untilAsserted(() -> assertThat(news).hasPositiveValue());
        }
    }
}
