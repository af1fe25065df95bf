package io.github.commandway.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.exec.ProcessTree;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.RecordId;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A server that is killed in the middle of runs, with a real process and a real store. */
class RestartTest {
    @TempDir
    Path folder;

    private Path effects;

    @BeforeEach
    void writeTools() throws IOException {
        effects = folder.resolve("effects");
        // the first time it hangs: its server is killed meanwhile
        ToolFixture.script(
                folder,
                "hang",
                "echo $1 >> $EFFECTS; [ -e $EFFECTS.restarted ] || { exec sleep 321; }",
                "env: {EFFECTS: '" + effects + "'}");
        ToolFixture.write(
                folder,
                "tools/hang/1.0.0/tool.yaml",
                "command: [main.sh]\narguments: {}\nenv: {EFFECTS: '" + effects + "'}\n");
        ToolFixture.write(
                folder,
                "tools/note/1.0.0/tool.yaml",
                "command: [main.sh]\narguments: {}\nenv: {EFFECTS: '" + effects + "'}\n");
        ToolFixture.write(folder, "tools/note/1.0.0/main.sh", "#!/bin/sh\necho $1 >> $EFFECTS; echo wrote $1\n");
    }

    private void chain(String name, String hangingStep) throws IOException {
        ToolFixture.write(folder, "toolchains/" + name + ".yaml", """
                toolchain:
                  - one: {cmd: note, args: [one]}
                  - two: {cmd: hang, args: ['two after ${steps.one.stdout}']%s}
                  - three: {cmd: note, args: ['three after ${steps.one.stdout}']}
                """.formatted(hangingStep));
    }

    /** Kills a server once it has had the effect, and starts another one. Returns the record that this one ends with. */
    private CommandRecord killAndRestart(String request, String effect) throws Exception {
        RecordId id;
        Process server = DurableServer.start(folder, request);
        List<ProcessHandle> tools;
        try (BufferedReader out =
                new BufferedReader(new InputStreamReader(server.getInputStream(), StandardCharsets.UTF_8))) {
            String line = out.readLine();
            while (!line.startsWith(DurableServer.ID)) {
                line = out.readLine();
            }
            id = RecordId.parse(line.substring(DurableServer.ID.length())).orElseThrow();
            await().atMost(Duration.ofSeconds(30))
                    .ignoreExceptions()
                    .untilAsserted(() -> assertThat(Files.readAllLines(effects)).contains(effect));
            tools = server.descendants().toList();
            assertThat(tools).isNotEmpty();
        } finally {
            server.destroyForcibly().waitFor();
        }
        await().untilAsserted(() -> assertThat(tools).noneMatch(ProcessTree::isRunning));
        return endOnNextServer(id);
    }

    private static CommandRecord find(DurableServer server, RecordId id) throws Exception {
        return server.manager.find(id).get(30, TimeUnit.SECONDS).orElseThrow();
    }

    @Test
    void aToolThatRanIsNotRunAgainAndItsProcessesEndWithTheServer() throws Exception {
        CommandRecord record = killAndRestart("{\"cmd\": \"hang\", \"args\": [\"once\"]}", "once");

        assertThat(record.reason()).isEqualTo(Reason.LOST);
        assertThat(effects).hasContent("once");
    }

    @Test
    void aToolchainGoesOnBehindTheLastFinishedStep() throws Exception {
        chain("job", ", repeatable: true");

        CommandRecord record = killAndRestart("{\"toolchain\": \"job\"}", "two after wrote one");

        assertThat(record.reason()).as(record.message()).isEqualTo(Reason.OK);
        assertThat(effects).hasContent("one\ntwo after wrote one\ntwo after wrote one\nthree after wrote one");
    }

    @Test
    void aStepThatRanIsNotRunAgainUnlessItIsRepeatable() throws Exception {
        chain("job", "");

        CommandRecord record = killAndRestart("{\"toolchain\": \"job\"}", "two after wrote one");

        assertThat(record.reason()).isEqualTo(Reason.LOST);
        assertThat(record.message()).contains("while step 'two' was running");
        assertThat(effects).hasContent("one\ntwo after wrote one");
    }

    @Test
    void aToolchainThatAServerLeftWhenItStoppedGoesOnWithTheNextOne() throws Exception {
        chain("job", ", repeatable: true");
        RecordId id = stopInTheMiddle();

        assertThat(endOnNextServer(id).reason()).isEqualTo(Reason.OK);
        assertThat(effects).hasContent("one\ntwo after wrote one\ntwo after wrote one\nthree after wrote one");
    }

    @Test
    void aToolchainWhoseFolderIsGoneIsNotBegunAgain() throws Exception {
        chain("job", ", repeatable: true");
        RecordId id = stopInTheMiddle();
        RunFolder.of(folder.resolve("runs"), id.toString()).delete();

        assertThat(endOnNextServer(id).reason()).isEqualTo(Reason.LOST);
        assertThat(effects).hasContent("one\ntwo after wrote one");
    }

    @Test
    void aToolchainThatIsNotThereAnyMoreIsLostAndNotUnknown() throws Exception {
        chain("job", ", repeatable: true");
        RecordId id = stopInTheMiddle();
        Files.delete(folder.resolve("toolchains/job.yaml"));

        CommandRecord record = endOnNextServer(id);
        assertThat(record.reason()).isEqualTo(Reason.LOST);
        assertThat(record.message()).isEqualTo("it had begun, and cannot go on: there is no toolchain 'job'");
    }

    private RecordId stopInTheMiddle() throws Exception {
        try (DurableServer server = new DurableServer(folder)) {
            RecordId id = server.manager
                    .submit(server.handler
                            .commandFor(ToolRequest.toolchain("job"))
                            .build())
                    .get(30, TimeUnit.SECONDS)
                    .id();
            await().ignoreExceptions()
                    .untilAsserted(() -> assertThat(Files.readAllLines(effects)).contains("two after wrote one"));
            return id;
        }
    }

    private CommandRecord endOnNextServer(RecordId id) throws Exception {
        Files.createFile(Path.of(effects + ".restarted"));
        try (DurableServer next = new DurableServer(folder)) {
            assertThat(next.manager.recover().get(30, TimeUnit.SECONDS)).isEqualTo(1);
            await().atMost(Duration.ofSeconds(30))
                    .until(() -> find(next, id).status().isTerminal());
            return find(next, id);
        }
    }
}
