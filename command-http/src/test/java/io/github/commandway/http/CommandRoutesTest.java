package io.github.commandway.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.http.FacadeFixture.Answer;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

class CommandRoutesTest {
    @RegisterExtension
    final FacadeFixture server = new FacadeFixture();

    @Test
    void answersASubmitInItsShape() {
        Answer answer = server.post(
                "/api/command",
                "{\"client_id\": \"client-001\", \"command_type\": \"echo\", \"payload\": {\"delay_seconds\": 5}, \"timeout\": 30}");

        String id = answer.text("/command_id");
        assertThat(answer.status()).isEqualTo(200);
        assertThat(answer.header("Content-Type")).isEqualTo("application/json");
        assertThat(answer.header("Location")).isEqualTo("/api/command/" + id);
        assertThat(answer.json())
                .isEqualTo(FacadeFixture.JSON.readTree(
                        "{\"success\":true,\"command_id\":\"" + id + "\",\"message\":\"Command sent successfully\"}"));
    }

    @Test
    void showsACompletedCommandInItsShape() {
        String id = server.post(
                        "/api/command",
                        "{\"client_id\":\"client-001\",\"command_type\":\"echo\",\"payload\":{\"delay_seconds\": 5},\"timeout\":30}")
                .text("/command_id");

        Answer answer = server.get("/api/command/" + id);

        assertThat(answer.status()).isEqualTo(200);
        assertThat(answer.json())
                .isEqualTo(FacadeFixture.JSON.readTree("{\"success\":true,\"command\":{\"command_id\":\"" + id
                        + "\",\"client_id\":\"client-001\",\"command_type\":\"echo\",\"payload\":{\"delay_seconds\":5},\"status\":\"completed\","
                        + "\"result\":{\"delay_seconds\":5},\"reason\":\"ok\",\"created_at\":\"2026-01-01T00:00:00Z\","
                        + "\"sent_at\":\"2026-01-01T00:00:00Z\",\"started_at\":\"2026-01-01T00:00:00Z\",\"completed_at\":\"2026-01-01T00:00:00Z\","
                        + "\"timeout\":30000000000,\"ttl\":30000000000,\"attempt\":1,\"cancel_requested\":false}}"));
    }

    @Test
    void passesThePayloadOnByteForByte() {
        String payload = "{ \"a\":1.10,  \"b\":[1e3, \"\\u00e4\"] }";

        Answer answer = server.post(
                "/api/command",
                "{\"client_id\":\"client-001\",\"payload\": " + payload + " ,\"command_type\":\"echo\"}");

        assertThat(server.get("/api/command/" + answer.text("/command_id")).body())
                .contains("\"result\":" + payload + ",");
    }

    @Test
    void takesATimeoutInSecondsWithAFractionAndShowsNanoseconds() {
        String id = server.post(
                        "/api/command",
                        "{\"client_id\":\"client-001\",\"command_type\":\"echo\",\"timeout\":0.25,\"ttl\":1.5}")
                .text("/command_id");

        JsonNode command = server.get("/api/command/" + id).json().get("command");

        assertThat(command.get("timeout").asLong()).isEqualTo(250_000_000);
        assertThat(command.get("ttl").asLong()).isEqualTo(1_500_000_000);
    }

    @Test
    void neverShowsAFailureAsSuccess() {
        Answer answer = server.post(
                "/api/command", "{\"client_id\":\"client-001\",\"command_type\":\"fail\"}", "Prefer", "wait=5");

        assertThat(answer.json().get("success").asBoolean()).isFalse();
        assertThat(answer.text("/command/status")).isEqualTo("failed");
        assertThat(answer.text("/command/error")).isEqualTo("disk full");
        assertThat(answer.text("/command/reason")).isEqualTo("executor_error");
    }

    @Test
    void showsAResultThatIsNotJsonAsTextAndOneThatIsNotTextAsBase64() {
        String text = server.submit("client-001", "text");
        String bytes = server.submit("client-001", "bytes");

        assertThat(server.get("/api/command/" + text).text("/command/result")).isEqualTo("not { json");
        assertThat(server.get("/api/command/" + bytes).text("/command/result/base64"))
                .isEqualTo("/wA=");
    }

