package io.github.commandway.tools;

import io.github.commandway.manager.Target;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Reads a schedule, and checks it against the tools and toolchains that there are. */
final class ScheduleFile {
    private static final String HERE = "here";

    private final String name;
    private final Map<String, Map<String, Tool>> tools;
    private final Map<String, Toolchain> toolchains;

    ScheduleFile(String name, Map<String, Map<String, Tool>> tools, Map<String, Toolchain> toolchains) {
        this.name = name;
        this.tools = tools;
        this.toolchains = toolchains;
    }

    ToolSchedule read(String text) throws ToolFileException {
        YamlNode root = YamlNode.parse(text);
        Map<String, YamlNode> fields = root.fields(
                "description",
                "cron",
                "zone",
                "cmd",
                "toolchain",
                "version",
                "args",
                "params",
                "env",
                "on",
                "timeout",
                "missed",
                "overlap",
                "enabled");
        YamlNode cron = fields.get("cron");
        if (cron == null) {
            throw root.wrong("there should be a 'cron', the times at which it is run, such as '30 2 * * *'");
        }
        checkCron(cron);
        YamlNode tool = fields.get("cmd");
        YamlNode what = tool == null ? fields.get("toolchain") : tool;
        if (what == null || (tool != null && fields.get("toolchain") != null)) {
            throw root.wrong("there should be one of 'cmd' and 'toolchain', which is what it runs");
        }
        ToolRequest request = request(what, tool == null, fields);
        Target on = on(fields.get("on"));
        if (on == null) {
            check(what, request);
        }
        YamlNode timeout = fields.get("timeout");
        ToolSchedule.Missed missed = fields.containsKey("missed")
                ? fields.get("missed").choice(ToolSchedule.Missed.class)
                : ToolSchedule.Missed.SKIP;
        ToolSchedule.Overlap overlap = fields.containsKey("overlap")
                ? fields.get("overlap").choice(ToolSchedule.Overlap.class)
                : ToolSchedule.Overlap.ALLOW;
        if (missed == ToolSchedule.Missed.ALL && overlap == ToolSchedule.Overlap.SKIP) {
            throw fields.getOrDefault("missed", root)
                    .wrong("'all' should not stand with 'overlap: skip', which would leave out all but the first;"
                            + " 'once' can");
        }
        return new ToolSchedule(
                name,
                fields.containsKey("description") ? fields.get("description").text() : "",
                cron.text(),
                zone(fields.get("zone")),
                request,
                on,
                timeout == null ? null : timeout.duration(Duration.ofMillis(1), ToolFile.MAX_TIMEOUT),
                missed,
                overlap,
                !fields.containsKey("enabled") || fields.get("enabled").bool());
    }

    private static void checkCron(YamlNode cron) throws ToolFileException {
        try {
            if (CronTimes.parse(cron.text()).next(Instant.EPOCH, ZoneOffset.UTC).isEmpty()) {
                throw cron.wrong("'" + cron.text() + "' should be a time that there is; this one never comes");
            }
        } catch (IllegalArgumentException e) {
            throw cron.wrong(String.valueOf(e.getMessage()));
        }
    }

    private static @Nullable ZoneId zone(@Nullable YamlNode zone) throws ToolFileException {
        if (zone == null) {
            return null;
        }
        try {
            return ZoneId.of(zone.text());
        } catch (DateTimeException e) {
            throw zone.wrong("'" + zone.text() + "' should be a time zone, such as Europe/Berlin or UTC");
        }
    }

    private static ToolRequest request(YamlNode what, boolean toolchain, Map<String, YamlNode> fields)
            throws ToolFileException {
        YamlNode args = fields.get("args");
        return new ToolRequest(
                what.text(),
                toolchain,
                fields.containsKey("version") ? fields.get("version").text() : "",
                args == null ? List.of() : args.texts(),
                variables("params", fields.get("params")),
                variables("env", fields.get("env")),
                null,
                Map.of(),
                false);
    }

    private static Map<String, String> variables(String field, @Nullable YamlNode node) throws ToolFileException {
        if (node == null) {
            return Map.of();
        }
        try {
            return ToolRequest.variables(field, node.plain());
        } catch (IllegalArgumentException e) {
            throw node.wrong(String.valueOf(e.getMessage()));
        }
    }

    private static @Nullable Target on(@Nullable YamlNode on) throws ToolFileException {
        if (on == null || on.text().equals(HERE)) {
            return null;
        }
        try {
            Target target = Target.parse(on.text());
            if (target instanceof Target.Agent || target instanceof Target.Group || target instanceof Target.Queue) {
                return target;
            }
        } catch (IllegalArgumentException e) {
            throw on.wrong(String.valueOf(e.getMessage()));
        }
        throw on.wrong("'" + on.text() + "' should be " + HERE + ", agent:<id>, group:<selector> or queue:<name>");
    }

    /** What is run elsewhere is checked there. */
    private void check(YamlNode what, ToolRequest request) throws ToolFileException {
        try {
            if (!request.toolchain()) {
                Invocation.of(ToolCatalog.find(tools, request.name(), request.version()), request);
                return;
            }
            Toolchain chain = toolchains.get(request.name());
            if (chain == null) {
                throw what.wrong("there is no toolchain '" + request.name() + "'");
            }
            if (!request.version().isEmpty()
                    || !request.args().isEmpty()
                    || !request.env().isEmpty()) {
                throw what.wrong("a toolchain should have params only, no version, args or env");
            }
            Invocation.check(chain, request.params(), (name, version) -> ToolCatalog.find(tools, name, version));
        } catch (IllegalArgumentException e) {
            throw what.wrong(String.valueOf(e.getMessage()));
        }
    }
}
