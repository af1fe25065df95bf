package io.github.commandway.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.RecordId;
import io.github.commandway.store.Database;
import io.github.commandway.store.SqlCommandStore;
import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/**
 * A server that is killed again and again while tasks are submitted: every acknowledged one is found once, in a true state, with all its events in order, and none has run
 * twice. Five kills of each kind here; {@code -Dcommandway.kills=100} for as many as that, {@code -Dcommandway.seed=} to choose the same moments again.
 */
@Timeout(3600)
class CrashTest {
    private static final int KILLS = Integer.getInteger("commandway.kills", 5);
    private static final long SEED = Long.getLong("commandway.seed", System.nanoTime());
    private static final int CALLERS = 6;
    private static final Duration PATIENCE = Duration.ofSeconds(90);
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    private Path directory;

    private final HttpClient client =
            HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();
    private final Random random = new Random(SEED);

    /** The id that was acknowledged for each idempotency key. */
    private final Map<String, String> acknowledged = new ConcurrentHashMap<>();

    private final AtomicInteger keys = new AtomicInteger();
    private volatile int port;
    private volatile boolean submitting = true;

    @Test
    void losesNothingOnSqlite() throws Exception {
        killAgainAndAgain("sqlite");
    }

    @Test
    void losesNothingOnPostgres() throws Exception {
        try (EmbeddedPostgres postgres = startPostgres()) {
            killAgainAndAgain(postgres.getJdbcUrl("postgres", "postgres"));
        }
    }

    private static EmbeddedPostgres startPostgres() throws IOException {
        return EmbeddedPostgres.builder()
                .setServerConfig("fsync", "on")
                .setServerConfig("synchronous_commit", "on")
                .start();
    }

    private void killAgainAndAgain(String database) throws Exception {
        ExecutorService callers = Executors.newFixedThreadPool(CALLERS);
        List<Future<?>> running = new ArrayList<>();
        CrashServer server = CrashServer.start(database, directory, "server");
        try {
            port = server.port();
            for (int i = 0; i < CALLERS; i++) {
                running.add(callers.submit(this::submitUntilTold));
            }
            for (int kill = 0; kill < KILLS; kill++) {
                int enough = acknowledged.size() + 1 + random.nextInt(300);
                Awaitility.await().atMost(PATIENCE).until(() -> acknowledged.size() >= enough);
                server.kill();
                server = CrashServer.start(database, directory, "server");
                port = server.port();
            }
            submitting = false;
            for (Future<?> caller : running) {
                caller.get(90, TimeUnit.SECONDS);
            }
            awaitQuiet();
        } finally {
            submitting = false;
            callers.shutdownNow();
            server.close();
        }
        check(database, 1 + KILLS);
    }

    /** Two servers on one database, of which one is killed: each task runs once, and what was the dead one's goes to the other. */
    @Test
    void theOtherServerGoesOn() throws Exception {
        try (EmbeddedPostgres postgres = startPostgres()) {
            String database = postgres.getJdbcUrl("postgres", "postgres");
            try (CrashServer first = CrashServer.start(database, directory, "first");
                    CrashServer second = CrashServer.start(database, directory, "second")) {
                int firstPort = first.port();
                int secondPort = second.port();
                for (int i = 0; i < 400; i++) {
                    port = i % 2 == 0 ? firstPort : secondPort;
                    submit("plain", "k" + keys.incrementAndGet());
                }
                // eight fill all places of both servers; these are in the hands of one or the other when one is killed
                for (int i = 0; i < 8; i++) {
                    port = firstPort;
                    submit("wait", "k" + keys.incrementAndGet());
                }
                port = secondPort;
                for (int i = 0; i < 50; i++) {
                    submit("plain", "k" + keys.incrementAndGet());
                }
                Awaitility.await().atMost(PATIENCE).until(() -> effects().size() >= 408);
                first.kill();
                Files.createFile(directory.resolve("go"));
                awaitQuiet();
            }
            check(database, 2);
            Map<String, List<String>> byServer = new HashMap<>();
            effects()
                    .forEach(line -> byServer.computeIfAbsent(line.split(" ")[2], none -> new ArrayList<>())
                            .add(line));
            assertThat(byServer.keySet()).contains("second").isSubsetOf("first", "second");
        }
    }

    private Void submitUntilTold() throws Exception {
        while (submitting) {
            int number = keys.incrementAndGet();
            submit(number % 5 == 0 ? "flaky" : "plain", "k" + number);
        }
        return null;
    }

