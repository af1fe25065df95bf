package io.github.commandway.agent.command;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.dispatch.Reason;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

@Timeout(60)
class BuiltinCommandsTest {
    private static final Instant NOW = Instant.parse("2026-02-03T04:05:06Z");

    @TempDir
    Path folder;

    private final Commands commands =
            new Commands(BuiltinCommands.builder().version("1.2.3").clock(Clock.fixed(NOW, ZoneOffset.UTC)));

    @Test
    void whatCanChangeTheMachineIsOffByDefault() {
        assertThat(commands.router().types())
                .containsExactly("echo", "get_status", "network.ping", "ping", "process.list", "system.info");
    }

    @Test
    void everyGroupCanBeSwitched() {
        assertThat(new Commands(BuiltinCommands.builder()
                                .basics(false)
                                .processList(false)
                                .networkPing(false))
                        .router()
                        .types())
                .isEmpty();
        assertThat(new Commands(BuiltinCommands.builder()
                                .shell(true)
                                .processKill(true)
                                .services(true)
                                .config(folder.resolve("config.json")))
                        .router()
                        .types())
                .containsExactly(
                        "config.get",
                        "config.update",
                        "echo",
                        "exec_shell",
                        "get_status",
                        "network.ping",
                        "ping",
                        "process.kill",
                        "process.list",
                        "service.restart",
                        "service.start",
                        "service.status",
                        "service.stop",
                        "system.info");
    }

    @Test
    void pingAndEchoAnswer() throws Exception {
        assertThat(commands.run("ping", ""))
                .isEqualTo(Commands.JSON.readTree("{\"pong\":true,\"time\":\"2026-02-03T04:05:06Z\"}"));
        assertThat(commands.router().execute("echo", "as it is".getBytes(StandardCharsets.UTF_8)))
                .asString()
                .isEqualTo("as it is");
        commands.assertRefused("ping", "{'count': 1}")
                .withMessageContaining("unknown field 'count'; no fields are expected");
    }

    @Test
    void statusTellsOfTheAgentAndInfoOfTheMachine() throws Exception {
        JsonNode status = commands.run("get_status", "{}");
        assertThat(status.get("status").asString()).isEqualTo("running");
        assertThat(status.get("version").asString()).isEqualTo("1.2.3");
        assertThat(status.get("hostname").asString()).isNotEmpty();
        assertThat(status.get("java_version").asString())
                .isEqualTo(Runtime.version().toString());
        assertThat(status.get("num_cpu").asInt()).isPositive();
        assertThat(status.get("num_threads").asInt()).isPositive();
        assertThat(status.get("memory_used").asLong())
                .isBetween(1L, status.get("memory_max").asLong());
        assertThat(status.get("uptime").isIntegralNumber()).isTrue();

        JsonNode info = commands.run("system.info", "{}");
        assertThat(info.get("pid").asLong()).isEqualTo(ProcessHandle.current().pid());
        assertThat(info.get("memory_total").asLong()).isPositive();
        assertThat(info.get("disks").get(0).get("total").asLong()).isPositive();
        assertThat(info.get("time").asString()).isEqualTo("2026-02-03T04:05:06Z");
        assertThat(info.get("time_zone").asString()).isEqualTo("Z");
    }

    @Test
    void listsProcessesWithoutTheirArguments() throws Exception {
        List<String> sleeping =
                ProcessRunner.WINDOWS ? List.of("ping", "-t", "127.0.0.125") : List.of("sleep", "600.25");
        Process process = new ProcessBuilder(sleeping)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        try {
            JsonNode result = commands.run("process.list", "{}");
            JsonNode own = result.get("processes")
                    .valueStream()
                    .filter(item -> item.get("pid").asLong() == process.pid())
                    .findFirst()
                    .orElseThrow();
            assertThat(own.get("command").asString()).containsIgnoringCase(sleeping.get(0));
            assertThat(own.get("parent_pid").asLong())
                    .isEqualTo(ProcessHandle.current().pid());
            assertThat(result.toString()).doesNotContain(sleeping.get(sleeping.size() - 1));
            assertThat(result.get("total").asInt())
                    .isEqualTo(result.get("processes").size());

            JsonNode some = commands.run("process.list", "{'name': '" + sleeping.get(0) + "', 'limit': 1}");
            assertThat(some.get("processes").size()).isEqualTo(1);
            assertThat(commands.run("process.list", "{'limit': 1}")
                            .get("truncated")
                            .asBoolean())
                    .isTrue();
            commands.assertRefused("process.list", "{'limit': 0}");
        } finally {
            process.destroyForcibly();
        }
    }

