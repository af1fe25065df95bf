package io.github.commandway.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandStatus;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

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
}
