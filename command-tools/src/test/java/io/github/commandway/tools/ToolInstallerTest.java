package io.github.commandway.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.tools.RepositoryException.Code;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A version is there whole or not at all, and stays as it is; updates bring new ones and take old ones that nobody needs. */
class ToolInstallerTest {
    @TempDir
    Path folder;

    private RepositoryFixture fixture;

    @BeforeEach
    void open() throws IOException {
        fixture = new RepositoryFixture(folder);
    }

    @Test
    void aToolIsInstalledAndRuns() throws Exception {
        fixture.publish("hello", "1.0.0");
        fixture.publish("hello", "1.1.0");
        Tool tool = fixture.installer().install("hello", "^1");

        assertThat(tool).hasToString("hello 1.1.0");
        assertThat(fixture.installer().installed()).containsExactly("hello");
        assertThat(files(fixture.installed("hello", "1.1.0")))
                .containsExactly("data/words.txt", "main.sh", "tool.yaml");
        try (ToolFixture running = new ToolFixture(folder.resolve("catalogue"))) {
            CommandRecord record = running.run(ToolRequest.tool("hello"));
            assertThat(record.reason()).as(record.message()).isEqualTo(Reason.OK);
            assertThat(running.output(record, "stdout")).isEqualTo("1.1.0\n");
        }
    }

    @Test
    void aVersionThatIsThereIsLeftAsItIs() throws Exception {
        fixture.publish("hello", "1.0.0");
        fixture.installer().install("hello", "");
        Path words = fixture.installed("hello", "1.0.0").resolve("data/words.txt");
        fixture.installer().install("hello", "");
        Files.writeString(words, "edited");
        assertRefused(() -> fixture.installer().install("hello", ""), Code.REFUSED, "data/words.txt is changed");
        assertThat(words).hasContent("edited");

        ToolFixture.script(folder.resolve("catalogue"), "own", "echo mine");
        fixture.publish("own", "1.0.0");
        assertRefused(
                () -> fixture.installer().install("own", ""), Code.REFUSED, "is there, and did not come from a repo");
    }

    @Test
    void aVersionThatThePublisherHasChangedIsNotTrusted() throws Exception {
        Artifact first = fixture.publish("hello", "1.0.0");
        fixture.installer().install("hello", "");
        fixture.writer.remove(first);
        Path other = ToolFixture.write(folder.resolve("other"), "hello", "#!/bin/sh\necho evil\n");
        fixture.writer.addTool("hello", "1.0.0", other.getParent(), List.of(), List.of());
        fixture.writer.publish(RepositoryFixture.WEEK);

        assertRefused(
                () -> fixture.installer().install("hello", "1.0.0"),
                Code.UNTRUSTED,
                "the repository now has something else under the same version");
    }

