package io.github.commandway.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** A server and an agent as the command line starts them in one folder, and the client commands against them. */
class ServerAndAgentTest {
    private static final Duration LONGEST = Duration.ofSeconds(30);
    private static final List<String> COLUMNS = List.of("COMMAND", "CLIENT", "TYPE", "STATUS", "REASON", "CREATED");

    @TempDir
    static Path folder;

    private static final Queue<String> CALLBACKS = new ConcurrentLinkedQueue<>();

    private static HttpServer receiver;
    private static Run server;
    private static Run agent;
    private static Thread serverThread;
    private static Thread agentThread;

    @BeforeAll
    static void startBothWithoutTellingOneOfTheOther() throws IOException {
        receiver = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        receiver.createContext("/done", exchange -> {
            CALLBACKS.add(exchange.getRequestHeaders().getFirst("webhook-signature") + " "
                    + new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
            byte[] answer = "{\"received\": true}".getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(200, answer.length);
            exchange.getResponseBody().write(answer);
            exchange.close();
        });
        receiver.start();
        agent = new Run(folder);
        agentThread = agent.start("agent");
        server = new Run(folder);
        serverThread = server.start(
                "serve",
                "--http-port",
                "0",
                "--quic-port",
                "0",
                "--shutdown-grace",
                "1s",
                "--queues",
                "labels=agent:printer;concurrency=2;max-waiting=1",
                "--callback-url",
                "http://127.0.0.1:" + receiver.getAddress().getPort() + "/done",
                "--callback-secret",
                "whsec_" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5");
        await().atMost(LONGEST)
                .until(() -> client("clients", "client-001", "--json").out().contains("\"connected\":true"));
    }

    @AfterAll
    static void stopBoth() throws InterruptedException {
        agent.stop();
        agentThread.join();
        server.stop();
        serverThread.join();
        receiver.stop(0);
        assertThat(agent.exitCode()).as(agent.err()).isZero();
        assertThat(server.exitCode()).as(server.err()).isZero();
        assertThat(folder.resolve("commandway-data/server.json")).doesNotExist();
    }

    private static Run client(String... args) {
        return new Run(folder).run(args);
    }

    @Test
    void theServerSaysWhereItIsAndTheAgentFoundIt() {
        assertThat(server.out())
                .contains(
                        "HTTP API    http://127.0.0.1:",
                        "agents      127.0.0.1:",
                        "commandway-data",
                        "mode        queue",
                        "queue       default -> agent:client-001, one at a time",
                        "queue       labels -> agent:printer, 2 at a time");
        assertThat(agent.out()).contains("id          client-001");
        assertThat(client("clients").out()).contains("client-001  true");
    }

    @Test
    void sendPrintsTheIdAndGetShowsTheCommand() {
        Run sent = client("send", "client-001", "ping");
        String id = sent.out().strip();
        Run shown = client("get", id, "--wait", "20");

        assertThat(sent.exitCode()).isZero();
        assertThat(shown.exitCode()).isZero();
        assertThat(shown.out()).contains("command  " + id, "status   completed", "reason   ok", "\"pong\" : true");
    }

    @Test
    void sendWithWaitPrintsTheOutcomeAndItsExitCode() {
        Run run = client("send", "client-001", "restart", "{\"delay_seconds\": 0}", "--wait", "20", "--json");

        assertThat(run.exitCode()).isZero();
        JsonNode answer = ApiClient.JSON.readTree(run.out());
        assertThat(answer.path("command").path("result"))
                .isEqualTo(ApiClient.JSON.readTree("{\"success\": true, \"message\": \"Restarted successfully\"}"));
    }

    @Test
    void eachOutcomeHasItsExitCode() {
        String delay = "{\"delay_seconds\": 60}";
        Run failed = client("send", "client-001", "no_such_type", "--wait", "20");
        Run timedOut = client("send", "client-001", "restart", delay, "--timeout", "0.2", "--wait", "20");
        Run stillOpen = client("send", "client-001", "restart", delay, "--wait", "0");
        Run refused = client("send", "nobody", "restart");
        Run unknown = client("get", "01a1fbe0-0000-7000-8000-000000000000");

        assertThat(failed.exitCode()).isEqualTo(ExitCode.FAILED.code());
        assertThat(failed.out()).contains("status   failed", "reason   unknown_command");
        assertThat(timedOut.exitCode()).isEqualTo(ExitCode.TIMEOUT.code());
        assertThat(stillOpen.exitCode()).isEqualTo(ExitCode.STILL_OPEN.code());
        assertThat(refused.exitCode()).isEqualTo(ExitCode.REFUSED.code());
        assertThat(refused.err()).contains("nobody");
        assertThat(unknown.exitCode()).isEqualTo(ExitCode.REFUSED.code());
    }

    @Test
    void cancelEndsARunningCommandAndSaysSo() {
        String id = client("send", "client-001", "restart", "{\"delay_seconds\": 60}", "--timeout", "60")
                .out()
                .strip();
        await().atMost(LONGEST).until(() -> client("get", id).out().contains("executing"));

        Run cancelled = client("cancel", id);
        Run again = client("cancel", id);

        assertThat(cancelled.exitCode()).isZero();
        assertThat(cancelled.out()).contains("cancelled_while_running");
        assertThat(client("get", id).exitCode()).isEqualTo(ExitCode.CANCELLED.code());
        assertThat(again.exitCode()).isEqualTo(ExitCode.REFUSED.code());
    }

    @Test
    void listShowsWhatWasAskedFor() {
        String id = client("send", "client-001", "echo", "{\"a\": 1}").out().strip();
        client("get", id, "--wait", "20");

        Run all = client("list");
        assertThat(all.exitCode()).isZero();
        assertThat(all.out().lines().findFirst().orElseThrow().split(" +")).containsExactlyElementsOf(COLUMNS);
        assertThat(all.out()).contains(id);
        assertThat(client("list", "--client", "client-001", "--status", "completed")
                        .out())
                .contains(id);
        assertThat(client("list", "--status", "failed").out()).doesNotContain(id);
        assertThat(client("list", "--status", "nonsense").exitCode()).isEqualTo(ExitCode.USAGE.code());
    }

    @Test
    void watchFollowsACommandFromItsBeginningToItsEnd() {
        String id = client("send", "client-001", "restart", "{\"delay_seconds\": 1}")
                .out()
                .strip();

        Run watched = client("watch", id);

        assertThat(watched.exitCode()).as(watched.err()).isZero();
        assertThat(watched.out().lines().map(line -> line.split(" +")[1]))
                .startsWith("pending", "sent", "executing")
                .endsWith("completed");
    }

    @Test
    void watchGoesOnWhereItWasWhenTheConnectionIsLost() throws IOException {
        String id = client("send", "client-001", "restart", "{\"delay_seconds\": 2}", "--timeout", "30")
                .out()
                .strip();

        try (CuttingProxy proxy = new CuttingProxy(httpAddress(), 2)) {
            Run watched = client("watch", id, "--json", "--server", proxy.address());

            assertThat(watched.exitCode()).as(watched.err()).isZero();
            assertThat(proxy.connections()).isGreaterThan(1);
            List<Integer> sequences = watched.out()
                    .lines()
                    .map(line -> ApiClient.JSON.readTree(line).path("sequence").asInt())
                    .toList();
            assertThat(sequences).first().isEqualTo(1);
            assertThat(sequences).isSorted().doesNotHaveDuplicates().hasSize(sequences.get(sequences.size() - 1));
        }
    }

    private static String metrics(String address) throws IOException, InterruptedException {
        return HttpClient.newHttpClient()
                .send(HttpRequest.newBuilder(URI.create(address + "/metrics")).build(), BodyHandlers.ofString())
                .body();
    }

    private static String httpAddress() throws IOException {
        return httpAddress(folder);
    }

    private static String httpAddress(Path of) throws IOException {
        return ApiClient.JSON
                .readTree(Files.readString(of.resolve("commandway-data/server.json")))
                .path("http")
                .asString();
    }

    @Test
    void aTaskGoesThroughTheQueueToTheAgent() {
        Run submitted = client("task", "submit", "echo", "{\"a\": 1}", "--cmd-id", "SCAN_1", "--retries", "1");
        String id = submitted.out().strip();
        Run shown = client("task", "get", id, "--wait", "20");

        assertThat(submitted.exitCode()).as(submitted.err()).isZero();
        assertThat(id).startsWith("task_");
        assertThat(shown.exitCode()).isZero();
        assertThat(shown.out()).contains("SCAN_1", "completed", "default", "\"a\" : 1");
        assertThat(client("task", "list", "--status", "completed", "--type", "echo")
                        .out())
                .contains(id, "SCAN_1");
        assertThat(client("queue", "status", "default").out()).contains("default", "false");
    }

    @Test
    void theEndOfATaskIsToldWithASignature() {
        String id = client("task", "submit", "echo", "{\"a\": 1}", "--cmd-id", "SCAN_9")
                .out()
                .strip();

        await().atMost(LONGEST)
                .until(() -> CALLBACKS.stream().anyMatch(callback -> callback.contains("\"" + id + "\"")));
        String callback = CALLBACKS.stream()
                .filter(one -> one.contains("\"" + id + "\""))
                .findFirst()
                .orElseThrow();
        assertThat(callback).startsWith("v1,").contains("\"cmd_id\":\"SCAN_9\"", "\"success\":true");
    }

    @Test
    void theOutcomeOfATaskHasItsExitCode() {
        Run completed = client("task", "submit", "echo", "--wait", "20");
        Run failed = client("task", "submit", "no_such_type", "--wait", "20");
        String running = client("task", "submit", "restart", "{\"delay_seconds\": 60}", "--priority", "1")
                .out()
                .strip();
        String waiting =
                client("task", "submit", "echo", "--delay", "600").out().strip();

        assertThat(completed.exitCode()).as(completed.err()).isZero();
        assertThat(failed.exitCode()).isEqualTo(ExitCode.FAILED.code());
        assertThat(client("task", "get", waiting).exitCode()).isEqualTo(ExitCode.STILL_OPEN.code());
        assertThat(client("task", "cancel", waiting).exitCode()).isZero();
        assertThat(client("task", "cancel", running).exitCode()).isZero();
        assertThat(client("task", "get", running).exitCode()).isEqualTo(ExitCode.CANCELLED.code());
        assertThat(client("task", "get", "TASK_000001").exitCode()).isEqualTo(ExitCode.REFUSED.code());
    }

    @Test
    void aQueueWhoseAgentIsAwayKeepsItsTasksUntilItIsPurged() {
        String waiting =
                client("task", "submit", "print", "--queue", "labels").out().strip();
        Run full = client("task", "submit", "print", "--queue", "labels");

        assertThat(full.exitCode()).isEqualTo(ExitCode.REFUSED.code());
        assertThat(full.err()).contains("labels");
        assertThat(client("task", "get", waiting).out()).contains("pending", "position");
        assertThat(client("queue", "pause", "labels").out()).contains("true");
        assertThat(client("queue", "resume", "labels").out()).contains("false");
        assertThat(client("queue", "purge", "labels").out()).contains("1 cancelled");
        assertThat(client("task", "get", waiting).exitCode()).isEqualTo(ExitCode.CANCELLED.code());
        assertThat(client("queue", "status").out()).contains("default", "labels");
        assertThat(client("queue", "pause", "nobodys").exitCode()).isEqualTo(ExitCode.REFUSED.code());
        assertThat(client("queue").exitCode()).isEqualTo(ExitCode.USAGE.code());
    }

    @Test
    void aPayloadCanComeFromAFileOrTheInput() throws IOException {
        Files.writeString(folder.resolve("payload.json"), "{\"from\": \"file\"}");

        assertThat(client("send", "client-001", "echo", "@payload.json", "--wait", "20")
                        .out())
                .contains("\"file\"");
        Run fromInput =
                new Run(folder).input("{\"from\": \"input\"}").run("send", "client-001", "echo", "-", "--wait", "20");
        assertThat(fromInput.out()).contains("\"input\"");
        assertThat(client("send", "client-001", "echo", "@none.json").exitCode())
                .isEqualTo(ExitCode.USAGE.code());
    }

    @Test
    void theSameIdempotencyKeyGivesTheSameCommand() {
        String first =
                client("send", "client-001", "ping", "--idempotency-key", "k1").out();
        String second =
                client("send", "client-001", "ping", "--idempotency-key", "k1").out();

        assertThat(second).isEqualTo(first);
    }

    @Test
    void theConfigurationOfAnAgentIsUpdatedAndKept() {
        Run run = client("send", "client-001", "update_config", "{\"config\": {\"level\": 3}}", "--wait", "20");

        assertThat(run.exitCode()).isZero();
        assertThat(client("send", "client-001", "config.get", "--wait", "20").out())
                .contains("\"level\" : 3");
    }

    @Test
    void whatWasNotAllowedIsNotAvailable() {
        Run run = client("send", "client-001", "exec_shell", "{\"command\": \"id\"}", "--wait", "20");

        assertThat(run.out()).contains("unknown_command");
    }

    @Test
    void anAgentThatUsesAnotherOnesFolderIsToldSo() {
        Run second = client("agent");

        assertThat(second.exitCode()).isEqualTo(ExitCode.FAILED.code());
        assertThat(second.err()).contains("journal");
    }

    @Test
    void anotherMachinesAgentNeedsTheAddressAndATokenOnly(@TempDir Path elsewhere) throws Exception {
        String token = client("token", "create", "--agent", "client-002").out().strip();
        String address = ApiClient.JSON
                .readTree(Files.readString(folder.resolve("commandway-data/server.json")))
                .path("agents")
                .asString();
        Run other = new Run(elsewhere);
        Thread thread = other.start("agent", "--id", "client-002", "--server", address, "--token", token);

        await().atMost(LONGEST)
                .until(() ->
                        client("send", "client-002", "ping", "--wait", "20").exitCode() == 0);

        other.stop();
        thread.join();
        assertThat(other.exitCode()).as(other.err()).isZero();
        try (Stream<Path> files = Files.list(elsewhere.resolve("commandway-data/agents/client-002"))) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .contains("key.pem", "chain.pem", "trusted.pem");
        }
        Run refused = new Run(elsewhere).run("agent", "--id", "client-003", "--server", address, "--token", token);
        assertThat(refused.exitCode()).isEqualTo(ExitCode.REFUSED.code());
        assertThat(refused.err()).contains("client-002");
    }

    @Test
    void aPortThatIsTakenIsNamedWithAWayOut() throws IOException {
        try (ServerSocket taken = new ServerSocket(0)) {
            Run run = new Run(folder)
                    .run(
                            "serve",
                            "--data",
                            "other",
                            "--quic-port",
                            "0",
                            "--http-port",
                            String.valueOf(taken.getLocalPort()));

            assertThat(run.exitCode()).isEqualTo(ExitCode.USAGE.code());
            assertThat(run.err())
                    .contains("cannot listen on 127.0.0.1:" + taken.getLocalPort())
                    .contains("--http-port, or 0");
        }
    }

    @ParameterizedTest
    @CsvSource({
        "--outbox-publisher=kafka --kafka-servers=127.0.0.1:1 --kafka-setting=max.block.ms=100",
        "--outbox-publisher=nats --nats-servers=nats://127.0.0.1:1"
    })
    void eventsWaitForABrokerThatIsAwayAndNothingElseDoes(String options, @TempDir Path data) throws Exception {
        Run other = new Run(data);
        List<String> serve = new ArrayList<>(List.of("serve", "--http-port", "0", "--quic-port", "0"));
        serve.addAll(List.of(options.split(" ")));
        Thread thread = other.start(serve.toArray(String[]::new));
        try {
            await().atMost(LONGEST).until(() -> Files.exists(data.resolve("commandway-data/server.json")));
            String address = httpAddress(data);
            ApiClient api = new ApiClient(address, null);
            String sessions = "/api/v1/conversations/sessions";
            String session = api.post(sessions, ApiClient.JSON.createObjectNode(), Map.of())
                    .at("/data/id")
                    .asString();
            JsonNode command = ApiClient.JSON.readTree("{\"type\":\"ASK\"}");
            assertThat(api.post(sessions + "/" + session + "/commands", command, Map.of())
                            .at("/data/accepted")
                            .asBoolean())
                    .isTrue();

            await().atMost(LONGEST).until(() -> metrics(address).contains("\ncommandway_outbox_waiting 2.0"));
            assertThat(api.get("/api/outbox/dead").get("total").asInt()).isZero();
            assertThat(metrics(address))
                    .contains("commandway_outbox_dead 0.0")
                    .contains("commandway_outbox_sent_total 0.0")
                    .contains("commandway_queue_waiting{queue=\"conversation\"} 1.0");
        } finally {
            other.stop();
            thread.join();
        }
    }

    @Test
    void theHttpApiPageNamesEveryRoute() throws Exception {
        JsonNode paths = new ApiClient(httpAddress(), null).get("/openapi.json").path("paths");
        String page = Files.readString(Path.of("../docs/http-api.md"));

        List<String> routes = paths.propertyStream()
                .flatMap(path -> path.getValue().propertyNames().stream()
                        .map(method -> method.toUpperCase(Locale.ROOT) + " " + path.getKey()))
                .toList();
        assertThat(routes).isNotEmpty().allSatisfy(route -> assertThat(page).contains("`" + route + "`"));
    }
}