    @Test
    @DisabledOnOs(OS.WINDOWS)
    void signalsProcesses() throws Exception {
        Commands killing = new Commands(BuiltinCommands.builder().processKill(true));
        // 128 and the signal's number.
        assertThat(killed(killing, "")).isEqualTo(128 + 15);
        assertThat(killed(killing, ", 'signal': 'KILL'")).isEqualTo(128 + 9);
        assertThat(killed(killing, ", 'signal': 'SIGUSR1'")).isEqualTo(128 + 10);
        // not INT, HUP or QUIT: whoever starts the tests in the background may have them ignored
        assertThat(killed(killing, ", 'signal': 'usr2'")).isEqualTo(128 + 12);

        killing.assertRefused(
                        "process.kill", "{'pid': " + ProcessHandle.current().pid() + "}")
                .withMessageContaining("this agent");
        killing.assertRefused("process.kill", "{'pid': 1}").withMessageContaining("first one");
        killing.assertRefused("process.kill", "{'pid': -1}").withMessageContaining("'pid' is missing or less than 1");
        killing.assertRefused("process.kill", "{}").withMessageContaining("'pid' is missing or less than 1");
        killing.assertRefused("process.kill", "{'pid': 5, 'signal': '9; reboot'}")
                .withMessageContaining("CONT, HUP, INT, KILL");
        Process ended = new ProcessBuilder("true").start();
        ended.waitFor();
        killing.assertFails(Reason.EXECUTOR_ERROR, "process.kill", "{'pid': " + ended.pid() + "}")
                .withMessage("there is no process " + ended.pid());
    }

    private static int killed(Commands killing, String signal) throws Exception {
        Process process = new ProcessBuilder("sleep", "600").start();
        JsonNode result = killing.run("process.kill", "{'pid': " + process.pid() + signal + "}");
        assertThat(result.get("success").asBoolean()).isTrue();
        return process.waitFor();
    }

    @Test
    void servicesAreCheckedByNameBeforeAnythingRuns() {
        Commands some = new Commands(BuiltinCommands.builder().services(true).allowedServices("nginx", "cron.service"));
        for (String bad : List.of("", "-h", "--root=/tmp", "a b", "a;b", "../a", "a/b", "a\\u0000")) {
            some.assertRefused("service.status", "{'name': '" + bad + "'}");
        }
        some.assertRefused("service.stop", "{'name': 'sshd'}")
                .withMessage("the service 'sshd' is not one that may be used");
        if (!Files.isDirectory(Path.of("/run/systemd/system"))) {
            for (String type : List.of("service.status", "service.start", "service.stop", "service.restart")) {
                some.assertFails(Reason.EXECUTOR_ERROR, type, "{'name': 'cron'}")
                        .withMessageContaining("on this machine");
            }
        }
    }

    @Test
    void configurationIsMergedCountedAndKept() throws Exception {
        Path file = folder.resolve("data/config.json");
        Commands first = new Commands(BuiltinCommands.builder().config(file));
        assertThat(first.run("config.get", "{}")).isEqualTo(Commands.JSON.readTree("{\"version\":0,\"config\":{}}"));
        assertThat(first.run("config.update", "{'config': {'a': {'b': 1, 'c': 2}, 'd': [1, {'e': null}]}}"))
                .isEqualTo(
                        Commands.JSON.readTree(
                                "{\"success\":true,\"old_version\":0,\"new_version\":1,\"config\":{\"a\":{\"b\":1,\"c\":2},\"d\":[1,{\"e\":null}]}}"));
        first.run(
                "config.update",
                "{'config': {'a': {'b': null, 'x': {'y': null, 'z': 1}}, 'd': {'f': 1}}, 'expected_version': 1}");

        Commands again = new Commands(BuiltinCommands.builder().config(file));
        JsonNode kept =
                Commands.JSON.readTree("{\"version\":2,\"config\":{\"a\":{\"c\":2,\"x\":{\"z\":1}},\"d\":{\"f\":1}}}");
        assertThat(again.run("config.get", "{}")).isEqualTo(kept);
        JsonNode same = again.run("config.update", "{'config': {'a': {'c': 2}, 'none': null}}");
        assertThat(same.get("new_version").asInt()).isEqualTo(2);

        again.assertRefused("config.update", "{'config': {'a': 1}, 'expected_version': 1}")
                .withMessageContaining("has version 2, not 1");
        again.assertRefused("config.update", "{'config': []}")
                .withMessageContaining("field 'config' must be an object");
        again.assertRefused("config.update", "{}").withMessageContaining("'config' is missing");
        again.assertRefused("config.update", "{'config': {'big': '" + "x".repeat(2 << 20) + "'}}")
                .withMessageContaining("more than 1048576");
        assertThat(again.run("config.get", "{}")).isEqualTo(kept);
        assertThat(file.getParent()).isDirectoryNotContaining("glob:**.tmp");
    }

