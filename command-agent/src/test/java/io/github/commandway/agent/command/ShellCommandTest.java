package io.github.commandway.agent.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

import io.github.commandway.agent.RecordingContext;
import io.github.commandway.agent.UnknownCommandException;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.exec.ProcessTree;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

@DisabledOnOs(OS.WINDOWS)
@Timeout(60)
class ShellCommandTest {
    @TempDir
    Path folder;

    private final ExecutorService others = Executors.newSingleThreadExecutor();
    private final Commands commands =
            new Commands(BuiltinCommands.builder().shell(true).killGrace(Duration.ofMillis(200)));

    @AfterEach
    void stop() {
        others.shutdownNow();
        Thread.interrupted();
    }

    @Test
    void isOffUnlessSwitchedOn() {
        assertThatExceptionOfType(UnknownCommandException.class)
                .isThrownBy(() -> new Commands(BuiltinCommands.builder()).run("exec_shell", "{'command': 'true'}"));
    }

    @Test
    void givesOutputAndExitCode() throws Exception {
        JsonNode result = commands.run("exec_shell", "{'command': 'echo out; echo err >&2'}");
        assertThat(result)
                .isEqualTo(
                        Commands.JSON.readTree(
                                "{\"success\":true,\"exit_code\":0,\"stdout\":\"out\\n\",\"stderr\":\"err\\n\",\"message\":\"\",\"truncated\":false}"));
    }

    @Test
    void anExitCodeIsNeverShownAsSuccess() throws Exception {
        JsonNode result = commands.run("exec_shell", "{'command': 'echo half; exit 3'}");
        assertThat(result.get("success").asBoolean()).isFalse();
        assertThat(result.get("exit_code").asInt()).isEqualTo(3);
        assertThat(result.get("message").asString()).isEqualTo("exit code 3");
        assertThat(result.get("stdout").asString()).isEqualTo("half\n");
    }

    @Test
    void sendsOutputAsItComes() throws Exception {
        Path goOn = folder.resolve("go-on");
        RecordingContext context = new RecordingContext();
        Future<?> other = others.submit(() -> {
            await().until(() -> context.stdout().equals("first\n"));
            return Files.createFile(goOn);
        });
        commands.run(
                context,
                "exec_shell",
                "{'command': 'echo first; until [ -e " + goOn + " ]; do sleep 0.01; done; echo second; echo bad >&2'}");
        other.get();
        assertThat(context.stdout()).isEqualTo("first\nsecond\n");
        assertThat(context.stderr()).isEqualTo("bad\n");
    }

    @Test
    void cutsLongOutputInTheResultAndMarksIt() throws Exception {
        Commands small = new Commands(BuiltinCommands.builder().shell(true).shellOutputLimit(10));
        RecordingContext context = new RecordingContext();
        JsonNode result =
                small.run(context, "exec_shell", "{'command': 'printf 123456789\u00e4\u00e4; printf 1234567890 >&2'}");
        assertThat(result.get("stdout").asString())
                .as("the character that is cut is left out")
                .isEqualTo("123456789... (truncated)");
        assertThat(result.get("stderr").asString()).isEqualTo("1234567890");
        assertThat(result.get("truncated").asBoolean()).isTrue();
        assertThat(context.stdout()).isEqualTo("123456789\u00e4\u00e4");
    }

    @Test
    void readsMuchOutputToItsEnd() throws Exception {
        RecordingContext context = new RecordingContext();
        JsonNode result = commands.run(context, "exec_shell", "{'command': 'yes | head -c 5000000'}");
        assertThat(result.get("stdout").asString())
                .hasSize((64 << 10) + "... (truncated)".length())
                .endsWith("y\n... (truncated)");
        assertThat(context.stdout()).hasSize(5_000_000);
    }

    @Test
    void hasNoInput() throws Exception {
        assertThat(commands.run("exec_shell", "{'command': 'cat; echo end'}")
                        .get("stdout")
                        .asString())
                .isEqualTo("end\n");
    }

