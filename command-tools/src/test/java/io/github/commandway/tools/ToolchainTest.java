package io.github.commandway.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandStatus;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

class ToolchainTest {
    @TempDir
    Path folder;

    @BeforeEach
    void writeTools() throws IOException {
        ToolFixture.write(folder, "tools/sh/1.0.0/sh", "#!/bin/sh\neval \"$1\"\n");
        ToolFixture.write(folder, "tools/say/1.0.0/say", "#!/bin/sh\nprintf '%s\\n' \"$@\"\n");
        ToolFixture.write(folder, "tools/cat/1.0.0/cat", "#!/bin/sh\n/bin/cat \"$@\"\n");
    }

    private void chain(String yaml) throws IOException {
        ToolFixture.write(folder, "toolchains/job.yaml", yaml);
    }

    private static List<String> statuses(CommandRecord record) {
        List<String> statuses = new ArrayList<>();
        for (JsonNode step : ToolFixture.result(record).get("steps")) {
            statuses.add(step.get("name").asString() + " " + step.get("status").asString());
        }
        return statuses;
    }

    @Test
    void stepsRunInOrderAndGetWhatEarlierOnesMade() throws Exception {
        chain("""
                parameters: [{name: who, default: world}]
                toolchain:
                  - greet:
                      cmd: say
                      version: latest
                      args: ['hello ${params.who}']
                  - make:
                      cmd: sh
                      args: ['echo "$TEXT!" > made.txt']
                      env:
                        - TEXT: ${steps.greet.stdout}
                  - show:
                      cmd: cat
                      version: ^1
                      args: [in.txt, '-']
                      stdin: ${steps.greet.stdout}
                      inputs: [{from: make, file: made.txt, as: in.txt}]
                """);
        try (ToolFixture fixture = new ToolFixture(folder)) {
            assertThat(fixture.catalog.problems()).isEmpty();
            CommandRecord record = fixture.run(ToolRequest.toolchain("job").param("who", "you; touch x"));

            assertThat(record.reason()).as(record.message()).isEqualTo(Reason.OK);
            assertThat(fixture.output(record, "stdout"))
                    .isEqualTo("hello you; touch x\nhello you; touch x!\nhello you; touch x\n");
            assertThat(statuses(record)).containsExactly("greet succeeded", "make succeeded", "show succeeded");
            assertThat(ToolFixture.result(record)
                            .get("steps")
                            .get(2)
                            .get("uses")
                            .toString())
                    .isEqualTo("[\"make\",\"greet\"]");
        }
    }

    @Test
    void theShortFormOfATemplateIsRead() throws Exception {
        ToolFixture.write(folder, "tools/game-meta/1.0.0/game-meta", "#!/bin/sh\necho meta $1 $foo\n");
        ToolFixture.write(folder, "tools/uexp/0.1.0/uexp", "#!/bin/sh\nprintf '%s ' export \"$@\"; echo $foo\n");
        chain("""
                toolchain:
                  - game-meta:
                      cmd: game-meta
                      version: latest
                      args: ["d01"]
                      env:
                        - foo: bar
                  - unity-export:
                      cmd: uexp
                      version: 0.1.0
                      args: ['d:\\exp', "push" ,"report"]
                      env:
                        - foo: bar
                """);
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.toolchain("job"));

