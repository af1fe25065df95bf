package io.github.commandway.store;

import static io.github.commandway.store.Server.await;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.QueueClaim;
import java.io.IOException;
import java.net.URI;
import java.sql.PreparedStatement;
import java.time.Clock;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A connection to PostgreSQL that breaks while a transaction is committed: the client cannot know whether it was, and has to find out. */
class InDoubtCommitTest {
    private CommitProxy proxy;
    private Database database;

    @BeforeEach
    void open() throws IOException {
        URI server = URI.create(PostgresServer.url().substring("jdbc:".length()));
        proxy = new CommitProxy(server.getPort());
        String url = "jdbc:postgresql://localhost:" + proxy.port() + "/postgres?sslmode=disable&gssEncMode=disable";
        database = Database.postgres(url, "postgres", "postgres", PostgresServer.newSchema());
    }

    @AfterEach
    void close() {
        database.close();
        proxy.close();
    }

    private CompletableFuture<Long> count() {
        return database.write(connection -> {
            try (PreparedStatement upsert = connection.prepareStatement(
                    "insert into cw_number (name, value) values ('n', 1) on conflict (name) do update set value = cw_number.value + 1"
                            + " returning value")) {
                return Statements.number(upsert);
            }
        });
    }

    @ParameterizedTest
    @EnumSource(CommitProxy.Cut.class)
    void isDoneOnceWhetherOrNotTheCommitTookPlace(CommitProxy.Cut cut) throws Exception {
        assertThat(await(count())).isEqualTo(1);
        proxy.cut(cut);

        CompletableFuture<Long> inDoubt = count();

        assertThat(await(inDoubt)).isEqualTo(2);
        assertThat(proxy.hasCut()).isTrue();
        assertThat(await(count())).isEqualTo(3);
    }

    @ParameterizedTest
    @EnumSource(CommitProxy.Cut.class)
    void aCommandIsAcceptedClaimedAndEndedOnce(CommitProxy.Cut cut) throws Exception {
        try (Server server = new Server(database, "one", Clock.systemUTC())) {
            proxy.cut(cut);
            CommandHandle handle = server.submit(request -> request.idempotencyKey("k"));
            assertThat(proxy.hasCut()).isTrue();
            assertThat(handle.isRepeated()).isFalse();

            proxy.cut(cut);
            QueueClaim.Claimed claimed = server.claim(10, 10).get(0);
            assertThat(proxy.hasCut()).isTrue();
            assertThat(claimed.command().id()).isEqualTo(handle.id());
            assertThat(server.claim(10, 10)).isEmpty();

            proxy.cut(cut);
            server.complete(claimed);
            assertThat(proxy.hasCut()).isTrue();
            assertThat(server.find(handle.id()).status()).isEqualTo(CommandStatus.COMPLETED);
            assertThat(await(server.manager.queues().state(Server.QUEUE)).completed())
                    .isEqualTo(1);
            assertThat(await(server.manager.queues().state(Server.QUEUE)).accepted())
                    .isEqualTo(1);
        }
    }
}