    @Test
    void getsOnlyTheDeclaredEnvironment() throws Exception {
        Commands bare = new Commands(BuiltinCommands.builder().shell(true).environment("PATH"));
        String names = bare.run("exec_shell", "{'command': 'env | cut -d= -f1'}")
                .get("stdout")
                .asString();
        assertThat(names.split("\n"))
                .as("PWD, SHLVL and _ come from the shell")
                .contains("COMMANDWAY_COMMAND", "PATH")
                .isSubsetOf("COMMANDWAY_COMMAND", "PATH", "PWD", "OLDPWD", "SHLVL", "_");
    }

    @Test
    void refusesATimeoutOutOfRangeAndWrongParameters() {
        commands.assertRefused("exec_shell", "{'command': 'true', 'timeout': 301}")
                .withMessage("timeout must be from 1 to 300 seconds");
        commands.assertRefused("exec_shell", "{'command': 'true', 'timeout': 0}");
        commands.assertRefused("exec_shell", "{'command': 'true', 'timeout': -1}");
        commands.assertRefused("exec_shell", "{'command': ''}").withMessageContaining("'command' is missing or empty");
        commands.assertRefused("exec_shell", "{}").withMessageContaining("'command' is missing or empty");
        commands.assertRefused("exec_shell", "{'command': ['ls']}")
                .withMessageContaining("field 'command' must be a string");
    }

    @Test
    void startsInAFolderThatIsAllowed() throws Exception {
        Path allowed = Files.createDirectories(folder.resolve("allowed/inner")).getParent();
        Path outside = Files.createDirectory(folder.resolve("outside"));
        Files.createSymbolicLink(allowed.resolve("link"), outside);
        Commands fenced = new Commands(BuiltinCommands.builder().shell(true).shellFolders(allowed));

        assertThat(fenced.run("exec_shell", "{'command': 'pwd -P'}")
                        .get("stdout")
                        .asString())
                .isEqualTo(allowed.toRealPath() + "\n");
        assertThat(fenced.run("exec_shell", "{'command': 'pwd -P', 'work_dir': 'inner'}")
                        .get("stdout")
                        .asString())
                .isEqualTo(allowed.toRealPath().resolve("inner") + "\n");
        for (String bad : List.of("..", outside.toString(), "link", "inner/../../outside", "/")) {
            fenced.assertRefused("exec_shell", "{'command': 'true', 'work_dir': '" + bad + "'}")
                    .withMessageContaining("not under an allowed folder");
        }
        fenced.assertRefused("exec_shell", "{'command': 'true', 'work_dir': 'missing'}")
                .withMessageContaining("not a directory");
        fenced.assertRefused("exec_shell", "{'command': 'true', 'work_dir': 'a\\u0000b'}")
                .withMessageContaining("not a path");
        assertThat(commands.run("exec_shell", "{'command': 'pwd -P', 'work_dir': '" + outside + "'}")
                        .get("stdout")
                        .asString())
                .isEqualTo(outside.toRealPath() + "\n");
    }

    @Test
    void atItsTimeoutTheWholeTreeEndsEvenWhatIgnoresSigterm() throws Exception {
        assertThatExceptionOfType(CommandException.class)
                .isThrownBy(() -> run(new RecordingContext(), commands, "sh stubborn parent child grandchild", 1))
                .withMessage("not finished within 1000 ms; its processes were ended")
                .satisfies(e -> assertThat(e.reason()).isEqualTo(Reason.EXECUTION_TIMEOUT));
        assertThat(running("parent", "child", "grandchild")).isEmpty();
    }

    @Test
    void whenItIsCancelledTheWholeTreeEndsEvenWhatIgnoresSigterm() throws Exception {
        assertCancelled("sh stubborn parent child grandchild", "grandchild");
        assertThat(running("parent", "child", "grandchild")).isEmpty();
    }

