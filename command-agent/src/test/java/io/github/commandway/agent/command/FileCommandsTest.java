package io.github.commandway.agent.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.github.commandway.agent.UnknownCommandException;
import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

@DisabledOnOs(OS.WINDOWS)
@Timeout(60)
class FileCommandsTest {
    private Path root;
    private Path outside;
    private Commands commands;

    @BeforeEach
    void makeFolders(@TempDir Path folder) throws Exception {
        root = Files.createDirectory(folder.resolve("root"));
        outside = Files.createDirectory(folder.resolve("root-outside"));
        Files.writeString(outside.resolve("secret"), "secret");
        commands = new Commands(BuiltinCommands.builder().files(root).maxFileSize(1000));
    }

    @Test
    void areOnWithARoot() {
        assertThat(commands.router().types()).contains("file.list", "file.read", "file.write");
    }

    @Test
    void areOffWithoutARoot() {
        assertThatExceptionOfType(UnknownCommandException.class)
                .isThrownBy(() -> new Commands(BuiltinCommands.builder()).run("file.read", "{'path': 'a'}"));
    }

    @Test
    void aRootThatIsNotThereFailsAtTheStart() {
        assertThatExceptionOfType(UncheckedIOException.class)
                .isThrownBy(() ->
                        BuiltinCommands.builder().files(root.resolve("missing")).build());
        assertThatIllegalArgumentException()
                .isThrownBy(() -> BuiltinCommands.builder().maxFileSize(0).build());
    }

    @Test
    void readsTextAndBytes() throws Exception {
        Files.writeString(root.resolve("text"), "gr\u00fcn");
        Files.write(root.resolve("bytes"), new byte[] {(byte) 0xff, 0, 1});
        assertThat(commands.run("file.read", "{'path': 'text'}"))
                .isEqualTo(
                        Commands.JSON.readTree(
                                "{\"path\":\"text\",\"content\":\"gr\u00fcn\",\"encoding\":\"utf-8\",\"size\":5,\"truncated\":false}"));
        assertThat(commands.run("file.read", "{'path': './bytes', 'encoding': 'base64'}")
                        .get("content")
                        .asString())
                .isEqualTo(Base64.getEncoder().encodeToString(new byte[] {(byte) 0xff, 0, 1}));
        commands.assertFails(Reason.EXECUTOR_ERROR, "file.read", "{'path': 'bytes'}")
                .withMessageContaining("is not UTF-8 text");
    }

