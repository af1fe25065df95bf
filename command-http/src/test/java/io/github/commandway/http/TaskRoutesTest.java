package io.github.commandway.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.http.FacadeFixture.Answer;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.RetryPolicy;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

class TaskRoutesTest {
    @RegisterExtension
    final FacadeFixture server = new FacadeFixture();

    private String submit(String body) {
        Answer answer = server.post("/", body);
        assertThat(answer.status()).as(answer.body()).isEqualTo(200);
        return answer.text("/task_id");
    }

    private CommandRecord record(String id) {
        return server.manager.find(RecordId.parse(id).orElseThrow()).join().orElseThrow();
    }

    private CommandRequest request(String body) {
        return record(submit(body)).request();
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    @Test
    void answersATaskInTheShapeOfTheDocument() {
        Answer answer = server.post("/", "{\"cmd_type\":\"hang\",\"cmd_id\":\"c-1\",\"params\":{\"pool\":2}}");

        String id = answer.text("/task_id");
        assertThat(id).matches("task_20260101_000000_[0-9a-f]{6}");
        assertThat(answer.status()).isEqualTo(200);
        assertThat(answer.header("Location")).isEqualTo("/task/" + id);
        assertThat(answer.json())
                .isEqualTo(FacadeFixture.JSON.readTree("{\"success\":true,\"message\":\"任务已加入队列\",\"task_id\":\"" + id
                        + "\",\"queue_size\":1,\"note\":\"使用 GET /task/<task_id> 查询任务状态\"}"));
    }

    @Test
    void showsATaskFromItsSubmissionToItsEnd() {
        String first = submit("{\"cmd_type\":\"hang\",\"cmd_id\":\"c-1\"}");
        String second = submit("{\"cmd_type\":\"echo\"}");

        JsonNode running = server.get("/task/" + first).json();
        assertThat(running.get("status").asString()).isEqualTo("running");
        assertThat(running.get("start_time").asString()).isEqualTo("2026-01-01 00:00:00");
        assertThat(running.get("result").isNull()).isTrue();
        assertThat(running.has("end_time")).isFalse();
        JsonNode pending = server.get("/task/" + second).json();
        assertThat(pending.get("status").asString()).isEqualTo("pending");
        assertThat(pending.get("position").asInt()).isEqualTo(1);
        assertThat(pending.has("start_time")).isFalse();

        server.time.advance(Duration.ofMillis(202_500));
        server.running(first)
                .complete("{\"success\":true,\"message\":\"SCAN_QRCODE完成\",\"scanned_count\":3,\"weight\":1.10}");

        Answer completed = server.get("/task/" + first);
        assertThat(completed.body())
                .isEqualTo("{\"task_id\":\"" + first
                        + "\",\"status\":\"completed\",\"cmd_type\":\"hang\",\"cmd_id\":\"c-1\","
                        + "\"submit_time\":\"2026-01-01 00:00:00\",\"start_time\":\"2026-01-01 00:00:00\","
                        + "\"end_time\":\"2026-01-01 00:03:22\","
                        + "\"result\":{\"success\":true,\"message\":\"SCAN_QRCODE完成\",\"scanned_count\":3,\"weight\":1.10},"
                        + "\"duration\":202.5,\"reason\":\"ok\",\"attempt\":1,\"queue\":\"default\"}");
        assertThat(server.get("/task/" + second).text("/status")).isEqualTo("completed");
    }

    @Test
    void showsEveryEndThatIsNoSuccessAsFailedWithItsReason() {
        String failed = submit("{\"cmd_type\":\"fail\"}");
        String slow = submit("{\"cmd_type\":\"hang\",\"timeout\":60}");
        String stale = submit("{\"cmd_type\":\"echo\",\"ttl\":30}");
        String unwanted = submit("{\"cmd_type\":\"echo\"}");
        server.post("/task/" + unwanted + "/cancel", "");
        server.time.advance(Duration.ofSeconds(31));
        server.time.advance(Duration.ofSeconds(31));

        assertThat(server.get("/task/" + failed).json().get("result"))
                .isEqualTo(FacadeFixture.JSON.readTree("{\"success\":false,\"message\":\"disk full\"}"));
        for (String[] end : new String[][] {
            {failed, "executor_error"},
            {slow, "execution_timeout"},
            {stale, "queue_timeout"},
            {unwanted, "cancelled_before_start"}
        }) {
            JsonNode task = server.get("/task/" + end[0]).json();
            assertThat(task.get("status").asString()).isEqualTo("failed");
            assertThat(task.get("reason").asString()).isEqualTo(end[1]);
            assertThat(task.get("result").get("success").asBoolean(true)).isFalse();
            assertThat(task.get("result").get("message").asString()).isNotBlank();
        }
    }

    @Test
    void neverShowsAResultThatSaysThatItFailedAsCompleted() {
        String id = submit("{\"cmd_type\":\"hang\"}");

        server.running(id).complete("{\"success\":false,\"message\":\"no bottle\"}");

        JsonNode task = server.get("/task/" + id).json();
        assertThat(task.get("status").asString()).isEqualTo("failed");
        assertThat(task.get("reason").asString()).isEqualTo("executor_error");
        assertThat(task.at("/result/message").asString()).isEqualTo("no bottle");
        JsonNode queue = server.get("/queue/status").json();
        assertThat(queue.get("failed_tasks").asInt()).isEqualTo(1);
        assertThat(queue.get("completed_tasks").asInt()).isZero();
        Answer command = server.get("/api/command/" + id);
        assertThat(command.text("/command/status")).isEqualTo("failed");
        assertThat(command.text("/command/result/message")).isEqualTo("no bottle");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"n\":1} | {\"success\":true,\"message\":\"hang完成\",\"n\":1}",
                "[1,2] | {\"success\":true,\"message\":\"hang完成\",\"data\":[1,2]}",
                "done | {\"success\":true,\"message\":\"hang完成\",\"data\":\"done\"}",
                "{\"success\":true,\"_http_status\":201} | {\"success\":true}"
            })
    void showsAnyResultAsAnObjectThatSaysSuccess(String returned, String shown) {
        String id = submit("{\"cmd_type\":\"hang\"}");

        server.running(id).complete(returned);

        assertThat(server.get("/task/" + id).json().get("result")).isEqualTo(FacadeFixture.JSON.readTree(shown));
    }