    @Test
    void whatCannotBeInstalledLeavesNothing() throws Exception {
        Artifact artifact = fixture.publish("hello", "1.0.0");
        byte[] content = Files.readAllBytes(fixture.published.resolve(artifact.file()));
        Files.write(fixture.published.resolve(artifact.file()), new byte[content.length]);
        assertRefused(() -> fixture.installer().install("hello", ""), Code.UNTRUSTED, "is not what was signed");

        Files.write(fixture.published.resolve(artifact.file()), content);
        Path broken = ToolFixture.write(folder.resolve("broken"), "tool.yaml", "command: [nowhere]\n");
        fixture.writer.addTool("broken", "1.0.0", broken.getParent(), List.of(), List.of());
        Path text = Files.writeString(folder.resolve("broken.zip"), "this is no archive");
        fixture.writer.addFile("text", "1.0.0", text, List.of(), List.of());
        fixture.writer.publish(RepositoryFixture.WEEK);
        assertRefused(
                () -> fixture.installer().install("broken", ""),
                Code.REFUSED,
                "broken 1.0.0 is no tool that can be used here: tool.yaml, line 1, column 11: 'nowhere'");
        assertRefused(() -> fixture.installer().install("text", ""), Code.REFUSED, "text 1.0.0 cannot be unpacked");

        assertThat(files(folder.resolve("catalogue"))).containsExactly("tools/.lock");
        assertThat(fixture.catalog.problems()).isEmpty();
        assertThatThrownBy(() -> fixture.installer().install("../hello", ""))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void whatAKilledInstallerLeftIsClearedAway() throws Exception {
        fixture.publish("hello", "1.0.0");
        ToolFixture.write(folder.resolve("catalogue/tools/hello/.staging-1/unpacked"), "main.sh", "#!/bin/sh");
        fixture.catalog.refresh();
        assertThat(fixture.catalog.tools()).isEmpty();
        assertThat(fixture.catalog.problems()).isEmpty();

        fixture.installer().install("hello", "");

        assertThat(folder.resolve("catalogue/tools/hello/.staging-1")).doesNotExist();
        assertThat(fixture.catalog.tools()).hasSize(1);
    }

    @Test
    void manyInstallersAtOnceInstallOnce() throws Exception {
        fixture.publish("hello", "1.0.0");
        ExecutorService threads = Executors.newFixedThreadPool(8);
        try {
            CountDownLatch go = new CountDownLatch(1);
            List<Future<Tool>> installs = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                ToolInstaller installer = fixture.installer();
                installs.add(threads.submit(() -> {
                    go.await();
                    return installer.install("hello", "");
                }));
            }
            go.countDown();
            for (Future<Tool> install : installs) {
                assertThat(install.get(60, TimeUnit.SECONDS)).hasToString("hello 1.0.0");
            }
        } finally {
            threads.shutdownNow();
        }
        assertThat(fixture.installer().verify()).isEmpty();
    }

    @Test
    void aVersionThatWasChangedHereIsNotSaidToBeInstalled() throws Exception {
        fixture.publish("hello", "1.0.0");
        ToolInstaller installer = fixture.installer();
        installer.install("hello", "1.0.0");
        Files.delete(fixture.installed("hello", "1.0.0").resolve("main.sh"));

        assertRefused(
                () -> installer.install("hello", "1.0.0"),
                Code.REFUSED,
                "main.sh is missing; remove the folder " + fixture.installed("hello", "1.0.0"));
    }

    @Test
    void whoCannotWaitForAnotherInstallerIsToldSo() throws Exception {
        fixture.publish("hello", "1.0.0");
        ToolInstaller impatient = ToolInstaller.builder(fixture.catalog, fixture.repository())
                .lockLimit(Duration.ZERO)
                .build();
        Path lock = folder.resolve("catalogue/tools/.lock");

        FileLocks.holding(lock, Duration.ZERO, () -> {
            assertThatThrownBy(() -> impatient.install("hello", ""))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("somebody else has had")
                    .hasMessageContaining(".lock locked for 0 s");
            return true;
        });
        assertThat(impatient.install("hello", "")).hasToString("hello 1.0.0");
    }

    @Test
    void anUpdateBringsTheNewestThatIsAllowedAndRemovesNothingUnlessItMay() throws Exception {
        ToolInstaller installer = fixture.installer();
        fixture.publish("hello", "1.0.0");
        assertThat(installer.update("hello", "^1")).isEqualTo(new ToolUpdate("hello", null, "1.0.0", List.of(), null));
        assertThat(installer.update("hello", "^1").isChanged()).isFalse();

        fixture.publish("hello", "2.0.0");
        fixture.publish("hello", "1.10.0");
        fixture.publish("hello", "1.9.0");
        fixture.publish("hello", "1.11.0-beta");
        assertThat(installer.update("hello", "^1"))
                .isEqualTo(new ToolUpdate("hello", "1.0.0", "1.10.0", List.of(), null));
        assertThat(fixture.catalog.tools()).map(Tool::version).containsExactly("1.0.0", "1.10.0");
    }