    @Test
    void cutsWhatIsLongerThanMaxSizeBetweenCharacters() throws Exception {
        Files.writeString(root.resolve("text"), "gr\u00fcn");
        JsonNode result = commands.run("file.read", "{'path': 'text', 'max_size': 3}");
        assertThat(result.get("content").asString()).isEqualTo("gr");
        assertThat(result.get("size").asLong()).isEqualTo(5);
        assertThat(result.get("truncated").asBoolean()).isTrue();
        assertThat(commands.run("file.read", "{'path': 'text', 'max_size': 5}")
                        .get("truncated")
                        .asBoolean())
                .isFalse();
        commands.assertRefused("file.read", "{'path': 'text', 'max_size': 1001}")
                .withMessage("'max_size' must be from 1 to 1000");
        commands.assertRefused("file.read", "{'path': 'text', 'max_size': 0}");
        commands.assertRefused("file.read", "{'path': 'text', 'encoding': 'latin1'}");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../root-outside/secret",
                "a/../../root-outside/secret",
                "..",
                "a/..",
                "/etc/passwd",
                "link/secret",
                "direct",
                "a/up/root-outside/secret"
            })
    void refusesPathsThatLeaveTheRoot(String path) throws Exception {
        Files.createDirectory(root.resolve("a"));
        Files.createSymbolicLink(root.resolve("link"), outside);
        Files.createSymbolicLink(root.resolve("direct"), outside.resolve("secret"));
        Files.createSymbolicLink(root.resolve("a/up"), Path.of("../.."));
        commands.assertRefused("file.read", "{'path': '" + path + "'}")
                .satisfies(e -> assertThat(e.getMessage()).doesNotContain(root.toString()));
        commands.assertRefused("file.write", "{'path': '" + path + "', 'content': 'x'}");
        commands.assertRefused("file.write", "{'path': '" + path + "', 'content': 'x', 'mode': 'append'}");
        commands.assertRefused("file.list", "{'path': '" + path + "'}");
        assertThat(outside.resolve("secret")).hasContent("secret");
    }

    @Test
    void refusesToWriteThroughALinkToNowhereOrOutOfTheRoot() throws Exception {
        Files.createSymbolicLink(root.resolve("link"), outside);
        Files.createSymbolicLink(root.resolve("dangling"), outside.resolve("new"));
        commands.assertRefused("file.write", "{'path': 'link/new', 'content': 'x'}");
        for (String mode : List.of("overwrite", "append", "create")) {
            assertThatExceptionOfType(CommandException.class)
                    .isThrownBy(() ->
                            commands.run("file.write", "{'path': 'dangling', 'content': 'x', 'mode': '" + mode + "'}"));
        }
        assertThat(outside.resolve("new")).doesNotExist();
    }

    @Test
    void followsLinksThatStayInside() throws Exception {
        Files.writeString(Files.createDirectory(root.resolve("real")).resolve("file"), "old");
        Files.createSymbolicLink(root.resolve("link"), Path.of("real"));
        Files.createSymbolicLink(root.resolve("to-file"), Path.of("real/file"));
        assertThat(commands.run("file.read", "{'path': 'link/file'}")
                        .get("content")
                        .asString())
                .isEqualTo("old");
        commands.run("file.write", "{'path': 'to-file', 'content': 'new'}");
        assertThat(root.resolve("real/file")).hasContent("new");
        assertThat(Files.isSymbolicLink(root.resolve("to-file"))).isTrue();
    }

    @Test
    void aRootThatIsItselfALinkIsResolvedOnce() throws Exception {
        Files.writeString(root.resolve("file"), "here");
        Path link = Files.createSymbolicLink(root.resolveSibling("link-to-root"), root);
        assertThat(new Commands(BuiltinCommands.builder().files(link))
                        .run("file.read", "{'path': 'file'}")
                        .get("content")
                        .asString())
                .isEqualTo("here");
    }

    @Test
    void whoSwapsAFolderForALinkNeverGetsACallerOutside() throws Exception {
        Path folder = Files.createDirectory(root.resolve("folder"));
        Files.writeString(folder.resolve("secret"), "inside");
        Path parked = root.resolve("parked");
        Path link = root.resolve("link");
        AtomicBoolean stop = new AtomicBoolean();
        ExecutorService attacker = Executors.newSingleThreadExecutor();
        Future<?> attack = attacker.submit(() -> {
            while (!stop.get()) {
                Files.createSymbolicLink(link, outside);
                Files.move(folder, parked);
                Files.move(link, folder, StandardCopyOption.ATOMIC_MOVE);
                Files.delete(folder);
                Files.move(parked, folder);
            }
            return null;
        });
        int read = 0;
        int refused = 0;
        try {
            for (int i = 0; i < 5_000 || ((read == 0 || refused == 0) && i < 200_000); i++) {
                try {
                    assertThat(commands.run("file.read", "{'path': 'folder/secret'}")
                                    .get("content")
                                    .asString())
                            .isEqualTo("inside");
                    commands.run("file.write", "{'path': 'folder/new', 'content': 'x'}");
                    read++;
                } catch (CommandException e) {
                    refused++;
                }
            }
        } finally {
            stop.set(true);
            attacker.shutdown();
        }
        attack.get();
        assertThat(read).isPositive();
        assertThat(refused).isPositive();
        assertThat(outside.resolve("new")).doesNotExist();
        assertThat(outside.resolve("secret")).hasContent("secret");
    }

    @Test
    void refusesWhatIsNotARegularFile() throws Exception {
        assertThat(new ProcessBuilder("mkfifo", root.resolve("pipe").toString())
                        .start()
                        .waitFor())
                .isZero();
        Files.createDirectory(root.resolve("folder"));
        for (String path : List.of("pipe", "folder")) {
            commands.assertRefused("file.read", "{'path': '" + path + "'}").withMessageContaining("not a regular file");
            commands.assertRefused("file.write", "{'path': '" + path + "', 'content': 'x'}")
                    .withMessageContaining("not a regular file");
        }
        Commands devices = new Commands(BuiltinCommands.builder().files(Path.of("/dev")));
        devices.assertRefused("file.read", "{'path': 'zero'}").withMessageContaining("not a regular file");
        commands.assertRefused("file.read", "{'path': '.'}");
        commands.assertRefused("file.read", "{'path': ''}");
        commands.assertRefused("file.read", "{'path': 'a\\u0000b'}");
    }

    @Test
    void overwritesAtOnceAndKeepsPermissions() throws Exception {
        assertThat(commands.run("file.write", "{'path': 'new', 'content': 'gr\u00fcn'}"))
                .isEqualTo(Commands.JSON.readTree("{\"path\":\"new\",\"written\":5,\"success\":true}"));
        assertThat(permissions("new")).isEqualTo("rw-r--r--");
        Files.setPosixFilePermissions(root.resolve("new"), PosixFilePermissions.fromString("rwxr-x---"));
        Object before = Files.readAttributes(root.resolve("new"), "unix:ino").get("ino");
        commands.run("file.write", "{'path': 'new', 'content': '/w==', 'encoding': 'base64'}");
        assertThat(root.resolve("new")).hasBinaryContent(new byte[] {(byte) 0xff});
        assertThat(permissions("new")).isEqualTo("rwxr-x---");
        assertThat(Files.readAttributes(root.resolve("new"), "unix:ino").get("ino"))
                .as("replaced, not written into")
                .isNotEqualTo(before);
        commands.run("file.write", "{'path': 'new', 'content': '', 'perm': '0666'}");
        assertThat(permissions("new")).isEqualTo("rw-rw-rw-");
        assertThat(names()).containsExactly("new");
    }

    @Test
    void appends() throws Exception {
        commands.run("file.write", "{'path': 'log', 'content': 'a', 'mode': 'append', 'perm': '600'}");
        commands.run("file.write", "{'path': 'log', 'content': 'b', 'mode': 'append'}");
        assertThat(root.resolve("log")).hasContent("ab");
        assertThat(permissions("log")).isEqualTo("rw-------");
    }

    @Test
    void ofManyWhoCreateTheSameFileOneSucceeds() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(8);
        List<Future<Boolean>> outcomes = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            String content = "content of " + i;
            outcomes.add(threads.submit(() -> {
                try {
                    commands.run("file.write", "{'path': 'one', 'mode': 'create', 'content': '" + content + "'}");
                    return true;
                } catch (CommandException e) {
                    assertThat(e).hasMessage("'one' exists already");
                    return false;
                }
            }));
        }
        int created = 0;
        for (Future<Boolean> outcome : outcomes) {
            created += outcome.get() ? 1 : 0;
        }
        threads.shutdown();
        assertThat(created).isEqualTo(1);
        assertThat(Files.readString(root.resolve("one"))).startsWith("content of ");
        assertThat(names()).containsExactly("one");
    }

    @Test
    void refusesWritesThatAreTooLongOrWrong() {
        commands.assertRefused("file.write", "{'path': 'a', 'content': '" + "x".repeat(1001) + "'}")
                .withMessageContaining("more than the limit of 1000");
        commands.assertRefused("file.write", "{'path': 'a', 'content': '???', 'encoding': 'base64'}")
                .withMessage("'content' is not base64");
        commands.assertRefused("file.write", "{'path': 'a', 'content': '', 'mode': 'truncate'}");
        commands.assertRefused("file.write", "{'path': 'a', 'content': '', 'perm': '4755'}")
                .withMessageContaining("'perm'");
        commands.assertRefused("file.write", "{'path': 'a'}").withMessageContaining("'content' is missing");
        commands.assertRefused("file.write", "{'path': 'a', 'content': '', 'size': 0}")
                .withMessageContaining("unknown field 'size'");
        assertThat(root).isEmptyDirectory();
    }

    @Test
    void tellsWhatIsMissing() {
        commands.assertFails(Reason.EXECUTOR_ERROR, "file.read", "{'path': 'missing'}")
                .withMessage("there is no 'missing'");
        commands.assertFails(Reason.EXECUTOR_ERROR, "file.list", "{'path': 'missing'}")
                .withMessage("there is no 'missing'");
        commands.assertFails(Reason.EXECUTOR_ERROR, "file.write", "{'path': 'missing/a', 'content': ''}")
                .withMessage("there is no 'missing/a'");
    }

    @Test
    void listsByNameUpToTheLimit() throws Exception {
        Files.writeString(root.resolve("b"), "12345");
        Files.createDirectory(root.resolve("c"));
        Files.createSymbolicLink(root.resolve("a"), outside.resolve("secret"));
        JsonNode all = commands.run("file.list", "{}");
        assertThat(all.get("truncated").asBoolean()).isFalse();
        assertThat(all.get("entries")
                        .valueStream()
                        .map(entry -> entry.get("name").asString() + " "
                                + entry.get("type").asString()))
                .containsExactly("a symlink", "b file", "c directory");
        assertThat(all.get("entries").get(1).get("size").asLong()).isEqualTo(5);
        assertThat(all.get("entries").get(1).get("perm").asString()).isEqualTo(permissions("b"));
        JsonNode two = commands.run("file.list", "{'path': '.', 'limit': 2}");
        assertThat(two.get("truncated").asBoolean()).isTrue();
        assertThat(two.get("entries")
                        .valueStream()
                        .map(entry -> entry.get("name").asString()))
                .containsExactly("a", "b");
        commands.assertRefused("file.list", "{'limit': 10001}")
                .withMessageContaining("'limit' must be from 1 to 10000");
        commands.assertFails(Reason.EXECUTOR_ERROR, "file.list", "{'path': 'b'}");
    }

    private String permissions(String name) throws Exception {
        return PosixFilePermissions.toString(
                Files.getPosixFilePermissions(root.resolve(name), LinkOption.NOFOLLOW_LINKS));
    }

    private List<String> names() throws Exception {
        try (Stream<Path> files = Files.list(root)) {
            return files.map(file -> file.getFileName().toString()).toList();
        }
    }
}