    @Test
    void takesTheWrappedFormAndNumbersAsCmdId() {
        CommandRequest wrapped = request("{\"params\":{\"a\": 1.10},\"data\":{\"cmd_type\":\"hang\",\"cmd_id\":1001}}");

        assertThat(wrapped.type()).isEqualTo("hang");
        assertThat(wrapped.reference()).isEqualTo("1001");
        assertThat(text(wrapped.payload())).isEqualTo("{\"a\": 1.10}");
    }

    @Test
    void givesTheExecutorWhatCameBesideTheParameters() {
        assertThat(text(request("{\"cmd_type\":\"echo\",\"params\":{\"a\": 1.10 },\"header\":{\"t\":1},\"extra\":[2]}")
                        .payload()))
                .isEqualTo("{\"a\": 1.10 ,\"_header\":{\"t\":1},\"_extra\":[2]}");
        assertThat(text(request("{\"cmd_type\":\"echo\",\"extra\":null}").payload()))
                .isEqualTo("{\"_extra\":null}");
    }

    @Test
    void passesOnWhatASubmissionSaysAboutItsTimes() {
        submit("{\"cmd_type\":\"hang\"}");
        CommandRequest plain = request("{\"cmd_type\":\"echo\"}");
        assertThat(plain.timeout()).isEqualTo(Duration.ofMinutes(30));
        assertThat(plain.ttl()).isEqualTo(Duration.ofHours(24));
        assertThat(plain.retry()).isNull();

        CommandRequest full = request("{\"cmd_type\":\"echo\",\"timeout\":1.5,\"ttl\":60,\"priority\":-7,\"delay\":90,"
                + "\"retries\":2,\"order_key\":\"arm\"}");
        assertThat(full.timeout()).isEqualTo(Duration.ofMillis(1_500));
        assertThat(full.ttl()).isEqualTo(Duration.ofSeconds(60));
        assertThat(full.priority()).isEqualTo(-7);
        assertThat(full.notBefore()).isEqualTo(server.time.clock().instant().plusSeconds(90));
        assertThat(full.orderKey()).isEqualTo("arm");
        assertThat(full.retry()).isEqualTo(RetryPolicy.exponential(3));

        String delayed = submit("{\"cmd_type\":\"echo\",\"not_before\":\"2026-01-01T08:00:00+08:00\"}");
        assertThat(record(delayed).request().notBefore())
                .isEqualTo(server.time.clock().instant());
    }

