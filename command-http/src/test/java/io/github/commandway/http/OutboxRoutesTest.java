package io.github.commandway.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.http.FacadeFixture.Answer;
import io.github.commandway.manager.RetryPolicy;
import io.github.commandway.outbox.Outbox;
import io.github.commandway.outbox.OutboxEntry;
import io.github.commandway.outbox.OutboxRelay;
import io.github.commandway.store.Database;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OutboxRoutesTest {
    private static final String DEAD = "/api/outbox/dead";

    @TempDir
    Path folder;

    private final List<String> delivered = new CopyOnWriteArrayList<>();
    private volatile boolean away = true;
    private Database database;
    private Outbox outbox;
    private OutboxRelay relay;
    private FacadeFixture server;

    @BeforeEach
    void start() {
        database = Database.sqlite(folder.resolve("outbox.db"));
        outbox = new Outbox(database);
        RetryPolicy twice = new RetryPolicy(2, Duration.ofMillis(1), Duration.ofMillis(1), 0);
        relay = OutboxRelay.of(outbox).publishOthers(this::deliver, twice).start();
        server = new FacadeFixture(options -> options.deadLetters(relay));
    }

    @AfterEach
    void stop() {
        server.afterEach(null);
        relay.close();
        database.close();
    }

    private CompletableFuture<Void> deliver(OutboxEntry entry) {
        if (away) {
            return CompletableFuture.failedFuture(new IllegalStateException("no such channel"));
        }
        delivered.add(entry.payload());
        return CompletableFuture.completedFuture(null);
    }

    private UUID append(String key, int n) {
        UUID id = UUID.randomUUID();
        OutboxEntry entry = OutboxEntry.of(id, "orders", key, "order.paid", "{\"n\":" + n + "}", Instant.EPOCH);
        database.write(connection -> {
                    outbox.append(connection, entry);
                    return true;
                })
                .join();
        return id;
    }

    private void awaitDead(int count) {
        await().until(() -> server.get(DEAD).json().get("total").asInt() == count);
    }

    @Test
    void listsWhatCouldNotBeDeliveredPageByPage() {
        UUID first = append("a", 1);
        awaitDead(1);
        UUID second = append("b", 2);
        awaitDead(2);

        Answer page = server.get(DEAD + "?limit=1");
        assertThat(page.status()).isEqualTo(200);
        assertThat(page.text("/dead/0/id")).isEqualTo(first.toString());
        assertThat(page.text("/dead/0/topic")).isEqualTo("orders");
        assertThat(page.text("/dead/0/key")).isEqualTo("a");
        assertThat(page.text("/dead/0/type")).isEqualTo("order.paid");
        assertThat(page.json().at("/dead/0/payload/n").asInt()).isEqualTo(1);
        assertThat(page.json().at("/dead/0/attempts").asInt()).isEqualTo(2);
        assertThat(page.text("/dead/0/error")).isEqualTo("no such channel");
        assertThat(Instant.parse(page.text("/dead/0/parked_at"))).isAfter(Instant.EPOCH);
        Answer next = server.get(DEAD + "?limit=1&after=" + page.text("/next_after"));
        assertThat(next.text("/dead/0/id")).isEqualTo(second.toString());
        assertThat(server.get(DEAD + "?limit=1&after=" + next.text("/next_after"))
                        .json()
                        .get("total")
                        .asInt())
                .isZero();
    }

    @Test
    void deliversAgainWhatIsReplayedAndThenWhatWaitsBehindIt() {
        UUID poisoned = append("a", 1);
        append("a", 2);
        awaitDead(1);
        away = false;

        Answer replayed = server.post(DEAD + "/" + poisoned + "/replay", "");

        assertThat(replayed.status()).isEqualTo(200);
        assertThat(replayed.text("/id")).isEqualTo(poisoned.toString());
        await().untilAsserted(() -> assertThat(delivered).containsExactly("{\"n\":1}", "{\"n\":2}"));
        awaitDead(0);
    }

    @Test
    void deliversWhatWaitsBehindWhatIsDiscarded() {
        UUID poisoned = append("a", 1);
        append("a", 2);
        awaitDead(1);
        away = false;

        assertThat(server.post(DEAD + "/" + poisoned + "/discard", "").status()).isEqualTo(200);

        await().untilAsserted(() -> assertThat(delivered).containsExactly("{\"n\":2}"));
    }

    @Test
    void knowsNoOthers() {
        for (String id : List.of("nonsense", UUID.randomUUID().toString())) {
            for (String action : List.of("replay", "discard")) {
                Answer answer = server.post(DEAD + "/" + id + "/" + action, "");
                assertThat(answer.status()).isEqualTo(404);
                assertThat(answer.text("/code")).isEqualTo("not_found");
            }
        }
    }
}
