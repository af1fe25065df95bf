package io.github.commandway.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SettingsTest {
    @TempDir
    Path folder;

    private Settings load(Map<Setting, List<String>> flags, Map<String, String> environment) {
        return Settings.load(flags, environment, null, folder);
    }

    private void write(String yaml) throws IOException {
        Files.writeString(folder.resolve(Settings.DEFAULT_FILE), yaml);
    }

    @Test
    void withoutAnythingGivenEverythingHasItsDefault() {
        Settings settings = load(Map.of(), Map.of());

        assertThat(settings.number(Setting.QUIC_PORT)).isEqualTo(8474);
        assertThat(settings.number(Setting.HTTP_PORT)).isEqualTo(8080);
        assertThat(settings.text(Setting.AGENT_ID)).isEqualTo("client-001");
        assertThat(settings.data()).isEqualTo(Path.of("./commandway-data"));
        assertThat(settings.map(Setting.HTTP_TOKENS)).isEmpty();
        assertThat(settings.given(Setting.AGENT_TOKEN)).isEmpty();
        assertThat(settings.isOn(Setting.ALLOW_SHELL)).isFalse();
    }

    @Test
    void everyDefaultIsAValueThatCouldBeGiven() {
        for (Setting setting : Setting.values()) {
            if (!setting.defaultValue().isEmpty()) {
                setting.kind().check(setting.defaultValue());
            }
        }
    }

    @Test
    void flagsComeBeforeVariablesBeforeTheFile() throws IOException {
        write("http: {port: 1, host: 127.0.0.2}\nquic:\n  port: 1\n");

        Settings settings = load(
                Map.of(Setting.QUIC_PORT, List.of("3")),
                Map.of("COMMANDWAY_QUIC_PORT", "2", "COMMANDWAY_HTTP_PORT", "2"));

        assertThat(settings.number(Setting.QUIC_PORT)).isEqualTo(3);
        assertThat(settings.number(Setting.HTTP_PORT)).isEqualTo(2);
        assertThat(settings.text(Setting.HTTP_HOST)).isEqualTo("127.0.0.2");
    }

    @Test
    void listsAndNamesWithValuesCanBeWrittenInAllThreePlaces() throws IOException {
        write("agent:\n  servers: [a, 'b:1']\n  labels:\n    site: north\n    rack: 7\n");
        Settings fromFile = load(Map.of(), Map.of());
        Settings fromVariables = load(
                Map.of(), Map.of("COMMANDWAY_AGENT_SERVERS", "c,d", "COMMANDWAY_AGENT_LABELS", "site=south,x=a=b"));
        Settings fromFlags = load(Map.of(Setting.AGENT_SERVERS, List.of("e", "f")), Map.of());

        assertThat(fromFile.list(Setting.AGENT_SERVERS)).containsExactly("a", "b:1");
        assertThat(fromFile.map(Setting.AGENT_LABELS)).isEqualTo(Map.of("site", "north", "rack", "7"));
        assertThat(fromVariables.list(Setting.AGENT_SERVERS)).containsExactly("c", "d");
        assertThat(fromVariables.map(Setting.AGENT_LABELS)).isEqualTo(Map.of("site", "south", "x", "a=b"));
        assertThat(fromFlags.list(Setting.AGENT_SERVERS)).containsExactly("e", "f");
    }

    @Test
    void anUnknownKeyIsRefusedWithItsLineAndTheNearestOne() throws IOException {
        write("data: here\nhttp:\n  # a comment\n  prot: 1\n");

        assertThatThrownBy(() -> load(Map.of(), Map.of()))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("line 4")
                .hasMessageContaining("'http.prot'")
                .hasMessageContaining("did you mean 'http.port'?");
    }

    @Test
    void anUnknownSectionIsRefused() throws IOException {
        write("htpt:\n  port: 1\n");

        assertThatThrownBy(() -> load(Map.of(), Map.of()))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("line 1")
                .hasMessageContaining("'htpt'");
    }

    @Test
    void aWrongValueIsRefusedNamingWhereItStandsAndWhatWouldBeRight() throws IOException {
        write("http:\n  port: abc\n");

        assertThatThrownBy(() -> load(Map.of(), Map.of()))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("http.port: 'abc' is not a whole number from 0 to 65535")
                .hasMessageContaining("commandway.yaml, line 2");
        write("");
        assertThatThrownBy(() -> load(Map.of(), Map.of("COMMANDWAY_HTTP_PORT", "70000")))
                .hasMessageContaining("70000")
                .hasMessageContaining("COMMANDWAY_HTTP_PORT");
        assertThatThrownBy(() -> load(Map.of(Setting.HEARTBEAT, List.of("10")), Map.of()))
                .hasMessageContaining("'10' is not a duration above zero such as 500ms")
                .hasMessageContaining("--heartbeat");
        assertThatThrownBy(() -> load(Map.of(Setting.HTTP_MAX_BODY, List.of("3GiB")), Map.of()))
                .hasMessageContaining("is not a size");
    }

    @Test
    void aWrongTokenEntryIsRefusedWithoutShowingTheSecret() {
        assertThatThrownBy(() -> load(Map.of(Setting.HTTP_TOKENS, List.of("hunter2")), Map.of()))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("name=value")
                .hasMessageNotContaining("hunter2");
    }

    @Test
    void aSectionWhereAValueBelongsIsRefused() throws IOException {
        write("http:\n  port: {a: 1}\n");

        assertThatThrownBy(() -> load(Map.of(), Map.of()))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("http.port must be one value");
    }

    @Test
    void aSettingThatIsGivenTwiceIsRefused() throws IOException {
        write("http:\n  port: 1\nquic: {port: 1}\nhttp:\n  port: 2\n");

        assertThatThrownBy(() -> load(Map.of(), Map.of()))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("line");
    }

    @Test
    void aFileThatIsNotYamlIsRefusedWithItsLine() throws IOException {
        write("http:\n\tport: 1\n");

        assertThatThrownBy(() -> load(Map.of(), Map.of()))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("is not YAML, line");
    }

    @Test
    void anEmptyFileSetsNothing() throws IOException {
        write("# nothing yet\n");

        assertThat(load(Map.of(), Map.of()).number(Setting.HTTP_PORT)).isEqualTo(8080);
    }

    @Test
    void aNamedFileMustExist() {
        assertThatThrownBy(() -> Settings.load(Map.of(), Map.of(), Path.of("none.yaml"), folder))
                .isInstanceOf(UsageException.class)
                .hasMessageContaining("none.yaml does not exist");
        assertThatThrownBy(() -> load(Map.of(), Map.of("COMMANDWAY_CONFIG", "none.yaml")))
                .hasMessageContaining("none.yaml does not exist");
    }

    @Test
    void anUnknownVariableIsToldOfAndIgnored() {
        Settings settings = load(Map.of(), Map.of("COMMANDWAY_HTTP_PROT", "1", "COMMANDWAY_JAVA_OPTS", "-Xmx1g"));

        assertThat(settings.warnings()).hasSize(1);
        assertThat(settings.warnings().get(0)).contains("COMMANDWAY_HTTP_PROT", "did you mean 'COMMANDWAY_HTTP_PORT'?");
    }

    @Test
    void noTwoSettingsHaveTheSameKeyOrFlagOfOneRole() {
        assertThat(Arrays.stream(Setting.values()).map(Setting::key)).doesNotHaveDuplicates();
        for (Setting.Role role : Setting.Role.values()) {
            assertThat(Arrays.stream(Setting.values())
                            .filter(setting -> setting.isFor(role))
                            .map(Setting::flag))
                    .doesNotHaveDuplicates();
        }
    }

    @Test
    void durationsAndSizesAreRead() {
        assertThat(List.of("500ms", "10s", "30m", "2h", "7d").stream().map(Kind::duration))
                .containsExactly(
                        Duration.ofMillis(500),
                        Duration.ofSeconds(10),
                        Duration.ofMinutes(30),
                        Duration.ofHours(2),
                        Duration.ofDays(7));
        assertThat(List.of("17", "17B", "2KiB", "1MiB", "1GiB").stream().map(Kind::bytes))
                .containsExactly(17, 17, 2048, 1 << 20, 1 << 30);
    }

    @Test
    void theOperationsPageHasTheTableOfSettings() throws IOException {
        String table = Arrays.stream(Setting.values())
                .map(setting -> "| `" + setting.key() + "` | `" + setting.flag() + "` | `" + setting.variable() + "` | "
                        + (setting.defaultValue().isEmpty() ? "" : "`" + setting.defaultValue() + "`") + " | "
                        + setting.description() + " |")
                .collect(Collectors.joining("\n"));

        assertThat(Files.readString(Path.of("../docs/operations.md"))).contains(table);
    }

    @Test
    void theOperationsPageHasTheTableOfExitCodes() throws IOException {
        String table = Arrays.stream(ExitCode.values())
                .map(exit -> "| " + exit.code() + " | " + exit.meaning() + " |")
                .collect(Collectors.joining("\n"));

        assertThat(Files.readString(Path.of("../docs/operations.md"))).contains(table);
    }
}
