package io.github.commandway.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.github.commandway.http.FacadeFixture.Answer;
import io.github.commandway.manager.RecordId;
import java.io.IOException;
import java.net.Socket;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

class HttpFacadeTest {
    private final AtomicBoolean storeReady = new AtomicBoolean(true);

    @RegisterExtension
    final FacadeFixture server = new FacadeFixture(options -> options.readinessCheck("store", storeReady::get));

    @RegisterExtension
    final FacadeFixture guarded = new FacadeFixture(options -> options.token("alice", "s3cret"));

    @Test
    void listsExactlyItsRoutesInTheOpenApiDocument() {
        List<String> listed = new ArrayList<>();
        server.get("/openapi.json")
                .json()
                .get("paths")
                .properties()
                .forEach(path -> path.getValue()
                        .properties()
                        .forEach(operation ->
                                listed.add(operation.getKey().toUpperCase(Locale.ROOT) + " " + path.getKey())));

        assertThat(listed)
                .containsExactlyInAnyOrderElementsOf(server.facade.routes().stream()
                        .map(route -> route.method() + " " + route.path())
                        .toList())
                .contains("POST /api/command", "GET /api/command/{id}/events", "GET /openapi.json");
    }

    @Test
    void answersEveryRouteWithAStatusAndMembersThatItsTableNames() {
        JsonNode document = server.get("/openapi.json").json();
        String id = server.submit("client-001", "echo");
        Map<String, String> bodies = Map.of(
                "/api/command",
                "{\"client_id\":\"client-001\",\"command_type\":\"echo\"}",
                "/api/command/multi",
                "{\"client_ids\":[\"client-001\",\"x\"],\"command_type\":\"echo\"}",
                "/api/command/stream",
                "{\"client_ids\":[\"client-001\"],\"command_type\":\"echo\"}",
                "/api/send",
                "{\"client_id\":\"client-001\",\"type\":\"event\"}",
                "/api/broadcast",
                "{}",
                "/",
                "{\"cmd_type\":\"echo\"}",
                Route.ANY_PATH,
                "{\"cmd_type\":\"hang\"}");
        String task = server.post("/", "{\"cmd_type\":\"hang\"}").text("/task_id");

        for (Route route : server.facade.routes()) {
            String path = route.path()
                    .replace("/clients/{id}", "/clients/client-001")
                    .replace("/task/{id}", "/task/" + task)
                    .replace("{id}", id)
                    .replace("{name}", "default")
                    .replace(Route.ANY_PATH, "/robot/arm");
            Answer answer = route.method().equals("GET")
                    ? server.get(path)
                    : server.post(path, bodies.getOrDefault(route.path(), ""));

            JsonNode responses = document.at("/paths/" + route.path().replace("/", "~1") + "/"
                    + route.method().toLowerCase(Locale.ROOT) + "/responses");
            JsonNode response = responses.path(Integer.toString(answer.status()));
            assertThat(response.isMissingNode())
                    .as("%s answers %d", route.path(), answer.status())
                    .isFalse();
            String type = answer.header("Content-Type").split(";")[0];
            JsonNode content = response.get("content").get(type);
            assertThat(content).as("%s answers %s", route.path(), type).isNotNull();
            if (type.endsWith("json")) {
                requireKnownMembers(document, content.get("schema"), answer.json(), route.path());
            }
        }
    }

    private static void requireKnownMembers(JsonNode document, JsonNode schema, JsonNode value, String where) {
        JsonNode resolved =
                schema.has("$ref") ? document.at(schema.get("$ref").asString().substring(1)) : schema;
        if (value.isObject() && resolved.has("properties")) {
            value.properties().forEach(member -> {
                JsonNode known = resolved.get("properties").get(member.getKey());
                assertThat(known).as("%s: member '%s'", where, member.getKey()).isNotNull();
                requireKnownMembers(document, known, member.getValue(), where);
            });
        } else if (value.isArray() && resolved.has("items")) {
            value.forEach(item -> requireKnownMembers(document, resolved.get("items"), item, where));
        }
    }

    @Test
    void saysWhetherItIsReady() {
        assertThat(server.get("/health").json())
                .isEqualTo(FacadeFixture.JSON.readTree("{\"status\":\"ok\",\"time\":\"2026-01-01T00:00:00Z\"}"));
        assertThat(server.get("/ready").status()).isEqualTo(200);

        storeReady.set(false);

        assertThat(server.get("/ready").status()).isEqualTo(503);
        assertThat(server.get("/ready").json().at("/checks/store").asBoolean(true))
                .isFalse();
    }