    @ParameterizedTest
    @ValueSource(strings = {"{\"version\":1,", "{}", "[]", "", "{\"version\":\"1\",\"config\":{}}"})
    void aDamagedConfigurationIsAFailureAndStaysAsItIs(String content) throws Exception {
        Path file = Files.writeString(folder.resolve("config.json"), content);
        Commands damaged = new Commands(BuiltinCommands.builder().config(file));
        damaged.assertFails(Reason.EXECUTOR_ERROR, "config.get", "{}").withMessageContaining("was left as it is");
        damaged.assertFails(Reason.EXECUTOR_ERROR, "config.update", "{'config': {'a': 1}}");
        assertThat(file).hasContent(content);
    }

    @Test
    void probesATcpPort() throws Exception {
        int port;
        try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
            port = server.getLocalPort();
            JsonNode open = commands.run("network.ping", "{'host': '127.0.0.1', 'count': 2, 'port': " + port + "}");
            assertThat(open.get("method").asString()).isEqualTo("tcp");
            assertThat(open.get("received").asInt()).isEqualTo(2);
            assertThat(open.get("loss_percent").asDouble()).isZero();
            assertThat(open.get("min_ms").asDouble())
                    .isLessThanOrEqualTo(open.get("max_ms").asDouble());
            assertThat(open.get("success").asBoolean()).isTrue();
        }
        JsonNode closed = commands.run("network.ping", "{'host': '127.0.0.1', 'count': 2, 'port': " + port + "}");
        assertThat(closed.get("success").asBoolean()).isFalse();
        assertThat(closed.get("received").asInt()).isZero();
        assertThat(closed.get("avg_ms").isNull()).isTrue();
    }

    @Test
    void pingsTheLoopbackByWhatThereIs() throws Exception {
        JsonNode result = commands.run("network.ping", "{'host': 'localhost', 'count': 1}");
        assertThat(result.get("sent").asInt()).isEqualTo(1);
        assertThat(result.get("method").asString()).isIn("ping", "reachable");
    }

    @Test
    void readsTheFiguresOfPing() throws Exception {
        String statistics = """
                PING 127.0.0.1 (127.0.0.1) 56(84) bytes of data.
                64 bytes from 127.0.0.1: icmp_seq=1 ttl=64 time=0.586 ms

                --- 127.0.0.1 ping statistics ---
                3 packets transmitted, 2 received, 33.3% packet loss, time 1030ms
                rtt min/avg/max/mdev = 0.050/0.318/0.586/0.268 ms
                """;
        NetworkCommands.PingResult result = NetworkCommands.read("host", InetAddress.getLoopbackAddress(), statistics)
                .orElseThrow();
        assertThat(result.sent()).isEqualTo(3);
        assertThat(result.received()).isEqualTo(2);
        assertThat(List.of(result.minMs(), result.avgMs(), result.maxMs())).containsExactly(0.050, 0.318, 0.586);
        assertThat(NetworkCommands.read("host", InetAddress.getLoopbackAddress(), "ping: socktype: SOCK_RAW"))
                .isEmpty();
        assertThat(NetworkCommands.read(
                                "host",
                                InetAddress.getLoopbackAddress(),
                                "2 packets transmitted, 0 packets received, 100% packet loss")
                        .orElseThrow()
                        .success())
                .isFalse();
    }

    @Test
    void hostsAreCheckedBeforeAnythingRuns() {
        for (String bad : List.of("", "-f", "a b", "a;reboot", "$(reboot)", "a\\nb", "http://a")) {
            commands.assertRefused("network.ping", "{'host': '" + bad + "'}");
        }
        commands.assertRefused("network.ping", "{'host': 'localhost', 'count': 21}")
                .withMessageContaining("'count' must be from 1 to 20");
        commands.assertRefused("network.ping", "{'host': 'localhost', 'timeout': 0}");
        commands.assertRefused("network.ping", "{'host': 'localhost', 'port': 65536}");
        commands.assertFails(Reason.EXECUTOR_ERROR, "network.ping", "{'host': 'no-such-host.invalid'}")
                .withMessageContaining("has no address");
    }
}
