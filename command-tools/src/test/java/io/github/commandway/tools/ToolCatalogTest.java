package io.github.commandway.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.commandway.testing.ManualTime;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ToolCatalogTest {
    private static final String PROGRAM = "#!/bin/sh\ntrue\n";

    @TempDir
    Path folder;

    private void versions(String... versions) throws IOException {
        for (String version : versions) {
            ToolFixture.write(folder, "tools/t/" + version + "/t", PROGRAM);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "'', 2.10.0",
        "latest, 2.10.0",
        "1.0.0, v1.0.0",
        "v1.0.0, v1.0.0",
        "v2.9.1, 2.9.1",
        "3.0.0-rc.1, 3.0.0-rc.1",
        "^1, 1.4.2",
        "~2.9, 2.9.1",
        "'>=1 <2.10', 2.9.1",
        "2.x, 2.10.0",
        "0.1, 0.1",
        "'>=0.1 <1', 0.1",
        "3f786850e387550fdab836ed7e6dc881de23001b, 3f786850e387550fdab836ed7e6dc881de23001b",
        "3F78685, 3f786850e387550fdab836ed7e6dc881de23001b"
    })
    void findsTheVersionThatIsMeant(String wanted, String found) throws IOException {
        versions("0.1", "v1.0.0", "1.4.2", "2.9.1", "2.10.0", "3.0.0-rc.1", "3f786850e387550fdab836ed7e6dc881de23001b");

        assertThat(ToolCatalog.open(folder).find("t", wanted).version()).isEqualTo(found);
    }

    @Test
    void aVersionThatIsNotThereIsRefusedWithThoseThatAre() throws IOException {
        versions("1.0.0", "1.2.0");

        assertThatThrownBy(() -> ToolCatalog.open(folder).find("t", "^2"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("no version '^2' of t; there is 1.2.0, 1.0.0");
    }

    @Test
    void aHashThatFitsTwoVersionsIsRefused() throws IOException {
        versions("abcdef0123", "abcdef0456");

        assertThatThrownBy(() -> ToolCatalog.open(folder).find("t", "abcdef0"))
                .hasMessageContaining("fits more than one version");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "latest"})
    void aVersionBeforeTheFirstOneCanBeTheLatest(String wanted) throws IOException {
        versions("0.1", "0.2.0", "0.3.0-rc.1");

        assertThat(ToolCatalog.open(folder).find("t", wanted).version()).isEqualTo("0.2.0");
    }

    @Test
    void aPreReleaseIsNeverTheLatest() throws IOException {
        versions("2.0.0-beta.1");

        assertThatThrownBy(() -> ToolCatalog.open(folder).find("t", "latest")).hasMessageContaining("2.0.0-beta.1");
    }

    @ParameterizedTest
    @ValueSource(strings = {"..", "../t", "t/1.0.0", "/etc", "t\0", "t:stream", "con", "T/../t", "", "-t", "t."})
    void aNameThatLeadsElsewhereFindsNothing(String name) throws IOException {
        versions("1.0.0");

        assertThatThrownBy(() -> ToolCatalog.open(folder).find(name, ""))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("there is no tool");
    }

    @ParameterizedTest
    @ValueSource(strings = {"..", "../1.0.0", "1.0.0/..", "/", "1.0.0\0", "1.0.0:x"})
    void aVersionThatLeadsElsewhereFindsNothing(String version) throws IOException {
        versions("1.0.0");

        assertThatThrownBy(() -> ToolCatalog.open(folder).find("t", version))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void linksOutOfTheFolderAreProblemsAndNoTools() throws IOException {
        Path outside = Files.createDirectory(folder.resolve("outside"));
        ToolFixture.write(outside, "1.0.0/t", PROGRAM);
        versions("1.0.0");
        Files.createSymbolicLink(folder.resolve("tools/t/2.0.0"), outside.resolve("1.0.0"));
        Files.createDirectories(folder.resolve("tools/t/3.0.0"));
        Files.createSymbolicLink(folder.resolve("tools/t/3.0.0/t"), outside.resolve("1.0.0/t"));
        ToolFixture.write(folder, "tools/t/4.0.0/tool.yaml", "command: [../1.0.0/t]\n");

        ToolCatalog catalog = ToolCatalog.open(folder);

        assertThat(catalog.tools()).extracting(Tool::version).containsExactly("1.0.0");
        assertThat(catalog.problems())
                .extracting(CatalogProblem::toString)
                .containsExactly(
                        "tools/t/2.0.0: it leads out of the folder of tools; it should be a folder there",
                        "tools/t/3.0.0: 't' leads out of the tool's folder",
                        "tools/t/4.0.0/tool.yaml, line 1, column 11: '../1.0.0/t' must not contain '..'");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "command: [t\\nenv: {} | 'line 2, column 4: not valid YAML:'",
                "command: [t]\\ntimout: 3s | 'line 2, column 1: ''timout'' is not known here; it should be one of'",
                "command: [t]\\ntimeout: 3 | 'line 2, column 10: ''3'' should be a number with a unit'",
                "command: [t]\\ntimeout: 3s\\ntimeout: 4s | 'line 3, column 1: ''timeout'' is there twice'",
                "command: t --all | 'line 1, column 10: a command should be a list'",
                "command: [t, '${nme}'] | 'line 1, column 14: ${nme} is not known here; it should be one of'",
                "command: [nowhere] | 'line 1, column 11: ''nowhere'' should be a program'",
                "command: [t]\\nencoding: gbq | 'line 2, column 11: ''gbq'' should be an encoding'",
                "command: [t]\\nisolation: jail | 'line 2, column 12: ''jail'' should be one of none, folder, sandbox'",
                "command: [t]\\nmethods: [PUT] | 'line 2, column 11: ''PUT'' should be GET or POST'",
                "command: [t]\\nparameters: [{name: a, pattern: '('}] | 'line 2, column 33: ''('' should be a regular'",
                "command: [t]\\nparameters: [{name: a, type: integer, default: x}] | 'line 2, column 48: the default is'",
                "command: [t]\\nenv: {COMMANDWAY_X: 1} | 'line 2, column 21: ''COMMANDWAY_X'' should be the name'",
                "command: [t]\\nlimits: {processes: 3} | 'line 2, column 21: a limit of processes should go with'",
                "command: [t, \"d:\\exp\"] | 'line 1, column 14: the text holds the control character U+001B'",
                "command: {windows: [t]} | 'line 1, column 10: there is no command for linux'",
                "- a | 'line 1, column 1: this should be a map with some of'"
            })
    void whatIsWrongIsToldWithItsPlaceAndWhatWouldBeRight(String yaml, String problem) throws IOException {
        ToolFixture.write(folder, "tools/broken/1.0.0/t", PROGRAM);
        ToolFixture.write(folder, "tools/broken/1.0.0/tool.yaml", yaml.replace("\\n", "\n"));
        versions("1.0.0");

        ToolCatalog catalog = ToolCatalog.open(folder);

        assertThat(catalog.tools()).extracting(Tool::name).containsExactly("t");
        assertThat(catalog.problems()).hasSize(1);
        assertThat(catalog.problems().get(0).toString()).startsWith("tools/broken/1.0.0/tool.yaml, " + problem);
    }

    @Test
    void whatIsNotReadBecauseOfItsNameIsAProblemWithItsPath() throws IOException {
        ToolFixture.write(folder, "tools/bad name/1.0.0/t", PROGRAM);
        ToolFixture.write(folder, "toolchains/one.yml", "toolchain: [{a: {cmd: t}}]\n");
        ToolFixture.write(folder, "schedules/two.yml", "cron: '* * * * *'\ncmd: t\n");
        ToolFixture.write(folder, "toolchains/README.md", "about them");

        assertThat(ToolCatalog.open(folder).problems())
                .extracting(CatalogProblem::path)
                .containsExactly("tools/bad name", "toolchains/one.yml", "schedules/two.yml");
    }

    @Test
    void changesAreNoticed() throws IOException {
        ManualTime time = new ManualTime();
        versions("1.0.0");
        ToolCatalog catalog = ToolCatalog.open(folder);
        catalog.watch(time.scheduler(), Duration.ofSeconds(2));

        versions("1.1.0");
        ToolFixture.write(folder, "tools/u/1.0.0/tool.yaml", "command: [u]\n");
        time.advance(Duration.ofSeconds(2));
        assertThat(catalog.find("t", "").version()).isEqualTo("1.1.0");
        assertThat(catalog.problems()).hasSize(1);

        ToolFixture.write(folder, "tools/u/1.0.0/u", PROGRAM);
        ToolFixture.write(folder, "tools/t/1.0.0/tool.yaml", "description: now with a file\ncommand: [t]\n");
        Files.delete(folder.resolve("tools/t/1.1.0/t"));
        Files.delete(folder.resolve("tools/t/1.1.0"));
        time.advance(Duration.ofSeconds(2));
        assertThat(catalog.problems()).isEmpty();
        assertThat(catalog.find("u", "").version()).isEqualTo("1.0.0");
        assertThat(catalog.find("t", "").description()).isEqualTo("now with a file");
    }

    @Test
    void aToolSaysAllThatItsFileSays() throws IOException {
        ToolFixture.write(folder, "tools/t/1.0.0/t", PROGRAM);
        ToolFixture.write(folder, "tools/t/1.0.0/tool.yaml", """
                description: all of it
                commit: 3f786850e387550fdab836ed7e6dc881de23001b
                command: {linux: [t, '--level=${level}', '${args}'], windows: [t.exe], mac: [t]}
                parameters:
                  - {name: level, type: integer, min: 1, max: 9, default: 3, description: how much}
                arguments: {max: 2, pattern: '[a-z]+'}
                env: {MODE: 'level ${level}'}
                env_from_server: [PATH]
                env_from_caller: [LANG]
                locks: [scanner]
                pool: [p1, p2]
                concurrency: 2
                timeout: 5m
                stop_grace: 3s
                encoding: gb18030
                success: [0, 1]
                exit_codes: {1: nothing to do}
                retry: {attempts: 3, delay: 10ms, max_delay: 1s, on: [75]}
                methods: [get, POST]
                isolation: sandbox
                limits: {memory: 1GiB, cpu: 10s, processes: 20, open_files: 64, folder: 10MiB, output: 1MiB}
                sandbox: {read: [/etc/ssl], network: true}
                keep: never
                """);

        ToolCatalog catalog = ToolCatalog.open(folder);

        assertThat(catalog.problems()).isEmpty();
        Tool tool = catalog.find("t", "3f78685");
        assertThat(tool.description()).isEqualTo("all of it");
        assertThat(tool.command().subList(1, 3)).isEqualTo(List.of("--level=${level}", "${args}"));
        assertThat(tool.parameters()).hasSize(1);
        assertThat(tool.timeout()).isEqualTo(Duration.ofMinutes(5));
        assertThat(tool.encoding().name()).isEqualTo("GB18030");
        assertThat(tool.methods()).containsExactly("GET", "POST");
        assertThat(tool.limits()).isEqualTo(new Tool.Limits(1L << 30, 10, 20, 64, 10L << 20, 1L << 20));
        assertThat(tool.access()).isEqualTo(new Tool.Access(List.of(Path.of("/etc/ssl")), List.of(), true));
        assertThat(tool.keep()).isEqualTo(Tool.Keep.NEVER);
    }
}
