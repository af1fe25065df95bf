package io.github.commandway.http;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.tool.api.ToolInfo;
import io.github.commandway.tool.api.ToolService;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.MissingNode;
import tools.jackson.databind.node.ObjectNode;

/** Counts runs by tool and version. Only what the catalogue knows becomes a label, so that callers cannot make up ever more of them. */
final class ToolMetrics {
    private static final String OTHER = "other";

    private final MeterRegistry registry;
    private final ToolService tools;
    private final Duration[] buckets;
    private final Map<String, Tags> known = new ConcurrentHashMap<>();

    ToolMetrics(MeterRegistry registry, ToolService tools, Duration[] buckets) {
        this.registry = registry;
        this.tools = tools;
        this.buckets = buckets;
        Gauge.builder("commandway.tool.running", tools, ToolService::running)
                .description("Runs of tools that are under way")
                .register(registry);
        Gauge.builder("commandway.tool.waiting", tools, ToolService::waiting)
                .description("Runs of tools that wait for their turn")
                .register(registry);
    }

    void ended(CommandRecord record) {
        String type = record.request().type();
        if (!type.startsWith(ToolService.TOOL_TYPE) && !type.startsWith(ToolService.TOOLCHAIN_TYPE)) {
            return;
        }
        byte[] data = record.result();
        ObjectNode object = data == null ? null : Json.object(data);
        JsonNode result = object == null ? MissingNode.getInstance() : object;
        Tags tool = tool(type, result.path("version").asString(""));
        Reason reason = record.reason();
        Counter.builder("commandway.tool.runs")
                .description("Runs that have ended")
                .tags(tool.and(
                        Tag.of("result", record.status().code()),
                        Tag.of("reason", reason == null ? "" : reason.code())))
                .register(registry)
                .increment();
        if (record.startedAt() != null && record.endedAt() != null) {
            Timer.builder("commandway.tool.run")
                    .description("From the start to the end of a run")
                    .tags(tool.and("result", record.status().code()))
                    .serviceLevelObjectives(buckets)
                    .register(registry)
                    .record(Duration.between(record.startedAt(), record.endedAt()));
        }
        count("commandway.tool.output.bytes", "What tools wrote", tool, result.path("output_bytes"));
        count(
                "commandway.tool.output.dropped.bytes",
                "What tools wrote beyond their limits, which was not kept",
                tool,
                result.path("output_dropped"));
    }

    private void count(String name, String description, Tags tool, JsonNode bytes) {
        if (bytes.isIntegralNumber() && bytes.asLong() >= 0) {
            Counter.builder(name)
                    .description(description)
                    .tags(tool)
                    .register(registry)
                    .increment(bytes.asDouble());
        }
    }

    private Tags tool(String type, String version) {
        // a look at the catalogue for each run would cost more than the counting
        String key = type + ' ' + version;
        Tags found = known.get(key);
        if (found != null) {
            return found;
        }
        Tags tags = lookUp(type, version);
        if (tags.stream().noneMatch(tag -> tag.getValue().equals(OTHER))) {
            known.put(key, tags);
        }
        return tags;
    }

    private Tags lookUp(String type, String version) {
        if (type.startsWith(ToolService.TOOLCHAIN_TYPE)) {
            String name = type.substring(ToolService.TOOLCHAIN_TYPE.length());
            boolean isKnown = tools.listToolchains().stream()
                    .anyMatch(chain -> chain.name().equals(name));
            return Tags.of("tool", isKnown ? type : OTHER, "version", "");
        }
        String name = type.substring(ToolService.TOOL_TYPE.length());
        List<String> versions = tools.listTools().stream()
                .filter(tool -> tool.name().equals(name))
                .map(ToolInfo::version)
                .toList();
        return Tags.of(
                "tool",
                versions.isEmpty() ? OTHER : name,
                "version",
                version.isEmpty() || versions.contains(version) ? version : OTHER);
    }
}