    /** Submits one task, under the same key until it is acknowledged. */
    private void submit(String type, String key) throws Exception {
        String body = "{\"cmd_type\": \"" + type + "\", \"params\": {}"
                + (type.equals("flaky") ? ", \"retries\": 9" : "") + "}";
        while (true) {
            try {
                HttpResponse<String> answer = client.send(
                        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/"))
                                .timeout(Duration.ofSeconds(30))
                                .header("Content-Type", "application/json")
                                .header("Idempotency-Key", key)
                                .POST(HttpRequest.BodyPublishers.ofString(body))
                                .build(),
                        HttpResponse.BodyHandlers.ofString());
                if (answer.statusCode() == 200) {
                    String id = JSON.readTree(answer.body()).get("task_id").asString();
                    String before = acknowledged.putIfAbsent(key, id);
                    assertThat(before).isIn(null, id);
                    return;
                }
                assertThat(answer.statusCode()).as(answer.body()).isEqualTo(503);
            } catch (IOException killed) {
                // whether it was recorded is unknown, which is what the key is for
                int dead = port;
                Awaitility.await()
                        .pollInterval(Duration.ofMillis(20))
                        .atMost(PATIENCE)
                        .until(() -> port != dead || isThere());
            }
        }
    }

    private boolean isThere() {
        try {
            return get("/health") != null;
        } catch (IOException | InterruptedException e) {
            return false;
        }
    }

    private JsonNode get(String path) throws IOException, InterruptedException {
        return JSON.readTree(client.send(
                        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
                                .timeout(Duration.ofSeconds(30))
                                .build(),
                        HttpResponse.BodyHandlers.ofString())
                .body());
    }

    private void awaitQuiet() {
        Awaitility.await().atMost(PATIENCE).ignoreExceptions().until(() -> {
            JsonNode status = get("/queue/status");
            return status.get("queue_size").asInt() == 0
                    && status.get("running_task").isNull();
        });
    }

    private List<String> effects() throws IOException {
        Path file = directory.resolve("effects");
        return Files.exists(file) ? Files.readAllLines(file) : List.of();
    }

    private void check(String database, int lives) throws Exception {
        Map<String, Integer> effects = new HashMap<>();
        for (String line : effects()) {
            effects.merge(line.substring(0, line.lastIndexOf(' ')), 1, Integer::sum);
        }
        assertThat(effects.values()).as("seed %d: no attempt runs twice", SEED).allMatch(times -> times == 1);
        assertThat(acknowledged.values()).doesNotHaveDuplicates();
        int lost = 0;
        try (Database tables = CrashServer.open(database, directory);
                SqlCommandStore store = SqlCommandStore.of(tables)) {
            for (String id : acknowledged.values()) {
                RecordId recordId = RecordId.parse(id).orElseThrow();
                CommandRecord record = store.find(recordId)
                        .get(30, TimeUnit.SECONDS)
                        .orElseThrow(() -> new AssertionError("seed " + SEED + ": " + id + " is lost"));
                assertThat(record.status().isTerminal())
                        .as("seed %d: %s", SEED, record)
                        .isTrue();
                boolean ran = effects.containsKey(id + " " + record.attempt());
                if (record.status() == CommandStatus.COMPLETED) {
                    assertThat(ran)
                            .as("seed %d: completed means that it ran: %s", SEED, record)
                            .isTrue();
                } else {
                    assertThat(record.reason()).as("seed %d: %s", SEED, record).isEqualTo(Reason.LOST);
                    lost++;
                }
                List<CommandEvent> events = store.events(recordId, 0, 1_000).get(30, TimeUnit.SECONDS);
                assertThat(events)
                        .extracting(CommandEvent::sequence)
                        .as("seed %d: %s", SEED, id)
                        .containsExactlyElementsOf(LongStream.rangeClosed(1, record.lastSequence())
                                .boxed()
                                .toList());
                assertThat(events.get(0).type()).isEqualTo(CommandEvent.Type.PENDING);
                assertThat(events.get(events.size() - 1).type().isTerminal()).isTrue();
            }
            // an unacknowledged one may be there too, but no key twice
            assertThat(store.size()).isBetween((long) acknowledged.size(), (long) keys.get());
        }
        // what was running when a server was killed, and nothing else: eight at a time
        assertThat(lost).isLessThanOrEqualTo(8 * (lives - 1));
    }
}