    @Test
    void oldVersionsAreRemovedButNoneThatIsPinnedInUseOrNeededOrCameFromElsewhere() throws Exception {
        ToolFixture.script(folder.resolve("catalogue"), "hello", "sleep 60");
        for (int minor = 1; minor <= 8; minor++) {
            fixture.publish("hello", "1." + minor + ".0");
            fixture.installer().install("hello", "1." + minor + ".0");
        }
        fixture.installer().pin("hello", "1.1.0", true);
        ToolFixture.write(
                folder.resolve("catalogue"),
                "toolchains/chain.yaml",
                "toolchain: [{a: {cmd: hello, version: ~1.2}}]\n");
        fixture.publish("hello", "1.9.0");
        ToolInstaller installer = ToolInstaller.builder(fixture.catalog, fixture.repository())
                .removeOld(2, tool -> tool.version().equals("1.3.0"))
                .build();

        ToolUpdate update = installer.update("hello", "");

        assertThat(update)
                .isEqualTo(new ToolUpdate("hello", "1.8.0", "1.9.0", List.of("1.6.0", "1.5.0", "1.4.0"), null));
        assertThat(fixture.catalog.tools())
                .map(Tool::version)
                .containsExactly("1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.7.0", "1.8.0", "1.9.0");
        assertThat(installer.verify()).isEmpty();
        installer.pin("hello", "1.1.0", false);
        assertThat(installer.update("hello", "").removed()).containsExactly("1.1.0");
        assertRefused(() -> installer.pin("hello", "1.1.0", true), Code.NOT_FOUND, "there is no version 1.1.0");
    }

    @Test
    void aVersionOfWhichARunIsUnderWayOrWaitsIsInUse() throws Exception {
        Path catalogue = folder.resolve("catalogue");
        ToolFixture.script(catalogue, "slow", "sleep 60");
        ToolFixture.script(catalogue, "fast", "true");
        ToolFixture.write(catalogue, "toolchains/chain.yaml", "toolchain: [{a: {cmd: fast}}, {b: {cmd: slow}}]\n");
        try (ToolFixture running = new ToolFixture(catalogue, builder -> builder.maxRuns(1, 10))) {
            Tool slow = running.catalog.find("slow", "");
            Tool fast = running.catalog.find("fast", "");
            CommandHandle first = running.submit(ToolRequest.tool("slow"));
            CommandHandle second = running.submit(ToolRequest.tool("fast"));
            Awaitility.await().until(() -> running.handler.running() == 1 && running.handler.waiting() == 1);
            assertThat(running.handler.uses(slow)).isTrue();
            assertThat(running.handler.uses(fast)).isTrue();
            running.manager.cancel(first.id()).get(30, TimeUnit.SECONDS);
            second.completion().get(60, TimeUnit.SECONDS);
            Awaitility.await().until(() -> !running.handler.uses(slow) && !running.handler.uses(fast));

            CommandHandle chain = running.submit(ToolRequest.toolchain("chain"));
            Awaitility.await().until(() -> running.handler.uses(fast) && running.handler.uses(slow));
            running.manager.cancel(chain.id()).get(30, TimeUnit.SECONDS);
            Awaitility.await().until(() -> !running.handler.uses(slow) && !running.handler.uses(fast));
        }
    }

    @Test
    void whatIsRolledBackIsNoLongerTheNewestAndNoUpdateBringsItBack() throws Exception {
        ToolInstaller installer = fixture.installer();
        fixture.publish("hello", "1.0.0");
        installer.install("hello", "");
        assertRefused(() -> installer.rollBack("hello"), Code.REFUSED, "hello 1.0.0 has none before it");
        assertThat(fixture.catalog.find("hello", "").version()).isEqualTo("1.0.0");
        fixture.publish("hello", "1.1.0");
        installer.update("hello", "");

        assertThat(installer.rollBack("hello")).hasToString("hello 1.0.0");

        assertThat(fixture.installed("hello", "1.1.0")).isDirectory();
        assertThat(ToolCatalog.open(folder.resolve("catalogue")).tools()).hasSize(1);
        assertThat(installer.update("hello", "").isChanged()).isFalse();
        assertRefused(() -> installer.install("hello", "1.1.0"), Code.REFUSED, "was withdrawn here");
        installer.restore("hello", "1.1.0");
        assertThat(fixture.catalog.find("hello", "").version()).isEqualTo("1.1.0");
        assertRefused(() -> installer.restore("hello", "1.1.0"), Code.REFUSED, "was not withdrawn");
        assertRefused(() -> installer.rollBack("other"), Code.REFUSED, "there is no version of 'other'");
    }

