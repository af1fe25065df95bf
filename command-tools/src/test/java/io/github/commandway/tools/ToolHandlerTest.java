package io.github.commandway.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CommandEvent;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.CommandStatus;
import io.github.commandway.testing.ManualTime;
import io.github.commandway.tool.api.OutputDecoder;
import io.github.commandway.tool.api.RunOutput;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ToolHandlerTest {
    @TempDir
    Path folder;

    @Test
    void aProgramOfTheToolsNameIsATool() throws Exception {
        ToolFixture.write(folder, "tools/greet/1.0.0/greet", "#!/bin/sh\necho \"hello $1\"\necho oops >&2\n");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.tool("greet", "world"));

            assertThat(record.status()).as(String.valueOf(record.message())).isEqualTo(CommandStatus.COMPLETED);
            assertThat(fixture.output(record, "stdout")).isEqualTo("hello world\n");
            assertThat(fixture.output(record, "stderr")).isEqualTo("oops\n");
            assertThat(ToolFixture.result(record).get("version").asString()).isEqualTo("1.0.0");
            assertThat(ToolFixture.result(record).get("exit_code").asInt()).isZero();
        }
    }

    @Test
    void anExitCodeThatIsNoSuccessIsAFailureWithItsMeaning() throws Exception {
        ToolFixture.script(folder, "busy", "echo so far; exit 3", "exit_codes: {3: the printer is busy}");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.tool("busy"));

            assertThat(record.status()).isEqualTo(CommandStatus.FAILED);
            assertThat(record.reason()).isEqualTo(Reason.EXECUTOR_ERROR);
            assertThat(record.message()).isEqualTo("exit code 3: the printer is busy");
            assertThat(ToolFixture.result(record).get("exit_code").asInt()).isEqualTo(3);
            assertThat(fixture.output(record, "stdout")).isEqualTo("so far\n");
        }
    }

    @Test
    void whatAToolDoesNotTakeIsRefusedBeforeItIsRecorded() throws Exception {
        ToolFixture.script(folder, "plain", "true");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            assertThatThrownBy(() -> fixture.submit(ToolRequest.tool("plain", "extra")))
                    .hasMessage("plain 1.0.0 takes no arguments");
            assertThatThrownBy(() -> fixture.submit(ToolRequest.tool("other"))).hasMessage("there is no tool 'other'");
        }
    }

    @Test
    void aRunSeesNothingOfTheServersEnvironmentButWhatIsDeclared() throws Exception {
        ToolFixture.script(
                folder,
                "show",
                "env",
                "env: {FIXED: 'run ${run_id}'}",
                "env_from_server: [JAVA_HOME_OF_NOBODY]",
                "env_from_caller: [GREETING]");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.tool("show").env("GREETING", "hi"));

            List<String> names = fixture.output(record, "stdout")
                    .lines()
                    .map(line -> line.substring(0, line.indexOf('=')))
                    .toList();
            assertThat(names)
                    .containsExactlyInAnyOrder(
                            "PATH",
                            "LANG",
                            "HOME",
                            "TMPDIR",
                            "TEMP",
                            "TMP",
                            "PWD",
                            "FIXED",
                            "GREETING",
                            "COMMANDWAY_RUN_ID",
                            "COMMANDWAY_TOOL",
                            "COMMANDWAY_TOOL_VERSION",
                            "COMMANDWAY_COMMAND");
            assertThat(fixture.output(record, "stdout")).contains("FIXED=run " + record.id());
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "LD_PRELOAD",
                "PATH",
                "BASH_ENV",
                "PYTHONPATH",
                "NODE_OPTIONS",
                "COMMANDWAY_RUN_ID",
                "A B",
                "a=b",
                "ZDOTDIR",
                "TAR_OPTIONS",
                "RSYNC_RSH",
                "PERLLIB",
                "AWKPATH",
                "MAKEFLAGS",
                "MAVEN_OPTS",
                "LESSOPEN",
                "PSModulePath",
                "AWS_CONFIG_FILE"
            })
    void callersCannotSetVariablesThatChangeWhichCodeIsRun(String name) throws Exception {
        ToolFixture.write(folder, "tools/bare/1.0.0/bare", "#!/bin/sh\ntrue\n");
        ToolFixture.script(folder, "declared", "true", "env_from_caller: [GREETING]");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            for (String tool : List.of("bare", "declared")) {
                assertThatThrownBy(() -> fixture.submit(ToolRequest.tool(tool).env(name, "x")))
                        .hasMessageContaining("the environment variable '" + name + "' is not for callers");
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "; touch pwned",
                "$(touch pwned)",
                "`touch pwned`",
                "| touch pwned",
                "&& touch pwned",
                "${args}",
                "${level}",
                "$${x}",
                "\"",
                "'",
                "\\",
                "*",
                "a\nb",
                "%PATH%",
                "日本",
                ""
            })
    void anArgumentArrivesAsItIsAndIsNeverReadAsAScript(String argument) throws Exception {
        ToolFixture.script(
                folder,
                "say",
                "printf '%s|' \"$@\"; ls",
                "command: [main.sh, '${word}', '--x=${word}', '${args}']",
                "parameters: [{name: word, pattern: '(?s).*'}, {name: level, default: secret}]",
                "arguments: {}");
        ToolFixture.write(folder, "tools/say/1.0.0/tool.yaml", """
                command: [main.sh, '${word}', '--x=${word}', '${args}']
                parameters: [{name: word, pattern: '(?s).*'}, {name: level, default: secret}]
                arguments: {}
                """);
        String word = argument.replace("\n", "");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.tool("say", argument).param("word", word));

            assertThat(record.reason()).as(record.message()).isEqualTo(Reason.OK);
            assertThat(fixture.output(record, "stdout")).isEqualTo(word + "|--x=" + word + "|" + argument + "|");
        }
    }

    @ParameterizedTest
    @CsvSource({
        "text, -rf, must not begin with '-'",
        "count, 1; rm, must be a whole number",
        "count, 10, must be at least 1 and at most 9",
        "mode, medium, 'must be one of fast, slow'",
        "sure, yes, must be true or false",
        "file, /etc/passwd, must be relative",
        "file, ../secret, must not contain '..'",
        "file, a/../../b, must not contain '..'",
        "file, C:x, must not contain ':' or a control character",
        "file, a:$DATA, must not contain ':' or a control character",
        "file, '..\\x', must not contain '..'",
        "file, sub/NUL.txt, must not name a device",
        "file, ~/x, must be relative",
        "other, x, has no parameter 'other'"
    })
    void aParameterThatIsNotAllowedIsRefused(String name, String value, String problem) throws Exception {
        ToolFixture.script(
                folder,
                "typed",
                "true",
                "parameters:",
                "  - {name: text}",
                "  - {name: count, type: integer, min: 1, max: 9}",
                "  - {name: mode, type: choice, choices: [fast, slow]}",
                "  - {name: sure, type: boolean}",
                "  - {name: file, type: path}");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            assertThatThrownBy(() -> fixture.submit(ToolRequest.tool("typed").param(name, value)))
                    .hasMessageContaining(problem);
        }
    }

    @Test
    void aPatternThatTakesForEverOnWhatACallerGivesIsGivenUp() throws Exception {
        ToolFixture.script(
                folder,
                "slow",
                "true",
                "arguments: {pattern: 'a*a*a*a*a*a*a*b?'}",
                "parameters: [{name: word, max_length: 100000, pattern: '(a|b)*'}]");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            assertThatThrownBy(() -> fixture.submit(ToolRequest.tool("slow", "a".repeat(500) + "c")))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("an argument of slow 1.0.0 takes too long to be compared with a*a*");
            assertThatThrownBy(() -> fixture.submit(ToolRequest.tool("slow").param("word", "ab".repeat(40_000))))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("parameter 'word' takes too long to be compared with (a|b)*");
            assertThat(fixture.run(ToolRequest.tool("slow", "a".repeat(60))).status())
                    .isEqualTo(CommandStatus.COMPLETED);
        }
    }

    @Test
    void inputsAreThereAndCannotLeadOut() throws Exception {
        ToolFixture.script(folder, "cat", "cat sub/in.txt -; echo made > out.txt", "keep: always");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(
                    ToolRequest.tool("cat").input("sub/in.txt", bytes("file ")).stdin(bytes("and stdin")));

            assertThat(fixture.output(record, "stdout")).isEqualTo("file and stdin");
            assertThat(Files.readString(fixture.handler.file(record.id(), false, "out.txt")))
                    .isEqualTo("made\n");
            assertThat(ToolFixture.result(record).get("files").toString())
                    .contains("\"out.txt\"")
                    .contains("\"sub/in.txt\"");
            assertThatThrownBy(() -> fixture.submit(ToolRequest.tool("cat").input("../x", bytes("x"))))
                    .hasMessageContaining("must not contain '..'");
            assertThatThrownBy(() -> fixture.handler.file(record.id(), false, "../output"))
                    .hasMessageContaining("must not contain '..'");
        }
    }

    @Test
    void aLinkThatAToolMadeDoesNotLeadOutOfItsFolder() throws Exception {
        ToolFixture.script(folder, "link", "ln -s /etc/passwd p; ln -s / root", "keep: always");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.tool("link"));

            for (String path : List.of("p", "root/etc/passwd")) {
                assertThatThrownBy(() -> fixture.handler.file(record.id(), false, path))
                        .hasMessageContaining("leads out of the folder");
            }
        }
    }

    @Test
    void theFolderOfARunIsItsOwnAndIsDeletedAsDeclared() throws Exception {
        ToolFixture.script(folder, "where", "stat -c %a . ..; touch mine; ls; test \"$1\" != fail", "arguments: {}");
        ToolFixture.write(folder, "tools/where/1.0.0/tool.yaml", "command: [main.sh]\narguments: {}\nkeep: failed\n");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord good = fixture.run(ToolRequest.tool("where"));
            CommandRecord bad = fixture.run(ToolRequest.tool("where", "fail"));

            assertThat(fixture.output(good, "stdout")).isEqualTo("700\n700\nmine\n");
            assertThat(fixture.output(bad, "stdout")).isEqualTo("700\n700\nmine\n");
            assertThat(fixture.runs.resolve(good.id().toString()).resolve("work"))
                    .doesNotExist();
            assertThat(fixture.handler.file(bad.id(), false, "mine")).exists();
        }
    }

    @Test
    void runsAtTheSameTimeShareNothing() throws Exception {
        ToolFixture.script(
                folder,
                "own",
                "echo $WHO > who; sleep 0.2; cat who; echo $1",
                "env_from_caller: [WHO]",
                "arguments: {}");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            List<CommandHandle> handles = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                handles.add(fixture.submit(ToolRequest.tool("own", "arg" + i).env("WHO", "who" + i)));
            }
            for (int i = 0; i < 12; i++) {
                CommandRecord record = handles.get(i).completion().get(60, TimeUnit.SECONDS);
                assertThat(fixture.output(record, "stdout")).isEqualTo("who" + i + "\narg" + i + "\n");
            }
        }
    }

    @Test
    void outputBeyondTheLimitIsReadAndCountedButNotKept() throws Exception {
        ToolFixture.script(folder, "much", "head -c 3000000 /dev/zero", "limits: {output: 1MiB}");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.tool("much"));

            assertThat(record.reason()).isEqualTo(Reason.OK);
            assertThat(fixture.output(record, "stdout")).hasSize(1 << 20);
            assertThat(ToolFixture.result(record).get("output_bytes").asLong()).isEqualTo(3_000_000);
            assertThat(ToolFixture.result(record).get("output_dropped").asLong())
                    .isEqualTo(3_000_000 - (1 << 20));
        }
    }

    @Test
    void outputInAnotherEncodingIsKeptByteForByteAndDecodedWhenAsked() throws Exception {
        ToolFixture.script(folder, "chinese", "printf '\\304\\343\\272\\303'", "encoding: gbk");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.tool("chinese"));

            byte[] bytes =
                    fixture.handler.output(record.id(), 0, 100).pieces().get(0).data();
            assertThat(bytes).containsExactly(0xC4, 0xE3, 0xBA, 0xC3);
            OutputDecoder decoder =
                    new OutputDecoder(fixture.catalog.find("chinese", "").encoding());
            assertThat(decoder.decode(Arrays.copyOf(bytes, 1))).isEmpty();
            assertThat(decoder.decode(Arrays.copyOfRange(bytes, 1, 3))).isEqualTo("你");
            assertThat(decoder.decode(Arrays.copyOfRange(bytes, 3, 4)) + decoder.finish())
                    .isEqualTo("好");
        }
    }

    @Test
    void outputCanBeReadInPartsFromAnyPiece() throws Exception {
        ToolFixture.script(folder, "parts", "echo one; sleep 0.1; echo two >&2; sleep 0.1; echo three");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.tool("parts"));

            List<String> read = new ArrayList<>();
            RunOutput part = fixture.handler.output(record.id(), 0, 1);
            while (!part.pieces().isEmpty()) {
                RunOutput.Piece piece = part.pieces().get(0);
                read.add(piece.channel() + " " + new String(piece.data(), StandardCharsets.UTF_8).strip());
                part = fixture.handler.output(record.id(), part.next(), 1);
            }
            assertThat(read).containsExactly("stdout one", "stderr two", "stdout three");
            assertThat(fixture.events(record).stream()
                            .filter(event -> event.type() == CommandEvent.Type.OUTPUT)
                            .map(event -> event.channel() + " "
                                    + new String(Objects.requireNonNull(event.data()), StandardCharsets.UTF_8).strip()))
                    .isEqualTo(read);
        }
    }

    @Test
    void aFailedRunIsRepeatedAsDeclaredInAFreshFolder() throws Exception {
        ToolFixture.script(
                folder,
                "flaky",
                "ls; touch left; n=$(cat \"$COUNT\" 2>/dev/null || echo 0); echo $((n+1)) > \"$COUNT\"; [ $n -ge 2 ] || exit 75",
                "env: {COUNT: '" + folder + "/count'}",
                "retry: {attempts: 5, delay: 1ms, on: [75]}");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.tool("flaky"));

            assertThat(record.reason()).isEqualTo(Reason.OK);
            assertThat(ToolFixture.result(record).get("attempts").asInt()).isEqualTo(3);
            assertThat(fixture.output(record, "stdout")).isEmpty();
            assertThat(fixture.events(record))
                    .extracting(CommandEvent::message)
                    .contains("try 1 of 5 failed: exit code 75; the next one in 1 ms");
        }
    }

    @Test
    void aCallerMayShortenTheTimeoutAndNotLengthenIt() throws Exception {
        ToolFixture.script(folder, "slow", "sleep 60", "timeout: 5m");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRequest.Builder command = fixture.handler.commandFor(ToolRequest.tool("slow"));
            assertThat(command.build().timeout()).isEqualTo(Duration.ofMinutes(5));

            CommandHandle longer =
                    fixture.submit(command.timeout(Duration.ofHours(1)).build());
            CommandHandle shorter =
                    fixture.submit(command.timeout(Duration.ofMillis(300)).build());

            assertThat(longer.request().timeout()).isEqualTo(Duration.ofMinutes(5));
            assertThat(shorter.completion().get(30, TimeUnit.SECONDS).reason()).isEqualTo(Reason.EXECUTION_TIMEOUT);
        }
    }

    @Test
    void aRunWhoseTimeIsOverSaysWhatBecameOfItsProcessesAndWhatTheyWroteLast() throws Exception {
        ToolFixture.script(
                folder,
                "slow",
                "trap 'echo bye; exit 4' TERM; echo hi; while :; do sleep 0.05; done",
                "timeout: 500ms",
                "stop_grace: 20s");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.tool("slow"));

            assertThat(record.reason()).isEqualTo(Reason.EXECUTION_TIMEOUT);
            assertThat(record.message()).isEqualTo("not finished in time; its processes were ended");
            assertThat(ToolFixture.result(record).get("all_processes_ended").asBoolean())
                    .isTrue();
            assertThat(fixture.output(record, "stdout")).isEqualTo("hi\nbye\n");
        }
    }

    @Test
    void onlySoManyRunsOfAToolAtATime() throws Exception {
        ToolFixture.script(
                folder,
                "pair",
                "mkdir $DIR/$$ && ls $DIR | wc -l; sleep 0.2; rmdir $DIR/$$",
                "isolation: none",
                "env: {DIR: '" + Files.createDirectory(folder.resolve("running")) + "'}",
                "concurrency: 2");
        // each in a namespace of its own has the same number there
        ToolFixture.write(
                folder,
                "tools/pair/1.0.0/main.sh",
                "#!/bin/sh\nmkdir $DIR/$COMMANDWAY_RUN_ID && ls $DIR | wc -l; sleep 0.2; rmdir $DIR/$COMMANDWAY_RUN_ID\n");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            List<CommandHandle> handles = new ArrayList<>();
            for (int i = 0; i < 7; i++) {
                handles.add(fixture.submit(ToolRequest.tool("pair")));
            }
            for (CommandHandle handle : handles) {
                CommandRecord record = handle.completion().get(60, TimeUnit.SECONDS);
                assertThat(fixture.output(record, "stdout").strip()).isIn("1", "2");
            }
        }
    }

    @Test
    void oneOfAPoolIsTheRunsOwn() throws Exception {
        ToolFixture.script(folder, "print", "echo $COMMANDWAY_RESOURCE $1; sleep 0.2", "pool: [p1, p2]");
        ToolFixture.write(folder, "tools/print/1.0.0/tool.yaml", "command: [main.sh, '${resource}']\npool: [p1, p2]\n");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandHandle one = fixture.submit(ToolRequest.tool("print"));
            CommandHandle two = fixture.submit(ToolRequest.tool("print"));

            assertThat(List.of(
                            fixture.output(one.completion().get(30, TimeUnit.SECONDS), "stdout"),
                            fixture.output(two.completion().get(30, TimeUnit.SECONDS), "stdout")))
                    .containsExactly("p1 p1\n", "p2 p2\n");
        }
    }

    @Test
    void whatWaitsForALockCanBeCancelledAndThenNeverRuns() throws Exception {
        ToolFixture.script(folder, "lock", "touch $MARK; sleep 60", "locks: [scanner]", "env_from_caller: [MARK]");
        Path first = folder.resolve("first");
        Path second = folder.resolve("second");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandHandle holder = fixture.submit(ToolRequest.tool("lock").env("MARK", first.toString()));
            CommandHandle waiter = fixture.submit(ToolRequest.tool("lock").env("MARK", second.toString()));
            await().untilAsserted(() -> assertThat(first).exists());
            assertThat(waiter.record().status()).isEqualTo(CommandStatus.PENDING);

            assertThat(cancel(fixture, waiter).reason()).isEqualTo(Reason.CANCELLED_BEFORE_START);
            assertThat(cancel(fixture, holder).reason()).isEqualTo(Reason.CANCELLED_WHILE_RUNNING);
            await().untilAsserted(() -> assertThat(fixture.handler.running()).isZero());
            assertThat(fixture.handler.waiting()).isZero();
            assertThat(second).doesNotExist();
        }
    }

    @Test
    void tooManyWaitingRunsAreRefused() throws Exception {
        ToolFixture.script(folder, "slow", "sleep 60");
        try (ToolFixture fixture = new ToolFixture(folder, builder -> builder.maxRuns(1, 1))) {
            fixture.submit(ToolRequest.tool("slow"));
            fixture.submit(ToolRequest.tool("slow"));

            assertThatThrownBy(() -> fixture.submit(ToolRequest.tool("slow")))
                    .hasMessageContaining("as many runs of tools wait as may");
        }
    }

    @Test
    void aFolderThatGrowsTooLargeEndsTheRun() throws Exception {
        ToolFixture.script(
                folder,
                "fill",
                "while true; do head -c 100000 /dev/zero > f$i; i=x$i; done",
                "limits: {folder: 1MiB}",
                "keep: never");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.tool("fill"));

            assertThat(record.reason()).isEqualTo(Reason.EXECUTOR_ERROR);
            assertThat(record.message()).contains("the most is 1048576; its processes were ended");
        }
    }

    @Test
    void limitsAreSet() throws Exception {
        ToolFixture.script(
                folder,
                "limited",
                "ulimit -v; ulimit -t; ulimit -n; ulimit -f",
                "limits: {memory: 64MiB, cpu: 7s, open_files: 33, folder: 1MiB}");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.tool("limited"));

            // in KiB, seconds, files, and blocks of 512 bytes
            assertThat(fixture.output(record, "stdout")).isEqualTo("65536\n7\n33\n2048\n");
        }
    }

    @Test
    void aRunThatIsCancelledWhileItWritesIsCancelledAndNotFailed() throws Exception {
        ToolFixture.script(folder, "chatty", "while true; do echo line; done", "stop_grace: 0s");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            for (int i = 0; i < 5; i++) {
                CommandHandle handle = fixture.submit(ToolRequest.tool("chatty"));
                await().ignoreExceptions()
                        .until(() -> !fixture.handler
                                .output(handle.id(), 0, 1)
                                .pieces()
                                .isEmpty());

                assertThat(cancel(fixture, handle).reason()).isEqualTo(Reason.CANCELLED_WHILE_RUNNING);
            }
        }
    }

    @Test
    void closingEndsWhatRuns() throws Exception {
        ToolFixture.script(folder, "slow", "echo begun; sleep 60");
        ToolFixture fixture = new ToolFixture(folder);
        CommandHandle handle = fixture.submit(ToolRequest.tool("slow"));
        await().ignoreExceptions()
                .untilAsserted(() ->
                        assertThat(fixture.output(handle.record(), "stdout")).contains("begun"));

        fixture.close();

        assertThat(handle.record().reason()).isEqualTo(Reason.SHUTDOWN);
        assertThat(handle.record().message()).isEqualTo("its processes were ended");
    }

    @Test
    void foldersOfOldRunsAreDeletedAndThoseOfRunningOnesAreNot() throws Exception {
        ManualTime time = new ManualTime();
        ToolFixture.script(folder, "quick", "echo $1; $1", "arguments: {}");
        ToolFixture.write(folder, "tools/quick/1.0.0/tool.yaml", "command: [main.sh]\narguments: {}\n");
        ToolFixture.write(folder, "tools/quick/1.0.0/main.sh", "#!/bin/sh\necho begun; sleep $1\n");
        try (ToolFixture fixture = new ToolFixture(
                folder, builder -> builder.keep(2, Duration.ofDays(1_000_000)).timer(time.scheduler()))) {
            List<CommandRecord> ended = new ArrayList<>();
            CommandHandle running = fixture.submit(ToolRequest.tool("quick", "60"));
            for (int i = 0; i < 3; i++) {
                ended.add(fixture.run(ToolRequest.tool("quick", "0")));
            }
            await().ignoreExceptions()
                    .untilAsserted(() -> assertThat(fixture.output(running.record(), "stdout"))
                            .contains("begun"));

            time.advance(Duration.ofMinutes(10));

            assertThatThrownBy(() -> fixture.output(ended.get(0), "stdout")).isInstanceOf(NoSuchFileException.class);
            assertThat(fixture.output(ended.get(2), "stdout")).isEqualTo("begun\n");
            assertThat(fixture.output(running.record(), "stdout")).isEqualTo("begun\n");
        }
    }

    @Test
    void aFolderThatCannotBeNamedAnyMoreDoesNotKeepTheOthersFromBeingDeleted() throws Exception {
        ManualTime time = new ManualTime();
        ToolFixture.script(
                folder, "deep", "for i in $(seq 60); do mkdir $1 && cd -P $1 || exit 9; done", "arguments: {}");
        ToolFixture.script(folder, "quick", "true");
        try (ToolFixture fixture = new ToolFixture(
                folder, builder -> builder.keep(1, Duration.ofDays(1_000_000)).timer(time.scheduler()))) {
            CommandRecord deep = fixture.run(ToolRequest.tool("deep", "d".repeat(200)));
            CommandRecord quick = fixture.run(ToolRequest.tool("quick"));
            CommandRecord last = fixture.run(ToolRequest.tool("quick"));
            assertThat(deep.message()).contains("its folder has paths with more than 1024 characters");

            time.advance(Duration.ofMinutes(10));

            assertThat(fixture.runs.resolve(deep.id().toString())).doesNotExist();
            assertThat(fixture.runs.resolve(quick.id().toString())).doesNotExist();
            assertThat(fixture.runs.resolve(last.id().toString())).exists();
        }
    }

    private static CommandRecord cancel(ToolFixture fixture, CommandHandle handle) throws Exception {
        return fixture.manager
                .cancel(handle.id())
                .get(30, TimeUnit.SECONDS)
                .orElseThrow()
                .record();
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