    @Test
    @EnabledIf("hasProc")
    void whenItIsCancelledWhatLeftTheGroupAndTheTreeEndsToo() throws Exception {
        assertCancelled("(setsid sh stubborn escaped &); sleep 60", "escaped");
        assertThat(running("escaped")).isEmpty();
    }

    private void assertCancelled(String command, String lastToStart) throws Exception {
        RecordingContext context = new RecordingContext();
        Future<?> other = others.submit(() -> {
            await().until(() -> Files.exists(folder.resolve(lastToStart)));
            context.cancel();
        });
        assertThatExceptionOfType(InterruptedException.class).isThrownBy(() -> run(context, commands, command, 60));
        other.get();
    }

    @Test
    void processesThatHandleSigtermMayFinishWithinTheGraceTime() throws Exception {
        Commands patient = new Commands(BuiltinCommands.builder().shell(true).killGrace(Duration.ofSeconds(30)));
        Files.writeString(
                folder.resolve("tidy"),
                "trap 'sleep 0.2; echo tidy > done; exit 0' TERM; while :; do sleep 0.05; done");
        assertThatExceptionOfType(CommandException.class)
                .isThrownBy(() -> run(new RecordingContext(), patient, "trap : TERM; sh tidy; echo after >> done", 1));
        assertThat(folder.resolve("done")).hasContent("tidy\nafter");
    }

    @Test
    void endsWithTheShellAndKillsWhatIsLeftInItsGroup() throws Exception {
        JsonNode result = run(
                new RecordingContext(),
                commands,
                "sh stubborn left & until [ -e left ]; do sleep 0.01; done; echo done",
                30);
        assertThat(result.get("stdout").asString()).isEqualTo("done\n");
        await().untilAsserted(() -> assertThat(running("left")).isEmpty());
    }

    @Test
    void aBackgroundProcessThatWritesWithoutEndDoesNotKeepItAlive() throws Exception {
        for (int i = 0; i < 20; i++) {
            assertThat(commands.run("exec_shell", "{'command': 'yes & exit 0'}")
                            .get("success")
                            .asBoolean())
                    .isTrue();
        }
    }

    @Test
    void theTimeoutCountsByTheTicker() {
        AtomicLong ticker = new AtomicLong();
        ProcessRunner runner =
                new ProcessRunner(() -> ticker.getAndAdd(Duration.ofMinutes(1).toNanos()), Duration.ZERO);
        assertThatExceptionOfType(CommandException.class)
                .isThrownBy(() -> runner.run(
                        new RecordingContext(),
                        new ProcessRunner.Task(
                                List.of("/bin/sleep", "600"), null, Map.of(), Duration.ofMinutes(10), 10, false)))
                .withMessageContaining("not finished within 600000 ms");
    }

    static boolean hasProc() {
        return Files.isDirectory(Path.of("/proc/self"));
    }

    private JsonNode run(RecordingContext context, Commands target, String command, int timeout) throws Exception {
        // Ignores SIGTERM, tells its pid in the file of its first argument, and starts itself with the other arguments.
        Files.writeString(
                folder.resolve("stubborn"),
                "trap '' TERM; echo $$ > $1.tmp; mv $1.tmp $1; shift; [ $# = 0 ] || sh stubborn $* & while :; do sleep 0.1; done");
        String params = Commands.JSON
                .createObjectNode()
                .put("command", command)
                .put("timeout", timeout)
                .put("work_dir", folder.toString())
                .toString();
        return Commands.JSON.readTree(
                target.router().execute(context, "exec_shell", params.getBytes(StandardCharsets.UTF_8)));
    }

    private List<Long> running(String... names) throws IOException {
        List<Long> alive = new ArrayList<>();
        for (String name : names) {
            long pid = Long.parseLong(Files.readString(folder.resolve(name)).strip());
            if (ProcessHandle.of(pid).map(ProcessTree::isRunning).orElse(false)) {
                alive.add(pid);
            }
        }
        return alive;
    }
}
