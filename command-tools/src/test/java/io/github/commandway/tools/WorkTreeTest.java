package io.github.commandway.tools;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WorkTreeTest {
    @TempDir
    Path folder;

    /** Makes folders in one another, as deep as no path can name. */
    private Path deep() throws Exception {
        Path work = Files.createDirectory(folder.resolve("work"));
        Process process = new ProcessBuilder(
                        "sh",
                        "-c",
                        "for i in $(seq 60); do mkdir $1 && cd -P $1 && echo x > file && mkdir other || exit 1; done",
                        "sh",
                        "d".repeat(200))
                .directory(work.toFile())
                .inheritIO()
                .start();
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).isZero();
        return work;
    }

    @Test
    void whatIsDeeperThanAnyPathCanNameIsDeleted() throws Exception {
        Path work = deep();

        WorkTree.delete(work);

        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void whatIsDeeperThanFilesCanBeAskedForIsTooMuch() throws Exception {
        Path work = deep();

        assertThat(WorkTree.tooMuch(work, 1 << 20, 1_000))
                .isEqualTo("its folder has paths with more than 1024 characters");
        // nobody else can
        WorkTree.delete(work);
    }

    @Test
    void emptyFilesAndFoldersCountToo() throws Exception {
        Path work = Files.createDirectory(folder.resolve("work"));
        for (int i = 0; i < 10; i++) {
            Files.createFile(work.resolve("file" + i));
            Files.createDirectory(work.resolve("folder" + i));
        }

        assertThat(WorkTree.tooMuch(work, 0, 21)).isNull();
        assertThat(WorkTree.tooMuch(work, 0, 20)).isEqualTo("its folder has more than 20 files and folders");
        Files.writeString(work.resolve("file1"), "x");
        assertThat(WorkTree.tooMuch(work, 0, 21)).isEqualTo("its folder has 1 bytes; the most is 0");
    }

    @Test
    void linksAreDeletedAndNotWhatTheyLeadTo() throws Exception {
        Path kept = Files.createDirectory(folder.resolve("kept"));
        Files.writeString(kept.resolve("file"), "x");
        Path work = Files.createDirectory(folder.resolve("work"));
        Files.createSymbolicLink(work.resolve("link"), kept);

        WorkTree.delete(work);
        WorkTree.delete(work);

        assertThat(work).doesNotExist();
        assertThat(kept.resolve("file")).exists();
    }
}
