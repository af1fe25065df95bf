package io.github.commandway.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.Consumer;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.apache.commons.compress.archivers.zip.ZipArchiveEntry;
import org.apache.commons.compress.archivers.zip.ZipArchiveOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is unpacked stays in its folder, has files and folders only, and is no larger than it may be. */
class ArchivesTest {
    private static final long MIB = 1 << 20;

    @TempDir
    Path folder;

    private Path target;

    @BeforeEach
    void makeTarget() throws IOException {
        target = Files.createDirectory(folder.resolve("target"));
    }

    @Test
    void whatIsPackedIsUnpackedWithWhatMayBeExecuted() throws Exception {
        Path source = folder.resolve("source");
        ToolFixture.write(source, "main.sh", "#!/bin/sh\n");
        ToolFixture.write(source, "a/very/deep/folder/" + "x".repeat(150) + "/data.txt", "data");
        Archives.pack(source, folder.resolve("a.tar.gz"));

        Map<String, Archives.UnpackedFile> files = Archives.unpack(folder.resolve("a.tar.gz"), "a.tar.gz", target, MIB);

        assertThat(files).isEqualTo(Archives.read(source)).isEqualTo(Archives.read(target));
        assertThat(files.get("main.sh").executable()).isTrue();
        assertThat(Files.isExecutable(target.resolve("main.sh"))).isTrue();
    }

    @Test
    void aZipKeepsWhatMayBeExecutedToo() throws Exception {
        Path zip = zip("bin/", 0755, "bin/tool", 0104755, "bin/data", 0100644);

        assertThat(Archives.unpack(zip, "a.zip", target, MIB)).hasSize(2);
        assertThat(Files.isExecutable(target.resolve("bin/tool"))).isTrue();
        assertThat(Files.isExecutable(target.resolve("bin/data"))).isFalse();
        assertThat(Files.getAttribute(target.resolve("bin/tool"), "unix:mode")).isEqualTo(0100755);
    }

