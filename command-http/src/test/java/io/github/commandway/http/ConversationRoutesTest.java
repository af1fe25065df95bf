package io.github.commandway.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.conversation.ConversationService;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.dispatch.ResultReceiver;
import io.github.commandway.http.FacadeFixture.Answer;
import io.github.commandway.manager.CommandManager;
import io.github.commandway.manager.RecordedCommand;
import io.github.commandway.queue.CommandQueues;
import io.github.commandway.queue.QueueOptions;
import io.github.commandway.store.Database;
import io.github.commandway.store.SqlCommandStore;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

class ConversationRoutesTest {
    private static final String SESSIONS = "/api/v1/conversations/sessions";
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    @TempDir
    Path folder;

    private final HttpClient client = HttpClient.newHttpClient();
    private final ObservedTime time = new ObservedTime();
    private final Map<String, Run> running = new ConcurrentHashMap<>();
    private Database database;
    private CommandManager manager;
    private CommandQueues queues;
    private final CommandMetrics metrics = new CommandMetrics();
    private final CommandMetrics guardedMetrics = new CommandMetrics();
    private HttpFacade facade;
    private HttpFacade guarded;

    @BeforeEach
    void start() {
        database = Database.sqlite(folder.resolve("conversations.db"));
        ConversationService conversations =
                ConversationService.builder(database).metrics(metrics).build();
        Registry registry = new Registry();
        queues = CommandQueues.builder(registry)
                .queue(
                        QueueOptions.serial("conversation"),
                        (context, command, tag, receiver) ->
                                running.put(((RecordedCommand) command).id().toString(), new Run(tag, receiver)))
                .build();
        registry.register(queues);
        manager = CommandManager.builder(registry)
                .store(SqlCommandStore.builder(database).endHook(conversations).build())
                .listener(metrics)
                .listener(conversations)
                .build();
        manager.recover().join();
        conversations.start(manager);
        HttpFacade.Builder options = HttpFacade.builder(manager, new AgentEdge(time.clock()))
                .address(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .metrics(metrics)
                .conversations(conversations);
        facade = options.build().start();
        guarded = HttpFacade.builder(manager, new AgentEdge(time.clock()))
                .address(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .token("alice", "s3cret")
                .metrics(guardedMetrics)
                .conversations(conversations)
                .build()
                .start();
    }

    @AfterEach
    void stop() {
        facade.shutdown(Duration.ofSeconds(1));
        guarded.shutdown(Duration.ofSeconds(1));
        Answers.ALL.record(facade.routes(), metrics);
        Answers.ALL.record(guarded.routes(), guardedMetrics);
        queues.close();
        manager.close();
        database.close();
    }

    @Test
    void opensShowsChangesListsAndRemovesSessions() {
        Answer created = send("POST", SESSIONS, "{\"scope_type\":\"genesis\",\"scope_id\":\"novel-7\"}");
        assertThat(created.status()).isEqualTo(201);
        String id = created.text("/data/id");
        assertThat(created.header("Location")).isEqualTo(SESSIONS + "/" + id);
        assertThat(created.header("ETag")).isEqualTo("\"1\"");
        assertThat(created.text("/code")).isEqualTo("0");
        assertThat(created.text("/data/status")).isEqualTo("ACTIVE");
        assertThat(created.text("/data/user_id")).isEqualTo("local");

        String path = SESSIONS + "/" + id;
        Answer paused = send("PATCH", path, "{\"status\":\"PAUSED\"}", "If-Match", "\"1\"");
        assertThat(paused.status()).isEqualTo(200);
        assertThat(paused.header("ETag")).isEqualTo("\"2\"");
        Answer stale = send("PATCH", path, "{\"status\":\"ACTIVE\"}", "If-Match", "\"1\"");
        assertProblem(stale, 412, "version_mismatch");
        assertProblem(send("PATCH", path, "{\"status\":\"ACTIVE\"}", "If-Match", "first"), 400, "invalid_header");
        assertProblem(send("PATCH", path, "{\"status\":\"BUSY\"}"), 400, "invalid_field");
        assertThat(send("GET", path, "").text("/data/status")).isEqualTo("PAUSED");
        assertProblem(send("POST", path + "/commands", "{\"type\":\"ASK\"}"), 409, "conflict");

        String second = send("POST", SESSIONS, "").text("/data/id");
        Answer page = send("GET", SESSIONS + "?limit=1", "");
        assertThat(page.text("/data/sessions/0/id")).isEqualTo(second);
        Answer next = send("GET", SESSIONS + "?limit=1&after=" + page.text("/data/next_after"), "");
        assertThat(next.text("/data/sessions/0/id")).isEqualTo(id);
        assertProblem(send("GET", SESSIONS + "?limit=201", ""), 400, "invalid_parameter");
        assertProblem(send("GET", SESSIONS + "?after=x", ""), 400, "invalid_parameter");

        Answer removed = send("DELETE", path, "");
        assertThat(removed.status()).isEqualTo(204);
        assertProblem(send("GET", path, ""), 403, "access_denied");
    }

    @Test
    void opensOneSessionForOneIdempotencyKey() {
        Answer first = send("POST", SESSIONS, "{}", "Idempotency-Key", "k");
        Answer again = send("POST", SESSIONS, "{}", "Idempotency-Key", "k");
        assertThat(again.text("/data/id")).isEqualTo(first.text("/data/id"));
        assertProblem(send("POST", SESSIONS, "{\"scope_type\":\"other\"}", "Idempotency-Key", "k"), 409, "conflict");
    }

    @Test
    void acceptsACommandInItsShapeAndStandsToItsKey() {
        String session = session();
        String path = SESSIONS + "/" + session + "/commands";
        String body = "{\"type\":\"CHARACTER_REQUEST\",\"payload\":{\"user_input\":\"创建一个勇敢的主角\"}}";
        Answer accepted = send("POST", path, body, "Idempotency-Key", "k", "X-Correlation-Id", "c-1");

        String id = accepted.text("/data/command_id");
        assertThat(accepted.status()).isEqualTo(202);
        assertThat(accepted.body())
                .isEqualTo("{\"code\":0,\"msg\":\"命令已受理\",\"data\":{\"accepted\":true,\"command_id\":\"" + id + "\"}}");
        assertThat(accepted.header("Location")).isEqualTo(path + "/" + id);
        assertThat(accepted.header("X-Correlation-Id")).isEqualTo("c-1");

        Answer again = send("POST", path, body, "Idempotency-Key", "k");
        assertThat(again.status()).isEqualTo(202);
        assertThat(again.text("/data/command_id")).isEqualTo(id);
        assertThat(again.header("X-Correlation-Id")).isEqualTo("c-1");
        assertProblem(send("POST", path, "{\"type\":\"OTHER\"}", "Idempotency-Key", "k"), 409, "conflict");

        Answer other = send("POST", path, "{\"type\":\"OTHER\"}", "Idempotency-Key", "k2");
        assertThat(other.status()).isEqualTo(200);
        assertThat(other.text("/data/accepted")).isEqualTo("false");
        assertThat(other.text("/data/existing")).isEqualTo("true");
        assertThat(other.text("/data/command_id")).isEqualTo(id);

        Answer found = send("GET", path + "/" + id, "");
        assertThat(found.text("/data/command_id")).isEqualTo(id);
        assertThat(found.text("/data/type")).isEqualTo("CHARACTER_REQUEST");
        assertThat(found.text("/data/status")).isEqualTo("RECEIVED");
        assertThat(found.text("/data/correlation_id")).isEqualTo("c-1");
        assertThat(found.text("/data/submitted_at")).isNotNull();
    }

    @Test
    void showsThePendingCommandAndItsEnd() {
        queues.start(manager);
        String session = session();
        String path = SESSIONS + "/" + session;
        assertThat(send("GET", path + "/pending-command", "").body())
                .contains("\"data\":{\"command_id\":null,\"command_type\":null,\"status\":null,\"submitted_at\":null}");
        String id = send("POST", path + "/commands", "{\"type\":\"ASK\",\"payload\":1}")
                .text("/data/command_id");
        await().untilAsserted(() -> assertThat(running).containsKey(id));
        Answer pending = send("GET", path + "/pending-command", "");
        assertThat(pending.text("/data/command_id")).isEqualTo(id);
        assertThat(pending.text("/data/command_type")).isEqualTo("ASK");
        assertThat(pending.text("/data/status")).isEqualTo("PROCESSING");
        assertProblem(send("DELETE", path, ""), 409, "conflict");

        running.get(id).complete("{\"answer\":42}");

        await().untilAsserted(() -> assertThat(
                        send("GET", path + "/commands/" + id, "").text("/data/status"))
                .isEqualTo("COMPLETED"));
        Answer ended = send("GET", path + "/commands/" + id, "");
        assertThat(ended.text("/data/result/answer")).isEqualTo("42");
        assertThat(ended.text("/data/ended_at")).isNotNull();
        Answer rounds = send("GET", path + "/rounds?limit=1&order=desc&role=user", "");
        assertThat(rounds.text("/data/rounds/0/round_path")).isEqualTo("1");
        assertThat(rounds.text("/data/rounds/0/input")).isEqualTo("1");
        assertThat(rounds.text("/data/rounds/0/output/answer")).isEqualTo("42");
        assertThat(send("GET", path + "/rounds?after=" + rounds.text("/data/next_after"), "")
                        .json()
                        .at("/data/rounds")
                        .size())
                .isZero();
        assertProblem(send("GET", path + "/rounds?after=x", ""), 400, "invalid");
        await().untilAsserted(() -> assertThat(send("GET", "/metrics", "").body())
                .contains(
                        "commandway_conversation_command_duration_seconds_count{completed=\"true\"} 1",
                        "commandway_conversation_transaction_duration_seconds_count 1",
                        "commandway_conversation_idempotency_checks_total{hit=\"false\"} 1.0",
                        "commandway_conversation_errors_total{type=\"conflict\"} 1.0"));
    }

    @Test
    void showsACommandOnlyInItsSessionAndASessionOnlyToItsUser() {
        String session = session();
        String other = session();
        String id = send("POST", SESSIONS + "/" + session + "/commands", "{\"type\":\"ASK\"}")
                .text("/data/command_id");
        assertProblem(send("GET", SESSIONS + "/" + other + "/commands/" + id, ""), 404, "not_found");
        assertProblem(send("GET", SESSIONS + "/" + session + "/commands/x", ""), 404, "not_found");
        for (String path : List.of(
                "/" + session,
                "/" + session + "/commands/" + id,
                "/" + session + "/pending-command",
                "/" + session + "/rounds",
                "/" + session + "/events")) {
            assertProblem(send("GET", SESSIONS + path, "", "X-User-Id", "bob"), 403, "access_denied");
        }
        assertProblem(
                send("POST", SESSIONS + "/" + session + "/commands", "{\"type\":\"ASK\"}", "X-User-Id", "bob"),
                403,
                "access_denied");
        String path = SESSIONS + "/" + session;
        assertProblem(send("PATCH", path, "{\"status\":\"PAUSED\"}", "X-User-Id", "bob"), 403, "access_denied");
        assertProblem(send("DELETE", path, "", "X-User-Id", "bob"), 403, "access_denied");
        assertProblem(send("GET", SESSIONS + "/" + UUID.randomUUID(), ""), 403, "access_denied");
        assertProblem(send("GET", SESSIONS + "/nonsense", ""), 403, "access_denied");
    }

    @Test
    void takesTheUserFromTheTokenAndFromNothingElseOnceThereAreTokens() {
        Answer created = send(guarded, "POST", SESSIONS, "{}", "Authorization", "Bearer s3cret", "X-User-Id", "bob");
        assertThat(created.text("/data/user_id")).isEqualTo("alice");
        String path = SESSIONS + "/" + created.text("/data/id");
        assertThat(send("GET", path, "", "X-User-Id", "alice").status()).isEqualTo(200);
        assertProblem(send("GET", path, ""), 403, "access_denied");
        assertProblem(send(guarded, "GET", path, ""), 401, "unauthenticated");
    }

    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '`',
            value = {"X-Correlation-Id, 65, invalid", "Idempotency-Key, 201, invalid", "X-User-Id, 257, invalid_header"
            })
    void refusesAHeaderThatIsTooLong(String header, int length, String code) {
        Answer answer =
                send("POST", SESSIONS + "/" + session() + "/commands", "{\"type\":\"A\"}", header, "x".repeat(length));
        assertProblem(answer, 400, code);
    }

    @Test
    void answers500WhenNothingCouldBeRecorded() {
        String session = session();
        database.write(connection -> {
                    try (var statement = connection.createStatement()) {
                        return statement.executeUpdate(
                                "insert into cw_round (session_id, round_path, position, role, created_at) values ('"
                                        + session + "', '1', '000000001', 'user', 0)");
                    }
                })
                .join();
        Answer answer = send("POST", SESSIONS + "/" + session + "/commands", "{\"type\":\"ASK\"}");
        assertProblem(answer, 500, "store_failed");
        assertThat(answer.text("/message")).startsWith("持久化操作失败");
    }

    @Test
    void streamsTheEventsOfASessionAndResumesBehindTheLastOne() {
        queues.start(manager);
        String session = session();
        String path = SESSIONS + "/" + session;
        List<String> lines = stream(path + "/events");
        String id = send("POST", path + "/commands", "{\"type\":\"ASK\"}").text("/data/command_id");
        await().untilAsserted(() -> assertThat(running).containsKey(id));
        running.get(id).complete("1");

        await().untilAsserted(() -> assertThat(valuesOf(lines, "event: "))
                .containsExactly(
                        "Conversation.Session.Command.Received",
                        "Conversation.Session.Round.Created",
                        "Conversation.Session.Command.Completed"));
        assertThat(valuesOf(lines, "id: ")).containsExactly("1", "2", "3");
        JsonNode received =
                FacadeFixture.JSON.readTree(valuesOf(lines, "data: ").get(0));
        assertThat(received.at("/payload/command_id").asString()).isEqualTo(id);
        assertThat(received.at("/aggregate_id").asString()).isEqualTo(session);

        List<String> rest = stream(path + "/events", "Last-Event-ID", "2");
        await().untilAsserted(() -> assertThat(valuesOf(rest, "id: ")).containsExactly("3"));
        assertProblem(send("GET", path + "/events", "", "Last-Event-ID", "x"), 400, "invalid_header");

        assertThat(send("DELETE", path, "").status()).isEqualTo(204);
        await().untilAsserted(() ->
                assertThat(lines).anySatisfy(line -> assertThat(line).startsWith(": 用户无权访问指定会话")));
    }

    @Test
    void listsItsRoutesWithWhatTheyAnswerInTheOpenApiDocument() {
        JsonNode paths = send("GET", "/openapi.json", "").json().get("paths");
        List<String> listed = new ArrayList<>();
        paths.properties()
                .forEach(path -> path.getValue().properties().forEach(operation -> {
                    if (path.getKey().startsWith(SESSIONS)) {
                        List<String> statuses = new ArrayList<>(
                                operation.getValue().get("responses").propertyNames());
                        listed.add(operation.getKey().toUpperCase(Locale.ROOT) + " "
                                + path.getKey().substring(SESSIONS.length()) + " " + String.join(" ", statuses));
                    }
                }));
        assertThat(listed)
                .containsExactlyInAnyOrder(
                        "POST  201 400 401 403 408 409 413 415 500 503",
                        "GET  200 400 401 403 500 503",
                        "GET /{id} 200 400 401 403 500 503",
                        "PATCH /{id} 200 400 401 403 408 412 413 415 500 503",
                        "DELETE /{id} 204 400 401 403 409 500 503",
                        "POST /{id}/commands 200 202 400 401 403 408 409 413 415 500 503",
                        "GET /{id}/commands/{cmd_id} 200 400 401 403 404 500 503",
                        "GET /{id}/pending-command 200 400 401 403 500 503",
                        "GET /{id}/rounds 200 400 401 403 500 503",
                        "GET /{id}/events 200 400 401 403 500 503");
    }

    private void assertProblem(Answer answer, int status, String code) {
        assertThat(answer.status()).as(answer.body()).isEqualTo(status);
        assertThat(answer.header("Content-Type")).isEqualTo("application/problem+json");
        assertThat(answer.text("/code")).isEqualTo(code);
        assertThat(answer.text("/success")).isEqualTo("false");
    }

    private String session() {
        return send("POST", SESSIONS, "{}").text("/data/id");
    }

    private Answer send(String method, String path, String body, String... headers) {
        return send(facade, method, path, body, headers);
    }

    private Answer send(HttpFacade to, String method, String path, String body, String... headers) {
        HttpRequest.Builder request = request(to, path, headers);
        boolean hasBody = method.equals("POST") || method.equals("PATCH");
        if (hasBody) {
            request.header("Content-Type", "application/json");
        }
        request.method(method, hasBody ? BodyPublishers.ofString(body) : BodyPublishers.noBody());
        return new Answer(
                client.sendAsync(request.build(), BodyHandlers.ofString()).join());
    }

    private HttpRequest.Builder request(HttpFacade to, String path, String... headers) {
        HttpRequest.Builder request = HttpRequest.newBuilder(
                        URI.create("http://127.0.0.1:" + to.address().getPort() + path))
                .timeout(PATIENCE);
        return headers.length == 0 ? request : request.headers(headers);
    }

    private List<String> stream(String path, String... headers) {
        List<String> lines = new CopyOnWriteArrayList<>();
        var unused = client.sendAsync(
                request(facade, path, headers).build(), BodyHandlers.fromLineSubscriber(new LineCollector(lines)));
        return lines;
    }

    private static List<String> valuesOf(List<String> lines, String name) {
        return lines.stream()
                .filter(line -> line.startsWith(name))
                .map(line -> line.substring(name.length()))
                .toList();
    }

    /** A command that waits for its result. */
    private record Run(long tag, ResultReceiver receiver) {
        void complete(String result) {
            receiver.completeYield(tag, result.getBytes(StandardCharsets.UTF_8), null);
        }
    }
}
