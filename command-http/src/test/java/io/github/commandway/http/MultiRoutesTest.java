package io.github.commandway.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.http.FacadeFixture.Answer;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import tools.jackson.databind.JsonNode;

class MultiRoutesTest {
    @RegisterExtension
    final FacadeFixture server = new FacadeFixture();

    private static String body(String type) {
        return "{\"client_ids\":[\"client-001\",\"nobody\",\"client-002\"],\"command_type\":\"" + type
                + "\",\"payload\":{\"n\":1},\"timeout\":10}";
    }

    @Test
    void answersWithOneResultForEachClientInTheOrderOfTheRequest() {
        Answer answer = server.post("/api/command/multi", body("echo"));

        JsonNode json = answer.json();
        assertThat(answer.status()).isEqualTo(200);
        assertThat(json.get("success").asBoolean()).isFalse();
        assertThat(json.get("total").asInt()).isEqualTo(3);
        assertThat(json.get("success_count").asInt()).isEqualTo(2);
        assertThat(json.get("failed_count").asInt()).isEqualTo(1);
        assertThat(json.at("/results/0/client_id").asString()).isEqualTo("client-001");
        assertThat(json.at("/results/0/status").asString()).isEqualTo("completed");
        assertThat(json.at("/results/0/result/n").asInt()).isEqualTo(1);
        assertThat(json.at("/results/1/status").asString()).isEqualTo("failed");
        assertThat(json.at("/results/1/code").asString()).isEqualTo("target_unknown");
        assertThat(json.at("/results/2/client_id").asString()).isEqualTo("client-002");
    }

    @Test
    void showsFailedCommandsAsFailed() {
        Answer answer = server.post("/api/command/multi", body("fail"));

        assertThat(answer.json().get("success_count").asInt()).isZero();
        assertThat(answer.text("/results/0/error")).isEqualTo("disk full");
    }

    @Test
    void isHeldUntilAllHaveEnded() {
        CompletableFuture<Answer> answer = server.sendAsync(server.postRequest("/api/command/multi", body("hang")));
        await().until(() -> server.edge.running.size() == 2);
        List<AgentEdge.Running> running = List.copyOf(server.edge.running.values());

        running.get(0).complete("1");
        assertThat(answer).isNotDone();
        running.get(1).complete("2");

        assertThat(answer.join().json().get("success_count").asInt()).isEqualTo(2);
    }

    @Test
    void isHeldNoLongerThanTheTimeoutAndFiveSecondsMore() {
        CompletableFuture<Answer> answer = server.sendAsync(server.postRequest(
                "/api/command/multi",
                "{\"client_ids\":[\"client-away\"],\"command_type\":\"echo\",\"timeout\":10,\"ttl\":100}"));
        await().until(() -> server.time.waiting(Duration.ofSeconds(15)) == 1);

        server.time.advance(Duration.ofSeconds(15));

        assertThat(answer.join().text("/results/0/status")).isEqualTo("pending");
        assertThat(answer.join().json().get("open_count").asInt()).isEqualTo(1);
        assertThat(answer.join().json().get("success").asBoolean()).isFalse();
    }

    @Test
    void streamsTheStartAtOnceThenEachResultAsItEndsThenASummary() {
        List<String> lines = new CopyOnWriteArrayList<>();
        CompletableFuture<?> ended = stream("hang", lines);
        await().until(() -> lines.contains("event: start") && server.edge.running.size() == 2);
        await().until(() -> lines.stream().filter("event: result"::equals).count() == 1);

        server.edge.running.values().forEach(running -> running.complete("1"));

        ended.join();
        assertThat(lines.stream().filter(line -> line.startsWith("event: ")))
                .containsExactly("event: start", "event: result", "event: result", "event: result", "event: complete");
        JsonNode summary = data(lines, lines.lastIndexOf("event: complete"));
        assertThat(summary.get("total").asInt()).isEqualTo(3);
        assertThat(summary.get("success").asInt()).isEqualTo(2);
        assertThat(summary.get("failed").asInt()).isEqualTo(1);
        assertThat(summary.get("duration_ms").asLong()).isZero();
    }

    @Test
    void cancelsAllCommandsOfAHeldRequest() {
        List<String> lines = new CopyOnWriteArrayList<>();
        CompletableFuture<?> ended = stream("hang", lines);
        await().until(() -> lines.contains("event: start") && server.edge.running.size() == 2);
        String task = data(lines, lines.indexOf("event: start")).get("task_id").asString();

        Answer cancelled = server.send(server.request("/api/command/multi/" + task + "/cancel")
                .POST(BodyPublishers.noBody())
                .build());

        ended.join();
        assertThat(cancelled.status()).isEqualTo(200);
        assertThat(cancelled.json().get("cancelled_count").asInt()).isEqualTo(2);
        assertThat(server.post("/api/command/multi/" + task + "/cancel", "").status())
                .isEqualTo(404);
    }

    @Test
    void saysWhichCommandsHaveNotStoppedInFiveSeconds() {
        List<String> lines = new CopyOnWriteArrayList<>();
        CompletableFuture<?> ended = stream("stubborn", lines);
        await().until(() -> lines.contains("event: start") && server.edge.running.size() == 2);
        String task = data(lines, lines.indexOf("event: start")).get("task_id").asString();

        CompletableFuture<Answer> cancelled =
                server.sendAsync(server.postRequest("/api/command/multi/" + task + "/cancel", ""));
        await().until(() -> server.time.waiting(Duration.ofSeconds(5)) == 1);
        server.time.advance(Duration.ofSeconds(5));

        assertThat(cancelled.join().status()).isEqualTo(202);
        assertThat(cancelled.join().json().get("open_count").asInt()).isEqualTo(2);
        server.edge.running.values().forEach(running -> running.complete("1"));
        ended.join();
    }

    @Test
    void refusesAClientThatIsNamedTwiceSinceNothingRunsTwice() {
        Answer answer = server.post(
                "/api/command/multi", "{\"client_ids\":[\"client-001\",\"client-001\"],\"command_type\":\"echo\"}");

        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.text("/field")).isEqualTo("/client_ids/1");
        assertThat(server.manager.stats().accepted()).isZero();
    }

    @Test
    void runsEachCommandOnceForAnIdempotencyKey() {
        server.post("/api/command/multi", body("echo"), "Idempotency-Key", "k");
        server.post("/api/command/multi", body("echo"), "Idempotency-Key", "k");

        assertThat(server.manager.stats().accepted()).isEqualTo(2);
    }

    private CompletableFuture<?> stream(String type, List<String> lines) {
        return server.client.sendAsync(
                server.postRequest("/api/command/stream", body(type)),
                BodyHandlers.fromLineSubscriber(new LineCollector(lines)));
    }

    private static JsonNode data(List<String> lines, int eventLine) {
        return FacadeFixture.JSON.readTree(lines.get(eventLine + 1).substring("data: ".length()));
    }
}
