package io.github.commandway.http;

import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandPage;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.Target;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/** Commands and their events as JSON members. What is not there is left out. */
final class CommandJson {
    /** How much of payloads and results a page of a list carries at most. */
    static final int LIST_CONTENT_BYTES = 4 << 20;

    private CommandJson() {}

    /** What payloads and results one answer may still carry: how many bytes, and only those results that its caller may see. */
    static final class Room {
        private final Caller caller;
        private long left;

        /** Room for what is no result of a command. */
        Room(long bytes) {
            this(Caller.NOBODY, bytes);
        }

        Room(Caller caller, long bytes) {
            this.caller = caller;
            left = bytes;
        }

        static Room unlimited(Caller caller) {
            return new Room(caller, Long.MAX_VALUE);
        }

        /** Whether there is room for the command's result, and the caller may see it; what is empty always has room. */
        boolean takeResult(CommandRecord record) {
            byte[] result = record.result();
            return result == null
                    || result.length == 0
                    || (caller.may(Right.OUTPUT, record.request()) && take(result.length));
        }

        boolean take(int bytes) {
            if (bytes > left) {
                return false;
            }
            left -= bytes;
            return true;
        }
    }

    static Map<String, Object> command(Caller caller, CommandRecord record) {
        return command(record, Room.unlimited(caller));
    }

    /** A command; payload and result are left out and named in {@code omitted} when there is no room for them, or the caller may not see the result. */
    static Map<String, Object> command(CommandRecord record, Room room) {
        CommandRequest request = record.request();
        Map<String, Object> json = new LinkedHashMap<>();
        List<String> omitted = new ArrayList<>(2);
        json.put("command_id", record.id().toString());
        if (request.target() instanceof Target.Agent agent) {
            json.put("client_id", agent.id());
        } else {
            json.put("target", request.target().toString());
        }
        json.put("command_type", request.type());
        putContent(json, "payload", request.payload(), room.take(request.payload().length), omitted);
        json.put("status", record.status().code());
        putContent(json, "result", record.result(), room.takeResult(record), omitted);
        putIfPresent(json, "error", record.message());
        putIfPresent(
                json, "reason", record.reason() == null ? null : record.reason().code());
        json.put("created_at", record.createdAt().toString());
        putIfPresent(json, "assigned_to", record.assignedTo());
        putIfPresent(json, "sent_at", record.sentAt());
        putIfPresent(json, "started_at", record.startedAt());
        putIfPresent(json, "completed_at", record.endedAt());
        json.put("timeout", request.timeout().toNanos());
        json.put("ttl", request.ttl().toNanos());
        json.put("attempt", record.attempt());
        json.put("cancel_requested", record.cancelRequested());
        if (!omitted.isEmpty()) {
            json.put("omitted", omitted);
        }
        return json;
    }

    /** What became of a command in an answer about many. */
    static Map<String, Object> result(String clientId, CommandRecord record, Room room) {
        Map<String, Object> json = new LinkedHashMap<>();
        List<String> omitted = new ArrayList<>(1);
        json.put("client_id", clientId);
        json.put("command_id", record.id().toString());
        json.put("status", record.status().code());
        putContent(json, "result", record.result(), room.takeResult(record), omitted);
        putIfPresent(json, "error", record.message());
        putIfPresent(
                json, "reason", record.reason() == null ? null : record.reason().code());
        if (!omitted.isEmpty()) {
            json.put("omitted", omitted);
        }
        return json;
    }

    static Map<String, Object> event(CommandEvent event, Room room) {
        Map<String, Object> json = new LinkedHashMap<>();
        List<String> omitted = new ArrayList<>(1);
        json.put("sequence", event.sequence());
        json.put("type", event.type().code());
        json.put("at", event.at().toString());
        putIfPresent(json, "channel", event.channel());
        if (event.fraction() >= 0) {
            json.put("fraction", event.fraction());
        }
        if (!event.message().isEmpty()) {
            json.put("message", event.message());
        }
        byte[] data = event.data();
        if (event.type() == CommandEvent.Type.OUTPUT && data != null) {
            if (room.take(data.length)) {
                json.put("data", Json.text(data));
            } else {
                omitted.add("data");
            }
        } else {
            putContent(json, "result", data, data == null || room.take(data.length), omitted);
        }
        if (!omitted.isEmpty()) {
            json.put("omitted", omitted);
        }
        return json;
    }

    /** A page of a list, with a cursor if there is more; as many contents are in it as there is room for. */
    static Reply.Full page(
            Caller caller,
            CommandPage page,
            String member,
            BiFunction<CommandRecord, Room, Map<String, Object>> entry) {
        Room room = new Room(caller, LIST_CONTENT_BYTES);
        Map<String, Object> json = Json.list(
                member,
                page.records().stream().map(record -> entry.apply(record, room)).toList());
        if (page.nextCursor() != null) {
            json.put("next_cursor", page.nextCursor());
        }
        return Reply.json(200, json);
    }

    static void putContent(
            Map<String, Object> json, String name, byte @Nullable [] content, boolean taken, List<String> omitted) {
        if (content == null || content.length == 0) {
            return;
        }
        if (taken) {
            json.put(name, Json.content(content));
        } else {
            omitted.add(name);
        }
    }

    private static void putIfPresent(Map<String, Object> json, String name, @Nullable Object value) {
        if (value != null) {
            json.put(name, value.toString());
        }
    }
}
