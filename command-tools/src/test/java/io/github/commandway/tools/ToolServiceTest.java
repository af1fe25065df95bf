package io.github.commandway.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.Target;
import io.github.commandway.tool.api.RunFile;
import io.github.commandway.tool.api.RunOutput;
import io.github.commandway.tool.api.ToolInfo;
import io.github.commandway.tool.api.ToolRequestException;
import io.github.commandway.tool.api.ToolService;
import io.github.commandway.tool.api.ToolService.Admission;
import io.github.commandway.tool.api.ToolService.BodyFormat;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The handler as those see it who have tools run. */
class ToolServiceTest {
    @TempDir
    Path folder;

    private static void refuses(ToolRequestException.Kind kind, String message, Runnable call) {
        assertThatThrownBy(call::run)
                .isInstanceOfSatisfying(
                        ToolRequestException.class,
                        refusal -> assertThat(refusal.kind()).isEqualTo(kind))
                .hasMessageContaining(message);
    }

    @Test
    void theTypeOfARunNamesTheToolOrToolchainWhereverItRuns() throws Exception {
        ToolFixture.script(folder, "hello", "echo hello", "timeout: 7s");
        ToolFixture.write(folder, "toolchains/chain.yaml", "toolchain:\n  - one: {cmd: hello}\n");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            ToolService tools = fixture.handler;

            CommandRequest here = tools.commandFor("cmd: hello", BodyFormat.YAML, null, null, Admission.ALL)
                    .build();
            CommandRequest there = tools.commandFor(
                            "{\"cmd\": \"other\"}",
                            BodyFormat.JSON,
                            null,
                            new Target.Agent("client-001"),
                            Admission.ALL)
                    .build();
            CommandRequest chain = tools.commandFor("", BodyFormat.YAML, "chain", null, Admission.ALL)
                    .build();

            assertThat(here.type()).isEqualTo("tool:hello");
            assertThat(here.target()).hasToString("tool:hello");
            assertThat(here.timeout()).isEqualTo(Duration.ofSeconds(7));
            assertThat(there.type()).isEqualTo("tool:other");
            assertThat(there.target()).hasToString("agent:client-001");
            assertThat(there.payload()).asString(StandardCharsets.UTF_8).isEqualTo("{\"cmd\":\"other\"}");
            assertThat(chain.type()).isEqualTo("toolchain:chain");
            assertThat(chain.payload()).asString(StandardCharsets.UTF_8).isEqualTo("{\"toolchain\":\"chain\"}");
        }
    }

    @Test
    void aToolOfWhichThereAreOnlyPreReleasesIsListedToo() throws Exception {
        ToolFixture.write(folder, "tools/young/1.0.0-rc.1/young", "#!/bin/sh\ntrue\n");
        ToolFixture.script(folder, "hello", "echo hello");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            assertThat(fixture.handler.listTools())
                    .extracting(ToolInfo::name, ToolInfo::newest)
                    .containsExactly(tuple("hello", true), tuple("young", false));
        }
    }

    @Test
    void saysWhatIsWrongWithARequest() throws Exception {
        ToolFixture.script(folder, "hello", "echo hello");
        ToolFixture.script(folder, "seen", "echo seen", "methods: [GET]");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            ToolService tools = fixture.handler;

            refuses(
                    ToolRequestException.Kind.UNKNOWN,
                    "there is no tool nope",
                    () -> tools.commandFor("cmd: nope", BodyFormat.YAML, null, null, Admission.ALL));
            refuses(
                    ToolRequestException.Kind.UNKNOWN,
                    "there is no toolchain nope",
                    () -> tools.commandFor("", BodyFormat.JSON, "nope", null, Admission.ALL));
            refuses(
                    ToolRequestException.Kind.INVALID,
                    "'colour' is not known",
                    () -> tools.commandFor("{cmd: hello, colour: red}", BodyFormat.YAML, null, null, Admission.ALL));
            refuses(
                    ToolRequestException.Kind.INVALID,
                    "one of 'cmd' and 'toolchain'",
                    () -> tools.commandFor("cmd: hello", BodyFormat.YAML, "chain", null, Admission.ALL));
            refuses(
                    ToolRequestException.Kind.INVALID,
                    "another toolchain",
                    () -> tools.commandFor("toolchain: one", BodyFormat.YAML, "two", null, Admission.ALL));
            refuses(
                    ToolRequestException.Kind.INVALID,
                    "no name of a tool",
                    () -> tools.commandFor("cmd: ../x", BodyFormat.YAML, null, new Target.Agent("a"), Admission.ALL));
            refuses(
                    ToolRequestException.Kind.METHOD,
                    "send POST /cmd",
                    () -> tools.commandForGet("hello", List.of(), ""));
            refuses(ToolRequestException.Kind.INVALID, "9.9.9", () -> tools.commandForGet("seen", List.of(), "9.9.9"));
            assertThat(tools.commandForGet("seen", List.of(), "").build().type())
                    .isEqualTo("tool:seen");
        }
    }

    @Test
    void listsWhatThereIsAndWhatIsWrong() throws Exception {
        ToolFixture.script(folder, "hello", "echo hello", "parameters: [{name: who, type: choice, choices: [a, b]}]");
        ToolFixture.write(folder, "tools/hello/2.0.0/hello", "#!/bin/sh\n");
        ToolFixture.write(folder, "tools/broken/1.0.0/tool.yaml", "colour: red\n");
        ToolFixture.write(folder, "toolchains/chain.yaml", "toolchain:\n  - one: {cmd: hello, version: ^1}\n");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            ToolService tools = fixture.handler;

            assertThat(tools.listTools())
                    .extracting(ToolInfo::name, ToolInfo::version, ToolInfo::newest)
                    .containsExactly(
                            org.assertj.core.groups.Tuple.tuple("hello", "1.0.0", false),
                            org.assertj.core.groups.Tuple.tuple("hello", "2.0.0", true));
            assertThat(tools.listTools().get(0).parameters().get(0).choices()).isEqualTo(List.of("a", "b"));
            assertThat(tools.listToolchains().get(0).steps().get(0).version()).isEqualTo("^1");
            assertThat(tools.listProblems()).singleElement().asString().startsWith("tools/broken/1.0.0");
        }
    }

    @Test
    void eachPieceOfOutputSaysItsCharset() throws Exception {
        ToolFixture.script(folder, "chinese", "printf '\\272\\303'", "encoding: gbk");
        ToolFixture.script(folder, "plain", "printf ok");
        ToolFixture.write(
                folder,
                "toolchains/both.yaml",
                "toolchain:\n  - a: {cmd: chinese}\n  - b: {cmd: plain}\n  - c: {cmd: chinese}\n");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord both = fixture.run(ToolRequest.toolchain("both"));
            CommandRecord one = fixture.run(ToolRequest.tool("chinese"));

            List<RunOutput.Piece> pieces =
                    fixture.handler.output(both.id(), 0, 1_000).pieces();
            Charset gbk = Charset.forName("gbk");
            assertThat(pieces).extracting(RunOutput.Piece::charset).containsExactly(gbk, StandardCharsets.UTF_8, gbk);
            assertThat(pieces.get(0).next()).isEqualTo(pieces.get(1).position());
            assertThat(fixture.handler.encoding(one)).isEqualTo(gbk);
        }
    }

    @ParameterizedTest
    @CsvSource({"-1", "8", "1000000"})
    void readsNothingWhereNoPieceBegins(long position) throws Exception {
        ToolFixture.script(folder, "hello", "echo hello hello hello");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord run = fixture.run(ToolRequest.tool("hello"));

            assertThatThrownBy(() -> fixture.handler.output(run.id(), position, 100))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void listsTheFilesOfARun() throws Exception {
        ToolFixture.script(folder, "maker", "mkdir d; printf abc > d/f; ln -s /etc/passwd link", "keep: always");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord run = fixture.run(ToolRequest.tool("maker"));

            assertThat(fixture.handler.files(run.id(), false)).isEqualTo(List.of(new RunFile("d/f", 3)));
        }
    }

    @Test
    void aToolchainHasTheExitCodeOfTheStepThatMadeItFail() throws Exception {
        ToolFixture.script(folder, "bad", "exit 9");
        ToolFixture.script(folder, "good", "exit 0");
        ToolFixture.write(folder, "toolchains/fails.yaml", "toolchain:\n  - a: {cmd: good}\n  - b: {cmd: bad}\n");
        ToolFixture.write(folder, "toolchains/works.yaml", "toolchain:\n  - a: {cmd: good}\n");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            assertThat(ToolFixture.result(fixture.run(ToolRequest.toolchain("fails")))
                            .get("exit_code")
                            .asInt())
                    .isEqualTo(9);
            assertThat(ToolFixture.result(fixture.run(ToolRequest.toolchain("works")))
                            .get("exit_code")
                            .asInt())
                    .isZero();
        }
    }
}
