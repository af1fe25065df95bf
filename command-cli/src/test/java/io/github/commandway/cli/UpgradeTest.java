package io.github.commandway.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The program as a jar that exchanges itself. */
class UpgradeTest {
    @TempDir
    Path folder;

    private Path program;

    @BeforeEach
    void makeProgramAndRepository() throws Exception {
        program = jar(Files.createDirectory(folder.resolve("bin")).resolve("commandway.jar"), "1.0.0");
        assertThat(new Run(folder)
                        .run("tools", "keygen", "private.pem", "public.pem")
                        .exitCode())
                .isZero();
        publish(jar(folder.resolve("new.jar"), "1.1.0"), "1.1.0");
    }

    private void publish(Path file, String version) {
        Run published = new Run(folder)
                .run(
                        "tools",
                        "publish",
                        "--to",
                        "repository",
                        "--keys",
                        "private.pem",
                        "public.pem",
                        "--file",
                        file.toString(),
                        "commandway@" + version);
        assertThat(published.exitCode()).as(published.err()).isZero();
    }

    /** The classes of this module as a jar that names the libraries. */
    private static Path jar(Path file, String version) throws Exception {
        Path classes = Path.of(Commandway.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .toURI());
        Manifest manifest = new Manifest();
        Attributes attributes = manifest.getMainAttributes();
        attributes.put(Attributes.Name.MANIFEST_VERSION, "1.0");
        attributes.put(Attributes.Name.MAIN_CLASS, Commandway.class.getName());
        attributes.put(Attributes.Name.IMPLEMENTATION_VERSION, version);
        attributes.put(
                Attributes.Name.CLASS_PATH,
                Arrays.stream(System.getProperty("java.class.path").split(java.io.File.pathSeparator))
                        .map(entry -> Path.of(entry).toUri().toString())
                        .collect(Collectors.joining(" ")));
        try (OutputStream out = Files.newOutputStream(file);
                JarOutputStream jar = new JarOutputStream(out, manifest);
                Stream<Path> all = Files.walk(classes)) {
            for (Path one : all.filter(Files::isRegularFile).toList()) {
                jar.putNextEntry(new JarEntry(classes.relativize(one).toString().replace('\\', '/')));
                Files.copy(one, jar);
                jar.closeEntry();
            }
        }
        return file;
    }

    private record Ended(int exitCode, String output) {}

    private Ended start(String... args) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-jar",
                program.toString()));
        command.addAll(List.of(args));
        Process process = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Ended(process.waitFor(), output);
    }

    private Ended upgrade(String... more) throws IOException, InterruptedException {
        List<String> args =
                new ArrayList<>(List.of("-u", "--upgrade-repository", "repository", "--upgrade-key", "public.pem"));
        args.addAll(List.of(more));
        return start(args.toArray(String[]::new));
    }

    private String version() throws IOException, InterruptedException {
        return start("--version").output().lines().findFirst().orElseThrow();
    }

    @Test
    void aNewerVersionTakesThePlaceOfTheProgramAndTheOneBeforeCanBeHadBack() throws Exception {
        Ended checked = upgrade("--check");
        String before = version();
        Ended upgraded = upgrade();
        String after = version();
        Ended again = upgrade();
        Ended back = start("upgrade", "--rollback");

        assertThat(checked.output()).contains("there is 1.1.0; this is 1.0.0");
        assertThat(checked.exitCode()).isZero();
        assertThat(before).isEqualTo("commandway 1.0.0");
        assertThat(upgraded.output()).contains("this was 1.0.0 and is 1.1.0 from now on");
        assertThat(upgraded.exitCode()).isZero();
        assertThat(after).isEqualTo("commandway 1.1.0");
        assertThat(again.output()).contains("1.1.0 is the newest");
        assertThat(back.output()).contains("this was 1.1.0 and is 1.0.0 from now on");
        assertThat(version()).isEqualTo("commandway 1.0.0");
        assertThat(leftovers()).isEmpty();
    }

    @Test
    void whatIsNotSignedOrCannotBeRunLeavesTheProgramAsItIs() throws Exception {
        Ended none = start("upgrade", "--rollback");
        byte[] before = Files.readAllBytes(program);
        Path text = Files.writeString(folder.resolve("notes.jar"), "dear diary");
        publish(text, "1.2.0");
        Ended unusable = upgrade();
        publish(folder.resolve("new.jar"), "1.3.0");
        Ended mislabelled = upgrade();
        Path index = folder.resolve("repository/index.json");
        Files.writeString(index, Files.readString(index).replace("1.3.0", "1.3.1"));
        Ended forged = upgrade();

        assertThat(none.exitCode()).isEqualTo(ExitCode.USAGE.code());
        assertThat(none.output()).contains("there is no version before");
        assertThat(unusable.exitCode()).isEqualTo(ExitCode.FAILED.code());
        assertThat(unusable.output()).contains("cannot be run here", "nothing was changed");
        assertThat(mislabelled.output()).contains("came as 1.3.0 says that it is '1.1.0'", "nothing was changed");
        assertThat(forged.exitCode()).isNotZero();
        assertThat(forged.output()).contains("sign");
        assertThat(Files.readAllBytes(program)).isEqualTo(before);
        assertThat(leftovers()).isEmpty();
    }

    private List<String> leftovers() throws IOException {
        try (Stream<Path> files = Files.list(program.getParent())) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> !name.equals("commandway.jar") && !name.equals("commandway.jar.previous"))
                    .toList();
        }
    }
}
