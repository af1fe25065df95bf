package io.github.commandway.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.commandway.http.FacadeFixture.Answer;
import io.github.commandway.manager.IdGenerator;
import java.time.Duration;
import java.time.ZoneId;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

class TaskOptionsTest {
    @RegisterExtension
    final FacadeFixture server = new FacadeFixture(options -> options.tasks(new TaskOptions(
            "default",
            TaskOptions.Mode.QUEUE,
            Duration.ofMinutes(1),
            Duration.ofMinutes(2),
            IdGenerator.taskNumber(41),
            ZoneId.of("Asia/Shanghai"))));

    @Test
    void numbersTasksAndTellsTheTimeOfItsZone() {
        Answer answer = server.post("/", "{\"cmd_type\":\"echo\"}");

        assertThat(answer.text("/task_id")).isEqualTo("TASK_000042");
        assertThat(server.get("/task/TASK_000042").text("/submit_time")).isEqualTo("2026-01-01 08:00:00");
        assertThat(server.get("/task/TASK_000042").text("/status")).isEqualTo("completed");
    }

    @Test
    void needsTheQueueThatItNames() {
        HttpFacade.Builder facade =
                HttpFacade.builder(server.manager, server.edge).tasks(TaskOptions.of("default", server.time.clock()));

        assertThatThrownBy(facade::build).hasMessageContaining("'default'");
        assertThatThrownBy(() -> facade.queues(server.queues)
                        .tasks(TaskOptions.of("nobodys", server.time.clock()))
                        .build())
                .hasMessageContaining("'nobodys'");
    }
}
