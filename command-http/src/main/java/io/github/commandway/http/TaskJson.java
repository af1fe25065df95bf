package io.github.commandway.http;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.manager.Target;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Commands in queues as the task API shows them. */
final class TaskJson {
    static final String PENDING = "pending";
    static final String RUNNING = "running";
    static final String FAILED = "failed";

    /** In the result of an executor: the HTTP status of the answer in sync mode. Nobody else gets to see it. */
    private static final String HTTP_STATUS = "_http_status";

    private static final String SUCCESS = "success";
    private static final String MESSAGE = "message";

    private final DateTimeFormatter times;

    TaskJson(ZoneId zone) {
        times = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss").withZone(zone);
    }

    /** A task; the result is left out and named in {@code omitted} when there is no room for it, or the caller may not see it. */
    Map<String, Object> task(CommandRecord record, CommandJson.Room room) {
        CommandRequest request = record.request();
        Outcome outcome = Outcome.of(record);
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("task_id", record.id().toString());
        json.put("status", outcome.status());
        json.put("cmd_type", request.type());
        putIfPresent(json, "cmd_id", request.reference());
        json.put("submit_time", times.format(record.createdAt()));
        Instant start = startOf(record);
        if (start != null) {
            json.put("start_time", times.format(start));
        }
        if (record.endedAt() != null) {
            json.put("end_time", times.format(record.endedAt()));
        }
        if (room.takeResult(record)) {
            json.put("result", outcome.result());
        } else {
            json.put("result", null);
            json.put("omitted", List.of("result"));
        }
        if (start != null && record.endedAt() != null) {
            json.put("duration", Duration.between(start, record.endedAt()).toMillis() / 1_000.0);
        }
        putIfPresent(json, "reason", outcome.reason());
        json.put("attempt", record.attempt());
        json.put("queue", ((Target.Queue) request.target()).name());
        if (!record.status().isTerminal()) {
            if (record.sentAt() == null && record.notBefore() != null) {
                json.put("not_before", times.format(record.notBefore()));
            }
            putIfPresent(json, MESSAGE, record.message());
            json.put("cancel_requested", record.cancelRequested());
        }
        return json;
    }

    private static @Nullable Instant startOf(CommandRecord record) {
        return record.startedAt() == null ? record.sentAt() : record.startedAt();
    }

    private static void putIfPresent(Map<String, Object> json, String name, @Nullable String value) {
        if (value != null) {
            json.put(name, value);
        }
    }

    /**
     * What a task has come to.
     *
     * @param status pending, running, completed or failed
     * @param result null while it has not ended
     * @param httpStatus what the executor wants as the status of an answer in sync mode; 200 if it wants nothing
     */
    record Outcome(
            String status,
            @Nullable String reason,
            @Nullable Map<String, Object> result,
            int httpStatus) {

        static Outcome of(CommandRecord record) {
            Reason reason = record.reason();
            if (reason == null) {
                return new Outcome(record.sentAt() == null ? PENDING : RUNNING, null, null, 200);
            }
            byte[] content = record.result();
            String status =
                    record.status() == CommandStatus.COMPLETED ? record.status().code() : FAILED;
            return content == null
                    ? new Outcome(status, reason.code(), failure(record, reason), 200)
                    : returned(record, status, reason, content);
        }

        private static Outcome returned(CommandRecord record, String status, Reason reason, byte[] content) {
            boolean completed = reason == Reason.OK;
            ObjectNode object = Json.object(content);
            Map<String, Object> result = new LinkedHashMap<>();
            if (object == null || !object.has(SUCCESS)) {
                result.put(SUCCESS, completed);
                result.put(MESSAGE, completed ? record.request().type() + "完成" : messageOf(record, reason));
            }
            int httpStatus = 200;
            if (object == null) {
                result.put("data", content.length == 0 ? null : Json.content(content));
            } else {
                httpStatus = httpStatus(object.remove(HTTP_STATUS));
                object.properties().forEach(member -> result.put(member.getKey(), member.getValue()));
            }
            if (!completed) {
                result.put(SUCCESS, false);
            }
            return new Outcome(status, reason.code(), result, httpStatus);
        }

        private static int httpStatus(@Nullable JsonNode wanted) {
            return wanted != null && wanted.isInt() && wanted.intValue() >= 200 && wanted.intValue() <= 599
                    ? wanted.intValue()
                    : 200;
        }

        private static Map<String, Object> failure(CommandRecord record, Reason reason) {
            Map<String, Object> result = new LinkedHashMap<>();
            result.put(SUCCESS, false);
            result.put(MESSAGE, messageOf(record, reason));
            return result;
        }

        private static String messageOf(CommandRecord record, Reason reason) {
            return record.message() == null ? reason.code() : record.message();
        }

        boolean isFailure() {
            return status.equals(FAILED);
        }

        boolean hasEnded() {
            return result != null;
        }
    }
}