    @Test
    void takesTasksAtAnyPathThatNothingElseHasAClaimTo() {
        assertThat(server.post("/robot/arm/1", "{\"cmd_type\":\"echo\"}").status())
                .isEqualTo(200);
        assertThat(server.post("/robot/arm/1", "{\"cmd_type\":\"hang\"}", "Prefer", "respond-async")
                        .status())
                .isEqualTo(202);
        assertThat(server.post("/api/comand", "{\"cmd_type\":\"echo\"}").status())
                .isEqualTo(404);
        assertThat(server.post("/task/1/stop", "{}").status()).isEqualTo(404);
        assertThat(server.post("/health", "{\"cmd_type\":\"echo\"}").status()).isEqualTo(405);
        assertThat(server.get("/robot").status()).isEqualTo(404);
        assertThat(server.get("/robot/arm").status()).isEqualTo(404);
    }

    @Test
    void takesWhatCurlSendsUnlessToldOtherwise() {
        String body = "{\"cmd_type\":\"echo\"}";
        Answer form = server.send(server.request("/")
                .header("Content-Type", "application/x-www-form-urlencoded")
                .POST(BodyPublishers.ofString(body))
                .build());
        Answer none = server.send(
                server.request("/").POST(BodyPublishers.ofString(body)).build());
        Answer xml = server.send(server.request("/")
                .header("Content-Type", "text/xml")
                .POST(BodyPublishers.ofString(body))
                .build());

        assertThat(form.status()).isEqualTo(200);
        assertThat(none.status()).isEqualTo(200);
        assertThat(xml.status()).isEqualTo(415);
        assertThat(xml.json().get("code").asInt()).isEqualTo(1006);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{ | 400 | 1001 |",
                "[] | 400 | 1003 |",
                "{} | 400 | 1002 | /cmd_type",
                "{\"data\":{}} | 400 | 1002 | /data/cmd_type",
                "{\"cmd_type\":7} | 400 | 1003 | /cmd_type",
                "{\"cmd_type\":\"a\",\"cmd_id\":{}} | 400 | 1003 | /cmd_id",
                "{\"cmd_type\":\"a\",\"color\":1} | 400 | 1003 | /color",
                "{\"cmd_type\":\"a\",\"queue\":\"nobodys\"} | 400 | 1003 | /queue",
                "{\"cmd_type\":\"a\",\"data\":{\"cmd_type\":\"a\"}} | 400 | 1003 | /data",
                "{\"data\":{\"cmd_type\":\"a\",\"color\":1}} | 400 | 1003 | /data/color",
                "{\"data\":7} | 400 | 1003 | /data",
                "{\"cmd_type\":\"a\",\"priority\":101} | 400 | 1003 | /priority",
                "{\"cmd_type\":\"a\",\"priority\":1.5} | 400 | 1003 | /priority",
                "{\"cmd_type\":\"a\",\"retries\":-1} | 400 | 1003 | /retries",
                "{\"cmd_type\":\"a\",\"retries\":1000} | 400 | 1003 | /retries",
                "{\"cmd_type\":\"a\",\"not_before\":\"tomorrow\"} | 400 | 1003 | /not_before",
                "{\"cmd_type\":\"a\",\"not_before\":\"+99999-01-01T00:00:00Z\"} | 400 | 1003 | /not_before",
                "{\"cmd_type\":\"a\",\"delay\":1,\"not_before\":\"2026-01-01T00:00:00Z\"} | 400 | 1003 | /delay",
                "{\"cmd_type\":\"a\",\"params\":[1],\"extra\":1} | 400 | 1003 | /params",
                "{\"cmd_type\":\"a\",\"params\":{\"_extra\":1},\"extra\":1} | 400 | 1003 | /params"
            })
    void refusesWhatIsNotRightWithItsNumber(String body, int status, int code, String field) {
        Answer answer = server.post("/", body);

        assertThat(answer.status()).as(answer.body()).isEqualTo(status);
        assertThat(answer.header("Content-Type")).isEqualTo("application/problem+json");
        assertThat(answer.json().get("code").asInt()).isEqualTo(code);
        assertThat(answer.json().get("success").asBoolean(true)).isFalse();
        assertThat(answer.text("/message")).isNotBlank();
        if (field != null) {
            assertThat(answer.text("/field")).isEqualTo(field);
        }
        assertThat(server.manager.stats().accepted()).isZero();
    }

    @Test
    void namesTheCmdIdInARefusal() {
        Answer answer = server.post(
                "/", "{\"cmd_type\":\"a\",\"cmd_id\":\"c-1\",\"delay\":1,\"not_before\":\"2026-01-01T00:00:00Z\"}");

        assertThat(answer.text("/cmd_id")).isEqualTo("c-1");
    }

