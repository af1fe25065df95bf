package io.github.commandway.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ToolRequestTest {
    @Test
    void aRequestInJsonIsRead() {
        ToolRequest request = ToolRequest.ofJson("""
                {"cmd": "cmd", "version": "0.1", "args": ["arg1", "arg2"], "env": {"foo": "bar"}}
                """);

        assertThat(request.name()).isEqualTo("cmd");
        assertThat(request.version()).isEqualTo("0.1");
        assertThat(request.args()).isEqualTo(List.of("arg1", "arg2"));
        assertThat(request.env()).isEqualTo(Map.of("foo", "bar"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "env:\n  -foo:bar",
                "env:\n  - foo: bar",
                "env:\n  - foo:bar",
                "env:\n  - foo=bar",
                "env: {foo: bar}",
                "env:\n  foo: bar"
            })
    void aRequestInYamlIsReadWithEveryFormOfEnv(String env) {
        ToolRequest request = ToolRequest.ofYaml("cmd: cmd\nversion: 0.1\nargs: [arg1, 2]\n" + env + "\n");

        assertThat(request.version()).isEqualTo("0.1");
        assertThat(request.args()).isEqualTo(List.of("arg1", "2"));
        assertThat(request.env()).isEqualTo(Map.of("foo", "bar"));
    }

    @Test
    void linesOfEnvWithoutASpaceAreVariablesEach() {
        ToolRequest request = ToolRequest.ofYaml("cmd: cmd\nenv:\n  -foo:bar\n  -URL:http://host/?a=b\n");

        assertThat(request.env()).isEqualTo(Map.of("foo", "bar", "URL", "http://host/?a=b"));
    }

    @Test
    void theFirstSignEndsANameOfEnv() {
        assertThat(ToolRequest.ofYaml("cmd: cmd\nenv: ['A=b:c', 'D:e=f', 'G=-h -i=j']")
                        .env())
                .isEqualTo(Map.of("A", "b:c", "D", "e=f", "G", "-h -i=j"));
    }

    @Test
    void thePayloadHoldsAllOfIt() {
        ToolRequest request = ToolRequest.tool("t", "a", "\uD83D\uDE00")
                .version("^1")
                .param("p", "v")
                .env("E", "x")
                .input("in/a", new byte[] {0, -1})
                .stdin(new byte[] {7});

        ToolRequest read = ToolRequest.ofJson(new String(request.toPayload(), StandardCharsets.UTF_8));

        assertThat(read).usingRecursiveComparison().isEqualTo(request);
        assertThat(ToolRequest.ofJson(
                        new String(ToolRequest.toolchain("c").asDryRun().toPayload(), StandardCharsets.UTF_8)))
                .usingRecursiveComparison()
                .isEqualTo(ToolRequest.toolchain("c").asDryRun());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"cmd\": } | 'not valid JSON: line 1, column 9'",
                "{\"cmd\": \"a\", \"cmd\": \"b\"} | 'not valid JSON'",
                "{\"cmd\": \"a\"} x | 'not valid JSON'",
                "{\"cmd\": \"a\", \"arg\": []} | '''arg'' is not known; there are args, cmd,'",
                "{\"cmd\": \"a\", \"args\": \"b\"} | '''args'' must be a list'",
                "{\"cmd\": \"a\", \"args\": [[]]} | '''args'' must be a text'",
                "{\"cmd\": \"a\", \"toolchain\": \"b\"} | 'there must be one of'",
                "{\"cmd\": \"a\", \"inputs\": {\"f\": \"*\"}} | '''inputs'' must be base64'",
                "{\"cmd\": \"a\", \"env\": [\"x\"]} | '''env'' must be a map'",
                "{} | 'there must be one of'",
                "[] | 'the request must be a map'"
            })
    void whatIsNoRequestIsRefused(String json, String problem) {
        assertThatThrownBy(() -> ToolRequest.ofJson(json))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(problem);
    }

    @Test
    void aBombOfAliasesIsRefused() {
        StringBuilder yaml = new StringBuilder("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for (int i = 1; i < 12; i++) {
            yaml.append("a").append(i).append(": &a").append(i).append(" [");
            yaml.append(("*a" + (i - 1) + ", ").repeat(9))
                    .append("*a")
                    .append(i - 1)
                    .append("]\n");
        }

        assertThatThrownBy(() -> ToolRequest.ofYaml(yaml.toString())).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aNumberIsTakenAsItIsWritten() {
        ToolRequest request = ToolRequest.ofJson(
                "{\"cmd\": \"x\", \"version\": 1.10, \"args\": [0.30, 123456789012345678901234567890, -7]}");

        assertThat(request.version()).isEqualTo("1.10");
        assertThat(request.args()).containsExactly("0.30", "123456789012345678901234567890", "-7");
    }

    @Test
    void aliasesOfOneAnotherAreNotUnfoldedWithoutEnd() {
        StringBuilder yaml = new StringBuilder("cmd: x\nargs:\n  - &a0 [x, x, x]\n");
        for (int i = 1; i < 16; i++) {
            yaml.append("  - &a")
                    .append(i)
                    .append(" [")
                    .append(("*a" + (i - 1) + ", ").repeat(3))
                    .append("]\n");
        }

        assertThatThrownBy(() -> ToolRequest.ofYaml(yaml.toString()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("with its aliases this is too long");
    }

    @Test
    void aTextThatIsSaidAgainAndAgainDoesNotMakeALargeRequestOfASmallOne() {
        String yaml = "cmd: x\nstdin: &long " + "y".repeat(90_000) + "\nargs:\n" + "- *long\n".repeat(1_000);

        assertThatThrownBy(() -> ToolRequest.ofYaml(yaml))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("with its aliases this is too long");
    }

    @ParameterizedTest
    @ValueSource(strings = {"[", "{a: ", "- ", "? ", "[[], "})
    void aBodyThatIsNestedTooDeeplyIsRefused(String opening) {
        assertThatThrownBy(() -> ToolRequest.ofYaml(opening.repeat(40_000)))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> ToolRequest.ofJson(opening.repeat(40_000)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("not valid JSON");
    }
}
