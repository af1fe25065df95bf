package io.github.commandway.tools;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CommandRecord;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/** Programs as Debian has them, which know nothing of each other and of us, make a picture of a Git history together. */
class RealToolchainTest {
    private static final String TO_GRAPH = """
            [splits("\\n") | select(. != "") | split("\\t")]
            | "digraph {",
              (.[] | "  \\(.[0] | @json) [label=\\(.[2] | @json)]"),
              (.[] | . as $commit | $commit[1] | splits(" ") | select(. != "")
                | "  \\($commit[0] | @json) -> \\(. | @json)"),
              "}"
            """;

    @TempDir
    Path folder;

    private Path repository;

    @BeforeEach
    void writeToolsAndHistory() throws Exception {
        repository = Files.createDirectory(folder.resolve("repository"));
        git("init", "-q", "-b", "main");
        for (String subject : List.of("first", "quotes \" and <brackets> & äöü", "third")) {
            git("commit", "-q", "--allow-empty", "-m", subject);
        }
        git("checkout", "-q", "-b", "side", "HEAD~1");
        git("commit", "-q", "--allow-empty", "-m", "beside");
        git("checkout", "-q", "main");
        git("merge", "-q", "--no-edit", "-m", "both", "side");

        ToolFixture.write(folder, "tools/history/1.0.0/tool.yaml", """
                command: [git, -C, '%s', log, '--format=%%h%%x09%%p%%x09%%s', '--max-count=${count}']
                parameters: [{name: count, type: integer, min: 1, max: 1000, default: 100}]
                """.formatted(repository));
        ToolFixture.write(folder, "tools/to-graph/1.0.0/graph.jq", TO_GRAPH);
        ToolFixture.write(
                folder,
                "tools/to-graph/1.0.0/tool.yaml",
                "command: [jq, -R, -s, -r, -f, '${tool_folder}/graph.jq']\nisolation: sandbox\n");
        ToolFixture.write(folder, "tools/picture/1.0.0/tool.yaml", """
                command: [dot, '-T${format}', -o, 'graph.${format}']
                parameters: [{name: format, type: choice, choices: [svg, png], default: svg}]
                isolation: sandbox
                keep: always
                """);
        ToolFixture.write(folder, "toolchains/draw.yaml", """
                parameters:
                  - {name: format, default: svg}
                toolchain:
                  - log: {cmd: history}
                  - graph: {cmd: to-graph, stdin: '${steps.log.stdout}'}
                  - picture:
                      cmd: picture
                      params: {format: '${params.format}'}
                      stdin: ${steps.graph.stdout}
                """);
    }

    private void git(String... args) throws Exception {
        List<String> command = new ArrayList<>(List.of("git", "-C", repository.toString()));
        command.addAll(Arrays.asList(args));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment()
                .putAll(Map.of(
                        "GIT_AUTHOR_NAME", "a",
                        "GIT_AUTHOR_EMAIL", "a@example.org",
                        "GIT_COMMITTER_NAME", "a",
                        "GIT_COMMITTER_EMAIL", "a@example.org",
                        "GIT_CONFIG_GLOBAL", "/dev/null",
                        "GIT_CONFIG_NOSYSTEM", "1"));
        Process process = builder.start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
    }

    @Test
    void aHistoryBecomesAPictureWithEachCommitAndEachOfItsParents() throws Exception {
        Document svg = DocumentBuilderFactory.newDefaultNSInstance()
                .newDocumentBuilder()
                .parse(new ByteArrayInputStream(withoutDoctype(draw("svg")).getBytes(StandardCharsets.UTF_8)));

        assertThat(classes(svg, "node")).hasSize(5);
        assertThat(classes(svg, "edge")).hasSize(5);
        assertThat(classes(svg, "node").stream()
                        .map(node -> node.getElementsByTagNameNS("*", "text").item(0))
                        .map(text -> text.getTextContent()))
                .containsExactlyInAnyOrder("first", "quotes \" and <brackets> & äöü", "third", "beside", "both");
    }

    @Test
    void thePictureMayBeOfAnotherFormat() throws Exception {
        byte[] png = drawn("png");

        assertThat(Arrays.copyOf(png, 8)).isEqualTo(new byte[] {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'});
        assertThat(javax.imageio.ImageIO.read(new ByteArrayInputStream(png)).getWidth())
                .isPositive();
    }

    @Test
    void aFormatThatThePictureDoesNotHaveIsRefusedByTheStepThatMakesIt() throws Exception {
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.toolchain("draw").param("format", "gif"));

            assertThat(record.reason()).isEqualTo(Reason.EXECUTOR_ERROR);
            assertThat(record.message()).contains("picture", "must be one of svg, png");
        }
    }

    /** It names a file on the web, which the parser would fetch. */
    private static String withoutDoctype(String svg) {
        return svg.replaceFirst("(?s)<!DOCTYPE.*?>", "");
    }

    private String draw(String format) throws Exception {
        return new String(drawn(format), StandardCharsets.UTF_8);
    }

    private byte[] drawn(String format) throws Exception {
        try (ToolFixture fixture = new ToolFixture(folder, builder -> builder)) {
            CommandRecord record = fixture.run(ToolRequest.toolchain("draw").param("format", format));
            assertThat(record.reason())
                    .as(record.message() + fixture.output(record, "stderr"))
                    .isEqualTo(Reason.OK);
            return Files.readAllBytes(fixture.handler.file(record.id(), true, "picture/graph." + format));
        }
    }

    private static List<Element> classes(Document svg, String name) {
        List<Element> found = new ArrayList<>();
        NodeList groups = svg.getElementsByTagNameNS("*", "g");
        for (int i = 0; i < groups.getLength(); i++) {
            if (groups.item(i) instanceof Element group
                    && group.getAttribute("class").equals(name)) {
                found.add(group);
            }
        }
        return found;
    }
}