    @Test
    void acceptsTheSameTaskOnceUnderOneIdempotencyKey() {
        String body = "{\"cmd_type\":\"echo\",\"cmd_id\":\"c-1\",\"delay\":5}";
        Answer first = server.post("/", body, "Idempotency-Key", "k");
        Answer again = server.post("/", body, "Idempotency-Key", "k");
        Answer other = server.post("/", body.replace("echo", "hang"), "Idempotency-Key", "k");

        assertThat(again.text("/task_id")).isEqualTo(first.text("/task_id"));
        assertThat(other.status()).isEqualTo(422);
        assertThat(other.json().get("code").asInt()).isEqualTo(1007);
        assertThat(other.text("/cmd_id")).isEqualTo("c-1");
        assertThat(server.post("/", body, "Idempotency-Key", " ")
                        .json()
                        .get("code")
                        .asInt())
                .isEqualTo(1003);
    }

    @Test
    void runsTheSameCmdIdAsOftenAsItIsSent() {
        String body = "{\"cmd_type\":\"echo\",\"cmd_id\":\"c-1\"}";

        assertThat(submit(body)).isNotEqualTo(submit(body));
    }

    @Test
    void refusesMoreThanTheQueueHolds() {
        submit("{\"cmd_type\":\"hang\"}");
        for (int i = 0; i < 100; i++) {
            submit("{\"cmd_type\":\"echo\"}");
        }

        Answer answer = server.post("/", "{\"cmd_type\":\"echo\",\"cmd_id\":\"c-1\"}");

        assertThat(answer.status()).isEqualTo(503);
        assertThat(answer.json().get("code").asInt()).isEqualTo(4007);
        assertThat(answer.header("Retry-After")).isEqualTo("1");
        assertThat(answer.text("/cmd_id")).isEqualTo("c-1");
    }

    @Test
    void waitsForTheEndAsPreferredAndShowsIt() {
        CompletableFuture<Answer> answer =
                server.sendAsync(server.postRequest("/", "{\"cmd_type\":\"hang\"}", "Prefer", "wait=60"));
        await().until(() -> server.edge.running.size() == 1);
        String id = server.edge.running.keySet().iterator().next().toString();
        CompletableFuture<Answer> look = server.sendAsync(
                server.request("/task/" + id).header("Prefer", "wait=60").build());
        await().until(() -> server.time.waiting(Duration.ofSeconds(60)) == 2);

        server.running(id).complete("{\"success\":true}");

        assertThat(answer.join().header("Preference-Applied")).isEqualTo("wait=60");
        assertThat(answer.join().text("/task/status")).isEqualTo("completed");
        assertThat(look.join().text("/status")).isEqualTo("completed");
        Answer failed = server.post("/", "{\"cmd_type\":\"fail\"}", "Prefer", "wait=60");
        assertThat(failed.json().get("success").asBoolean(true)).isFalse();
        assertThat(failed.text("/message")).isEqualTo("任务执行失败");
        assertThat(server.post("/", "{\"cmd_type\":\"hang\"}", "Prefer", "respond-async")
                        .status())
                .isEqualTo(202);
    }

    @Test
    void doesNotKnowTasksThatAreNone() {
        String command = server.submit("client-001", "echo");

        for (String id : List.of("task_20260101_000000_000000", "TASK_000001", "x".repeat(300), command)) {
            Answer answer = server.get("/task/" + id);
            assertThat(answer.status()).isEqualTo(404);
            assertThat(answer.json().get("code").asInt()).isEqualTo(3001);
            assertThat(answer.json().get("success").asBoolean(true)).isFalse();
        }
    }

    @Test
    void cancelsATaskThatWaitsOrRunsButNotOneThatHasEnded() {
        String running = submit("{\"cmd_type\":\"hang\"}");
        String waiting = submit("{\"cmd_type\":\"echo\"}");
        String stubborn = submit("{\"cmd_type\":\"stubborn\"}");

        Answer before = server.post("/task/" + waiting + "/cancel", "");
        assertThat(before.status()).isEqualTo(200);
        assertThat(before.text("/outcome")).isEqualTo("cancelled_before_start");
        assertThat(before.text("/task/status")).isEqualTo("failed");
        assertThat(server.post("/task/" + running + "/cancel", "").text("/outcome"))
                .isEqualTo("cancelled_while_running");
        Answer again = server.post("/task/" + running + "/cancel", "");
        assertThat(again.status()).isEqualTo(409);
        assertThat(again.json().get("code").asInt()).isEqualTo(3008);

        CompletableFuture<Answer> late = server.sendAsync(server.postRequest("/task/" + stubborn + "/cancel", ""));
        await().until(() -> server.time.waiting(Cancellations.WAIT) == 1);
        server.time.advance(Cancellations.WAIT);
        assertThat(late.join().status()).isEqualTo(202);
        assertThat(late.join().text("/task/status")).isEqualTo("running");
        assertThat(server.post("/task/TASK_000001/cancel", "").status()).isEqualTo(404);
    }