    @Test
    void countsWhatBecomesOfCommands() {
        server.submit("client-001", "echo");
        server.submit("client-001", "fail");
        server.submit("client-001", "hang");
        server.post("/api/command", "{\"client_id\":\"nobody\",\"command_type\":\"echo\"}");

        Answer metrics = server.get("/metrics");

        assertThat(metrics.header("Content-Type")).startsWith("text/plain");
        assertThat(metrics.body())
                .contains("commandway_agents_connected 2.0")
                .contains("commandway_commands_open 1.0")
                .contains("commandway_commands_ended_total{reason=\"ok\",status=\"completed\"} 1.0")
                .contains("commandway_commands_ended_total{reason=\"executor_error\",status=\"failed\"} 1.0")
                .contains("commandway_command_duration_seconds_bucket{le=\"0.001\"} 2")
                .contains("commandway_http_problems_total{code=\"target_unknown\"} 1.0")
                .contains("commandway_http_requests_total{method=\"POST\",route=\"/api/command\",status=\"200\"} 3.0");
    }

    @Test
    void asksForATokenOnceThereIsOneExceptForItsHealth() {
        String body = "{\"client_id\":\"client-001\",\"command_type\":\"echo\"}";

        Answer without = guarded.post("/api/command", body);
        assertThat(without.status()).isEqualTo(401);
        assertThat(without.header("WWW-Authenticate")).startsWith("Bearer");
        assertThat(guarded.get("/nothing").status()).isEqualTo(401);
        assertThat(guarded.get("/metrics").status()).isEqualTo(401);
        assertThat(guarded.get("/health").status()).isEqualTo(200);

        Answer with = guarded.post("/api/command", body, "Authorization", "Bearer s3cret");
        assertThat(with.status()).isEqualTo(200);
        assertThat(guarded.manager
                        .find(RecordId.parse(with.text("/command_id")).orElseThrow())
                        .join()
                        .orElseThrow()
                        .request()
                        .principal())
                .isEqualTo("alice");
    }

    @Test
    void answersWaitingRequestsWithWhatIsKnownWhenItIsShutDownAndAcceptsNoMore() {
        String id = server.submit("client-001", "hang");
        CompletableFuture<Answer> waiting = server.sendAsync(
                server.request("/api/command/" + id).header("Prefer", "wait=60").build());
        await().until(() -> server.time.waiting(Duration.ofSeconds(60)) == 1);

        server.facade.shutdown(Duration.ofSeconds(10));

        assertThat(waiting.join().text("/command/status")).isEqualTo("executing");
        assertThatThrownBy(() -> new Socket(
                        server.facade.address().getAddress(),
                        server.facade.address().getPort()))
                .isInstanceOf(IOException.class);
    }

    @Test
    void leavesNothingBehindWhenACallerStopsWaiting() {
        String id = server.submit("client-001", "hang");
        CompletableFuture<Answer> first = server.sendAsync(
                server.request("/api/command/" + id).header("Prefer", "wait=60").build());
        await().until(() -> server.time.waiting(Duration.ofSeconds(60)) == 1);

        first.cancel(true);
        abandon(id);

        await().untilAsserted(() -> assertThat(server.get("/metrics").body()).contains("commandway_http_waiting 0.0"));
        assertThat(server.time.waiting(Duration.ofSeconds(60))).isZero();
    }

    /** Waits for a command in a connection that is then cut. */
    private void abandon(String id) {
        try (Socket socket = new Socket(
                server.facade.address().getAddress(), server.facade.address().getPort())) {
            socket.getOutputStream()
                    .write(("GET /api/command/" + id + " HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=60\r\n\r\n")
                            .getBytes(java.nio.charset.StandardCharsets.US_ASCII));
            await().until(() -> server.time.waiting(Duration.ofSeconds(60)) >= 1);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @Test
    void cannotBeDrivenByAWebPage() {
        HttpRequest form = server.request("/api/command/00000000-0000-7000-8000-000000000000/cancel")
                .header("Origin", "http://evil.example")
                .POST(BodyPublishers.noBody())
                .build();

        assertThat(server.send(form).status()).isEqualTo(403);
    }
}