    @Test
    void whatWasChangedSinceItWasInstalledIsNamed() throws Exception {
        fixture.publish("hello", "1.0.0");
        fixture.publish("hello", "1.1.0");
        ToolInstaller installer = fixture.installer();
        installer.install("hello", "1.0.0");
        installer.install("hello", "1.1.0");
        assertThat(installer.verify()).isEmpty();

        Files.writeString(fixture.installed("hello", "1.0.0").resolve("main.sh"), "#!/bin/sh\necho evil\n");
        Files.delete(fixture.installed("hello", "1.1.0").resolve("data/words.txt"));
        Files.createSymbolicLink(fixture.installed("hello", "1.1.0").resolve("data/more.txt"), Path.of("../main.sh"));
        assertThat(fixture.installed("hello", "1.1.0")
                        .resolve("tool.yaml")
                        .toFile()
                        .setExecutable(true))
                .isTrue();

        assertThat(installer.verify())
                .containsExactly(
                        new ToolChange("hello", "1.0.0", "main.sh", ToolChange.What.CHANGED),
                        new ToolChange("hello", "1.1.0", "data/more.txt", ToolChange.What.ADDED),
                        new ToolChange("hello", "1.1.0", "data/words.txt", ToolChange.What.MISSING),
                        new ToolChange("hello", "1.1.0", "tool.yaml", ToolChange.What.CHANGED));
    }

    @Test
    void theUpdaterLooksAtOnceAndAgainAndTellsWhatItDid() throws Exception {
        List<ToolUpdate> told = new ArrayList<>();
        fixture.publish("hello", "1.0.0");
        ToolUpdater updater = ToolUpdater.start(
                fixture.installer(),
                Map.of("hello", "^1", "other", ""),
                fixture.time.scheduler(),
                Runnable::run,
                Duration.ofHours(1),
                told::add);
        fixture.time.advance(Duration.ZERO);
        assertThat(told)
                .filteredOn(update -> update.tool().equals("hello"))
                .containsExactly(new ToolUpdate("hello", null, "1.0.0", List.of(), null));
        assertThat(told)
                .filteredOn(update -> update.tool().equals("other"))
                .singleElement()
                .satisfies(update -> assertThat(update.problem()).contains("has no 'other' for"));

        told.clear();
        fixture.publish("hello", "1.1.0");
        fixture.time.advance(Duration.ofHours(1));
        assertThat(told).contains(new ToolUpdate("hello", "1.0.0", "1.1.0", List.of(), null));

        told.clear();
        updater.close();
        fixture.publish("hello", "1.2.0");
        fixture.time.advance(Duration.ofHours(5));
        assertThat(told).isEmpty();
    }

    @Test
    void theUpdaterOfAllToolsLooksAfterThoseThatWereInstalled() throws Exception {
        List<ToolUpdate> told = new ArrayList<>();
        fixture.publish("hello", "1.0.0");
        fixture.publish("other", "1.0.0");
        fixture.installer().install("hello", "");
        fixture.publish("hello", "1.1.0");
        try (ToolUpdater updater = ToolUpdater.start(
                fixture.installer(),
                Map.of(),
                fixture.time.scheduler(),
                Runnable::run,
                Duration.ofHours(1),
                told::add)) {
            fixture.time.advance(Duration.ofHours(2));
            assertThat(updater).isNotNull();
        }
        assertThat(told).containsExactly(new ToolUpdate("hello", "1.0.0", "1.1.0", List.of(), null));
    }

    private static List<String> files(Path folder) throws IOException {
        try (var all = Files.walk(folder)) {
            return all.filter(Files::isRegularFile)
                    .map(path -> folder.relativize(path).toString())
                    .sorted()
                    .toList();
        }
    }

    private static void assertRefused(ThrowingCallable action, Code code, String message) {
        assertThatThrownBy(action)
                .isInstanceOfSatisfying(
                        RepositoryException.class,
                        e -> assertThat(e.code()).as(e.getMessage()).isEqualTo(code))
                .hasMessageContaining(message);
    }
}