    @Test
    void tellsWhatIsInTheQueue() {
        assertThat(server.get("/queue/status").json())
                .isEqualTo(
                        FacadeFixture.JSON.readTree(
                                "{\"queue_size\":0,\"total_tasks\":0,\"completed_tasks\":0,"
                                        + "\"failed_tasks\":0,\"running_task\":null,\"queue\":\"default\",\"paused\":false,\"running_tasks\":[]}"));
        submit("{\"cmd_type\":\"echo\"}");
        submit("{\"cmd_type\":\"fail\"}");
        String running = submit("{\"cmd_type\":\"hang\"}");
        submit("{\"cmd_type\":\"echo\"}");
        submit("{\"cmd_type\":\"echo\"}");

        assertThat(server.get("/queue/status").json())
                .isEqualTo(FacadeFixture.JSON.readTree("{\"queue_size\":2,\"total_tasks\":5,\"completed_tasks\":1,"
                        + "\"failed_tasks\":1,\"running_task\":\"" + running
                        + "\",\"queue\":\"default\",\"paused\":false,\"running_tasks\":[\"" + running + "\"]}"));
    }

    @Test
    void listsTasksByStatusTypeAndTimePageByPage() {
        List<String> ids = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            ids.add(0, submit("{\"cmd_type\":\"echo\"}"));
            server.time.advance(Duration.ofMillis(1));
        }
        server.time.advance(Duration.ofSeconds(60));
        String failed = submit("{\"cmd_type\":\"fail\"}");
        server.time.advance(Duration.ofMillis(1));
        String running = submit("{\"cmd_type\":\"hang\"}");
        server.time.advance(Duration.ofMillis(1));
        String pending = submit("{\"cmd_type\":\"echo\"}");
        server.submit("client-002", "echo");

        List<String> seen = new ArrayList<>();
        String cursor = "";
        do {
            JsonNode page =
                    server.get("/tasks?status=completed&limit=2" + cursor).json();
            page.get("tasks").forEach(task -> seen.add(task.get("task_id").asString()));
            cursor = page.has("next_cursor")
                    ? "&cursor=" + page.get("next_cursor").asString()
                    : null;
        } while (cursor != null);
        assertThat(seen).isEqualTo(ids);
        assertThat(listed("")).hasSize(8);
        assertThat(listed("?status=running")).containsExactly(running);
        assertThat(listed("?status=failed")).containsExactly(failed);
        assertThat(listed("?cmd_type=echo&status=pending")).containsExactly(pending);
        assertThat(listed("?from=2026-01-01T00:01:00Z")).containsExactly(pending, running, failed);
        assertThat(listed("?until=2026-01-01T00:01:00Z")).isEqualTo(ids);
        String elsewhere = submit("{\"cmd_type\":\"hang\",\"queue\":\"other\"}");
        assertThat(listed("?queue=other")).containsExactly(elsewhere);
        assertThat(server.get("/queue/status?queue=other").text("/running_task"))
                .isEqualTo(elsewhere);
    }

    private List<String> listed(String query) {
        List<String> ids = new ArrayList<>();
        server.get("/tasks" + query)
                .json()
                .get("tasks")
                .forEach(task -> ids.add(task.get("task_id").asString()));
        return ids;
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"status=done", "queue=nobodys", "cursor=nonsense", "from=yesterday", "limit=0", "color=red"})
    void refusesAParameterThatIsNotRight(String query) {
        Answer answer = server.get("/tasks?" + query);

        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.json().get("code").asInt()).isEqualTo(1003);
        assertThat(answer.text("/field")).isEqualTo(query.substring(0, query.indexOf('=')));
    }

    @Test
    void saysThatItRunsAndInWhichMode() {
        JsonNode answer = server.get("/").json();

        assertThat(answer.get("status").asString()).isEqualTo("running");
        assertThat(answer.get("message").asString()).isNotBlank();
        assertThat(answer.get("queue_mode").asBoolean()).isTrue();
    }
}
