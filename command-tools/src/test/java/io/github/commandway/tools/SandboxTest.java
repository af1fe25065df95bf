package io.github.commandway.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.exec.Containment;
import io.github.commandway.manager.CommandRecord;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Needs bubblewrap. */
@EnabledOnOs(OS.LINUX)
class SandboxTest {
    @TempDir
    Path folder;

    private CommandRecord run(ToolFixture fixture, String tool) throws Exception {
        assertThat(fixture.handler.hasSandbox()).as("bubblewrap is there").isTrue();
        return fixture.run(ToolRequest.tool(tool));
    }

    @Test
    void aToolInASandboxSeesTheSystemReadOnlyAndItsOwnFolder() throws Exception {
        Path secret = Files.writeString(folder.resolve("secret"), "secret");
        ToolFixture.script(folder, "look", """
                pwd
                echo mine > made && cat made
                cat /tool/data
                echo tmp > /tmp/x && cat /tmp/x
                touch /tool/x /usr/x /x /etc/x 2>/dev/null && echo wrote
                cat '%s' '/proc/1/environ' 2>/dev/null && echo read
                ls / | tr '\\n' ' '
                """.formatted(secret), "isolation: sandbox", "keep: always");
        ToolFixture.write(folder, "tools/look/1.0.0/data", "own data\n");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = run(fixture, "look");

            assertThat(record.reason()).as(fixture.output(record, "stderr")).isEqualTo(Reason.OK);
            String[] lines = fixture.output(record, "stdout").split("\n");
            assertThat(lines).startsWith("/work", "mine", "own data", "tmp").hasSize(5);
            assertThat(lines[4].split(" ")).contains("usr", "work", "tool").doesNotContain("home", "root", "var");
            assertThat(Files.readString(fixture.handler.file(record.id(), false, "made")))
                    .isEqualTo("mine\n");
        }
    }

    @Test
    void aToolInASandboxHasNoPrivilegesAndCannotMakeNamespaces() throws Exception {
        ToolFixture.script(
                folder,
                "rights",
                "grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status; id -u; unshare -U true 2>/dev/null || echo no namespace;"
                        + " kill -0 1 2>/dev/null; ls /proc | grep -c '^[0-9]'",
                "isolation: sandbox");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = run(fixture, "rights");

            String[] lines = fixture.output(record, "stdout").split("\n");
            assertThat(lines[0]).endsWith("0000000000000000");
            assertThat(lines[1]).endsWith("0000000000000000");
            assertThat(lines[2]).endsWith("1");
            assertThat(lines[3]).isNotEqualTo("0");
            assertThat(lines[4]).isEqualTo("no namespace");
            assertThat(Integer.parseInt(lines[5])).as("processes that it sees").isLessThan(10);
        }
    }

    @Test
    void aSandboxHasNoNetworkUnlessItIsDeclared() throws Exception {
        try (ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            String script = "bash -c 'exec 3<>/dev/tcp/127.0.0.1/" + server.getLocalPort()
                    + "' 2>/dev/null && echo connected || echo refused";
            ToolFixture.script(folder, "closed", script, "isolation: sandbox");
            ToolFixture.script(folder, "open", script, "isolation: sandbox", "sandbox: {network: true}");
            try (ToolFixture fixture = new ToolFixture(folder)) {
                assertThat(fixture.output(run(fixture, "closed"), "stdout")).isEqualTo("refused\n");
                assertThat(fixture.output(run(fixture, "open"), "stdout")).isEqualTo("connected\n");
            }
        }
    }

    @Test
    void whatIsDeclaredIsThere() throws Exception {
        Path shared = Files.createDirectory(folder.resolve("shared"));
        ToolFixture.write(shared, "in", "shared\n");
        Path writable = Files.createDirectory(folder.resolve("writable"));
        assertThat(writable.toFile().setWritable(true, false)).isTrue();
        ToolFixture.script(
                folder,
                "declared",
                "cat '%s/in'; touch '%s/x' 2>/dev/null || echo read only; echo out > '%s/out'"
                        .formatted(shared, shared, writable),
                "isolation: sandbox",
                "sandbox: {read: ['" + shared + "'], write: ['" + writable + "']}");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = run(fixture, "declared");

            assertThat(fixture.output(record, "stdout"))
                    .as(fixture.output(record, "stderr"))
                    .isEqualTo("shared\nread only\n");
            assertThat(writable.resolve("out")).hasContent("out\n");
        }
    }

    @Test
    void aSandboxLimitsProcessesMemoryAndFiles() throws Exception {
        ToolFixture.script(
                folder,
                "bomb",
                "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; wait",
                "isolation: sandbox",
                "limits: {processes: 8}");
        ToolFixture.script(
                folder,
                "hog",
                "x=$(head -c 200000000 /dev/zero | tr '\\0' a); echo ${#x}",
                "isolation: sandbox",
                "limits: {memory: 64MiB}");
        ToolFixture.script(
                folder, "file", "head -c 2000000 /dev/zero > big", "isolation: sandbox", "limits: {folder: 1MiB}");
        ToolFixture.script(
                folder,
                "tmp",
                "for i in 1 2 3; do head -c 500000 /dev/zero > /tmp/$i || exit 9; done",
                "isolation: sandbox",
                "limits: {folder: 1MiB}");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord bomb = run(fixture, "bomb");
            assertThat(bomb.reason()).isEqualTo(Reason.EXECUTOR_ERROR);
            assertThat(fixture.output(bomb, "stderr")).contains("Cannot fork");
            assertThat(run(fixture, "hog").reason()).isEqualTo(Reason.EXECUTOR_ERROR);
            assertThat(run(fixture, "file").reason()).isEqualTo(Reason.EXECUTOR_ERROR);
            assertThat(run(fixture, "tmp").message()).isEqualTo("exit code 9");
        }
    }

    @Test
    void nothingInASandboxIsInMemoryWithoutALimit() throws Exception {
        ToolFixture.script(folder, "shared", """
                echo shared > /dev/shm/x && cat /dev/shm/x
                grep -E '^[^ ]+ (/|/dev) ' /proc/mounts | cut -d ' ' -f 2,4 | cut -d , -f 1
                for i in 1 2 3; do head -c 500000 /dev/zero > /dev/shm/$i || exit 9; done
                """, "isolation: sandbox", "limits: {folder: 1MiB}");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = run(fixture, "shared");

            assertThat(fixture.output(record, "stdout").lines())
                    .startsWith("shared")
                    .contains("/ ro", "/dev ro")
                    .doesNotContain("/ rw", "/dev rw");
            assertThat(record.message()).isEqualTo("exit code 9");
        }
    }

    @Test
    void aSandboxRunsFromInputsToOutputs() throws Exception {
        ToolFixture.script(folder, "upper", "tr a-z A-Z < in > out", "isolation: sandbox", "keep: always");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.tool("upper").input("in", new byte[] {'a', 'b'}));

            assertThat(record.reason()).as(fixture.output(record, "stderr")).isEqualTo(Reason.OK);
            assertThat(fixture.handler.file(record.id(), false, "out")).hasContent("AB");
        }
    }

    @Test
    void withoutBubblewrapASandboxIsRefusedAndSaysWhatToDo() throws IOException {
        ToolFixture.script(folder, "boxed", "true", "isolation: sandbox");
        ToolFixture.script(folder, "limited", "true", "limits: {memory: 1GiB}");
        ToolCatalog catalog = ToolCatalog.open(folder);
        Launcher without = new Launcher(Containment.basic(), false, false, false);

        assertThat(without.whyNot(catalog.find("boxed", "")))
                .contains("bubblewrap")
                .contains("install it");
        assertThat(without.whyNot(catalog.find("limited", ""))).contains("prlimit");
        assertThatThrownBy(() -> ToolHandler.builder(catalog, folder.resolve("runs"))
                        .build(without)
                        .commandFor(ToolRequest.tool("boxed")))
                .hasMessageContaining("bubblewrap");
    }
}
