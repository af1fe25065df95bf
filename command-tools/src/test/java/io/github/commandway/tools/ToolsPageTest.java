package io.github.commandway.tools;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CommandRecord;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** The files on docs/tools.md are what they are said to be. */
class ToolsPageTest {
    private static final Pattern BLOCK =
            Pattern.compile("<!-- (file|result): (\\S+) -->\n```[a-z]+\n(.*?)```", Pattern.DOTALL);

    @TempDir
    Path folder;

    private String page = "";

    @BeforeEach
    void writeFiles() throws Exception {
        page = Files.readString(Path.of("../docs/tools.md"));
        for (Matcher block = BLOCK.matcher(page); block.find(); ) {
            if (block.group(1).equals("file")) {
                Path file = ToolFixture.write(folder, block.group(2), block.group(3));
                if (file.toString().endsWith(".wat")) {
                    ToolFixture.assemble(file);
                }
            }
        }
    }

    @Test
    void nothingIsWrongWithTheFiles() throws IOException {
        ToolCatalog catalog = ToolCatalog.open(folder);

        assertThat(catalog.problems()).isEmpty();
        assertThat(catalog.tools()).hasSize(4);
        assertThat(catalog.toolchains()).hasSize(1);
        assertThat(catalog.schedules()).hasSize(1);
    }

    @Test
    void theToolRunsAndItsResultHasTheFieldsThatAreShown() throws Exception {
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.tool("thumbnail", "--fast")
                    .version("^1")
                    .param("picture", "in/cat.png")
                    .input("in/cat.png", "png".getBytes(StandardCharsets.UTF_8)));

            assertThat(record.reason()).as(record.message()).isEqualTo(Reason.OK);
            assertThat(fixture.output(record, "stdout")).isEqualTo("--width=200 in/cat.png --fast\n");
            Matcher block = BLOCK.matcher(page);
            assertThat(block.results()
                            .filter(found -> found.group(1).equals("result"))
                            .toList())
                    .hasSize(1)
                    .allSatisfy(found -> assertThat(names(ToolFixture.result(record)))
                            .isEqualTo(names(ToolFixture.JSON.readTree(found.group(3)))));
        }
    }

    @Test
    void theWebAssemblyProgramRuns() throws Exception {
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.tool("greet").param("name", "Ada"));

            assertThat(record.reason()).as(record.message()).isEqualTo(Reason.OK);
            assertThat(fixture.output(record, "stdout")).isEqualTo("greet\0Ada\0");
        }
    }

    @Test
    void theToolchainRuns() throws Exception {
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.toolchain("report").param("title", "Two words"));

            assertThat(record.reason()).as(record.message()).isEqualTo(Reason.OK);
            assertThat(fixture.output(record, "stdout")).isEqualTo("4\nshort: Two words 4\n4in.txt\n");
            List<String> statuses = new ArrayList<>();
            ToolFixture.result(record)
                    .get("steps")
                    .forEach(step -> statuses.add(step.get("status").asString()));
            assertThat(statuses).containsExactly("succeeded", "succeeded", "succeeded", "skipped");
        }
    }

    @Test
    void whatIsNamedAsShowingSomethingIsThere() throws IOException {
        SortedSet<String> tests = new TreeSet<>();
        try (Stream<Path> files = Files.find(
                Path.of(".."), 12, (file, attributes) -> file.toString().endsWith("Test.java"))) {
            files.forEach(file -> tests.add(file.getFileName().toString().replace(".java", "")));
        }
        List<String> named = Pattern.compile("`([A-Za-z]+Test)`")
                .matcher(page)
                .results()
                .map(found -> found.group(1))
                .toList();

        assertThat(named).hasSizeGreaterThan(50).isSubsetOf(tests);
    }

    @Test
    void everyFieldIsInTheTables() throws Exception {
        for (String file : List.of("ToolFile.java", "ToolchainFile.java", "ScheduleFile.java")) {
            String source = Files.readString(Path.of("src/main/java/io/github/commandway/tools", file));
            for (Matcher field = Pattern.compile("fields\\.(?:get|containsKey)\\(\"([a-z_]+)\"\\)")
                            .matcher(source);
                    field.find(); ) {
                assertThat(page).as(file).containsPattern("\\b" + field.group(1) + "\\b");
            }
        }
    }

    private static SortedSet<String> names(JsonNode object) {
        return new TreeSet<>(object.propertyNames());
    }
}