            assertThat(record.reason()).as(record.message()).isEqualTo(Reason.OK);
            assertThat(fixture.output(record, "stdout")).isEqualTo("meta d01 bar\nexport d:\\exp push report bar\n");
        }
    }

    @Test
    void afterAFailureOnlyStepsForThatRun() throws Exception {
        chain("""
                toolchain:
                  - tolerated: {cmd: sh, args: ['exit 4'], on_failure: continue}
                  - compared: {cmd: say, args: ['code ${steps.tolerated.exit_code}'], when: '${steps.tolerated.exit_code} == 4'}
                  - other: {cmd: say, args: [never], when: '${steps.tolerated.status} == succeeded'}
                  - breaks: {cmd: sh, args: ['exit 5']}
                  - next: {cmd: say, args: [never]}
                  - repair: {cmd: say, args: ['repair ${steps.breaks.status}'], when: failure}
                  - last: {cmd: say, args: [last], when: always}
                """);
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.toolchain("job"));

            assertThat(record.reason()).isEqualTo(Reason.EXECUTOR_ERROR);
            assertThat(record.message()).isEqualTo("step 'breaks' failed: exit code 5");
            assertThat(fixture.output(record, "stdout")).isEqualTo("code 4\nrepair failed\nlast\n");
            assertThat(statuses(record))
                    .containsExactly(
                            "tolerated failed",
                            "compared succeeded",
                            "other skipped",
                            "breaks failed",
                            "next skipped",
                            "repair succeeded",
                            "last succeeded");
        }
    }

    @Test
    void aStepHasItsOwnRetryAndTimeout() throws Exception {
        chain("""
                toolchain:
                  - flaky: {cmd: sh, args: ['exit 1'], retry: {attempts: 3, delay: 1ms}, on_failure: continue}
                  - slow: {cmd: sh, args: ['sleep 60'], timeout: 200ms}
                """);
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.toolchain("job"));

            assertThat(record.message())
                    .isEqualTo("step 'slow' failed: not finished in time; its processes were ended");
            assertThat(ToolFixture.result(record)
                            .get("steps")
                            .get(0)
                            .get("attempts")
                            .asInt())
                    .isEqualTo(3);
        }
    }

    @Test
    void aDryRunShowsThePlanAndRunsNothing() throws Exception {
        Path mark = folder.resolve("mark");
        chain("""
                toolchain:
                  - touch: {cmd: sh, args: ['touch %s']}
                  - after: {cmd: say, args: ['${steps.touch.status}']}
                """.formatted(mark));
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.toolchain("job").asDryRun());
            assertThat(fixture.events(record))
                    .filteredOn(event -> event.type() == CommandEvent.Type.OUTPUT)
                    .singleElement()
                    .satisfies(event -> assertThat(new String(event.data(), StandardCharsets.UTF_8))
                            .contains("\"toolchain\" : \"job\"", "\"steps\""));

            assertThat(record.reason()).isEqualTo(Reason.OK);
            JsonNode steps = ToolFixture.result(record).get("steps");
            assertThat(steps.get(0).get("version").asString()).isEqualTo("1.0.0");
            assertThat(steps.get(1).get("uses").get(0).asString()).isEqualTo("touch");
            assertThat(mark).doesNotExist();
        }
    }

    @Test
    void cancellingAToolchainEndsTheStepThatRunsAndBeginsNoOther() throws Exception {
        chain("""
                toolchain:
                  - one: {cmd: sh, args: ['echo begun; sleep 60']}
                  - two: {cmd: say, args: [never], when: always}
                """);
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandHandle handle = fixture.submit(ToolRequest.toolchain("job"));
            await().ignoreExceptions()
                    .untilAsserted(() -> assertThat(fixture.output(handle.record(), "stdout"))
                            .contains("begun"));

            CommandRecord record = fixture.manager
                    .cancel(handle.id())
                    .get(30, TimeUnit.SECONDS)
                    .orElseThrow()
                    .record();

            assertThat(record.reason()).isEqualTo(Reason.CANCELLED_WHILE_RUNNING);
            assertThat(statuses(record)).containsExactly("one running", "two not_begun");
            assertThat(fixture.output(record, "stdout")).isEqualTo("begun\n");
        }
    }

    @Test
    void eventsTellWhichStepIsWhere() throws Exception {
        chain("toolchain: [{a: {cmd: say}}, {b: {cmd: sh, args: ['exit 2']}}]\n");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.toolchain("job"));

            assertThat(fixture.events(record).stream()
                            .filter(event -> event.type() == CommandEvent.Type.PROGRESS)
                            .map(CommandEvent::message))
                    .containsExactly(
                            "step 1 of 2 'a': say 1.0.0",
                            "step 1 of 2 'a' succeeded",
                            "step 2 of 2 'b': sh 1.0.0",
                            "step 2 of 2 'b' failed: exit code 2");
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "toolchain: [{a: {cmd: nowhere}}] | 'line 1, column 23: there is no tool ''nowhere'''",
                "toolchain: [{a: {cmd: say, version: ^2}}] | 'line 1, column 23: no version ''^2'' of say; there is 1.0.0'",
                "toolchain: [{a: {cmd: say, args: ['${steps.b.stdout}']}}] | 'line 1, column 35: ${steps.b.stdout} is not known'",
                "toolchain: [{a: {cmd: say}}, {a: {cmd: say}}] | 'line 1, column 30: there are two steps called ''a'''",
                "toolchain: [{a: {cmd: say, params: {x: 1}}}] | 'line 1, column 17: say 1.0.0 has no parameter ''x'''",
                "toolchain: [{a: {cmd: say, when: sometimes}}] | 'line 1, column 34: ''sometimes'' should be success'",
                "toolchain: [{a: {cmd: say, on_failure: x}}] | 'line 1, column 40: ''x'' should be one of stop, continue'",
                "toolchain: [{a: {cmd: say, inputs: [{from: b, file: f}]}}] | 'line 1, column 44: there is no step ''b'''",
                "toolchain: [{a: {cmd: say, timeout: 11m}}] | 'line 1, column 37: ''11m'' should be from'",
                "toolchain: [{a: {cmd: say}, b: {cmd: say}}] | 'line 1, column 13: a step should be one name'",
                "toolchain: [] | 'line 1, column 12: a toolchain should have 1 to'",
                "steps: [] | 'line 1, column 1: ''steps'' is not known here'"
            })
    void whatIsWrongWithAToolchainIsToldWhenItIsRead(String yaml, String problem) throws IOException {
        chain(yaml);

        ToolCatalog catalog = ToolCatalog.open(folder);

        assertThat(catalog.toolchains()).isEmpty();
        assertThat(catalog.problems()).hasSize(1);
        assertThat(catalog.problems().get(0).toString()).startsWith("toolchains/job.yaml, " + problem);
    }

    @Test
    void aToolchainTakesItsParametersOnly() throws Exception {
        chain("parameters: [{name: n, type: integer, required: true}]\ntoolchain: [{a: {cmd: say}}]\n");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            assertThatThrownBy(() -> fixture.submit(ToolRequest.toolchain("job")))
                    .hasMessage("toolchain job needs the parameter 'n'");
            assertThatThrownBy(() -> fixture.submit(ToolRequest.toolchain("job").param("n", "x")))
                    .hasMessage("parameter 'n' must be a whole number");
            assertThatThrownBy(() -> fixture.submit(
                            ToolRequest.toolchain("job").param("n", "1").env("A", "b")))
                    .hasMessage("a toolchain takes params only");
        }
    }

    @Test
    void aPathMayLeadAnywhereOnlyIfAToolMayGoAnywhere() throws Exception {
        ToolFixture.write(
                folder, "tools/free/1.0.0/tool.yaml", "command: [cat, '${args}']\narguments: {}\nisolation: none\n");
        String parameters = "parameters: [{name: p, type: path}]\n";
        chain(parameters + "toolchain: [{a: {cmd: say, args: ['${params.p}']}}]\n");
        ToolFixture.write(
                folder, "toolchains/free.yaml", parameters + "toolchain: [{a: {cmd: free, args: ['${params.p}']}}]\n");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            assertThatThrownBy(() -> fixture.submit(ToolRequest.toolchain("job").param("p", "/etc/hostname")))
                    .hasMessage("parameter 'p' must be relative");
            assertThatThrownBy(() -> fixture.submit(ToolRequest.toolchain("job").param("p", "../x")))
                    .hasMessage("parameter 'p' must not contain '..'");
            assertThat(fixture.run(ToolRequest.toolchain("job").param("p", "x/y"))
                            .status())
                    .isEqualTo(CommandStatus.COMPLETED);
            assertThat(fixture.run(ToolRequest.toolchain("free").param("p", "/etc/passwd"))
                            .status())
                    .isEqualTo(CommandStatus.COMPLETED);
        }
    }

    @Test
    void aFileOfAnEarlierStepThatIsTooLargeForAFolderIsNotPutThere() throws Exception {
        ToolFixture.script(folder, "small", "wc -c < p", "limits: {folder: 1KiB}");
        chain("""
                toolchain:
                  - make: {cmd: sh, args: ['head -c 5000 /dev/zero > p']}
                  - take: {cmd: small, inputs: [{from: make, file: p}]}
                """);
        try (ToolFixture fixture = new ToolFixture(folder)) {
            assertThat(fixture.run(ToolRequest.toolchain("job")).message())
                    .isEqualTo("step 'take' failed: the file 'p' of step 'make' has 5000 bytes;"
                            + " the most in a folder of small 1.0.0 is 1024");
        }
    }

    @Test
    void filesThatAStepMadeAsLinksDoNotLeadOut() throws Exception {
        chain("""
                toolchain:
                  - link: {cmd: sh, args: ['ln -s /etc/passwd p']}
                  - read: {cmd: cat, args: [p], inputs: [{from: link, file: p}]}
                """);
        try (ToolFixture fixture = new ToolFixture(folder)) {
            assertThat(fixture.run(ToolRequest.toolchain("job")).message())
                    .isEqualTo("step 'read' failed: the file 'p' leads out of the folder of the run");
            assertThat(Files.exists(Path.of("/etc/passwd"))).isTrue();
        }
    }
}
