package io.github.commandway.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.http.FacadeFixture.Answer;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SyncTasksTest {
    private final ObservedTime unused = new ObservedTime();

    @RegisterExtension
    final FacadeFixture server = new FacadeFixture(
            options -> options.tasks(TaskOptions.of("default", unused.clock()).withMode(TaskOptions.Mode.SYNC)));

    /** Submits a task that hangs, and returns its answer to come when it runs. */
    private CompletableFuture<Answer> submitHanging(String more, String... headers) {
        CompletableFuture<Answer> answer = server.sendAsync(
                server.postRequest("/", "{\"cmd_type\":\"hang\",\"cmd_id\":\"c-1\"" + more + "}", headers));
        await().until(() -> server.edge.running.size() == 1);
        return answer;
    }

    private String runningId() {
        return server.edge.running.keySet().iterator().next().toString();
    }

    @Test
    void answersWithTheResultWhenTheTaskHasEnded() {
        CompletableFuture<Answer> answer = submitHanging("");
        assertThat(answer).isNotDone();

        server.running(runningId()).complete("{\"success\":true,\"n\":1.10}");

        assertThat(answer.join().status()).isEqualTo(200);
        assertThat(answer.join().body()).isEqualTo("{\"success\":true,\"n\":1.10}");
        assertThat(answer.join().header("Location")).startsWith("/api/command/task_");
    }

    @ParameterizedTest
    @CsvSource({"201, 201", "409, 409", "99, 200", "600, 200", "'\"409\"', 200"})
    void takesTheStatusThatTheResultAsksForOutOfIt(String wanted, int status) {
        CompletableFuture<Answer> answer = submitHanging("");

        server.running(runningId()).complete("{\"success\":false,\"_http_status\":" + wanted + ",\"code\":2003}");

        assertThat(answer.join().status()).isEqualTo(status);
        assertThat(answer.join().body()).isEqualTo("{\"success\":false,\"code\":2003}");
    }

    @Test
    void answersAFailureWithItsNumberAndReason() {
        Answer failed = server.post("/", "{\"cmd_type\":\"fail\",\"cmd_id\":\"c-1\"}");

        assertThat(failed.status()).isEqualTo(500);
        assertThat(failed.json().get("code").asInt()).isEqualTo(4003);
        assertThat(failed.json().get("success").asBoolean(true)).isFalse();
        assertThat(failed.text("/message")).isEqualTo("disk full");
        assertThat(failed.text("/cmd_id")).isEqualTo("c-1");
        assertThat(failed.text("/task_id")).startsWith("task_");
        assertThat(failed.text("/reason")).isEqualTo("executor_error");
    }

    @ParameterizedTest
    @CsvSource({"UNKNOWN_COMMAND, 400, 1004", "LOST, 500, 3006", "AGENT_UNREACHABLE, 500, 3006"})
    void answersOtherFailuresWithTheirNumbers(String reason, int status, int code) {
        CompletableFuture<Answer> answer = submitHanging("");

        server.running(runningId()).fail(reason);

        assertThat(answer.join().status()).isEqualTo(status);
        assertThat(answer.join().json().get("code").asInt()).isEqualTo(code);
    }

    @Test
    void answersAtAnyPathAsItDoesAtTheRoot() {
        assertThat(submitAnywhere("fail", "").join().status()).isEqualTo(500);
        assertThat(submitAnywhere("echo", "", "Idempotency-Key", "k").join().status())
                .isEqualTo(200);
        assertThat(submitAnywhere("echo", ",\"params\":1", "Idempotency-Key", "k")
                        .join()
                        .status())
                .isEqualTo(422);

        CompletableFuture<Answer> wanted = submitAnywhere("hang", "");
        await().until(() -> server.edge.running.size() == 1);
        server.edge.running.values().forEach(run -> run.complete("{\"_http_status\":409}"));
        assertThat(wanted.join().status()).isEqualTo(409);
        server.edge.running.clear();

        CompletableFuture<Answer> late = submitAnywhere("hang", ",\"timeout\":5");
        await().until(() -> server.edge.running.size() == 1);
        server.time.advance(Duration.ofSeconds(6));
        assertThat(late.join().status()).isEqualTo(408);
        server.edge.running.clear();

        CompletableFuture<Answer> cancelled = submitAnywhere("hang", "");
        await().until(() -> server.edge.running.size() == 1);
        server.post("/task/" + runningId() + "/cancel", "");
        assertThat(cancelled.join().status()).isEqualTo(410);

        server.manager.shutdown();
        assertThat(submitAnywhere("echo", "").join().status()).isEqualTo(503);
    }

    private CompletableFuture<Answer> submitAnywhere(String type, String more, String... headers) {
        return server.sendAsync(
                server.postRequest("/robot/arm", "{\"cmd_type\":\"" + type + "\"" + more + "}", headers));
    }

    @Test
    void answers408WhenTheTimeOfTheTaskIsOver() {
        CompletableFuture<Answer> answer = submitHanging(",\"timeout\":5");

        server.time.advance(Duration.ofSeconds(6));

        assertThat(answer.join().status()).isEqualTo(408);
        assertThat(answer.join().json().get("code").asInt()).isEqualTo(3004);
    }

    @Test
    void answers410WhenTheTaskIsCancelled() {
        CompletableFuture<Answer> answer = submitHanging("");

        assertThat(server.post("/task/" + runningId() + "/cancel", "").status()).isEqualTo(200);

        assertThat(answer.join().status()).isEqualTo(410);
        assertThat(answer.join().json().get("code").asInt()).isEqualTo(3005);
    }

    @Test
    void answersWithTheTaskAsItIsWhenThePreferredWaitIsOver() {
        CompletableFuture<Answer> answer = submitHanging("", "Prefer", "wait=7");
        await().until(() -> server.time.waiting(Duration.ofSeconds(7)) == 1);

        server.time.advance(Duration.ofSeconds(7));

        assertThat(answer.join().status()).isEqualTo(202);
        assertThat(answer.join().text("/task_id")).isEqualTo(runningId());
        assertThat(answer.join().text("/task/status")).isEqualTo("running");
        String location = answer.join().header("Location");
        assertThat(server.get(location).text("/command/status")).isEqualTo("executing");
    }

    @Test
    void answersWithTheTaskAsItIsWhenTheServerIsShutDown() {
        CompletableFuture<Answer> answer = submitHanging("");

        server.facade.shutdown(Duration.ofSeconds(10));

        assertThat(answer.join().status()).isEqualTo(202);
    }

    @Test
    void executesOneAfterTheOther() {
        CompletableFuture<Answer> first = submitHanging("");
        CompletableFuture<Answer> second =
                server.sendAsync(server.postRequest("/", "{\"cmd_type\":\"echo\",\"params\":{\"n\":2}}"));
        await().until(() -> server.queues.state("default").join().waiting() == 1);
        assertThat(second).isNotDone();

        server.running(runningId()).complete("{}");

        assertThat(first.join().status()).isEqualTo(200);
        assertThat(second.join().json().get("n").asInt()).isEqualTo(2);
    }

    @Test
    void saysThatItIsNotInQueueMode() {
        assertThat(server.get("/").json().get("queue_mode").asBoolean(true)).isFalse();
        for (String path : new String[] {"/queue/status", "/task/task_20260101_000000_000000"}) {
            assertThat(server.get(path).status()).isEqualTo(503);
            assertThat(server.get(path).json().get("code").asInt()).isEqualTo(3003);
        }
    }

    @Test
    void listsTheStatusesOfItsAnswersInTheOpenApiDocument() {
        assertThat(server.get("/openapi.json")
                        .json()
                        .at("/paths/~1/post/responses")
                        .propertyNames())
                .contains("200", "202", "400", "408", "410", "500", "503");
    }
}
