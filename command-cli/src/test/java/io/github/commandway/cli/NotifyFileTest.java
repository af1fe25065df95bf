package io.github.commandway.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.commandway.manager.CommandStatus;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NotifyFileTest {
    @TempDir
    Path folder;

    @Test
    void withoutAFileNobodyIsTold() {
        assertThat(NotifyFile.find(settings(Map.of()), folder)).isEmpty();
    }

    @Test
    void aReceiverIsToldOfRunsThatFailUnlessItSaysMore() throws IOException {
        write("""
                link: https://commandway.example
                receivers:
                  ops: {kind: dingtalk, url: 'https://oapi.dingtalk.example/robot/send?access_token=t', secret: SECx}
                  all:
                    kind: slack
                    url: https://hooks.slack.example/services/T/B/x
                    on: [completed, failed, timeout, cancelled]
                    types: ['*']
                    targets: ['agent:*']
                    per_minute: 10
                    output_lines: 5
                    prefix: '[test]'
                """);
        NotifyFile file = NotifyFile.find(settings(Map.of()), folder).orElseThrow();
        assertThat(file.receivers().get(0).rule()).satisfies(rule -> {
            assertThat(rule.receiver()).isEqualTo("ops");
            assertThat(rule.states()).containsExactlyInAnyOrder(CommandStatus.FAILED, CommandStatus.TIMEOUT);
            assertThat(rule.types().get(0).asMatchPredicate()).accepts("tool:x").rejects("toolchain:x", "x");
            assertThat(rule.targets().get(0).asMatchPredicate()).accepts("tool:x", "agent:a");
        });
        assertThat(file.receivers().get(1).rule()).satisfies(rule -> {
            assertThat(rule.states()).hasSize(4);
            assertThat(rule.targets().get(0).asMatchPredicate())
                    .accepts("agent:a")
                    .rejects("tool:x");
        });
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "[]                                       | line 1, column 1: there should be 'receivers'",
                "link: https://a                          | there should be 'receivers'",
                "receivers: {a: {kind: mail}}             | line 1, column 23: the kind should be one of webhook",
                "receivers: {a: {kind: slack}}            | line 1, column 16: a receiver should have a 'kind'",
                "receivers: {a: {url: ftp://s3cret}}      | line 1, column 22: there should be an address such as",
                "receivers: {a: {urls: x}}                | line 1, column 17: 'urls' is not known here",
                "receivers: {a b: {}}                     | line 1, column 13: a receiver's name should be",
                "receivers: {a: {on: [started]}}          | line 1, column 22: 'started' should be one of completed",
                "receivers: {a: {on: failed}}             | line 1, column 21: there should be a list of texts",
                "receivers: {a: {per_minute: 0}}          | line 1, column 29: '0' is not a whole number from 1 to 1000",
                "receivers: {a: {kind: slack, url: 'http://a/', secret: s3cret}} | slack should have no 'secret'",
                "receivers: {a: {kind: webhook, url: 'http://a/', secret: s3cret}} | 'secret': a webhook's secret has",
                "receivers: {a: {kind: webhook, url: 'http://a/', output_lines: 3}} | should stand with dingtalk and",
                "receivers: {a: {kind: slack, kind: slack}} | line 1, column 34: not valid YAML: Duplicate",
                "receivers: {a: {kind: '                  | not valid YAML",
            })
    void whatIsWrongIsSaidWithItsPlaceAndWithoutSecrets(String text, String expected) throws IOException {
        write(text);
        assertThatThrownBy(() -> NotifyFile.find(settings(Map.of()), folder))
                .isInstanceOf(UsageException.class)
                .hasMessageStartingWith(folder.resolve("notify.yaml").toString())
                .hasMessageContaining(expected)
                .hasMessageNotContaining("s3cret");
    }

    @Test
    void theFileOnThePageIsRightAndEveryFieldIsInItsTable() throws IOException {
        String page = Files.readString(Path.of("../docs/tools.md"));
        Matcher shown = Pattern.compile("<!-- notify -->\n```yaml\n(.*?)```", Pattern.DOTALL)
                .matcher(page);
        assertThat(shown.find()).isTrue();
        write(shown.group(1));
        assertThat(NotifyFile.find(settings(Map.of()), folder).orElseThrow().receivers())
                .extracting(receiver -> receiver.rule().receiver())
                .containsExactly("ops", "releases", "monitor");
        for (String field : "kind, url, secret, on, types, targets, per_minute, output_lines, prefix".split(", ")) {
            assertThat(page).contains("\n| `" + field + "` | ");
        }
    }

    @Test
    void aFileThatIsNamedMustBeThere() {
        assertThatThrownBy(() -> NotifyFile.find(settings(Map.of("COMMANDWAY_NOTIFY_FILE", "/none.yaml")), folder))
                .hasMessageContaining("notify.file: the file /none.yaml does not exist");
    }

    private void write(String text) throws IOException {
        Files.writeString(folder.resolve("notify.yaml"), text);
    }

    private Settings settings(Map<String, String> environment) {
        return Settings.load(Map.of(), environment, null, folder);
    }
}
