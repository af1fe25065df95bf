package io.github.commandway.http;

import io.github.commandway.manager.CommandQuery;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.Target;
import io.github.commandway.tool.api.ParameterInfo;
import io.github.commandway.tool.api.RunOutput;
import io.github.commandway.tool.api.ScheduleInfo;
import io.github.commandway.tool.api.ToolInfo;
import io.github.commandway.tool.api.ToolService;
import io.github.commandway.tool.api.ToolchainInfo;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Tools and their runs as JSON members. What is not there is left out. */
final class ToolJson {
    private ToolJson() {}

    static boolean isRun(CommandRecord record) {
        return CommandQuery.isRunOfTool(record.request().type());
    }

    static boolean isToolchain(CommandRecord record) {
        return record.request().type().startsWith(ToolService.TOOLCHAIN_TYPE);
    }

    /** A run; what was asked for and its result are left out and named in {@code omitted} when there is no room for them, or the caller may not see the result. */
    static Map<String, Object> run(CommandRecord record, CommandJson.Room room) {
        CommandRequest request = record.request();
        Map<String, Object> json = new LinkedHashMap<>();
        List<String> omitted = new ArrayList<>(2);
        json.put("id", record.id().toString());
        String type = request.type();
        json.put(
                isToolchain(record) ? "toolchain" : "tool",
                type.substring((isToolchain(record) ? ToolService.TOOLCHAIN_TYPE : ToolService.TOOL_TYPE).length()));
        if (!(request.target() instanceof Target.Tool)) {
            json.put("on", request.target().toString());
        }
        putIfPresent(json, "user", request.principal());
        json.put("status", record.status().code());
        putIfPresent(
                json, "reason", record.reason() == null ? null : record.reason().code());
        putIfPresent(json, "error", record.message());
        putIfPresent(json, "exit_code", exitCode(record));
        json.put("created_at", record.createdAt().toString());
        putTime(json, "started_at", record.startedAt());
        putTime(json, "ended_at", record.endedAt());
        json.put("cancel_requested", record.cancelRequested());
        CommandJson.putContent(json, "request", request.payload(), room.take(request.payload().length), omitted);
        CommandJson.putContent(json, "result", record.result(), room.takeResult(record), omitted);
        if (!omitted.isEmpty()) {
            json.put("omitted", omitted);
        }
        return json;
    }

    private static void putIfPresent(Map<String, Object> json, String name, @Nullable Object value) {
        if (value != null) {
            json.put(name, value);
        }
    }

    private static void putTime(Map<String, Object> json, String name, @Nullable Instant time) {
        putIfPresent(json, name, time == null ? null : time.toString());
    }

    /** The exit code of the program, if there was one that ended by itself. */
    static @Nullable Integer exitCode(CommandRecord record) {
        JsonNode code = result(record, "exit_code");
        return code != null && code.isInt() ? code.intValue() : null;
    }

    /** Whether the run wrote more than is kept of it. */
    static boolean hasDropped(CommandRecord record) {
        return number(record, "output_dropped") > 0;
    }

    /** How much the last try of the run wrote; 0 if its result does not say. */
    static long outputBytes(CommandRecord record) {
        return number(record, "output_bytes");
    }

    private static long number(CommandRecord record, String member) {
        JsonNode number = result(record, member);
        return number == null ? 0 : number.asLong(0);
    }

    private static @Nullable JsonNode result(CommandRecord record, String member) {
        byte[] bytes = record.result();
        ObjectNode result = bytes == null ? null : Json.object(bytes);
        return result == null ? null : result.get(member);
    }

    /** A piece as text if it is text as it is, otherwise in base64. */
    static Map<String, Object> piece(RunOutput.Piece piece) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("at", piece.at().toString());
        json.put("channel", piece.channel());
        try {
            json.put(
                    "text",
                    piece.charset()
                            .newDecoder()
                            .decode(ByteBuffer.wrap(piece.data()))
                            .toString());
        } catch (CharacterCodingException notWhole) {
            json.put("base64", Base64.getEncoder().encodeToString(piece.data()));
            json.put("charset", piece.charset().name());
        }
        return json;
    }

    static Map<String, Object> tool(ToolInfo tool) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("name", tool.name());
        json.put("version", tool.version());
        json.put("newest", tool.newest());
        putIfPresent(json, "commit", tool.commit());
        json.put("description", tool.description());
        json.put("isolation", tool.isolation());
        json.put("methods", tool.methods().stream().sorted().toList());
        json.put("max_args", tool.maxArguments());
        json.put(
                "parameters",
                tool.parameters().stream().map(ToolJson::parameter).toList());
        return json;
    }

    static Map<String, Object> toolchain(ToolchainInfo chain) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("name", chain.name());
        json.put("description", chain.description());
        json.put(
                "parameters",
                chain.parameters().stream().map(ToolJson::parameter).toList());
        json.put(
                "steps",
                chain.steps().stream()
                        .map(step -> Map.of("name", step.name(), "cmd", step.tool(), "version", step.version()))
                        .toList());
        return json;
    }

    static Map<String, Object> schedule(ScheduleInfo schedule) {
        boolean isToolchain = schedule.type().startsWith(ToolService.TOOLCHAIN_TYPE);
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("name", schedule.name());
        json.put("description", schedule.description());
        json.put("cron", schedule.cron());
        json.put("zone", schedule.zone().getId());
        json.put(
                isToolchain ? "toolchain" : "tool",
                schedule.type().substring(schedule.type().indexOf(':') + 1));
        if (!(schedule.target() instanceof Target.Tool)) {
            json.put("on", schedule.target().toString());
        }
        json.put("user", schedule.principal());
        json.put("enabled", schedule.enabled());
        json.put("next", schedule.next().stream().map(Instant::toString).toList());
        ScheduleInfo.Fired last = schedule.last();
        if (last != null) {
            json.put("last", last.time().toString());
            putIfPresent(json, "run", last.run() == null ? null : last.run().toString());
            if (!last.problem().isEmpty()) {
                json.put("problem", last.problem());
            }
        }
        return json;
    }

    private static Map<String, Object> parameter(ParameterInfo parameter) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("name", parameter.name());
        json.put("type", parameter.type());
        json.put("required", parameter.required());
        json.put("description", parameter.description());
        putIfPresent(json, "default", parameter.defaultValue());
        putIfPresent(json, "pattern", parameter.pattern());
        if (!parameter.choices().isEmpty()) {
            json.put("choices", parameter.choices());
        }
        putIfPresent(json, "min", parameter.min());
        putIfPresent(json, "max", parameter.max());
        json.put("max_length", parameter.maxLength());
        return json;
    }
}