    @Test
    void waitsForTheEndAsPreferred() {
        CompletableFuture<Answer> answer = server.sendAsync(server.postRequest(
                "/api/command", "{\"client_id\":\"client-001\",\"command_type\":\"hang\"}", "Prefer", "wait=60"));
        await().until(() -> server.edge.running.size() == 1);
        assertThat(answer).isNotDone();

        server.edge.running.values().iterator().next().complete("{\"ok\":true}");

        assertThat(answer.join().header("Preference-Applied")).isEqualTo("wait=60");
        assertThat(answer.join().text("/command/status")).isEqualTo("completed");
        assertThat(answer.join().json().at("/command/result/ok").asBoolean()).isTrue();
    }

    @Test
    void answersWithWhatIsKnownWhenThePreferredWaitIsOver() {
        String id = server.submit("client-001", "hang");
        CompletableFuture<Answer> answer = server.sendAsync(
                server.request("/api/command/" + id).header("Prefer", "wait=7").build());
        await().until(() -> server.time.waiting(Duration.ofSeconds(7)) == 1);

        server.time.advance(Duration.ofSeconds(7));

        assertThat(answer.join().status()).isEqualTo(200);
        assertThat(answer.join().text("/command/status")).isEqualTo("executing");
    }

    @Test
    void answers202WhenTheCallerPrefersToBeAnsweredBeforeTheEnd() {
        Answer answer = server.post(
                "/api/command", "{\"client_id\":\"client-001\",\"command_type\":\"hang\"}", "Prefer", "respond-async");

        assertThat(answer.status()).isEqualTo(202);
        assertThat(answer.header("Location")).isNotNull();
    }

    @Test
    void runsARequestWithTheSameIdempotencyKeyOnceAndRefusesAnotherOne() {
        String body = "{\"client_id\":\"client-001\",\"command_type\":\"echo\",\"payload\":1}";
        Answer first = server.post("/api/command", body, "Idempotency-Key", "k1");
        Answer second = server.post("/api/command", body, "Idempotency-Key", "k1");
        Answer other = server.post("/api/command", body.replace("1}", "2}"), "Idempotency-Key", "k1");

        assertThat(second.text("/command_id")).isEqualTo(first.text("/command_id"));
        assertThat(server.manager.stats().accepted()).isEqualTo(1);
        assertThat(other.status()).isEqualTo(422);
        assertThat(other.text("/code")).isEqualTo("idempotency_conflict");
    }

    @ParameterizedTest
    @CsvSource({
        "CAPACITY, 503, 1",
        "TARGET_BUSY, 503, 1",
        "TARGET_UNKNOWN, 404,",
        "TARGET_AWAY, 503, 5",
        "UNKNOWN_COMMAND, 501,",
        "PAYLOAD_TOO_LARGE, 413,",
        "IDEMPOTENCY_CONFLICT, 422,",
        "EXCLUSIVE_KEY_TAKEN, 409,",
        "SHUTTING_DOWN, 503, 1",
        "STORE_FAILED, 503, 1"
    })
    void refusesWithAProblemDocumentThatSaysWhetherToTryAgain(String code, int status, String retryAfter) {
        Answer answer =
                server.post("/api/command", "{\"client_id\":\"client-001\",\"command_type\":\"refuse-" + code + "\"}");

        assertThat(answer.status()).isEqualTo(status);
        assertThat(answer.header("Content-Type")).isEqualTo("application/problem+json");
        assertThat(answer.header("Retry-After")).isEqualTo(retryAfter);
        assertThat(answer.json().get("success").asBoolean()).isFalse();
        assertThat(answer.text("/message")).isEqualTo(answer.text("/detail"));
        assertThat(answer.json().get("status").asInt()).isEqualTo(status);
    }

    @Test
    void keepsACommandForAKnownClientThatIsAwayUnlessItMayNotWait() {
        assertThat(server.get("/api/command/" + server.submit("client-away", "echo"))
                        .text("/command/status"))
                .isEqualTo("pending");

        Answer now = server.post("/api/command", "{\"client_id\":\"client-away\",\"command_type\":\"echo\",\"ttl\":0}");
        assertThat(now.status()).isEqualTo(503);
        Answer unknown = server.post("/api/command", "{\"client_id\":\"nobody\",\"command_type\":\"echo\"}");
        assertThat(unknown.status()).isEqualTo(404);
    }

