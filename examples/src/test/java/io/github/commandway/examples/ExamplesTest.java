package io.github.commandway.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.agent.AgentRuntime;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.quic.ServerAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The walk-through, step by step, with the two examples and real QUIC and HTTP between them. */
class ExamplesTest {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final Duration LONGEST = Duration.ofSeconds(30);

    @TempDir
    static Path data;

    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static ServerExample server;
    private static AgentRuntime agent;

    @BeforeAll
    static void startServerAndAgent() throws Exception {
        server = new ServerExample(data, 0, 0);
        agent = AgentExample.start(
                "client-001",
                data,
                new ServerAddress("127.0.0.1", server.agentAddress().getPort()));
        await().atMost(LONGEST)
                .until(() -> get("/api/clients/client-001").path("connected").asBoolean(false));
    }

    @AfterAll
    static void stopBoth() {
        if (agent != null) {
            agent.close();
        }
        if (server != null) {
            server.close();
        }
    }

    private static JsonNode exchange(HttpRequest.Builder request) throws Exception {
        return JSON.readTree(HTTP.send(request.timeout(LONGEST).build(), HttpResponse.BodyHandlers.ofString())
                .body());
    }

    private static HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(
                URI.create("http://127.0.0.1:" + server.httpAddress().getPort() + path));
    }

    private static JsonNode get(String path) throws Exception {
        return exchange(request(path));
    }

    private static JsonNode post(String body) throws Exception {
        return exchange(request("/api/command")
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body)));
    }

    /** The command when it has ended. */
    private static JsonNode ended(String id) throws Exception {
        return exchange(request("/api/command/" + id).header("Prefer", "wait=20"))
                .path("command");
    }

    @Test
    void aRestartTravelsFromHttpToTheAgentAndItsResultComesBack() throws Exception {
        JsonNode accepted = post("""
                {"client_id": "client-001", "command_type": "restart", "payload": {"delay_seconds": 1}, "timeout": 30}
                """);

        assertThat(accepted.path("success").asBoolean()).isTrue();
        assertThat(accepted.path("message").asString()).isEqualTo("Command sent successfully");
        String id = accepted.path("command_id").asString();

        JsonNode command = ended(id);
        assertThat(command.path("command_id").asString()).isEqualTo(id);
        assertThat(command.path("client_id").asString()).isEqualTo("client-001");
        assertThat(command.path("command_type").asString()).isEqualTo("restart");
        assertThat(command.path("payload")).isEqualTo(JSON.readTree("{\"delay_seconds\": 1}"));
        assertThat(command.path("status").asString()).isEqualTo("completed");
        assertThat(command.path("result"))
                .isEqualTo(JSON.readTree("{\"success\": true, \"message\": \"Restarted successfully\"}"));
        assertThat(command.path("timeout").asLong()).isEqualTo(30_000_000_000L);
        Instant created = Instant.parse(command.path("created_at").asString());
        Instant sent = Instant.parse(command.path("sent_at").asString());
        Instant completed = Instant.parse(command.path("completed_at").asString());
        assertThat(sent).isAfterOrEqualTo(created);
        assertThat(completed).isAfterOrEqualTo(sent.plusSeconds(1));

        assertThat(ids(get("/api/commands"))).contains(id);
        assertThat(ids(get("/api/commands?client_id=client-001"))).contains(id);
        assertThat(ids(get("/api/commands?status=completed"))).contains(id);
        assertThat(ids(get("/api/commands?status=failed"))).doesNotContain(id);
    }

    private static List<String> ids(JsonNode answer) {
        return answer.path("commands")
                .valueStream()
                .map(command -> command.path("command_id").asString())
                .toList();
    }

    @Test
    void theConfigurationThatWasSetIsInTheStatus() throws Exception {
        JsonNode update = ended(post("""
                        {"client_id": "client-001", "command_type": "update_config", "payload": {"config": {"level": 3}}}
                        """).path("command_id").asString());
        JsonNode status = ended(post("{\"client_id\": \"client-001\", \"command_type\": \"get_status\"}")
                .path("command_id")
                .asString());

        assertThat(update.path("status").asString()).isEqualTo("completed");
        assertThat(status.path("result"))
                .isEqualTo(JSON.readTree("{\"status\": \"running\", \"config\": {\"level\": 3}}"));
    }

    @Test
    void anExecutorThatThrowsMakesTheCommandFailWithItsMessage() throws Exception {
        JsonNode command = ended(post("{\"client_id\": \"client-001\", \"command_type\": \"update_config\"}")
                .path("command_id")
                .asString());

        assertThat(command.path("status").asString()).isEqualTo("failed");
        assertThat(command.path("reason").asString()).isEqualTo("executor_error");
        assertThat(command.path("error").asString()).isEqualTo("'config' must be a JSON object");
    }

    @Test
    void aKindOfCommandThatTheExecutorDoesNotKnowFailsAsUnknown() throws Exception {
        JsonNode command = ended(post("{\"client_id\": \"client-001\", \"command_type\": \"fly\"}")
                .path("command_id")
                .asString());

        assertThat(command.path("status").asString()).isEqualTo("failed");
        assertThat(command.path("reason").asString()).isEqualTo("unknown_command");
    }

    @Test
    void aCommandThatTakesLongerThanItsTimeoutEndsAsTimeout() throws Exception {
        JsonNode command = ended(post("""
                        {"client_id": "client-001", "command_type": "restart", "payload": {"delay_seconds": 20}, "timeout": 1}
                        """).path("command_id").asString());

        assertThat(command.path("status").asString()).isEqualTo("timeout");
        assertThat(command.path("reason").asString()).isEqualTo("execution_timeout");
    }

    @Test
    void aCommandThatRunsIsExecutingAndCanBeCancelled() throws Exception {
        String id = post("""
                        {"client_id": "client-001", "command_type": "restart", "payload": {"delay_seconds": 25}, "timeout": 30}
                        """).path("command_id").asString();
        await().atMost(LONGEST)
                .untilAsserted(() -> assertThat(get("/api/command/" + id)
                                .path("command")
                                .path("status")
                                .asString())
                        .isEqualTo("executing"));

        JsonNode cancelled =
                exchange(request("/api/command/" + id + "/cancel").POST(HttpRequest.BodyPublishers.noBody()));

        assertThat(cancelled.path("command").path("status").asString()).isEqualTo("cancelled");
        assertThat(cancelled.path("command").path("reason").asString()).isEqualTo("cancelled_while_running");
    }

    @Test
    void theEmbeddedExampleGetsItsAnswer(@TempDir Path folder) throws Exception {
        CommandRecord record = EmbeddedExample.run(folder);

        assertThat(record.status()).isEqualTo(CommandStatus.COMPLETED);
        assertThat(record.result()).isEqualTo("hello, world".getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void theQueueExampleExecutesItsTasks(@TempDir Path folder) throws Exception {
        assertThat(QueueExample.run(folder))
                .map(CommandRecord::result)
                .map(result -> new String(result, StandardCharsets.UTF_8))
                .containsExactly("scanned shelf 1", "scanned shelf 2", "scanned shelf 3");
    }

    @Test
    void theToolsExampleRunsATool(@TempDir Path folder) throws Exception {
        assertThat(ToolsExample.run(Path.of(""), folder, "one", "two")).isEqualTo("completed: 2 words: one two\n");
    }

    @Test
    void theWorkflowExampleUpdatesBothAgents(@TempDir Path folder) throws Exception {
        assertThat(WorkflowExample.run(folder, 7))
                .hasSize(2)
                .allSatisfy((key, status) -> assertThat(JSON.readTree(status))
                        .isEqualTo(JSON.readTree("{\"status\": \"running\", \"config\": {\"level\": 7}}")));
    }
}
