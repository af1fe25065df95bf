package io.github.commandway.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.http.FacadeFixture.Answer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

class QueueRoutesTest {
    @RegisterExtension
    final FacadeFixture server = new FacadeFixture();

    private String submit(String type) {
        return server.post("/", "{\"cmd_type\":\"" + type + "\"}").text("/task_id");
    }

    @Test
    void showsAllQueuesAndEachOfThem() {
        String running = submit("hang");
        submit("echo");
        String queue =
                "{\"name\":\"default\",\"paused\":false,\"waiting\":1,\"running\":1,\"accepted\":2,\"completed\":0,\"failed\":0,"
                        + "\"running_ids\":[\"" + running
                        + "\"],\"concurrency\":1,\"max_waiting\":100,\"max_attempts\":1}";

        assertThat(server.get("/api/queues/default").json())
                .isEqualTo(FacadeFixture.JSON.readTree("{\"success\":true,\"queue\":" + queue + "}"));
        Answer all = server.get("/api/queues");
        assertThat(all.json().get("total").asInt()).isEqualTo(2);
        assertThat(all.json().at("/queues/0")).isEqualTo(FacadeFixture.JSON.readTree(queue));
        assertThat(all.text("/queues/1/name")).isEqualTo("other");
    }

    @Test
    void keepsBackWhatWaitsInAPausedQueueUntilItIsResumed() {
        Answer paused = server.post("/api/queues/default/pause", "");
        String task = submit("echo");

        assertThat(paused.status()).isEqualTo(200);
        assertThat(paused.json().at("/queue/paused").asBoolean()).isTrue();
        assertThat(server.get("/task/" + task).text("/status")).isEqualTo("pending");
        assertThat(server.get("/queue/status").json().get("paused").asBoolean()).isTrue();

        Answer resumed = server.post("/api/queues/default/resume", "");

        assertThat(resumed.json().at("/queue/paused").asBoolean(true)).isFalse();
        assertThat(server.get("/task/" + task).text("/status")).isEqualTo("completed");
    }

    @Test
    void cancelsWhatWaitsAndNotWhatRunsWhenItIsPurged() {
        String running = submit("hang");
        String waiting = submit("echo");
        submit("echo");

        Answer purged = server.post("/api/queues/default/purge", "");

        assertThat(purged.status()).isEqualTo(200);
        assertThat(purged.json().get("cancelled").asInt()).isEqualTo(2);
        assertThat(purged.json().at("/queue/waiting").asInt()).isZero();
        assertThat(server.get("/task/" + waiting).text("/reason")).isEqualTo("cancelled_before_start");
        assertThat(server.get("/task/" + running).text("/status")).isEqualTo("running");
    }

    @Test
    void showsWhatIsInTheQueuesInTheMetrics() {
        submit("echo");
        submit("fail");
        submit("hang");
        submit("echo");
        server.post("/api/queues/other/pause", "");

        assertThat(server.get("/metrics").body())
                .contains("commandway_queue_waiting{queue=\"default\"} 1.0")
                .contains("commandway_queue_running{queue=\"default\"} 1.0")
                .contains("commandway_queue_accepted_total{queue=\"default\"} 4.0")
                .contains("commandway_queue_completed_total{queue=\"default\"} 1.0")
                .contains("commandway_queue_failed_total{queue=\"default\"} 1.0")
                .contains("commandway_queue_paused{queue=\"default\"} 0.0")
                .contains("commandway_queue_paused{queue=\"other\"} 1.0");
    }

    @Test
    void doesNotKnowOtherQueues() {
        for (String action : new String[] {"pause", "resume", "purge"}) {
            assertThat(server.post("/api/queues/nobodys/" + action, "").status())
                    .isEqualTo(404);
        }
        Answer answer = server.get("/api/queues/nobodys");
        assertThat(answer.status()).isEqualTo(404);
        assertThat(answer.text("/code")).isEqualTo("queue_unknown");
    }
}