    @Test
    void doesNotKnowCommandsThatAreNone() {
        for (String id : List.of("00000000-0000-7000-8000-000000000000", "nonsense")) {
            Answer answer = server.get("/api/command/" + id);
            assertThat(answer.status()).isEqualTo(404);
            assertThat(answer.text("/code")).isEqualTo("command_unknown");
        }
    }

    @Test
    void listsByClientAndStatusPageByPage() {
        List<String> ids = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            ids.add(0, server.submit("client-001", "echo"));
        }
        server.submit("client-002", "echo");
        server.submit("client-001", "hang");

        List<String> seen = new ArrayList<>();
        String cursor = "";
        do {
            JsonNode page = server.get("/api/commands?client_id=client-001&status=completed&limit=2" + cursor)
                    .json();
            assertThat(page.get("total").asInt()).isEqualTo(page.get("commands").size());
            page.get("commands")
                    .forEach(command -> seen.add(command.get("command_id").asString()));
            cursor = page.has("next_cursor")
                    ? "&cursor=" + page.get("next_cursor").asString()
                    : null;
        } while (cursor != null);

        assertThat(seen).isEqualTo(ids);
        assertThat(server.get("/api/commands").json().get("total").asInt()).isEqualTo(7);
    }

    @ParameterizedTest
    @CsvSource({
        "status=done, status",
        "limit=0, limit",
        "limit=1&limit=2, limit",
        "cursor=nonsense, cursor",
        "color=red, color"
    })
    void refusesAQueryParameterThatIsNotRightByItsName(String query, String field) {
        Answer answer = server.get("/api/commands?" + query);

        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.text("/field")).isEqualTo(field);
    }

    @Test
    void saysWhatACancellationDid() {
        Answer before = cancel(server.submit("client-001", "wait"));
        Answer running = cancel(server.submit("client-001", "hang"));
        Answer ended = cancel(server.submit("client-001", "echo"));
        Answer unknown = cancel("00000000-0000-7000-8000-000000000000");

        assertThat(before.status()).isEqualTo(200);
        assertThat(before.text("/outcome")).isEqualTo("cancelled_before_start");
        assertThat(running.status()).isEqualTo(200);
        assertThat(running.text("/outcome")).isEqualTo("cancelled_while_running");
        assertThat(running.text("/command/status")).isEqualTo("cancelled");
        assertThat(ended.status()).isEqualTo(409);
        assertThat(ended.text("/detail")).contains("completed");
        assertThat(unknown.status()).isEqualTo(404);
    }

    @Test
    void answersACancellationThatHasNotTakenEffectInFiveSecondsWith202() {
        String id = server.submit("client-001", "stubborn");
        CompletableFuture<Answer> first = server.sendAsync(cancelRequest(id));
        await().until(() -> server.time.waiting(Cancellations.WAIT) == 1);
        CompletableFuture<Answer> again = server.sendAsync(cancelRequest(id));
        await().until(() -> server.time.waiting(Cancellations.WAIT) == 2);

        server.time.advance(Cancellations.WAIT);

        assertThat(first.join().status()).isEqualTo(202);
        assertThat(again.join().status()).isEqualTo(202);
        assertThat(first.join().text("/outcome")).isEqualTo("cancel_requested");
        assertThat(first.join().json().at("/command/cancel_requested").asBoolean())
                .isTrue();
    }

    @Test
    void saysThatACommandEndedOtherwiseWhenItCompletesBeforeItCouldBeStopped() {
        String id = server.submit("client-001", "stubborn");
        CompletableFuture<Answer> answer = server.sendAsync(cancelRequest(id));
        await().until(() -> server.time.waiting(Cancellations.WAIT) == 1);

        server.running(id).complete("1");

        assertThat(answer.join().status()).isEqualTo(200);
        assertThat(answer.join().text("/outcome")).isEqualTo("ended_otherwise");
        assertThat(answer.join().json().get("success").asBoolean()).isFalse();
    }

    private Answer cancel(String id) {
        return server.send(cancelRequest(id));
    }

    private HttpRequest cancelRequest(String id) {
        return server.request("/api/command/" + id + "/cancel")
                .POST(BodyPublishers.noBody())
                .build();
    }
}
