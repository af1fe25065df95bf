package io.github.commandway.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tools that are published on one machine and installed on another, here in two folders. */
class ToolsRepositoryTest {
    private static final Duration LONGEST = Duration.ofSeconds(60);

    @TempDir
    Path folder;

    @BeforeEach
    void publishOneVersion() throws IOException {
        assertThat(new Run(folder)
                        .run("tools", "keygen", "private.pem", "public.pem")
                        .exitCode())
                .isZero();
        publish("1.0.0");
    }

    private void publish(String version) throws IOException {
        Path tool = Files.createDirectories(folder.resolve("workshop/tools/greet/" + version));
        Path script = Files.writeString(tool.resolve("greet.sh"), "#!/bin/sh\necho hello from " + version + "\n");
        Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));
        Run run = new Run(folder)
                .run(
                        "tools",
                        "publish",
                        "--tools-folder",
                        "workshop",
                        "--to",
                        "repository",
                        "--keys",
                        "private.pem",
                        "public.pem",
                        "greet@" + version);
        assertThat(run.exitCode()).as(run.err()).isZero();
        assertThat(run.out()).contains("added greet " + version, "signed, valid for 90d");
    }

    private Run tools(String... words) {
        List<String> args = new ArrayList<>(List.of("tools"));
        args.addAll(List.of(words));
        args.addAll(List.of("--tools-repository", "repository", "--tools-repository-key", "public.pem"));
        return new Run(folder).run(args.toArray(String[]::new));
    }

    @Test
    void toolsAreInstalledUpdatedRolledBackAndRestored() throws IOException {
        Run installed = tools("install", "greet");
        publish("1.1.0");
        Run updated = tools("update");
        Run again = tools("update", "greet");
        Run back = tools("rollback", "greet");
        Run kept = tools("update");
        Run restored = tools("restore", "greet@1.1.0");
        Run pinned = tools("pin", "greet@1.0.0");
        Run unknown = tools("install", "nosuchtool");

        assertThat(installed.out()).as(installed.err()).isEqualTo("installed greet 1.0.0\n");
        assertThat(updated.out()).as(updated.err()).isEqualTo("greet 1.1.0, before 1.0.0\n");
        assertThat(again.out()).isEqualTo("greet 1.1.0 is the newest\n");
        assertThat(back.out()).isEqualTo("greet 1.0.0 is the newest now\n");
        assertThat(kept.out()).isEqualTo("greet 1.0.0 is the newest\n");
        assertThat(restored.out()).isEqualTo("greet 1.1.0 can be used again\n");
        assertThat(pinned.out()).isEqualTo("greet 1.0.0 stays\n");
        assertThat(unknown.exitCode()).isEqualTo(ExitCode.FAILED.code());
        assertThat(unknown.err()).contains("nosuchtool");
        assertThat(new Run(folder).run("tools", "check").out()).contains("1.0.0", "1.1.0");
    }

    @Test
    void whatWasChangedSinceItWasInstalledIsFound() throws IOException {
        tools("install", "greet@1.0.0");
        Run before = tools("verify");
        Files.writeString(folder.resolve("commandway-data/tools/tools/greet/1.0.0/greet.sh"), "#!/bin/sh\nrm -rf .\n");
        Run after = tools("verify");

        assertThat(before.exitCode()).as(before.err()).isZero();
        assertThat(before.out()).isEqualTo("unchanged: greet\n");
        assertThat(after.exitCode()).isEqualTo(ExitCode.FAILED.code());
        assertThat(after.out()).isEqualTo("greet 1.0.0: greet.sh is changed\n");
    }

    @Test
    void whatIsMissingOrForgedIsToldAndNothingIsInstalled() throws IOException {
        Run unset = new Run(folder).run("tools", "install", "greet");
        Run taken = new Run(folder).run("tools", "keygen", "private.pem", "public.pem");
        Path index = folder.resolve("repository/index.json");
        Files.writeString(index, Files.readString(index).replace("1.0.0", "1.0.9"));
        Run forged = tools("install", "greet");

        assertThat(unset.exitCode()).isEqualTo(ExitCode.USAGE.code());
        assertThat(unset.err()).contains("tools.repository is not set");
        assertThat(taken.exitCode()).isEqualTo(ExitCode.USAGE.code());
        assertThat(taken.err()).contains("is there already");
        assertThat(forged.exitCode()).isEqualTo(ExitCode.FAILED.code());
        assertThat(forged.err()).contains("sign");
        assertThat(folder.resolve("commandway-data/tools/tools/greet/1.0.9")).doesNotExist();
    }

    @Test
    void aServerKeepsItsToolsUpToDateByItself() throws Exception {
        tools("install", "greet");
        Run server = new Run(folder);
        Thread thread = server.start(
                "serve",
                "-p",
                "0",
                "--quic-port",
                "0",
                "--shutdown-grace",
                "1s",
                "--tools-repository",
                "repository",
                "--tools-repository-key",
                "public.pem",
                "--tools-ids",
                "time",
                "--tools-update-every",
                "200ms",
                "--tools-keep-versions",
                "0");
        try {
            await().atMost(LONGEST).until(() -> server.out().contains("an agent elsewhere") || !thread.isAlive());
            assertThat(new Run(folder).run("cmd", "greet").out()).isEqualTo("hello from 1.0.0\n");

            assertThat(new Run(folder).run("cmd", "--detach", "greet").out()).matches("\\d{14}-2\n");
            publish("2.0.0");

            await().atMost(LONGEST)
                    .until(() -> new Run(folder).run("cmd", "greet").out().equals("hello from 2.0.0\n"));
            await().atMost(LONGEST)
                    .until(() -> !Files.exists(folder.resolve("commandway-data/tools/tools/greet/1.0.0")));
        } finally {
            server.stop();
            thread.join();
        }
        assertThat(server.exitCode()).as(server.err()).isZero();
    }
}