    @Test
    void aZipWithoutModesHasFilesThatAreNotExecuted() throws Exception {
        assertThat(Archives.unpack(zip("tool", 0), "a.zip", target, MIB)
                        .get("tool")
                        .executable())
                .isFalse();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../out",
                "a/../../out",
                "/etc/out",
                "a/./../../out",
                "C:out",
                "..\\out",
                "nul",
                "a/con.txt",
                "a./out",
                "a /out",
                "a//out",
                "~/out",
                "a\u0007"
            })
    void aPathThatLeadsOutOrIsNoneOnSomeSystemIsRefused(String path) throws Exception {
        assertRefused(zip(path, 0644), "a.zip", "its entry ");
        assertRefused(tar(new TarArchiveEntry(path, true)), "a.tar.gz", "its entry ");
        assertThat(folder.resolve("out")).doesNotExist();
    }

    @ParameterizedTest
    @ValueSource(
            bytes = {
                TarConstants.LF_SYMLINK,
                TarConstants.LF_LINK,
                TarConstants.LF_FIFO,
                TarConstants.LF_CHR,
                TarConstants.LF_BLK
            })
    void linksAndDevicesAreRefused(byte type) throws Exception {
        TarArchiveEntry entry = new TarArchiveEntry("link", type);
        entry.setLinkName("/etc/passwd");

        assertRefused(tar(entry), "a.tar.gz", "should be a file or a folder, and no link or anything else");
        assertThat(target).isEmptyDirectory();
    }

    @Test
    void linksInAZipAreRefused() throws Exception {
        assertRefused(zip("link", 0120777), "a.zip", "should be a file or a folder, and no link or anything else");
        assertThat(target).isEmptyDirectory();
    }

    @Test
    void theSameNameTwiceIsRefused() throws Exception {
        assertRefused(
                tar(new TarArchiveEntry("Tool.yaml"), new TarArchiveEntry("tool.yaml")), "a.tar.gz", "is there twice");
    }

    @Test
    void anArchiveThatGrowsTooMuchIsRefused() throws Exception {
        byte[] zeros = new byte[2 << 20];
        Path archive = tar(tar -> {
            for (int i = 0; i < 20; i++) {
                put(tar, new TarArchiveEntry("zeros" + i), zeros);
            }
        });

        assertRefused(archive, "a.tar.gz", "it is larger than the ");
        assertThatThrownBy(() -> Archives.unpack(tar(new TarArchiveEntry("five")), "a.tar.gz", target, 4))
                .hasMessage("it is larger than the 4 bytes that it may have unpacked");
    }

    @Test
    void anArchiveWithTooManyEntriesIsRefused() throws Exception {
        assertRefused(
                tar(tar -> {
                    for (int i = 0; i <= 10_000; i++) {
                        put(tar, new TarArchiveEntry("again/"), new byte[0]);
                    }
                }),
                "a.tar.gz",
                "it has more than 10000 entries");
    }

    @Test
    void anArchiveThatIsCutOffIsRefused() throws Exception {
        Path source = folder.resolve("source");
        ToolFixture.write(source, "main.sh", "#!/bin/sh\n");
        Archives.pack(source, folder.resolve("a.tar.gz"));
        byte[] whole = Files.readAllBytes(folder.resolve("a.tar.gz"));
        Path cut = Files.write(folder.resolve("cut.tar.gz"), java.util.Arrays.copyOf(whole, whole.length / 2));

        assertThatThrownBy(() -> Archives.unpack(cut, "cut.tar.gz", target, MIB))
                .isInstanceOf(IOException.class);
    }

    @Test
    void aFolderWithALinkIsNotPacked() throws Exception {
        Path source = Files.createDirectory(folder.resolve("source"));
        Files.createSymbolicLink(source.resolve("link"), Path.of("target"));

        assertThatThrownBy(() -> Archives.pack(source, folder.resolve("a.tar.gz")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("link should be a file, and no link");
    }

    private void assertRefused(Path archive, String name, String message) {
        assertThatThrownBy(() -> Archives.unpack(archive, name, target, 1L << 30))
                .isInstanceOfSatisfying(
                        RepositoryException.class,
                        e -> assertThat(e.code()).isEqualTo(RepositoryException.Code.REFUSED))
                .hasMessageContaining(message);
    }

    /** Each entry that is a file has five bytes. */
    private Path tar(TarArchiveEntry... entries) throws IOException {
        return tar(tar -> {
            for (TarArchiveEntry entry : entries) {
                put(tar, entry, entry.isFile() ? "bytes".getBytes(StandardCharsets.UTF_8) : new byte[0]);
            }
        });
    }

    private Path tar(Consumer<TarArchiveOutputStream> content) throws IOException {
        Path archive = folder.resolve("a.tar.gz");
        try (OutputStream out = Files.newOutputStream(archive);
                TarArchiveOutputStream tar = new TarArchiveOutputStream(new GZIPOutputStream(out))) {
            content.accept(tar);
        }
        return archive;
    }

    private static void put(TarArchiveOutputStream tar, TarArchiveEntry entry, byte[] content) {
        try {
            entry.setSize(content.length);
            tar.putArchiveEntry(entry);
            tar.write(content);
            tar.closeArchiveEntry();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    /** @param entries names and their modes; 0 for none */
    private Path zip(Object... entries) throws IOException {
        Path archive = folder.resolve("a.zip");
        try (ZipArchiveOutputStream zip = new ZipArchiveOutputStream(archive)) {
            for (int i = 0; i < entries.length; i += 2) {
                ZipArchiveEntry entry = new ZipArchiveEntry((String) entries[i]);
                int mode = (Integer) entries[i + 1];
                if (mode != 0) {
                    entry.setUnixMode(mode);
                }
                zip.putArchiveEntry(entry);
                if (!entry.isDirectory()) {
                    zip.write("bytes".getBytes(StandardCharsets.UTF_8));
                }
                zip.closeArchiveEntry();
            }
        }
        return archive;
    }
}
