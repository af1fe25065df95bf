package io.github.commandway.http;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.tool.api.ToolService;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.MissingNode;
import tools.jackson.databind.node.ObjectNode;

/** Counts runs by tool and version. Only what the catalogue knows becomes a label, so that callers cannot make up ever more of them. */
final class ToolMetrics {
    private static final String OTHER = "other";

    private final MeterRegistry registry;
    private final ToolService tools;
    private final Duration[] buckets;

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
        registry.counter(
                        "commandway.tool.runs",
                        tool.and(
                                Tag.of("result", record.status().code()),
                                Tag.of("reason", reason == null ? "" : reason.code())))
                .increment();
        if (record.startedAt() != null && record.endedAt() != null) {
            Timer.builder("commandway.tool.run")
                    .description("From the start to the end of a run")
                    .tags(tool.and("result", record.status().code()))
                    .serviceLevelObjectives(buckets)
                    .register(registry)
                    .record(Duration.between(record.startedAt(), record.endedAt()));
        }
        count("commandway.tool.output.bytes", tool, result.path("output_bytes"));
        count("commandway.tool.output.dropped.bytes", tool, result.path("output_dropped"));
    }

    private void count(String name, Tags tool, JsonNode bytes) {
        if (bytes.isIntegralNumber() && bytes.asLong() >= 0) {
            registry.counter(name, tool).increment(bytes.asDouble());
        }
    }

    private Tags tool(String type, String version) {
        if (type.startsWith(ToolService.TOOLCHAIN_TYPE)) {
            String name = type.substring(ToolService.TOOLCHAIN_TYPE.length());
            boolean known = tools.listToolchains().stream()
                    .anyMatch(chain -> chain.name().equals(name));
            return Tags.of("tool", known ? type : OTHER, "version", "");
        }
        String name = type.substring(ToolService.TOOL_TYPE.length());
        List<String> versions = tools.listTools().stream()
                .filter(tool -> tool.name().equals(name))
                .map(tool -> tool.version())
                .toList();
        return Tags.of(
                "tool",
                versions.isEmpty() ? OTHER : name,
                "version",
                version.isEmpty() || versions.contains(version) ? version : OTHER);
    }
}
