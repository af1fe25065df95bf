package io.github.commandway.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.exec.Containment;
import io.github.commandway.exec.ProcessTree;
import io.github.commandway.exec.ProcessTreeRunner;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandRecord;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Eight ways to get away from one's parent. */
@EnabledOnOs(OS.LINUX)
class ProcessTreeTest {
    /** Finds the processes of one run from outside, also in a namespace of their own. */
    private static final String TAG = "PROBE_TAG";

    private static final String ESCAPES = """
            sleep 300 &
            setsid sleep 301 &
            (sleep 302 &)
            (setsid sh -c 'sleep 303 & sleep 304' &)
            (trap '' TERM INT HUP; sleep 305) &
            nohup sleep 306 >/dev/null 2>&1 &
            """;

    /** The seconds that the sleepers in {@link #ESCAPES} and the main one at the end were told. */
    private static final List<String> SLEEPERS = List.of("300", "301", "302", "303", "304", "305", "306", "307");

    @TempDir
    Path folder;

    private final String tag = UUID.randomUUID().toString();

    private void writeTool(Isolation isolation, String script) throws IOException {
        ToolFixture.script(
                folder,
                "escape",
                script,
                "isolation: " + isolation.code(),
                "stop_grace: 200ms",
                "env: {" + TAG + ": '" + tag + "'}");
    }

    @ParameterizedTest
    @EnumSource(value = Isolation.class, mode = EnumSource.Mode.EXCLUDE, names = "WASM")
    void nothingSurvivesACancelledRun(Isolation isolation) throws Exception {
        writeTool(isolation, ESCAPES + "sleep 307");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandHandle handle = fixture.submit(ToolRequest.tool("escape"));
            awaitAllSleepers();

            CommandRecord record = fixture.manager
                    .cancel(handle.id())
                    .get(30, TimeUnit.SECONDS)
                    .orElseThrow()
                    .record();

            assertThat(record.reason()).isEqualTo(Reason.CANCELLED_WHILE_RUNNING);
            assertThat(sleepers()).isEmpty();
            assertThat(ToolFixture.result(record).get("processes_ended_by").asString())
                    .isEqualTo("pid_namespace");
            assertThat(ToolFixture.result(record).get("all_processes_ended").asBoolean())
                    .isTrue();
        }
    }

    @ParameterizedTest
    @EnumSource(value = Isolation.class, mode = EnumSource.Mode.EXCLUDE, names = "WASM")
    void nothingSurvivesATimeout(Isolation isolation) throws Exception {
        writeTool(isolation, ESCAPES + "sleep 307");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandHandle handle = fixture.submit(fixture.handler
                    .commandFor(ToolRequest.tool("escape"))
                    .timeout(Duration.ofSeconds(3))
                    .build());
            awaitAllSleepers();

            CommandRecord record = handle.completion().get(30, TimeUnit.SECONDS);

            assertThat(record.reason()).isEqualTo(Reason.EXECUTION_TIMEOUT);
            await().untilAsserted(() -> assertThat(sleepers()).isEmpty());
        }
    }

    @ParameterizedTest
    @EnumSource(value = Isolation.class, mode = EnumSource.Mode.EXCLUDE, names = "WASM")
    void whatAToolLeavesBehindWhenItEndsIsEndedToo(Isolation isolation) throws Exception {
        writeTool(isolation, ESCAPES + "sleep 1");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.tool("escape"));

            assertThat(record.reason()).as(record.message()).isEqualTo(Reason.OK);
            await().untilAsserted(() -> assertThat(sleepers()).isEmpty());
        }
    }

    static Stream<Containment> wrappers() {
        return Stream.of(
                        Launcher.namespaces().stream(),
                        Stream.of(Containment.basic()),
                        Stream.of(new Containment(Containment.Means.DESCENDANTS, List.of())))
                .flatMap(one -> one);
    }

    @ParameterizedTest
    @MethodSource("wrappers")
    void everyMeansOfThisMachineEndsAllProcesses(Containment containment) throws Exception {
        ProcessTreeRunner runner = new ProcessTreeRunner(System::nanoTime);
        Path script = ToolFixture.write(folder, "escape.sh", "#!/bin/sh\n" + ESCAPES + "sleep 307\n");
        Thread thread = Thread.currentThread();
        Thread interrupter = new Thread(() -> {
            awaitAllSleepers();
            thread.interrupt();
        });
        interrupter.start();

        ProcessTreeRunner.Outcome outcome = runner.run(
                new ProcessTreeRunner.Task(
                        "probe",
                        List.of(script.toString()),
                        folder,
                        Map.of("PATH", Launcher.SEARCH_PATH, TAG, tag),
                        null,
                        containment,
                        Duration.ofMinutes(1),
                        Duration.ofMillis(200),
                        true),
                (channel, data, count) -> {});
        interrupter.join();

        assertThat(outcome).isEqualTo(new ProcessTreeRunner.Outcome(ProcessTreeRunner.End.INTERRUPTED, -1, true));
        assertThat(sleepers()).isEmpty();
    }

    @Test
    void aToolMayCleanUpWhenItIsAskedToStop() throws Exception {
        ToolFixture.script(
                folder,
                "tidy",
                "trap 'echo cleaned up; exit 0' TERM; echo ready; while true; do sleep 0.05; done",
                "stop_grace: 20s");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandHandle handle = fixture.submit(ToolRequest.tool("tidy"));
            await().ignoreExceptions()
                    .untilAsserted(() -> assertThat(fixture.output(handle.record(), "stdout"))
                            .contains("ready"));

            CommandRecord record = fixture.manager
                    .cancel(handle.id())
                    .get(30, TimeUnit.SECONDS)
                    .orElseThrow()
                    .record();

            assertThat(record.reason()).isEqualTo(Reason.CANCELLED_WHILE_RUNNING);
            assertThat(fixture.output(record, "stdout")).isEqualTo("ready\ncleaned up\n");
        }
    }

    @Test
    void aChildInTheBackgroundThatHoldsThePipeDoesNotKeepARunOpen() throws Exception {
        ToolFixture.script(folder, "holder", "sleep 300 & echo done");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.tool("holder"));

            assertThat(record.reason()).isEqualTo(Reason.OK);
            assertThat(fixture.output(record, "stdout")).isEqualTo("done\n");
        }
    }

    private void awaitAllSleepers() {
        await().atMost(Duration.ofSeconds(30))
                .untilAsserted(() -> assertThat(sleepers().values()).containsExactlyInAnyOrderElementsOf(SLEEPERS));
    }

    /** The sleeping processes of this test that run, with their seconds. */
    private Map<Long, String> sleepers() {
        Map<Long, String> found = new LinkedHashMap<>();
        ProcessHandle.allProcesses().forEach(process -> {
            Path entry = Path.of("/proc/" + process.pid());
            try {
                List<String> command = new ArrayList<>(
                        List.of(Files.readString(entry.resolve("cmdline")).split("\0")));
                if (Files.readString(entry.resolve("environ")).contains(TAG + "=" + tag)
                        && command.get(0).endsWith("sleep")
                        && ProcessTree.isRunning(process)) {
                    found.put(process.pid(), command.get(1));
                }
            } catch (IOException e) {
                // it has ended meanwhile, or is somebody else's
                assertThat(process.pid()).isPositive();
            }
        });
        return found;
    }
}
